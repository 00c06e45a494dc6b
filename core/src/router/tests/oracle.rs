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

/// Kinds of the segments, 0 literal, 1 param, 2 rest, and the values; or no match.
fn matches(pattern: &str, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
    let pattern: Vec<&str> = pattern.strip_prefix('/')?.split('/').collect();
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (mut kinds, mut values) = (vec![], vec![]);
    for (i, want) in pattern.iter().enumerate() {
        let have = *path.get(i)?;
        if want.starts_with("{*") {
            let rest = path[i..].join("/");
            let decoded = unescape(&rest, false);
            if rest.is_empty() || !harmless(&rest) || decoded.starts_with(['/', '\\']) {
                return None;
            }
            kinds.push(2);
            values.push(rest);
            return Some((kinds, values));
        } else if want.starts_with('{') {
            if have.is_empty() || !harmless(have) {
                return None;
            }
            kinds.push(1);
            values.push(have.to_string());
        } else {
            if unescape(have, true) != *want {
                return None;
            }
            kinds.push(0);
        }
    }
    (path.len() == pattern.len()).then_some((kinds, values))
}

pub(super) fn ask(routes: &[(Verb, &str)], verb: Verb, path: &str) -> String {
    let all = routes.iter().enumerate();
    let hits: Vec<_> = all
        .filter_map(|(i, route)| Some((matches(route.1, path)?, i)))
        .collect();
    let Some(best) = hits.iter().map(|hit| &hit.0.0).min() else {
        return String::from("404");
    };
    let hits: Vec<_> = hits.iter().filter(|hit| hit.0.0 == *best).collect();
    let of = |verb| hits.iter().find(|hit| routes[hit.1].0 == verb);
    let hit = of(verb).or_else(|| of(Verb::Get).filter(|_| verb == Verb::Head));
    if let Some((hit, i)) = hit {
        let names = routes[*i].1.split('/').filter(|s| s.starts_with('{'));
        let mut text = i.to_string();
        for (name, value) in names.zip(&hit.1) {
            text += &format!(" {}={value}", name.trim_matches(['{', '}', '*']));
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
