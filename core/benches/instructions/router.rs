//! Lookups in tables of several sizes.

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

/// Looks up all paths; the result lies in memory, as for a handler that wants all of it.
#[inline]
fn all<const N: usize>((router, paths): Case<N>) {
    for path in paths {
        core::hint::black_box(&router.find(Verb::Get, path));
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
#[bench::routes_10(
    args = (),
    setup = same_shape::<10>,
    config = budget("router/same_10/routes_10")
)]
fn same_10(case: Case<10>) {
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

library_benchmark_group!(
    name = router_group;
    benchmarks = api, large, same_10, same_1000
);
