//! Whole answers kept for the next one who asks: bounded, and given out only until they are
//! invalidated.
//!
//! For an application whose answers to GET are dear to make and stay the same for a while. The
//! application says when they do not: [`invalidate`](AnswerCache::invalidate) makes every answer of
//! a route worthless in one step, and from then on none of them is given out. Time plays no part,
//! so nothing is served "at most a second old".
//!
//! A cache belongs to one worker: where there are several, a change has to be told to each of them.
//! An answer belongs to the route and the target alone, so none that depends on another field
//! (`Host`, `Authorization`, `Cookie`, `Accept`) may be kept; and one that was made before a change
//! must not be put in after it was told, as a deferred exchange could do.
//!
//! Not for what has to be exact at every moment: the challenge's `/stats` is never kept here. Nor
//! for answers that are cheap to make; the manual
//! ([`hot_path`](barewire_core::manual::hot_path)) has the figures, and the challenge uses none for
//! that reason.
//!
//! ```
//! use barewire::cache::{AnswerCache, CACHE_PLACES_MAX};
//! use barewire_core::connection::{FieldName, FieldValue, Prepared};
//! use barewire_core::wire::Status;
//!
//! const NEWS: u16 = 0;
//! let mut cache = AnswerCache::new(64);
//! let text = [(FieldName::CONTENT_TYPE, FieldValue::TEXT)];
//! assert!(cache.get(NEWS, b"/news?page=1").is_none());
//! // With a `Reply` at hand, each of these would be `reply.prepared(answer)`.
//! let answer = Prepared::of(Status::OK, &text, b"nothing new").unwrap();
//! let _answer = cache.put(NEWS, b"/news?page=1", answer);
//! assert!(cache.get(NEWS, b"/news?page=1").is_some());
//! cache.invalidate(NEWS);
//! assert!(cache.get(NEWS, b"/news?page=1").is_none());
//! assert_eq!((cache.hits(), cache.misses()), (1, 2));
//! # let _ = CACHE_PLACES_MAX;
//! ```

use std::fmt;

use barewire_core::connection::Prepared;

/// Answers that a cache holds at most: 65,536 of about 600 bytes are 40 MB a worker. Whoever has
/// more hot answers than that wants a cache in front of the server.
pub const CACHE_PLACES_MAX: usize = 1 << 16;

/// Bytes of a target at most, path and query, that an answer is kept for. Longer ones are mostly
/// asked for once.
pub const CACHE_TARGET_BYTES_MAX: usize = 96;

/// Routes that are told apart: numbers from 0 up to this. Others are not kept. (16 words of
/// generations are two cache lines.)
pub const CACHE_ROUTES_MAX: usize = 16;

/// Answers by route and target, of one worker.
///
/// Each target has one place, by its hash, and takes it from whoever was there: looking costs one
/// comparison, and a peer that asks for ever new targets can push answers out, but not make the
/// cache grow or slow. The memory is there from the start.
pub struct AnswerCache {
    /// A power of two.
    places: Box<[Place]>,
    /// For each route, how often it was invalidated; from 1 on. 64 bits never come round.
    generations: [u64; CACHE_ROUTES_MAX],
    hits: u64,
    misses: u64,
}

/// One kept answer.
#[derive(Clone)]
struct Place {
    /// Of its route, when it was kept; 0: nothing was.
    generation: u64,
    hash: u64,
    route: u16,
    len: u16,
    target: [u8; CACHE_TARGET_BYTES_MAX],
    answer: Prepared,
}

impl AnswerCache {
    /// An empty cache with `places` places, rounded up to a power of two, at most
    /// [`CACHE_PLACES_MAX`].
    pub fn new(places: usize) -> AnswerCache {
        let empty = Place {
            generation: 0,
            hash: 0,
            route: 0,
            len: 0,
            target: [0; CACHE_TARGET_BYTES_MAX],
            answer: Prepared::EMPTY,
        };
        let places = places.clamp(1, CACHE_PLACES_MAX).next_power_of_two();
        AnswerCache {
            places: vec![empty; places].into_boxed_slice(),
            generations: [1; CACHE_ROUTES_MAX],
            hits: 0,
            misses: 0,
        }
    }

    /// The answer that was kept for this target of this route and is still valid.
    ///
    /// Say GET only: HEAD finds the same answer, and [`Reply::prepared`] leaves its body out.
    ///
    /// [`Reply::prepared`]: barewire_core::connection::Reply::prepared
    pub fn get(&mut self, route: u16, target: &[u8]) -> Option<&Prepared> {
        let hash = hash(route, target);
        let at = self.at(hash);
        let found = self.places.get(at).filter(|place| {
            place.hash == hash
                && place.route == route
                && Some(&place.generation) == self.generations.get(usize::from(route))
                && place.target.get(..usize::from(place.len)) == Some(target)
        });
        match found {
            Some(place) => {
                self.hits += 1;
                Some(&place.answer)
            }
            None => {
                self.misses += 1;
                None
            }
        }
    }

    /// Keeps an answer, in the place of another one if need be, and gives it back for use. One of a
    /// route or of a target that is too large is not kept.
    pub fn put(&mut self, route: u16, target: &[u8], answer: Prepared) -> Prepared {
        let hash = hash(route, target);
        let at = self.at(hash);
        let generation = self.generations.get(usize::from(route));
        if let (Some(place), Some(generation)) = (self.places.get_mut(at), generation)
            && let Some(room) = place.target.get_mut(..target.len())
        {
            room.copy_from_slice(target);
            place.len = target.len() as u16;
            place.hash = hash;
            place.route = route;
            place.generation = *generation;
            place.answer = answer.clone();
        }
        answer
    }

    /// No answer of this route that was kept until now is given out any more. Costs one addition.
    pub fn invalidate(&mut self, route: u16) {
        if let Some(generation) = self.generations.get_mut(usize::from(route)) {
            *generation += 1;
        }
    }

    /// Answers that were found.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Answers that were looked for in vain.
    pub fn misses(&self) -> u64 {
        self.misses
    }

    fn at(&self, hash: u64) -> usize {
        // The upper half: of a product these bits depend on all of the factors'.
        (hash >> 32) as usize & (self.places.len() - 1)
    }
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerCache")
            .field("places", &self.places.len())
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish()
    }
}

/// Eight bytes at a time, each folded in by a product. It need not withstand an enemy: who finds
/// targets with one hash makes them push each other out, which asking for many does as well.
fn hash(route: u16, target: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 over the golden ratio, odd
    let (words, rest) = target.as_chunks::<8>();
    let mut last = [0; 8];
    if let Some(room) = last.get_mut(..rest.len()) {
        room.copy_from_slice(rest);
    }
    let seed = u64::from(route) << 32 ^ target.len() as u64;
    words.iter().chain([&last]).fold(seed, |hash, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        mixed ^ mixed >> 29
    })
}
