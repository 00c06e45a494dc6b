//! The router beside a matcher that compares segment by segment and tries every pattern.
//!
//! The input is text of lines: first a digit with the rules, then a line for each route, an empty
//! line, and the paths. A route is a letter for its verb, and for each segment a letter from the
//! table below. (Patterns have to live as long as the program; with few segments there are few.)

use std::collections::HashSet;
use std::sync::Mutex;

use barewire_core::router::{AFFIXED_MAX, Lookup, Matching, RouteError, Router, Verb};

use super::segments::{self, Piece, Rules};

/// Routes that the table holds.
const ROUTES: usize = 12;
/// Segments of a pattern.
const SEGMENTS: usize = 4;
/// Paths of an input that are looked up.
const PATHS: usize = 32;

/// Segments by letter, `N` being the name of a param. The last ones are in no valid pattern.
const PIECES: [&str; 26] = [
    "a", "b", "ab", "A", "a.b", "%2F", "a%2Ab", "", "aB", "a-b~", "{N}", "{*N}", "a{N}", "{N}b",
    "a{N}b", "{N}", "{N}.b", "{*N}", "aa{N}", "{N}bb", "%2F{N}", ".{N}", "{N}.", "x:@", "..", "{",
];

/// The bytes are a table and paths.
pub fn router(data: &[u8]) {
    looked_up(data);
}

/// How many of its routes a table takes, and how many of the paths any of them matches.
pub(crate) fn class(data: &[u8]) -> String {
    let count = looked_up(data);
    format!(
        "takes-{}-of-{}-finds-{}-of-{}",
        count.taken, count.routes, count.found, count.paths
    )
}

#[derive(Default)]
struct Count {
    routes: usize,
    taken: usize,
    paths: usize,
    found: usize,
}

fn looked_up(data: &[u8]) -> Count {
    let mut count = Count::default();
    let mut lines = data.split(|byte| *byte == b'\n');
    let digit = lines.next().unwrap_or_default().first().unwrap_or(&b'0');
    let rules = Rules {
        ignore_case: digit & 1 != 0,
        ignore_slash: digit & 2 != 0,
    };
    let mut matching = Matching::STRICT;
    if rules.ignore_case {
        matching = matching.ignore_case();
    }
    if rules.ignore_slash {
        matching = matching.ignore_trailing_slash();
    }
    let mut table = Router::<usize, ROUTES>::matching(matching);
    let mut model = Model {
        rules,
        routes: Vec::new(),
    };
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (verb, pattern) = route(line);
        let number = table.len();
        let answer = table.try_route(verb, pattern, number);
        count.routes += 1;
        count.taken += usize::from(answer.is_ok());
        let expected = model.add(verb, pattern);
        let kind = answer.map_err(|error| match error {
            RouteError::BadPattern { .. } => Refused::Bad,
            RouteError::TableFull { .. } => Refused::Full,
            RouteError::Ambiguous { .. } => Refused::Rival,
            RouteError::TooManyAffixed { .. } => Refused::Crowd,
            RouteError::Conflict { .. } => Refused::Taken,
            other => panic!("{other}"),
        });
        assert_eq!(kind, expected, "{pattern} in {table:?}");
        assert_eq!(table.len(), model.routes.len());
    }
    for path in lines.take(PATHS) {
        let best = model.best(path);
        count.paths += 1;
        count.found += usize::from(best.is_some());
        for verb in Verb::ALL {
            let found = said(&table, verb, path);
            let expected = model.find(best, verb, path);
            assert_eq!(
                found,
                expected,
                "{verb:?} {} in {table:?}",
                path.escape_ascii()
            );
        }
        let allowed: Vec<_> = table.allow(path).iter().collect();
        let expected = best.map(|best| model.allowed(best)).unwrap_or_default();
        assert_eq!(allowed, expected, "{} in {table:?}", path.escape_ascii());
    }
    count
}

/// The verb and the pattern of a line.
fn route(line: &[u8]) -> (Verb, &'static str) {
    static KEPT: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let (first, letters) = line.split_first().unwrap_or((&b'G', &[]));
    let verb = match first {
        b'G' => Verb::Get,
        b'H' => Verb::Head,
        b'P' => Verb::Post,
        b'D' => Verb::Delete,
        b'O' => Verb::Options,
        other => Verb::ALL[usize::from(*other) % Verb::ALL.len()],
    };
    let mut pattern = String::new();
    for (at, letter) in letters.iter().take(SEGMENTS).enumerate() {
        let piece = PIECES[usize::from(letter.wrapping_sub(b'a')) % PIECES.len()];
        // Each verb names its params in its own way.
        pattern += &format!("/{}", piece.replace('N', &format!("{}{at}", verb.name())));
    }
    let mut kept = KEPT.lock().unwrap_or_else(|broken| broken.into_inner());
    let kept = kept.get_or_insert_default();
    let text = kept.get(&pattern[..]).copied().unwrap_or_else(|| {
        let text: &'static str = pattern.leak();
        kept.insert(text);
        text
    });
    (verb, text)
}

/// What a table says of a request; params by name and value.
#[derive(Debug, PartialEq)]
enum Answer<'p> {
    Found(usize, &'static str, Vec<(String, &'p [u8])>),
    Options(Vec<Verb>),
    NotAllowed(Vec<Verb>),
    NotFound,
}

fn said<'p>(table: &Router<usize, ROUTES>, verb: Verb, path: &'p [u8]) -> Answer<'p> {
    match table.find(verb, path) {
        Lookup::Found { handler, params } => {
            let list: Vec<_> = params.iter().map(|(n, v)| (n.to_owned(), v)).collect();
            assert_eq!(list.len(), params.len());
            Answer::Found(handler, params.pattern(), list)
        }
        Lookup::Options { allow } => Answer::Options(allow.iter().collect()),
        Lookup::MethodNotAllowed { allow } => Answer::NotAllowed(allow.iter().collect()),
        Lookup::NotFound => Answer::NotFound,
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    Bad,
    Full,
    Rival,
    Crowd,
    Taken,
}

/// The routes as they came, and nothing more.
struct Model {
    rules: Rules,
    routes: Vec<Route>,
}

struct Route {
    verb: Verb,
    pattern: &'static str,
    /// Its segments as they match, without the names of params.
    shape: Vec<Piece>,
}

impl Model {
    fn add(&mut self, verb: Verb, pattern: &'static str) -> Result<(), Refused> {
        let shape = segments::pattern(pattern, self.rules).ok_or(Refused::Bad)?;
        if self.routes.len() == ROUTES {
            return Err(Refused::Full);
        }
        let mut same = self
            .routes
            .iter()
            .filter(|route| route.shape == shape)
            .peekable();
        if same.peek().is_none() {
            self.place(&shape)?;
        } else if same.any(|route| route.verb == verb) {
            return Err(Refused::Taken);
        }
        self.routes.push(Route {
            verb,
            pattern,
            shape,
        });
        Ok(())
    }

    /// Whether the alternatives at the place where this pattern leaves all others are still clear.
    fn place(&self, shape: &[Piece]) -> Result<(), Refused> {
        let common = |route: &Route| {
            let pairs = route.shape.iter().zip(shape);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let depth = self.routes.iter().map(common).max().unwrap_or(0);
        let Some(new @ Piece::Affixed(..)) = shape.get(depth) else {
            return Ok(());
        };
        let mut beside = Vec::new();
        for route in self.routes.iter().filter(|route| common(route) == depth) {
            match route.shape.get(depth) {
                Some(other) if other.rivals(new) => return Err(Refused::Rival),
                Some(other @ Piece::Affixed(..)) if !beside.contains(&other) => beside.push(other),
                _ => {}
            }
        }
        match beside.len() >= AFFIXED_MAX {
            true => Err(Refused::Crowd),
            false => Ok(()),
        }
    }

    /// The first route of the pattern that describes the path best: of all that match, the one
    /// that comes first when they are compared segment by segment from the left.
    fn best<'m>(&'m self, path: &[u8]) -> Option<&'m Route> {
        let path = segments::trim(path, self.rules);
        let matching = self
            .routes
            .iter()
            .filter(|route| segments::values(&route.shape, path, self.rules).is_some());
        matching.min_by_key(|route| route.shape.iter().map(Piece::rank).collect::<Vec<_>>())
    }

    fn allowed(&self, best: &Route) -> Vec<Verb> {
        let has = |verb| {
            let mut routes = self.routes.iter();
            routes.any(|route| route.shape == best.shape && route.verb == verb)
        };
        let implied = |verb: &Verb| match verb {
            Verb::Options => true,
            Verb::Head => has(Verb::Head) || has(Verb::Get),
            other => has(*other),
        };
        Verb::ALL.into_iter().filter(implied).collect()
    }

    fn find<'p>(&self, best: Option<&Route>, verb: Verb, path: &'p [u8]) -> Answer<'p> {
        let Some(best) = best else {
            return Answer::NotFound;
        };
        let bound = |verb| {
            let mut routes = self.routes.iter().enumerate();
            routes.find(|(_, route)| route.shape == best.shape && route.verb == verb)
        };
        let get = || bound(Verb::Get).filter(|_| verb == Verb::Head);
        match bound(verb).or_else(get) {
            Some((number, route)) => {
                let path = segments::trim(path, self.rules);
                let values = segments::values(&route.shape, path, self.rules);
                let names = route.pattern.split('{').skip(1);
                let names = names.map(|part| part.split('}').next().unwrap_or_default());
                let names = names.map(|name| name.trim_start_matches('*').to_owned());
                let params = names.zip(values.unwrap_or_default()).collect();
                Answer::Found(number, route.pattern, params)
            }
            None if verb == Verb::Options => Answer::Options(self.allowed(best)),
            None => Answer::NotAllowed(self.allowed(best)),
        }
    }
}
