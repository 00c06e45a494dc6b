//! The same rules, told another way: every pattern by itself, segment by segment, then the best.

use super::*;

fn unescape(text: &str, keep_reserved: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut i = 0;
    while i < bytes.len() {
        let code = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(code) => {
                let plain = code.is_ascii_alphanumeric() || b"-._~".contains(&code);
                if plain || !keep_reserved {
                    out.push(char::from(code));
                } else {
                    out += &format!("%{code:02X}");
                }
                i += 3;
            }
            None => {
                out.push(char::from(bytes[i]));
                i += 1;
            }
        }
    }
    out
}

fn harmless(value: &str) -> bool {
    let value = unescape(value, false);
    !value.split(['/', '\\']).any(|s| s == "." || s == "..")
}

/// What a table may ignore: the case of letters, a slash at the end.
pub(super) type Ignored = (bool, bool);

pub(super) fn trim(text: &str, ignored: Ignored) -> &str {
    match text.strip_suffix('/') {
        Some(rest) if ignored.1 && !rest.is_empty() => rest,
        _ => text,
    }
}

fn fold(text: &str, ignored: Ignored) -> String {
    if ignored.0 {
        text.to_lowercase()
    } else {
        text.to_string()
    }
}

/// Every way to cut a segment in three, with an escape never cut, of which the outer two are these.
fn cut<'s>(have: &'s str, before: &str, behind: &str, ignored: Ignored) -> Option<&'s str> {
    let inside = |at: usize| {
        (1..=2).any(|back| {
            let code = at
                .checked_sub(back)
                .and_then(|from| have.get(from..from + 3));
            code.is_some_and(|code| {
                code.starts_with('%') && code[1..].bytes().all(|b| b.is_ascii_hexdigit())
            })
        })
    };
    let same = |a: &str, b: &str| fold(&unescape(a, true), ignored) == fold(b, ignored);
    let cuts: Vec<usize> = (0..=have.len()).filter(|&at| !inside(at)).collect();
    let pairs = cuts
        .iter()
        .flat_map(|&from| cuts.iter().map(move |&to| (from, to)));
    let mut hits = pairs.filter(|&(from, to)| {
        from < to && same(&have[..from], before) && same(&have[to..], behind)
    });
    hits.next().map(|(from, to)| &have[from..to])
}

/// Ranks of the segments, the lower the better: 0 literal, 1 to 299 param with text, the more the
/// lower, 300 param, 301 rest; and the values. Or no match.
fn matches(pattern: &str, path: &str, ignored: Ignored) -> Option<(Vec<usize>, Vec<String>)> {
    let pattern: Vec<&str> = trim(pattern, ignored)
        .strip_prefix('/')?
        .split('/')
        .collect();
    let path: Vec<&str> = trim(path, ignored).strip_prefix('/')?.split('/').collect();
    let (mut ranks, mut values) = (vec![], vec![]);
    for (i, want) in pattern.iter().enumerate() {
        let have = *path.get(i)?;
        if want.starts_with("{*") {
            let rest = path[i..].join("/");
            let decoded = unescape(&rest, false);
            if rest.is_empty() || !harmless(&rest) || decoded.starts_with(['/', '\\']) {
                return None;
            }
            ranks.push(301);
            values.push(rest);
            return Some((ranks, values));
        } else if let Some((before, name)) = want.split_once('{') {
            let behind = name.split_once('}')?.1;
            let value = cut(have, before, behind, ignored)?;
            if !harmless(have) || !harmless(value) {
                return None;
            }
            ranks.push(300 - before.len() - behind.len());
            values.push(value.to_string());
        } else {
            if fold(&unescape(have, true), ignored) != fold(want, ignored) {
                return None;
            }
            ranks.push(0);
        }
    }
    (path.len() == pattern.len()).then_some((ranks, values))
}

/// Whether one is the other but for names of params.
pub(super) fn alike(a: &str, b: &str, ignored: Ignored) -> bool {
    let shape = |pattern: &str| {
        let segments = trim(pattern, ignored).split('/').map(|segment| {
            let Some((before, name)) = segment.split_once('{') else {
                return fold(segment, ignored);
            };
            let star = if name.starts_with('*') { "*" } else { "" };
            let behind = name.split_once('}').unwrap().1;
            fold(&format!("{before}{{{star}}}{behind}"), ignored)
        });
        segments.collect::<Vec<_>>()
    };
    shape(a) == shape(b)
}

/// Whether there is a segment that both patterns match with as much text, where they begin to differ.
pub(super) fn rivals(a: &str, b: &str, ignored: Ignored) -> bool {
    let segments = trim(a, ignored).split('/').zip(trim(b, ignored).split('/'));
    let Some((a, b)) = segments.into_iter().find(|(a, b)| !alike(a, b, ignored)) else {
        return false;
    };
    let parts = |segment: &str| {
        let (before, name) = segment.split_once('{')?;
        let behind = name.split_once('}')?.1;
        let text = before.len() + behind.len();
        (text > 0 && !name.starts_with('*')).then(|| (before.to_string(), behind.to_string(), text))
    };
    let (Some(a), Some(b)) = (parts(a), parts(b)) else {
        return false;
    };
    let longer = |a: &str, b: &str| {
        if a.len() > b.len() {
            a.to_string()
        } else {
            b.to_string()
        }
    };
    let both = format!("{}-{}", longer(&a.0, &b.0), longer(&a.1, &b.1));
    let hit = |of: &(String, String, usize)| cut(&both, &of.0, &of.1, ignored).is_some();
    a.2 == b.2 && hit(&a) && hit(&b)
}

pub(super) fn ask(routes: &[(Verb, &str)], verb: Verb, path: &str, ignored: Ignored) -> String {
    let all = routes.iter().enumerate();
    let hits: Vec<_> = all
        .filter_map(|(i, route)| Some((matches(route.1, path, ignored)?, i)))
        .collect();
    let Some(best) = hits.iter().map(|hit| &hit.0.0).min() else {
        return String::from("404");
    };
    let hits: Vec<_> = hits.iter().filter(|hit| hit.0.0 == *best).collect();
    let of = |verb| hits.iter().find(|hit| routes[hit.1].0 == verb);
    let hit = of(verb).or_else(|| of(Verb::Get).filter(|_| verb == Verb::Head));
    if let Some((hit, i)) = hit {
        let names = routes[*i].1.split('{').skip(1);
        let mut text = i.to_string();
        for (name, value) in names.zip(&hit.1) {
            let name = name.split('}').next().unwrap().trim_start_matches('*');
            text += &format!(" {name}={value}");
        }
        return text;
    }
    let mut allow: Vec<&str> = hits.iter().map(|hit| routes[hit.1].0.name()).collect();
    allow.push("OPTIONS");
    if allow.contains(&"GET") {
        allow.push("HEAD");
    }
    let order: Vec<&str> = Verb::ALL.iter().map(|v| v.name()).collect();
    let list: Vec<&str> = order.into_iter().filter(|v| allow.contains(v)).collect();
    let status = if verb == Verb::Options { 204 } else { 405 };
    format!("{status} {}", list.join(", "))
}
