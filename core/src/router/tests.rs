extern crate std;

use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

mod features;
mod oracle;
mod property;

/// Built by the compiler: a refused route would not compile.
static TABLE: Router<u32, 12> = Router::new()
    .with(Verb::Get, "/", 1)
    .with(Verb::Get, "/users", 2)
    .with(Verb::Post, "/users", 3)
    .with(Verb::Get, "/users/{id}", 4)
    .with(Verb::Delete, "/users/{user}", 5)
    .with(Verb::Get, "/users/me", 6)
    .with(Verb::Get, "/users/{id}/posts/{post}", 7)
    .with(Verb::Get, "/files/{*path}", 8)
    .with(Verb::Get, "/a/{x}/c", 9)
    .with(Verb::Get, "/a/b/d", 10)
    .with(Verb::Options, "/own", 11)
    .with(Verb::Head, "/users", 12);

/// The handler and its params, or the status and the `Allow` value.
fn ask<const N: usize>(table: &Router<u32, N>, verb: Verb, path: &str) -> String {
    match table.find(verb, path.as_bytes()) {
        Lookup::Found { handler, params } => {
            let mut text = handler.to_string();
            for (name, value) in params.iter() {
                assert_eq!(params.get(name), Some(value));
                text += &format!(" {name}={}", std::str::from_utf8(value).unwrap());
            }
            assert_eq!(params.iter().count(), params.len());
            text
        }
        Lookup::Options { allow } => format!("204 {allow}"),
        Lookup::MethodNotAllowed { allow } => format!("405 {allow}"),
        Lookup::NotFound => String::from("404"),
    }
}

fn refused(patterns: &[&'static str]) -> Option<RouteError> {
    let mut table = Router::<u32, 4>::new();
    let (last, first) = patterns.split_last().unwrap();
    for pattern in first {
        table.try_route(Verb::Get, pattern, 0).unwrap();
    }
    let before = format!("{:?} {:?}", table.tree, table.shortcut);
    let error = table.try_route(Verb::Get, last, 0).err();
    let after = format!("{:?} {:?}", table.tree, table.shortcut);
    assert!(error.is_none() || after == before);
    assert!(error.is_none() || table.len() == first.len());
    error
}

fn bad(pattern: &'static str, reason: Reason, at: usize) {
    let error = RouteError::BadPattern {
        pattern,
        reason,
        at,
    };
    assert_eq!(refused(&[pattern]), Some(error), "{pattern}");
}

#[test]
fn a_path_finds_its_route_and_params() {
    for (path, answer) in [
        ("/", "1"),
        ("/users", "2"),
        ("/users/42", "4 id=42"),
        ("/users/me", "6"),
        ("/users/mel", "4 id=mel"),
        ("/users/m", "4 id=m"),
        ("/users/1/posts/2", "7 id=1 post=2"),
        ("/users/me/posts/2", "7 id=me post=2"),
        ("/files/a", "8 path=a"),
        ("/files/a/b.txt", "8 path=a/b.txt"),
        ("/files/a//b/", "8 path=a//b/"),
        ("/users/%20x", "4 id=%20x"),
    ] {
        assert_eq!(ask(&TABLE, Verb::Get, path), answer, "{path}");
    }
}

#[test]
fn what_is_close_to_a_route_is_not_found() {
    for path in [
        "",
        "*",
        "users",
        "/users/",
        "/Users",
        "/use",
        "/users/1/",
        "/users//posts/1",
        "/users/1/posts",
        "/users/1/posts/",
        "/files",
        "/files/",
        "/files//etc/passwd",
        "//",
        "/users?x=1",
        "/users/1/posts/2/3",
        "/user%73/1/posts/",
        "/users%2F42",
        "/a/b",
        "/a/b/c/d",
    ] {
        assert_eq!(ask(&TABLE, Verb::Get, path), "404", "{path}");
    }
}

#[test]
fn a_literal_that_leads_nowhere_gives_way_to_the_param() {
    assert_eq!(ask(&TABLE, Verb::Get, "/a/b/c"), "9 x=b");
    assert_eq!(ask(&TABLE, Verb::Get, "/a/b/d"), "10");
    assert_eq!(ask(&TABLE, Verb::Get, "/a/bb/c"), "9 x=bb");
    assert_eq!(ask(&TABLE, Verb::Get, "/a/b/e"), "404");
    let deep = Router::<u32, 4>::new()
        .with(Verb::Get, "/{a}/{b}/{c}/x", 1)
        .with(Verb::Get, "/a/{b}/c/y", 2)
        .with(Verb::Get, "/a/b/{c}/z", 3)
        .with(Verb::Get, "/a/{*rest}", 4);
    assert_eq!(ask(&deep, Verb::Get, "/a/b/c/x"), "4 rest=b/c/x");
    assert_eq!(ask(&deep, Verb::Get, "/a/b/c/y"), "2 b=b");
    assert_eq!(ask(&deep, Verb::Get, "/a/b/c/z"), "3 c=c");
    assert_eq!(ask(&deep, Verb::Get, "/b/b/c/x"), "1 a=b b=b c=c");
    assert_eq!(ask(&deep, Verb::Get, "/a/b"), "4 rest=b");
}

#[test]
fn each_verb_names_the_params_its_own_way() {
    assert_eq!(ask(&TABLE, Verb::Get, "/users/42"), "4 id=42");
    assert_eq!(ask(&TABLE, Verb::Delete, "/users/42"), "5 user=42");
}

#[test]
fn a_wrong_method_is_told_what_is_allowed() {
    for (verb, path, answer) in [
        (Verb::Put, "/users", "405 GET, HEAD, POST, OPTIONS"),
        (Verb::Post, "/users/42", "405 GET, HEAD, DELETE, OPTIONS"),
        (Verb::Delete, "/users/me", "405 GET, HEAD, OPTIONS"),
        (Verb::Get, "/own", "405 OPTIONS"),
        (Verb::Head, "/own", "405 OPTIONS"),
        (Verb::Connect, "/", "405 GET, HEAD, OPTIONS"),
        (Verb::Post, "/nothing", "404"),
    ] {
        assert_eq!(ask(&TABLE, verb, path), answer, "{verb:?} {path}");
    }
    assert_eq!(TABLE.allow(b"/users/me").to_string(), "GET, HEAD, OPTIONS");
    assert!(TABLE.allow(b"/nothing").is_empty());
}

#[test]
fn head_is_served_by_get_unless_it_has_a_route() {
    assert_eq!(ask(&TABLE, Verb::Head, "/users/42"), "4 id=42");
    assert_eq!(ask(&TABLE, Verb::Head, "/users"), "12");
}

#[test]
fn options_is_implied_unless_it_has_a_route() {
    let allow = "204 GET, HEAD, POST, OPTIONS";
    assert_eq!(ask(&TABLE, Verb::Options, "/users"), allow);
    assert_eq!(ask(&TABLE, Verb::Options, "/own"), "11");
    assert_eq!(ask(&TABLE, Verb::Options, "/nothing"), "404");
    let all = "GET, HEAD, POST, DELETE, OPTIONS";
    assert_eq!(TABLE.all_verbs().to_string(), all);
    assert_eq!(Router::<u32, 0>::new().all_verbs().to_string(), "OPTIONS");
}

#[test]
fn escaped_letters_are_letters_and_escaped_separators_are_not_separators() {
    let table = Router::<u32, 5>::new()
        .with(Verb::Get, "/users", 1)
        .with(Verb::Get, "/a%2Fb", 2)
        .with(Verb::Get, "/a%2Ab", 3)
        .with(Verb::Get, "/a*b/{x}/c", 4)
        .with(Verb::Get, "/users/{id}", 5);
    for (path, answer) in [
        ("/%75sers", "1"),
        ("/%75%73%65%72%73", "1"),
        ("/use%72s", "1"),
        ("/use%52s", "404"),
        ("/users%", "404"),
        ("/user%7", "404"),
        ("/user%7g", "404"),
        ("/%zzusers", "404"),
        ("%2Fusers", "404"),
        ("/a%2Fb", "2"),
        ("/a%2fb", "2"),
        ("/a/b", "404"),
        ("/a%2ab", "3"),
        ("/%61%2a%62", "3"),
        ("/a*b", "404"),
        ("/%61*b/%61/%63", "4 x=%61"),
        ("/users/a%2Fb", "5 id=a%2Fb"),
        ("/users/100%", "5 id=100%"),
    ] {
        assert_eq!(ask(&table, Verb::Get, path), answer, "{path}");
    }
}

#[test]
fn traversal_paths_are_not_found() {
    for path in [
        "/files/..",
        "/files/.",
        "/files/../etc/passwd",
        "/files/a/../../etc",
        "/files/a/./b",
        "/files/a/..",
        "/files/%2e%2e/etc",
        "/files/.%2E/etc",
        "/files/%2E",
        "/files/a%2F..%2Fb",
        "/files/..%2f..%2fetc",
        "/files/..%5Cetc",
        "/files/..\\etc",
        "/files/%2Fetc",
        "/files/%5cetc",
        "/files/\\etc",
        "/users/..",
        "/users/%2e%2E",
        "/users/..%2Fadmin",
        "/users/../users",
        "/files//etc",
        "/users/.",
        "/a/../a/b/d",
        "/files/../users",
    ] {
        assert_eq!(ask(&TABLE, Verb::Get, path), "404", "{path}");
    }
    for path in [
        "...",
        ".a",
        "a.",
        "a..b",
        "..a/b",
        ".git/x",
        "%2e%2e%2e",
        "a%2Fb",
        "%252e%252e",
    ] {
        let answer = format!("8 path={path}");
        assert_eq!(ask(&TABLE, Verb::Get, &format!("/files/{path}")), answer);
    }
}

#[test]
fn a_conflict_names_the_other_route() {
    for (pattern, with) in [
        ("/", "/"),
        ("/users", "/users"),
        ("/users/{id}", "/users/{name}"),
        ("/{a}/{b}/{*c}", "/{x}/{y}/{*z}"),
    ] {
        let error = RouteError::Conflict { pattern, with };
        assert_eq!(refused(&[with, pattern]), Some(error));
        assert_eq!(
            error.to_string(),
            format!("route {pattern} conflicts with {with}, which has the same method")
        );
    }
    for (a, b) in [
        ("/users", "/users/"),
        ("/users/{id}", "/users/{*rest}"),
        ("/users/{id}", "/users/id"),
        ("/a/{x}/c", "/a/b/c"),
        ("/%2A", "/*"),
    ] {
        assert_eq!(refused(&[a, b]), None);
        assert_eq!(refused(&[b, a]), None);
    }
}

#[test]
fn a_full_table_says_so_and_stays_as_it_was() {
    let mut table = Router::<u32, 1>::new();
    table.try_route(Verb::Get, "/a", 1).unwrap();
    let error = table.try_route(Verb::Get, "/b", 2).unwrap_err();
    let full = RouteError::TableFull {
        pattern: "/b",
        capacity: 1,
    };
    assert_eq!(error, full);
    let text = "no room for route /b: the table holds 1";
    assert_eq!(error.to_string(), text);
    assert_eq!(ask(&table, Verb::Get, "/a"), "1");
    assert_eq!(ask(&table, Verb::Get, "/b"), "404");
    let mut none = Router::<u32, 0>::new();
    assert!(none.try_route(Verb::Get, "/", 1).is_err());
    assert_eq!(ask(&none, Verb::Get, "/"), "404");
}

#[test]
fn bad_patterns_are_refused_at_the_place_that_is_bad() {
    bad("", Reason::NoLeadingSlash, 0);
    bad("users", Reason::NoLeadingSlash, 0);
    bad("/a b", Reason::ForbiddenByte, 2);
    bad("/a?x", Reason::ForbiddenByte, 2);
    bad("/a#x", Reason::ForbiddenByte, 2);
    bad("/\u{e9}", Reason::ForbiddenByte, 1);
    bad("/a%2", Reason::BadEscape, 2);
    bad("/a%", Reason::BadEscape, 2);
    bad("/a%2f", Reason::BadEscape, 2);
    bad("/a%zz", Reason::BadEscape, 2);
    bad("/a%41", Reason::NeedlessEscape, 2);
    bad("/a/../b", Reason::DotSegment, 3);
    bad("/a/.", Reason::DotSegment, 3);
    bad("/a/{id", Reason::Unclosed, 3);
    bad("/{", Reason::Unclosed, 1);
    bad("/{*", Reason::Unclosed, 1);
    bad("/{}", Reason::BadName, 2);
    bad("/{*}", Reason::BadName, 3);
    bad("/{1a}", Reason::BadName, 4);
    bad("/{a-b}", Reason::BadName, 3);
    bad("/{a/b}", Reason::BadName, 3);
    bad("/{**a}", Reason::BadName, 3);
    bad("/{a}{b}", Reason::TwoParams, 4);
    bad("/{a}-{b}", Reason::TwoParams, 5);
    bad("/{a}b}", Reason::StrayBrace, 5);
    bad("/a}", Reason::StrayBrace, 2);
    bad("/{a}%41", Reason::NeedlessEscape, 4);
    bad("/a{*b}", Reason::PartialRest, 2);
    bad("/{*b}c", Reason::PartialRest, 1);
    bad("/v{", Reason::Unclosed, 2);
    bad("/{*a}/b", Reason::RestNotLast, 5);
    bad("/{*a}/", Reason::RestNotLast, 5);
    let deep = "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6";
    assert_eq!(refused(&[deep]), None);
    bad(
        "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7",
        Reason::TooManySegments,
        32,
    );
    let long: &'static str = Box::leak(format!("/{}", "a".repeat(254)).into_boxed_str());
    assert_eq!(refused(&[long]), None);
    let longer: &'static str = Box::leak(format!("{long}a").into_boxed_str());
    bad(longer, Reason::TooLong, 255);
    let text = refused(&[longer]).unwrap().to_string();
    assert_eq!(
        text,
        "bad route (...) at byte 255: it is too long, at most 255 bytes"
    );
    let conflict = RouteError::Conflict {
        pattern: long,
        with: long,
    };
    assert!(conflict.to_string().ends_with("which has the same method"));
}

#[test]
fn too_many_params_and_duplicate_names_are_refused() {
    assert_eq!(refused(&["/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{*h}"]), None);
    let pattern = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}";
    assert_eq!(
        refused(&[pattern]),
        Some(RouteError::TooManyParams { pattern })
    );
    let pattern = "/{a}/{aa}/x/{*a}";
    let error = RouteError::DuplicateParam { pattern, at: 14 };
    assert_eq!(refused(&[pattern]), Some(error));
    let text = "route /{a}/{aa}/x/{*a} uses the param name at byte 14 twice";
    assert_eq!(error.to_string(), text);
}

#[test]
#[should_panic = "route /{b} conflicts with /{a}, which has the same method"]
fn a_refused_route_of_a_fixed_table_panics_with_the_reason() {
    let _ = Router::<u32, 2>::new()
        .with(Verb::Get, "/{a}", 1)
        .with(Verb::Get, "/{b}", 2);
}

#[test]
fn a_path_of_64_kib_matches_nothing_and_one_byte_less_does() {
    let mut path = vec![b'x'; 65_536];
    path[..7].copy_from_slice(b"/files/");
    assert!(matches!(TABLE.find(Verb::Get, &path), Lookup::NotFound));
    let path = &path[..65_535];
    match TABLE.find(Verb::Get, path) {
        Lookup::Found { params, .. } => assert_eq!(params.get("path"), Some(&path[7..])),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ten_thousand_routes_find_themselves() {
    let mut table = Box::new(Router::<u32, 10_000>::new());
    for i in 0..10_000u32 {
        let text = format!("/api/v{}/r{}/{{id}}/s{i}", i % 3, i % 100);
        let pattern = Box::leak(text.into_boxed_str());
        table.try_route(Verb::Get, pattern, i).unwrap();
    }
    for i in 0..10_000u32 {
        let path = format!("/api/v{}/r{}/{i}/s{i}", i % 3, i % 100);
        assert_eq!(ask(&table, Verb::Get, &path), format!("{i} id={i}"));
    }
}

#[test]
fn a_route_costs_108_bytes_and_a_table_384_at_most() {
    // 16 for the pattern, 8 for the handler, 8 for the rest of the route; two nodes of 32, four
    // numbers of places for children and two for literal paths.
    let of = |routes: usize| match routes {
        100 => size_of::<Router<fn(), 100>>(),
        _ => size_of::<Router<fn(), 200>>(),
    };
    let route = if size_of::<usize>() == 8 { 108 } else { 76 };
    assert_eq!(of(200) - of(100), 100 * route);
    assert!(of(100) - 100 * route <= 384, "{}", of(100));
    assert!(size_of::<Params<'_>>() <= 80);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_are_answered(path in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = TABLE.find(Verb::Get, &path);
        let mut with_slash = vec![b'/'];
        with_slash.extend(path);
        let _ = TABLE.find(Verb::Get, &with_slash);
    }

    #[test]
    fn arbitrary_patterns_are_taken_or_refused(pattern in "[/{}*%a0-9A-F.é]{0,40}") {
        let pattern: &'static str = Box::leak(pattern.into_boxed_str());
        let mut table = Router::<u32, 1>::new();
        if let Err(error) = table.try_route(Verb::Get, pattern, 0) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
