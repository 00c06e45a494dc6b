//! The router beside another one, in memory that nobody can write, and how long a lookup takes.

use std::hint::black_box;
use std::time::Instant;

use barewire_core::router::{Lookup, Router, Verb};
use proptest::prelude::*;

/// The table of the instruction counts, as an application would have it.
static API: Router<u8, 10> = Router::new()
    .with(Verb::Get, "/", 0)
    .with(Verb::Get, "/health", 1)
    .with(Verb::Get, "/stats", 2)
    .with(Verb::Post, "/event", 3)
    .with(Verb::Get, "/users", 4)
    .with(Verb::Get, "/users/{id}", 5)
    .with(Verb::Get, "/users/{id}/orders", 6)
    .with(Verb::Get, "/users/{id}/orders/{order}", 7)
    .with(Verb::Get, "/products/{id}.json", 8)
    .with(Verb::Get, "/static/{*path}", 9);

type Found = Option<(usize, Vec<(String, String)>)>;

fn ours<const N: usize>(router: &Router<usize, N>, path: &str) -> Found {
    match router.find(Verb::Get, path.as_bytes()) {
        Lookup::Found { handler, params } => {
            let params = params.iter().map(|(name, value)| {
                let value = String::from_utf8(value.to_vec()).unwrap();
                (name.to_owned(), value)
            });
            Some((handler, params.collect()))
        }
        Lookup::NotFound => None,
        other => panic!("{path}: {other:?}"),
    }
}

fn theirs(router: &matchit::Router<usize>, path: &str) -> Found {
    let found = router.at(path).ok()?;
    let params = found.params.iter();
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some((*found.value, params.collect()))
}

/// The common grammar: literals, `{param}`, `{*rest}`; params have the name of their place.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "abc", "b-c", "P", "P", "R"]);
    prop::collection::vec(segment, 0..5).prop_map(|segments| {
        let last = segments.len();
        let text = segments
            .iter()
            .zip(1..)
            .map(|(segment, at)| match *segment {
                "R" if at == last => format!("/{{*p{at}}}"),
                "P" | "R" => format!("/{{p{at}}}"),
                literal => format!("/{literal}"),
            });
        let text: String = text.collect();
        if text.is_empty() { "/".into() } else { text }
    })
}

/// A `{*rest}` beside a `{param}` is a conflict for matchit; here the param goes first.
fn rest_beside(a: &str, b: &str) -> bool {
    let beside = |rest: &str, other: &str| {
        let before = rest.split_once('*').map(|parts| parts.0);
        before.is_some_and(|before| {
            other.starts_with(before) && !other.starts_with(&format!("{before}*"))
        })
    };
    beside(a, b) || beside(b, a)
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "a", "b", "ab", "abc", "abcd", "b-c", "x"]);
    let slash = prop::sample::select(vec!["", "", "", "/"]);
    (prop::collection::vec(segment, 0..6), slash).prop_map(|(segments, slash)| {
        match segments.len() {
            0 => "/".into(),
            _ => format!("/{}{slash}", segments.join("/")),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// On tables and paths without what the next test lists, the two routers agree, whatever
    /// overlaps.
    #[test]
    fn every_common_table_answers_as_matchit_does(
        patterns in prop::collection::vec(pattern(), 1..16),
        paths in prop::collection::vec(path(), 32),
    ) {
        let mut a = Router::<usize, 16>::new();
        let mut b = matchit::Router::new();
        for (number, pattern) in patterns.into_iter().enumerate() {
            let pattern: &'static str = pattern.leak();
            let known = a.iter().any(|route| route.1 == pattern);
            let beside = a.iter().any(|route| rest_beside(route.1, pattern));
            let answer = b.insert(pattern, number);
            prop_assert_eq!(answer.is_ok(), !known && !beside, "{}: {:?}", pattern, answer);
            // What only they refuse is left out of both tables.
            let answer = { a }.try_route(Verb::Get, pattern, number);
            prop_assert_eq!(answer.is_ok(), !known);
            if !known && !beside {
                a.try_route(Verb::Get, pattern, number).unwrap();
            }
        }
        for path in paths {
            prop_assert_eq!(ours(&a, &path), theirs(&b, &path), "{} in {:?}", path, a);
        }
    }
}

#[test]
fn where_the_two_routers_differ_they_do_so_for_a_reason() {
    let mut a = Router::<usize, 5>::new();
    let mut b = matchit::Router::new();
    let patterns = ["/users/{id}", "/files/{*path}", "/a-b", "/x{n}.json"];
    for (number, pattern) in patterns.into_iter().enumerate() {
        a.try_route(Verb::Get, pattern, number).unwrap();
        b.insert(pattern, number).unwrap();
    }
    // A {*rest} beside a {param} is a conflict for them; with us the param goes first.
    assert!(b.insert("/users/{*rest}", 9).is_err());
    a.try_route(Verb::Get, "/users/{*rest}", 9).unwrap();
    for (path, we, they, _reason) in [
        ("/users/..", None, Some(0), "a dot segment never matches"),
        ("/users/%2e%2e", None, Some(0), "in any spelling"),
        ("/files/a/../../etc", None, Some(1), "nor within a rest"),
        (
            "/files//etc/passwd",
            None,
            Some(1),
            "joined to a folder, it would be absolute",
        ),
        (
            "/%61-b",
            Some(2),
            None,
            "RFC 3986 section 6.2.2.2: an escaped letter is the letter",
        ),
        (
            "/x..%2F.json",
            None,
            Some(3),
            "the value would climb, decoded",
        ),
    ] {
        assert_eq!(ours(&a, path).map(|found| found.0), we, "{path}");
        assert_eq!(theirs(&b, path).map(|found| found.0), they, "{path}");
    }
}

#[test]
fn an_error_at_run_time_names_the_other_route() {
    let mut table = Router::<u8, 8>::new();
    let pattern = |name: &str| -> &'static str { format!("/users/{{{name}}}/x").leak() };
    table.try_route(Verb::Get, pattern("id"), 1).unwrap();
    let error = table.try_route(Verb::Get, pattern("name"), 2).unwrap_err();
    let text = "route /users/{name}/x conflicts with /users/{id}/x, which has the same method";
    assert_eq!(error.to_string(), text);
    let error = table
        .try_route(Verb::Get, "/{a}b", 3)
        .and_then(|()| table.try_route(Verb::Get, "/c{d}", 4));
    let text = "route /c{d} and /{a}b match some paths equally well";
    assert_eq!(error.unwrap_err().to_string(), text);
}

/// The permissions of the memory that an address is in.
fn permissions(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        let range = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |hex| usize::from_str_radix(hex, 16).unwrap();
        (number(range.0)..number(range.1)).contains(&address)
    });
    line.unwrap().split(' ').nth(1).unwrap().to_owned()
}

/// A table holds addresses of its patterns, so where the program is loaded at random it lies in
/// `.data.rel.ro`: the loader fills those in and takes the right to write away. In a program with a
/// fixed place, as on a microcontroller, it lies in `.rodata`, in flash.
#[test]
fn a_static_table_lies_in_memory_that_nobody_can_write() {
    static mut OTHER: u64 = 1;
    let start = std::ptr::from_ref(&API).addr();
    assert_eq!(permissions(start), "r--p");
    assert_eq!(permissions(start + size_of_val(&API) - 1), "r--p");
    // What can be written is told apart.
    assert_eq!(permissions((&raw const OTHER).addr()), "rw-p");
    assert_eq!(API.len(), black_box(10));
}

#[test]
fn a_table_that_is_built_by_the_compiler_is_built_the_same_at_run_time() {
    let mut table = Router::<u8, 10>::new();
    for (verb, pattern, handler) in API.iter() {
        table.try_route(verb, pattern, handler).unwrap();
    }
    for path in [
        "/",
        "/health",
        "/event",
        "/users/1",
        "/users/1/orders/2",
        "/products/1.json",
    ] {
        for verb in Verb::ALL {
            let (a, b) = (
                API.find(verb, path.as_bytes()),
                table.find(verb, path.as_bytes()),
            );
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
    }
}

/// As in the instruction counts: `N` routes whose paths have the same shape for every `N`.
fn same_shape<const N: usize>() -> (Box<Router<usize, N>>, matchit::Router<usize>, Vec<String>) {
    let mut state = 0x3a_5c71_u32;
    let mut word = move || {
        state = state.wrapping_add(0x9e_3779) & 0xff_ffff;
        let letter = |at: u32| char::from(b'a' + ((state >> (3 * at)) & 7) as u8 * 3);
        (0..8).map(letter).collect::<String>()
    };
    let mut ours = Box::new(Router::new());
    let mut theirs = matchit::Router::new();
    let mut paths = vec![];
    for _ in 0..N / 5 {
        let name = word();
        for tail in [
            String::new(),
            "/{p1}".into(),
            format!("/{{p1}}/{}", word()),
            format!("/{{p1}}/{}", word()),
            format!("/{{p1}}/{}/{{p2}}", word()),
        ] {
            let pattern: &'static str = format!("/{name}{tail}").leak();
            ours.try_route(Verb::Get, pattern, paths.len()).unwrap();
            theirs.insert(pattern, paths.len()).unwrap();
            paths.push(pattern.replace(['{', '}'], ""));
        }
    }
    (ours, theirs, paths)
}

/// Nanoseconds of one call, the best of several rounds of about a million calls.
fn nanoseconds(paths: &[String], mut call: impl FnMut(&str)) -> f64 {
    let rounds = (200_000 / paths.len()).max(1);
    let round = |_| {
        let start = Instant::now();
        for _ in 0..rounds {
            paths.iter().for_each(|path| call(path));
        }
        start.elapsed().as_nanos() as f64 / (rounds * paths.len()) as f64
    };
    (0..5)
        .map(round)
        .collect::<Vec<_>>()
        .iter()
        .fold(f64::MAX, |a, b| a.min(*b))
}

fn scan<const N: usize>(router: &Router<usize, N>, path: &str) -> Option<usize> {
    let matches = |pattern: &str| {
        let (mut pieces, mut segments) = (pattern.split('/'), path.split('/'));
        loop {
            match (pieces.next(), segments.next()) {
                (None, None) => return true,
                (Some(piece), Some(text)) if piece.starts_with('{') && !text.is_empty() => {}
                (Some(piece), Some(text)) if piece == text => {}
                _ => return false,
            }
        }
    };
    router
        .iter()
        .find(|route| matches(route.1))
        .map(|route| route.2)
}

fn row<const N: usize>() {
    let (a, b, paths) = same_shape::<N>();
    let ours = nanoseconds(&paths, |path| {
        black_box(a.find(Verb::Get, path.as_bytes()));
    });
    let theirs = nanoseconds(&paths, |path| {
        let _ = black_box(b.at(path));
    });
    let linear = (N <= 1_000).then(|| {
        nanoseconds(&paths, |path| {
            black_box(scan(&a, path));
        })
    });
    let linear = linear.map_or("-".into(), |time| format!("{time:.1}"));
    println!("{N:>8} {ours:>10.1} {theirs:>10.1} {linear:>10}");
}

/// `cargo test --release -p barewire-tests --test router -- --ignored --nocapture`
#[test]
#[ignore = "measures; run it alone and optimised"]
fn the_times_of_lookups() {
    println!(
        "{:>8} {:>10} {:>10} {:>10}  ns per lookup",
        "routes", "barewire", "matchit", "scan"
    );
    // The largest table has 1.1 MB and goes over the stack, in more than one copy.
    let rows = || {
        row::<10>();
        row::<100>();
        row::<1_000>();
        row::<10_000>();
    };
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(rows).unwrap().join().unwrap();
}
