//! Params with text around them, the rules that a table may loosen, and what forks cost.

use super::*;

static FILES: Router<u32, 9> = Router::new()
    .with(Verb::Get, "/files/{name}.json", 1)
    .with(Verb::Get, "/files/{name}.tar.gz", 2)
    .with(Verb::Get, "/files/{name}.gz", 3)
    .with(Verb::Get, "/files/index.json", 4)
    .with(Verb::Get, "/files/{name}", 5)
    .with(Verb::Get, "/files/{*path}", 6)
    .with(Verb::Get, "/v{major}/x", 7)
    .with(Verb::Get, "/.{hidden}", 8)
    .with(Verb::Put, "/files/{file}.json", 9);

#[test]
fn text_before_and_behind_a_param_is_not_its_value() {
    for (path, answer) in [
        ("/files/a.json", "1 name=a"),
        ("/files/a.b.json", "1 name=a.b"),
        ("/files/a%2Ejson", "1 name=a"),
        ("/files/a.%6Ason", "1 name=a"),
        ("/files/a.jso%6e", "1 name=a"),
        ("/files/%61.json", "1 name=%61"),
        ("/files/a%2F.json", "1 name=a%2F"),
        ("/files/a%2fb.json", "1 name=a%2fb"),
        ("/files/a.tar.gz", "2 name=a"),
        ("/files/a.gz", "3 name=a"),
        ("/files/.gz", "5 name=.gz"),
        ("/files/.tar.gz", "3 name=.tar"),
        ("/files/index.json", "4"),
        ("/files/a.JSON", "5 name=a.JSON"),
        ("/files/a.json/b", "6 path=a.json/b"),
        ("/v1/x", "7 major=1"),
        ("/v/x", "404"),
        ("/%761/x", "7 major=1"),
        ("/v%31/x", "7 major=%31"),
        ("/v1/y", "404"),
        ("/V1/x", "404"),
    ] {
        assert_eq!(ask(&FILES, Verb::Get, path), answer, "{path}");
    }
    assert_eq!(ask(&FILES, Verb::Put, "/files/a.json"), "9 file=a");
    let allow = "405 GET, HEAD, PUT, OPTIONS";
    assert_eq!(ask(&FILES, Verb::Post, "/files/a.json"), allow);
}

#[test]
fn no_text_around_a_param_makes_a_dot_segment_pass() {
    for path in [
        "/..",
        "/.%2E",
        "/.%2e%2Fx",
        "/...%2F..",
        "/files/..json",
        "/files/...json",
        "/files/..%2F.json",
        "/v../x",
        "/v%2E%2E%2Fa/x",
        "/v..%5Ca/x",
    ] {
        assert_eq!(ask(&FILES, Verb::Get, path), oracle_answer(path), "{path}");
    }
    assert_eq!(ask(&FILES, Verb::Get, "/.git"), "8 hidden=git");
    assert_eq!(ask(&FILES, Verb::Get, "/.."), "404");
    assert_eq!(ask(&FILES, Verb::Get, "/v../x"), "404");
    assert_eq!(ask(&FILES, Verb::Get, "/files/..%2F.json"), "404");
}

fn oracle_answer(path: &str) -> String {
    let routes: Vec<(Verb, &str)> = FILES.iter().map(|route| (route.0, route.1)).collect();
    let answer = oracle::ask(&routes, Verb::Get, path, (false, false));
    match answer.split_once(' ') {
        Some((number, params)) if number != "404" => {
            format!("{} {params}", number.parse::<u32>().unwrap() + 1)
        }
        _ => answer,
    }
}

#[test]
fn patterns_that_match_a_segment_equally_well_name_each_other() {
    for (pattern, with) in [
        ("/a{x}", "/{y}b"),
        ("/a/b{x}/c", "/a/{y}c/d/e"),
        ("/a{x}c", "/ac{x}"),
        ("/{x}.a/b", "/..{x}"),
    ] {
        for (pattern, with) in [(pattern, with), (with, pattern)] {
            let error = RouteError::Ambiguous { pattern, with };
            assert_eq!(refused(&[with, pattern]), Some(error), "{pattern} {with}");
            let text = format!("route {pattern} and {with} match some paths equally well");
            assert_eq!(error.to_string(), text);
        }
    }
    let error = RouteError::Conflict {
        pattern: "/a{x}c",
        with: "/a{y}c",
    };
    assert_eq!(refused(&["/a{y}c", "/a{x}c"]), Some(error));
    for (a, b) in [
        ("/a{x}", "/{y}bc"),
        ("/a{x}", "/b{y}"),
        ("/{x}.a", "/{x}.b"),
        ("/a{x}", "/{x}"),
        ("/a{x}", "/a"),
        ("/a{x}", "/A{x}"),
        ("/a{x}/c", "/a/{y}c"),
    ] {
        assert_eq!(refused(&[a, b]), None, "{a} {b}");
        assert_eq!(refused(&[b, a]), None, "{a} {b}");
    }
}

#[test]
fn a_verb_of_its_own_makes_no_rival_better() {
    let mut table = Router::<u32, 2>::new();
    table.try_route(Verb::Get, "/a{x}", 1).unwrap();
    let error = table.try_route(Verb::Post, "/{x}b", 2).unwrap_err();
    assert!(matches!(error, RouteError::Ambiguous { with: "/a{x}", .. }));
    assert_eq!(ask(&table, Verb::Get, "/axb"), "1 x=xb");
    assert_eq!(table.len(), 1);
}

#[test]
fn a_ninth_alternative_with_text_is_refused_and_names_one_of_the_eight() {
    let mut table = Router::<u32, 12>::new();
    let kinds = ["a", "bb", "ccc", "d", "e", "f", "g", "h"];
    for kind in kinds {
        let pattern = Box::leak(format!("/x/{{name}}.{kind}").into_boxed_str());
        table
            .try_route(Verb::Get, pattern, kind.len() as u32)
            .unwrap();
    }
    let pattern = "/x/{name}.i";
    let error = table.try_route(Verb::Get, pattern, 9).unwrap_err();
    let with = "/x/{name}.ccc";
    assert_eq!(error, RouteError::TooManyAffixed { pattern, with });
    let text = "route /x/{name}.i is one too many beside /x/{name}.ccc: at most 8 params with text \
                around them at one place";
    assert_eq!(error.to_string(), text);
    // What is no alternative to them is not one too many, and nor is another verb.
    table.try_route(Verb::Get, "/x/{name}", 10).unwrap();
    table.try_route(Verb::Get, "/y/{name}.i", 11).unwrap();
    table.try_route(Verb::Put, "/x/{name}.a", 12).unwrap();
    assert_eq!(ask(&table, Verb::Get, "/x/1.ccc"), "3 name=1");
    assert_eq!(ask(&table, Verb::Get, "/x/1.i"), "10 name=1.i");
}

static LOOSE: Router<u32, 6> =
    Router::matching(Matching::STRICT.ignore_case().ignore_trailing_slash())
        .with(Verb::Get, "/Users/{id}/Posts", 1)
        .with(Verb::Get, "/users/me/", 2)
        .with(Verb::Get, "/", 3)
        .with(Verb::Get, "/files/{*path}", 4)
        .with(Verb::Get, "/V{major}.X/%C3%A9", 5)
        .with(Verb::Post, "/USERS/me", 6);

#[test]
fn case_is_ignored_in_literal_text_only_where_the_table_says_so() {
    for (path, answer) in [
        ("/users/Ann/posts", "1 id=Ann"),
        ("/USERS/aNN/pOSTS", "1 id=aNN"),
        ("/%55sers/%41/%70osts", "1 id=%41"),
        ("/users/ME", "2"),
        ("/Files/A/B", "4 path=A/B"),
        ("/v7.x/%c3%A9", "5 major=7"),
        ("/%567.x/%c3%A9", "5 major=7"),
        ("/users/Ann/post", "404"),
        ("/user/Ann/posts", "404"),
    ] {
        assert_eq!(ask(&LOOSE, Verb::Get, path), answer, "{path}");
    }
    assert_eq!(
        ask(&LOOSE, Verb::Put, "/Users/Me"),
        "405 GET, HEAD, POST, OPTIONS"
    );
    assert_eq!(
        LOOSE.allow(b"/Users/Me/").to_string(),
        "GET, HEAD, POST, OPTIONS"
    );
    let mut table = Router::<u32, 2>::matching(Matching::STRICT.ignore_case());
    table.try_route(Verb::Get, "/Users/{id}.JSON", 1).unwrap();
    let pattern = "/users/{name}.json";
    let with = "/Users/{id}.JSON";
    let answer = table.try_route(Verb::Get, pattern, 2);
    assert_eq!(answer, Err(RouteError::Conflict { pattern, with }));
    assert_eq!(ask(&table, Verb::Get, "/users/1.json/"), "404");
    assert_eq!(refused(&["/Users", "/users"]), None);
}

#[test]
fn a_slash_at_the_end_counts_unless_the_table_says_otherwise() {
    for (path, answer) in [
        ("/users/Ann/posts/", "1 id=Ann"),
        ("/users/Ann/posts//", "404"),
        ("/users/me", "2"),
        ("/users/me/", "2"),
        ("/", "3"),
        ("//", "3"),
        ("///", "404"),
        ("", "404"),
        ("/files/", "404"),
        ("/files//", "404"),
        ("/files/a/", "4 path=a"),
        ("/files/a//", "4 path=a/"),
        ("/files/a/../", "404"),
        ("/files/a%2F", "4 path=a%2F"),
    ] {
        assert_eq!(ask(&LOOSE, Verb::Get, path), answer, "{path}");
    }
    let mut table = Router::<u32, 3>::matching(Matching::STRICT.ignore_trailing_slash());
    table.try_route(Verb::Get, "/a/", 1).unwrap();
    let answer = table.try_route(Verb::Get, "/a", 2);
    let conflict = RouteError::Conflict {
        pattern: "/a",
        with: "/a/",
    };
    assert_eq!(answer, Err(conflict));
    table.try_route(Verb::Get, "/b//", 2).unwrap();
    assert_eq!(ask(&table, Verb::Get, "/b//"), "2");
    assert_eq!(ask(&table, Verb::Get, "/b/"), "404");
    assert_eq!(ask(&table, Verb::Get, "/b///"), "404");
    assert_eq!(ask(&table, Verb::Get, "/A"), "404");
    let strict = Router::<u32, 2>::new()
        .with(Verb::Get, "/a", 1)
        .with(Verb::Get, "/b/", 2);
    assert_eq!(ask(&strict, Verb::Get, "/a/"), "404");
    assert_eq!(ask(&strict, Verb::Get, "/b"), "404");
    assert_eq!(ask(&strict, Verb::Get, "/b/"), "2");
}

#[test]
#[should_panic = "route /{x}b and /a{x} match some paths equally well"]
fn an_ambiguous_route_of_a_fixed_table_panics_with_both() {
    let _ = Router::<u32, 2>::new()
        .with(Verb::Get, "/a{x}", 1)
        .with(Verb::Get, "/{x}b", 2);
}

#[test]
fn paths_at_the_seam_of_plain_and_not_are_found_alike() {
    // 64 bytes and more are looked up with a second look, shorter ones without.
    let table = Router::<u32, 3>::new()
        .with(Verb::Get, "/a/{x}/end", 1)
        .with(Verb::Get, "/a/{x}end/{*r}", 2)
        .with(Verb::Get, "/a/{*r}", 3);
    for length in 1..200 {
        let value = "v".repeat(length);
        let found = |path: String| ask(&table, Verb::Get, &path);
        assert_eq!(found(format!("/a/{value}/end")), format!("1 x={value}"));
        assert_eq!(
            found(format!("/a/{value}end/b/c")),
            format!("2 x={value} r=b/c")
        );
        let rest = format!("{value}/b/c");
        assert_eq!(found(format!("/a/{rest}")), format!("3 r={rest}"));
    }
}
