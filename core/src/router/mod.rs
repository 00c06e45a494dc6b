//! From a method and a path to a handler, in a table of fixed size.
//!
//! ```
//! use barewire_core::router::{Lookup, Router, Verb};
//!
//! #[derive(Clone, Copy, PartialEq, Debug)]
//! enum Page { Users, User, File }
//!
//! static ROUTES: Router<Page, 3> = Router::new()
//!     .with(Verb::Get, "/users", Page::Users)
//!     .with(Verb::Get, "/users/{id}", Page::User)
//!     .with(Verb::Get, "/files/{*path}", Page::File);
//!
//! match ROUTES.find(Verb::Get, b"/users/42") {
//!     Lookup::Found { handler, params } => {
//!         assert_eq!(handler, Page::User);
//!         assert_eq!(params.get("id"), Some(&b"42"[..]));
//!     }
//!     _ => panic!(),
//! }
//! ```
//!
//! # What matches
//!
//! * The whole path matches or none of it; `/users` and `/users/` are different paths, and letters
//!   have a case.
//! * `{id}` takes one segment that is not empty; `{*path}`, at the end only, takes everything that is
//!   left, one byte at least, unless it begins with an empty segment.
//! * In every segment, from the left, a literal goes before `{id}`, and `{id}` before `{*path}`. If the
//!   better choice leads nowhere later on, the next one is tried: with `/a/{x}/c` and `/a/b/d`, the
//!   path `/a/b/c` is the former's. The order of registration never matters.
//! * The path is chosen first and the method then. One path is one resource, and the one pattern that
//!   describes it best says all its methods; `DELETE /users/me` is 405 where `GET /users/me` and
//!   `DELETE /users/{id}` are registered.
//! * Paths are compared raw. An escaped letter, digit, `-`, `.`, `_` or `~` is the same as the character
//!   itself (RFC 3986 section 6.2.2.2), and the digits of an escape have no case (6.2.2.1); nothing else
//!   is normalised. `%2F` does not separate segments.
//! * A `.` or `..` segment, in any spelling, matches nothing: it is not resolved, and no param
//!   takes it, not even behind an escaped separator. So a traversal path is just not found.

mod error;
mod params;
mod path;
mod pattern;
mod tree;
mod verb;

pub use error::{Reason, RouteError};
pub use params::Params;
pub use pattern::{PARAMS_MAX, PATTERN_BYTES_MAX, SEGMENTS_MAX};
pub use verb::{ALLOW_BYTES_MAX, Verb, Verbs};

use core::fmt;
use params::Captures;
use tree::Tree;

/// One entry of the table.
#[derive(Clone, Copy)]
struct Route<H> {
    verb: Verb,
    pattern: &'static str,
    handler: H,
    /// Next route with a pattern of the same shape.
    next: u16,
}

/// A table of at most `N` routes to handlers of type `H`, usually a function pointer or an enum.
///
/// All its memory is inside it (about 110 bytes for each route), and it can be built at compile time.
#[derive(Clone, Copy)]
pub struct Router<H, const N: usize> {
    tree: Tree<N>,
    routes: [Option<Route<H>>; N],
    used: u16,
    verbs: Verbs,
}

/// What the table says about a request.
#[derive(Clone, Debug)]
pub enum Lookup<'p, H> {
    /// There is a handler.
    Found {
        /// The handler of the route.
        handler: H,
        /// What its params matched.
        params: Params<'p>,
    },
    /// OPTIONS on a known path that has no route of its own for it: answer with `Allow` and no body
    /// (RFC 9110 section 9.3.7).
    Options {
        /// What the path allows.
        allow: Verbs,
    },
    /// The path is known, but not with this verb: 405, and `Allow` is a must (RFC 9110 section 15.5.6).
    MethodNotAllowed {
        /// What the path allows.
        allow: Verbs,
    },
    /// No pattern matches the path: 404.
    NotFound,
}

impl<H: Copy, const N: usize> Router<H, N> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        // Nodes are numbered with 16 bits, and the highest number means "none".
        const { assert!(N <= 32_767, "a router holds at most 32,767 routes") };
        Router {
            tree: Tree::new(),
            routes: [None; N],
            used: 0,
            verbs: Verbs::NONE,
        }
    }

    /// The table with one more route; for tables in a `static`, where a refused route is a compile
    /// error.
    ///
    /// # Panics
    ///
    /// With the text of the [`RouteError`], if the route is refused. Use [`Router::try_route`] for
    /// routes that are not known at compile time.
    #[must_use]
    #[track_caller]
    pub const fn with(mut self, verb: Verb, pattern: &'static str, handler: H) -> Self {
        match self.try_route(verb, pattern, handler) {
            Ok(()) => self,
            Err(error) => panic!("{}", error.message().as_str()),
        }
    }

    /// Adds a route.
    ///
    /// # Errors
    ///
    /// If the pattern is not a pattern, its place is taken, or the table is full. The table is then as
    /// it was before.
    pub const fn try_route(
        &mut self,
        verb: Verb,
        pattern: &'static str,
        handler: H,
    ) -> Result<(), RouteError> {
        if let Err(error) = pattern::check(pattern) {
            return Err(error);
        }
        let slot = self.used as usize;
        if slot >= N {
            return Err(RouteError::TableFull {
                pattern,
                capacity: N,
            });
        }
        let end = self.tree.insert(pattern);
        let mut node = *self.tree.node(end);
        if node.verbs.contains(verb) {
            // The shape was known, so the insertion has changed nothing.
            let with = match self.route(node.route, verb) {
                Some(route) => route.pattern,
                None => "",
            };
            return Err(RouteError::Conflict { pattern, with });
        }
        self.routes[slot] = Some(Route {
            verb,
            pattern,
            handler,
            next: node.route,
        });
        node.route = self.used;
        node.verbs = node.verbs.and(verb);
        self.tree.set(end, node);
        self.used += 1;
        self.verbs = self.verbs.and(verb);
        Ok(())
    }

    /// The route of this verb in the chain that starts with `index`.
    const fn route(&self, mut index: u16, verb: Verb) -> Option<&Route<H>> {
        while (index as usize) < N {
            match &self.routes[index as usize] {
                Some(route) if route.verb as u8 == verb as u8 => return Some(route),
                Some(route) => index = route.next,
                None => return None,
            }
        }
        None
    }

    /// Looks up a request by its method and its raw path, without query: what stands before the `?`.
    #[must_use]
    pub fn find<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        let mut captures = Captures::default();
        let Some(node) = self.tree.find(path, &mut captures) else {
            return Lookup::NotFound;
        };
        let route = match self.route(node.route, verb) {
            None if verb == Verb::Head => self.route(node.route, Verb::Get),
            route => route,
        };
        match route {
            Some(route) => Lookup::Found {
                handler: route.handler,
                params: Params::new(path, route.pattern, captures),
            },
            None => {
                let allow = node.verbs.with_implied();
                if verb == Verb::Options {
                    Lookup::Options { allow }
                } else {
                    Lookup::MethodNotAllowed { allow }
                }
            }
        }
    }

    /// What a path allows; empty where it is not found. For `Allow` in answers that were decided
    /// before the table was asked.
    #[must_use]
    pub fn allow(&self, path: &[u8]) -> Verbs {
        match self.tree.find(path, &mut Captures::default()) {
            Some(node) => node.verbs.with_implied(),
            None => Verbs::NONE,
        }
    }

    /// What any path of the table allows: the answer to `OPTIONS *` (RFC 9110 section 9.3.7).
    #[must_use]
    pub const fn all_verbs(&self) -> Verbs {
        self.verbs.with_implied()
    }

    /// How many routes are registered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.used as usize
    }

    /// Whether no route is registered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The registered routes, in the order of their registration.
    pub fn iter(&self) -> impl Iterator<Item = (Verb, &'static str, H)> {
        let routes = self.routes.iter().flatten();
        routes.map(|route| (route.verb, route.pattern, route.handler))
    }
}

impl<H: Copy, const N: usize> Default for Router<H, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Lists methods and patterns; handlers are seldom printable.
impl<H: Copy, const N: usize> fmt::Debug for Router<H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.iter().map(|(verb, pattern, _)| (verb, pattern));
        f.debug_list().entries(routes).finish()
    }
}

#[cfg(test)]
mod tests;
