//! Tables of routes: ours, and matchit's with the same patterns. Paths are each route once, its
//! params replaced by their names.

use barewire_core::router::{Lookup, Router, Verb};

use crate::input::{self, ROUTES_130};

/// A small API: literals, params, a rest. The table of core's instruction counts.
pub const API_10: &str = "\
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

/// The patterns of the larger table.
pub const LARGE_130: &str = ROUTES_130;

/// One table on both sides, and paths.
#[derive(Debug)]
#[expect(missing_docs, reason = "one for each side")]
pub struct Table<const N: usize> {
    pub ours: Router<usize, N>,
    pub theirs: matchit::Router<usize>,
    pub paths: Vec<&'static str>,
}

impl<const N: usize> Table<N> {
    /// # Panics
    /// If a side refuses a pattern, or finds another route than the one that a path was made of, or
    /// other values.
    pub fn new(patterns: &'static str) -> Self {
        let mut table = Table {
            ours: Router::new(),
            theirs: matchit::Router::new(),
            paths: Vec::new(),
        };
        for (number, pattern) in patterns.lines().enumerate() {
            table.ours.try_route(Verb::Get, pattern, number).unwrap();
            table.theirs.insert(pattern, number).unwrap();
            let path = pattern.replace("{*", "").replace(['{', '}'], "");
            let path = std::str::from_utf8(input::lone(path.as_bytes())).unwrap();
            table.paths.push(path);
        }
        assert_eq!(table.paths.len(), N);
        for (number, path) in table.paths.iter().enumerate() {
            let theirs = table.theirs.at(path).unwrap();
            assert_eq!(*theirs.value, number, "{path}");
            let Lookup::Found { handler, params } = table.ours.find(Verb::Get, path.as_bytes())
            else {
                panic!("{path}");
            };
            assert_eq!(handler, number, "{path}");
            let ours: Vec<_> = params.iter().collect();
            let theirs = theirs.params.iter();
            let theirs: Vec<_> = theirs
                .map(|(name, value)| (name, value.as_bytes()))
                .collect();
            assert_eq!(ours, theirs, "{path}");
        }
        table
    }
}
