//! Generated tables and paths, against the naive matcher.

use super::*;

fn any_verb() -> impl Strategy<Value = Verb> {
    prop::sample::select(vec![
        Verb::Get,
        Verb::Get,
        Verb::Head,
        Verb::Post,
        Verb::Options,
    ])
}

/// Patterns that collide, share prefixes, and fork often; some of them are refused.
fn any_pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a", "b", "ab", "abc", "a%2Fb", "%2F", "%2A", "*", "", ".a", "P1", "P2", "P1", "R", "R",
        "A", "aP", "Pb", "aPb", "abP", "P.a", "Pab", "%2FP",
    ]);
    prop::collection::vec(segment, 1..5).prop_map(|segments| {
        let last = segments.len() - 1;
        let mut pattern = String::new();
        for (i, segment) in segments.iter().enumerate() {
            pattern += &match *segment {
                "P1" => format!("/{{p{i}}}"),
                "P2" => format!("/{{q{i}}}"),
                "R" if i == last => format!("/{{*r{i}}}"),
                "R" => format!("/{{r{i}}}"),
                affixed => format!("/{}", affixed.replace('P', &format!("{{p{i}}}"))),
            };
        }
        pattern
    })
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a",
        "a",
        "b",
        "ab",
        "abc",
        "abcd",
        "a%2Fb",
        "a%2fb",
        "%61b",
        "%61%62%63",
        "%2f",
        "%2A",
        "%2a",
        "*",
        "",
        ".",
        "..",
        "%2e%2E",
        ".a",
        "%2ea",
        "%",
        "%6",
        "%zz",
        "x",
        "..%2fx",
        "%5Cx",
        "A",
        "AB",
        "axb",
        "a-b",
        "a%62b",
        "ax%62",
        "%61..",
        "x.a",
        "x%2Ea",
        "..a",
        "%2fab",
        "a%2Fxb",
        "",
    ]);
    prop::collection::vec(segment, 1..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

/// How the naive matcher answers a registration.
fn want(
    taken: &[(Verb, &'static str)],
    verb: Verb,
    pattern: &'static str,
    ignored: oracle::Ignored,
    answer: &Result<(), RouteError>,
) -> Result<(), RouteError> {
    let alike = |route: &&(Verb, &'static str)| oracle::alike(route.1, pattern, ignored);
    if let Some(&(_, with)) = taken.iter().filter(alike).find(|route| route.0 == verb) {
        return Err(RouteError::Conflict { pattern, with });
    }
    if taken.iter().any(|route| alike(&route)) {
        return Ok(());
    }
    let mut rivals = taken.iter().map(|route| route.1);
    let rival = |with: &&'static str| oracle::rivals(with, pattern, ignored);
    // Any of the rivals may be named.
    match answer {
        Err(RouteError::Ambiguous { with, .. })
            if rivals.any(|one| one == *with && rival(with)) =>
        {
            Err(RouteError::Ambiguous { pattern, with })
        }
        _ => match rivals.find(rival) {
            Some(with) => Err(RouteError::Ambiguous { pattern, with }),
            None => Ok(()),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_table_answers_as_the_naive_matcher_does(
        routes in prop::collection::vec((any_verb(), any_pattern()), 1..24),
        asks in prop::collection::vec((any_verb(), any_path()), 24),
        ignored in any::<(bool, bool)>(),
    ) {
        let mut rules = Matching::STRICT;
        if ignored.0 {
            rules = rules.ignore_case();
        }
        if ignored.1 {
            rules = rules.ignore_trailing_slash();
        }
        let mut table = Box::new(Router::<u32, 24>::matching(rules));
        let mut taken: Vec<(Verb, &'static str)> = vec![];
        for (verb, pattern) in routes {
            let pattern: &'static str = Box::leak(pattern.into_boxed_str());
            let before = format!("{:?} {:?}", table.tree, table.shortcut);
            let answer = table.try_route(verb, pattern, taken.len() as u32);
            let want = want(&taken, verb, pattern, ignored, &answer);
            prop_assert_eq!(answer, want, "{} in {:?}", pattern, table);
            match answer {
                Ok(()) => taken.push((verb, pattern)),
                Err(_) => {
                    prop_assert_eq!(format!("{:?} {:?}", table.tree, table.shortcut), before);
                }
            }
        }
        for (verb, path) in asks {
            let want = oracle::ask(&taken, verb, &path, ignored);
            prop_assert_eq!(ask(&table, verb, &path), want, "{} in {:?}", path, table);
        }
        // Every route finds itself by a path of its own.
        for &(verb, pattern) in &taken {
            for path in [pattern.replace(['{', '}', '*'], "_"), pattern.replace("{", "{-")] {
                let want = oracle::ask(&taken, verb, &path, ignored);
                prop_assert_eq!(ask(&table, verb, &path), want, "{} in {:?}", path, table);
            }
        }
    }
}
