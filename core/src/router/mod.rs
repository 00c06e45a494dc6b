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
//!   have a case. Both can be chosen otherwise when the table is made: see [`Matching`].
//! * `{id}` takes one segment that is not empty; `{*path}`, at the end only, takes everything that is
//!   left, one byte at least, unless it begins with an empty segment. A segment may have text around
//!   its one param: `/files/{name}.json`, `/v{major}/users`; the value is what is between, not empty.
//! * In every segment, from the left, a literal goes before a param with text around it, of which the one
//!   with more text goes first, then `{id}`, then `{*path}`. If the better choice leads nowhere later on,
//!   the next one is tried: with `/a/{x}/c` and `/a/b/d`, the path `/a/b/c` is the former's. The order of
//!   registration never matters.
//! * Two patterns that match the same paths, but for the names of params, are refused for one verb, and two
//!   of which neither goes before the other, like `/a{x}` and `/{x}b`, always. The error names both.
//! * The path is chosen first and the method then. One path is one resource, and the one pattern that
//!   describes it best says all its methods; `DELETE /users/me` is 405 where `GET /users/me` and
//!   `DELETE /users/{id}` are registered.
//! * Paths are compared raw. An escaped letter, digit, `-`, `.`, `_` or `~` is the same as the character
//!   itself (RFC 3986 section 6.2.2.2), and the digits of an escape have no case (6.2.2.1); nothing else
//!   is normalised. `%2F` does not separate segments.
//! * A `.` or `..` segment, in any spelling, matches nothing: it is not resolved, and no param
//!   takes it, not even behind an escaped separator, nor as the part that text around the param leaves. So
//!   a traversal path is just not found.
//!
//! # What it costs
//!
//! A route takes 100 bytes and its handler (108 with a function pointer on a 64-bit machine), of which 72 are the
//! tree, 4 the shortcut, and the rest the route itself. A table in a `static` is built by the compiler and
//! never written: it lies in `.rodata`, or, where programs are loaded at a random place, in `.data.rel.ro`.
//!
//! A path that is a pattern without params is found by one hash of all of it. Any other is walked
//! segment by segment; each literal segment is one probe of a hash table, each param none, so the cost
//! depends on the path and not on how many routes there are: 276 instructions a lookup with
//! 10, 275 with 1,000 and 10,000 routes of the same shape. Wrong choices cost what they lead to;
//! the table bounds that, not the path: at one place there are [`AFFIXED_MAX`] params with text
//! around them, one `{param}`, one `{*rest}` and one literal to try, and after one straight try,
//! which goes by the first choice everywhere, no part of the tree is tried twice. A path with a `.`,
//! a `%` or 64 bytes and more is looked at more closely, for two to three times the cost.

mod error;
mod matching;
mod params;
mod path;
mod pattern;
mod shortcut;
mod tree;
mod verb;
mod walk;

pub use error::{Reason, RouteError};
pub use matching::Matching;
pub use params::Params;
pub use pattern::{AFFIXED_MAX, PARAMS_MAX, PATTERN_BYTES_MAX, SEGMENTS_MAX};
pub use verb::{ALLOW_BYTES_MAX, Verb, Verbs};

use core::fmt;
use core::hint::cold_path;

use params::{Captures, Spans};
use shortcut::Shortcut;
use tree::{NONE, Refusal, Tree};
use walk::Direct;

/// One entry of the table.
#[derive(Clone, Copy)]
struct Route<H> {
    verb: Verb,
    pattern: &'static str,
    handler: H,
    /// Next route with a pattern that matches the same.
    next: u16,
}

/// A table of at most `N` routes to handlers of type `H`, usually a function pointer or an enum.
///
/// All its memory is inside it (100 bytes for each route, and its handler), and it can be built at compile time.
#[derive(Clone, Copy)]
pub struct Router<H, const N: usize> {
    tree: Tree<N>,
    shortcut: Shortcut<N>,
    routes: [Option<Route<H>>; N],
    used: u16,
    verbs: Verbs,
    rules: Matching,
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
    /// An empty table, strict in what matches.
    #[must_use]
    pub const fn new() -> Self {
        Self::matching(Matching::STRICT)
    }

    /// An empty table that compares by these rules.
    ///
    /// ```
    /// use barewire_core::router::{Lookup, Matching, Router, Verb};
    ///
    /// static ROUTES: Router<u8, 1> =
    ///     Router::matching(Matching::STRICT.ignore_case().ignore_trailing_slash())
    ///         .with(Verb::Get, "/users/{id}", 1);
    ///
    /// assert!(matches!(ROUTES.find(Verb::Get, b"/Users/Ann/"), Lookup::Found { .. }));
    /// ```
    #[must_use]
    pub const fn matching(rules: Matching) -> Self {
        // Nodes are numbered with 16 bits, and the highest number means "none".
        const { assert!(N <= 32_767, "a router holds at most 32,767 routes") };
        Router {
            tree: Tree::new(),
            shortcut: Shortcut::new(),
            routes: [None; N],
            used: 0,
            verbs: Verbs::NONE,
            rules,
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
        let text = self.rules.trim(pattern.as_bytes());
        let end = match self.tree.insert(text, self.rules) {
            Ok(end) => end,
            Err(Refusal::Rival(node)) => {
                let with = self.pattern(self.tree.route_through(node));
                return Err(RouteError::Ambiguous { pattern, with });
            }
            Err(Refusal::Crowd(node)) => {
                let with = self.pattern(self.tree.route_through(node));
                return Err(RouteError::TooManyAffixed { pattern, with });
            }
        };
        let mut node = *self.tree.node(end);
        if node.route == NONE {
            node.route = self.used;
            self.tree.set(end, node);
            self.shortcut.add(text, self.used);
        } else {
            // The shape was known, so the insertion has changed nothing.
            let mut index = node.route as usize;
            while index < N
                && let Some(mut route) = self.routes[index]
            {
                if route.verb as u8 == verb as u8 {
                    let with = route.pattern;
                    return Err(RouteError::Conflict { pattern, with });
                }
                if route.next == NONE {
                    // At the end, so that the first route of a pattern stays the first.
                    route.next = self.used;
                    self.routes[index] = Some(route);
                    break;
                }
                index = route.next as usize;
            }
        }
        self.routes[slot] = Some(Route {
            verb,
            pattern,
            handler,
            next: NONE,
        });
        self.used += 1;
        self.verbs = self.verbs.and(verb);
        Ok(())
    }

    /// The pattern of a route.
    const fn pattern(&self, index: u16) -> &'static str {
        let index = index as usize;
        if index < N
            && let Some(route) = &self.routes[index]
        {
            return route.pattern;
        }
        ""
    }

    fn route(&self, index: u16) -> Option<&Route<H>> {
        self.routes.get(usize::from(index))?.as_ref()
    }

    /// The route of this verb in the chain that starts here.
    #[inline(always)]
    fn of_verb<'r>(&'r self, mut route: &'r Route<H>, verb: Verb) -> Option<&'r Route<H>> {
        while route.verb != verb {
            cold_path();
            route = self.route(route.next)?;
        }
        Some(route)
    }

    /// Looks up a request by its method and its raw path, without query: what stands before the `?`.
    #[must_use]
    #[inline]
    pub fn find<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        let path = self.rules.trim(path);
        if !crate::VECTORS {
            return self.find_slowly(verb, path);
        }
        // (Calls behind the choice, so that neither saves registers for the other.)
        if self.shortcut.may_have(path) {
            self.find_shortcut(verb, path)
        } else {
            self.find_again(verb, path)
        }
    }

    /// The usual case calls nothing, so that no register has to be saved for it: a short path, at
    /// the first place, with a route of this verb.
    #[inline(never)]
    fn find_shortcut<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        if path.len() <= path::SHORT_BYTES_MAX
            && let Some(first) = self
                .shortcut
                .first(path)
                .and_then(|first| self.route(first))
            && path::equal(first.pattern.as_bytes(), path)
            && let Some(route) = self.of_verb(first, verb)
        {
            return Lookup::Found {
                handler: route.handler,
                params: Params::new(path, route.pattern, Captures::default()),
            };
        }
        self.find_shortcut_again(verb, path)
    }

    #[inline(never)]
    fn find_shortcut_again<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        match self.shortcut(path) {
            Some(first) => self.found(first, verb, path, Captures::default()),
            None => self.find_again(verb, path),
        }
    }

    /// The first route of the pattern that this path is, byte for byte. No other matches it better.
    #[inline(always)]
    fn shortcut(&self, path: &[u8]) -> Option<&Route<H>> {
        self.shortcut.find(path, |index| {
            let route = self.route(index)?;
            path::equal(self.rules.trim(route.pattern.as_bytes()), path).then_some(route)
        })
    }

    /// Calls nothing before it is sure either.
    #[inline(never)]
    fn find_again<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        let mut spans = Spans::default();
        match self.tree.direct(path, self.rules, &mut spans) {
            Direct::Route(first, params) => match self.route(first) {
                Some(first) if first.verb == verb => Lookup::Found {
                    handler: first.handler,
                    params: Params::new(path, first.pattern, Captures::of(spans, params)),
                },
                Some(first) => self.found_other(first, verb, path, spans, params),
                None => Lookup::NotFound,
            },
            Direct::Nothing => Lookup::NotFound,
            Direct::Unsure => self.find_slowly(verb, path),
        }
    }

    /// The route of this verb is not the first of its pattern.
    #[inline(never)]
    fn found_other<'p>(
        &self,
        first: &Route<H>,
        verb: Verb,
        path: &'p [u8],
        spans: Spans,
        params: usize,
    ) -> Lookup<'p, H> {
        self.found(first, verb, path, Captures::of(spans, params))
    }

    /// With ways back.
    #[inline(never)]
    fn find_slowly<'p>(&self, verb: Verb, path: &'p [u8]) -> Lookup<'p, H> {
        let mut captures = Captures::default();
        let first = self.tree.find(path, self.rules, &mut captures);
        match first.and_then(|first| self.route(first)) {
            Some(first) => self.found(first, verb, path, captures),
            None => Lookup::NotFound,
        }
    }

    /// What the routes of a matching pattern say, of which this is the first.
    #[inline(always)]
    fn found<'p>(
        &self,
        first: &Route<H>,
        verb: Verb,
        path: &'p [u8],
        captures: Captures,
    ) -> Lookup<'p, H> {
        match self.of_verb(first, verb) {
            Some(route) => Lookup::Found {
                handler: route.handler,
                params: Params::new(path, route.pattern, captures),
            },
            None => self.not_bound(first, verb, path, captures),
        }
    }

    /// The same for a verb that has no route of its own.
    #[cold]
    #[inline(never)]
    fn not_bound<'p>(
        &self,
        first: &Route<H>,
        verb: Verb,
        path: &'p [u8],
        captures: Captures,
    ) -> Lookup<'p, H> {
        if verb == Verb::Head
            && let Some(route) = self.of_verb(first, Verb::Get)
        {
            return Lookup::Found {
                handler: route.handler,
                params: Params::new(path, route.pattern, captures),
            };
        }
        let allow = self.allowed(first);
        if verb == Verb::Options {
            Lookup::Options { allow }
        } else {
            Lookup::MethodNotAllowed { allow }
        }
    }

    /// What the chain that starts here allows.
    fn allowed(&self, first: &Route<H>) -> Verbs {
        let mut verbs = Verbs::NONE.and(first.verb);
        let mut next = first.next;
        while let Some(route) = self.route(next) {
            verbs = verbs.and(route.verb);
            next = route.next;
        }
        verbs.with_implied()
    }

    /// What a path allows; empty where it is not found. For `Allow` in answers that were decided
    /// before the table was asked.
    #[must_use]
    pub fn allow(&self, path: &[u8]) -> Verbs {
        let path = self.rules.trim(path);
        let walk = || {
            let captures = &mut Captures::default();
            self.route(self.tree.find(path, self.rules, captures)?)
        };
        let first = if self.shortcut.may_have(path) {
            self.shortcut(path)
        } else {
            None
        };
        match first.or_else(walk) {
            Some(first) => self.allowed(first),
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
