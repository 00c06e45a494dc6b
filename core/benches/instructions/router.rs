//! Lookups in tables of several sizes, and what a scan of all patterns costs instead.

use barewire_core::router::{Lookup, Router, Verb};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::budget::budget;
use crate::input::{self, leak};

/// A small API: literals, params, a rest.
const API_10: &str = "\
/
/health
/stats
/event
/users
/users/{p1}
/users/{p1}/orders
/users/{p1}/orders/{p2}
/products/{p1}/reviews
/static/{*p1}";

pub type Case<const N: usize> = (&'static Router<usize, N>, &'static [&'static [u8]]);

/// The table and the paths to look up: each route once, with its params replaced by their names.
fn table<const N: usize>(patterns: impl Iterator<Item = &'static str>) -> Case<N> {
    let router: &'static mut Router<usize, N> = leak(Router::new());
    let mut paths = Vec::new();
    for (number, pattern) in patterns.enumerate() {
        let pattern = core::str::from_utf8(input::lone(pattern.as_bytes())).unwrap();
        router.try_route(Verb::Get, pattern, number).unwrap();
        let path: String = pattern.replace("{*", "").replace(['{', '}'], "");
        paths.push(input::lone(path.as_bytes()));
        match router.find(Verb::Get, path.as_bytes()) {
            Lookup::Found { handler, .. } => assert_eq!(handler, number),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(paths.len(), N, "the budget is per lookup");
    (router, paths.leak())
}

fn api_table() -> Case<10> {
    table(API_10.lines())
}

fn large_table() -> Case<130> {
    table(input::ROUTES_130.lines())
}

/// `N` routes whose paths have the same shape for every `N`: resources of five routes each, with
/// names of eight letters.
fn same_shape<const N: usize>() -> Case<N> {
    // Steps through the numbers below 2^24 with an odd stride: no number comes twice.
    let mut state = 0x3a_5c71_u32;
    let mut word = move || {
        state = state.wrapping_add(0x9e_3779) & 0xff_ffff;
        (0..8)
            .map(|at| char::from(b'a' + ((state >> (3 * at)) & 7) as u8 * 3))
            .collect::<String>()
    };
    let patterns = (0..N / 5).flat_map(move |_| {
        let resource = word();
        [
            format!("/{resource}"),
            format!("/{resource}/{{p1}}"),
            format!("/{resource}/{{p1}}/{}", word()),
            format!("/{resource}/{{p1}}/{}", word()),
            format!("/{resource}/{{p1}}/{}/{{p2}}", word()),
        ]
    });
    table(patterns.map(|pattern| &*pattern.leak()))
}

/// Paths that are nowhere in the small table, most of them nearly.
fn no_table() -> Case<10> {
    let paths = [
        "/favicon.ico",
        "/healthy",
        "/users/",
        "/users/1/order",
        "/users/1/orders/2/3",
        "/products/1/reviews/",
        "/products/1",
        "/static/",
        "/wp-login.php",
        "/a/very/long/path/of/which/nothing/is/known/here",
    ];
    let router = api_table().0;
    for path in paths {
        let found = router.find(Verb::Get, path.as_bytes());
        assert!(matches!(found, Lookup::NotFound), "{path}");
    }
    let paths = paths.map(|path| input::lone(path.as_bytes()));
    (router, leak(paths))
}

/// Params with text around them, all at one place, and with dots, which ask for a second look.
fn affixed_table() -> Case<8> {
    let kinds = ["html", "json", "css", "js", "png", "woff2", "txt", "xml"];
    table(
        kinds
            .into_iter()
            .map(|kind| &*format!("/files/{{name}}.{kind}").leak()),
    )
}

/// Looks up all paths; the result lies in memory, as for a handler that wants all of it.
#[inline]
fn all<const N: usize>((router, paths): Case<N>) {
    for path in paths {
        core::hint::black_box(&router.find(Verb::Get, path));
    }
}

/// The same, and reads every param.
#[inline]
fn all_values<const N: usize>((router, paths): Case<N>) {
    for path in paths {
        let found = router.find(Verb::Get, path);
        if let Lookup::Found { params, .. } = &found {
            for n in 0..params.len() {
                core::hint::black_box(params.nth(n));
            }
        }
        core::hint::black_box(&found);
    }
}

/// What a table without any order would do: each pattern from the first on, segment by segment, until
/// one matches. (These tables are such that the first is the best.)
#[inline]
fn all_by_scan<const N: usize>((router, paths): Case<N>) {
    for path in paths {
        let hit = router.iter().find(|route| matches(route.1, path));
        core::hint::black_box(&hit);
    }
}

fn matches(pattern: &str, path: &[u8]) -> bool {
    let mut segments = path.split(|&byte| byte == b'/');
    let mut pieces = pattern.as_bytes().split(|&byte| byte == b'/');
    loop {
        match (pieces.next(), segments.next()) {
            (None, None) => return true,
            (Some([b'{', ..]), Some([_, ..])) => {}
            (Some(piece), Some(segment)) if piece == segment => {}
            _ => return false,
        }
    }
}

#[library_benchmark]
#[bench::routes_10(args = (), setup = api_table, config = budget("router/api/routes_10"))]
fn api(case: Case<10>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_130(args = (), setup = large_table, config = budget("router/large/routes_130"))]
fn large(case: Case<130>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_10(args = (), setup = api_table, config = budget("router/api_values/routes_10"))]
fn api_values(case: Case<10>) {
    all_values(case);
}

#[library_benchmark]
#[bench::routes_130(
    args = (),
    setup = large_table,
    config = budget("router/large_values/routes_130")
)]
fn large_values(case: Case<130>) {
    all_values(case);
}

#[library_benchmark]
#[bench::routes_10(args = (), setup = no_table, config = budget("router/nowhere/routes_10"))]
fn nowhere(case: Case<10>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_8(args = (), setup = affixed_table, config = budget("router/affixed/routes_8"))]
fn affixed(case: Case<8>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_10(
    args = (),
    setup = same_shape::<10>,
    config = budget("router/same_10/routes_10")
)]
fn same_10(case: Case<10>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_100(
    args = (),
    setup = same_shape::<100>,
    config = budget("router/same_100/routes_100")
)]
fn same_100(case: Case<100>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_1000(
    args = (),
    setup = same_shape::<1000>,
    config = budget("router/same_1000/routes_1000")
)]
fn same_1000(case: Case<1000>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_10000(
    args = (),
    setup = same_shape::<10000>,
    config = budget("router/same_10000/routes_10000")
)]
fn same_10000(case: Case<10000>) {
    all(case);
}

#[library_benchmark]
#[bench::routes_10(
    args = (),
    setup = same_shape::<10>,
    config = budget("router/scan_10/routes_10")
)]
fn scan_10(case: Case<10>) {
    all_by_scan(case);
}

#[library_benchmark]
#[bench::routes_100(
    args = (),
    setup = same_shape::<100>,
    config = budget("router/scan_100/routes_100")
)]
fn scan_100(case: Case<100>) {
    all_by_scan(case);
}

#[library_benchmark]
#[bench::routes_1000(
    args = (),
    setup = same_shape::<1000>,
    config = budget("router/scan_1000/routes_1000")
)]
fn scan_1000(case: Case<1000>) {
    all_by_scan(case);
}

library_benchmark_group!(
    name = router_group;
    benchmarks = api, large, api_values, large_values, nowhere, affixed, same_10, same_100,
        same_1000, same_10000, scan_10, scan_100, scan_1000
);
