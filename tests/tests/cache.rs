//! Answers that are kept: never a stale one, never another one's, never more than there is room
//! for.

use std::collections::HashMap;

use barewire::cache::{AnswerCache, CACHE_PLACES_MAX, CACHE_ROUTES_MAX, CACHE_TARGET_BYTES_MAX};
use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Connection, Prepared, Site, Step};
use barewire_core::limits::Limits;
use barewire_core::wire::Status;
use proptest::prelude::*;

/// What an application would answer: the target, and how often its route has changed since.
fn truth(route: u16, target: &[u8], version: u64) -> Vec<u8> {
    let target = String::from_utf8_lossy(target);
    format!("{route} {target} {version}").into_bytes()
}

/// What a client gets for it.
fn body(answer: &Prepared) -> Vec<u8> {
    let site = Site::new(&Limits::DEFAULT);
    let mut rx = RecvBuffer::<[u8; 1024]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    rx.space()[..request.len()].copy_from_slice(request);
    rx.filled(request.len());
    match connection.step(&site, &mut rx, &mut tx) {
        Step::Request(exchange) => drop(exchange.reply.prepared(answer)),
        other => panic!("{other:?}"),
    }
    let sent = tx.pending();
    let at = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    sent[at + 4..].to_vec()
}

#[derive(Clone, Debug)]
enum Act {
    Ask(u16, Vec<u8>),
    Change(u16),
}

fn act() -> impl Strategy<Value = Act> {
    // Few targets in few places, so that they meet and push each other out.
    let target = prop_oneof![
        8 => "/[ab]{1,9}",
        1 => "/[ab]{85,110}",
    ];
    let ask = (0..18u16, target).prop_map(|(route, target)| Act::Ask(route, target.into_bytes()));
    prop_oneof![6 => ask, 1 => (0..18u16).prop_map(Act::Change)]
}

proptest! {
    #[test]
    fn no_answer_is_stale_or_another_ones(
        places in 1usize..9,
        acts in prop::collection::vec(act(), 1..400),
    ) {
        let mut cache = AnswerCache::new(places);
        let mut versions: HashMap<u16, u64> = HashMap::new();
        let (mut hits, mut misses) = (0, 0);
        for act in acts {
            match act {
                Act::Change(route) => {
                    *versions.entry(route).or_default() += 1;
                    cache.invalidate(route);
                }
                Act::Ask(route, target) => {
                    let version = versions.get(&route).copied().unwrap_or(0);
                    let due = truth(route, &target, version);
                    let kept = cache.get(route, &target).map(body);
                    if let Some(kept) = kept {
                        hits += 1;
                        prop_assert_eq!(kept, due);
                        prop_assert!(target.len() <= CACHE_TARGET_BYTES_MAX);
                        prop_assert!(usize::from(route) < CACHE_ROUTES_MAX);
                    } else {
                        misses += 1;
                        let answer = Prepared::of(Status::OK, &[], &due).unwrap();
                        let answer = cache.put(route, &target, answer);
                        prop_assert_eq!(body(&answer), due);
                    }
                }
            }
        }
        prop_assert_eq!((cache.hits(), cache.misses()), (hits, misses));
    }
}

#[test]
fn what_was_kept_is_found_until_its_route_changes() {
    let mut cache = AnswerCache::new(64);
    let answer = |text: &[u8]| Prepared::of(Status::OK, &[], text).unwrap();
    for route in 0..CACHE_ROUTES_MAX as u16 {
        cache.put(route, b"/a?b", answer(b"one"));
        assert_eq!(cache.get(route, b"/a?b").map(body), Some(b"one".to_vec()));
        assert!(cache.get(route, b"/a?c").is_none() && cache.get(route, b"").is_none());
    }
    cache.put(1, b"/a?b", answer(b"two"));
    cache.invalidate(0);
    assert!(cache.get(0, b"/a?b").is_none());
    assert_eq!(cache.get(1, b"/a?b").map(body), Some(b"two".to_vec()));
    // The longest target, and the first one that is too long.
    let long = [b'x'; CACHE_TARGET_BYTES_MAX + 1];
    let (fits, _) = long.split_at(CACHE_TARGET_BYTES_MAX);
    cache.put(2, fits, answer(b"fits"));
    cache.put(2, &long, answer(b"does not"));
    assert!(cache.get(2, fits).is_some() && cache.get(2, &long).is_none());
}

#[test]
fn a_flood_of_targets_makes_it_neither_grow_nor_forget_how_to_find() {
    let mut cache = AnswerCache::new(CACHE_PLACES_MAX + 1);
    assert!(format!("{cache:?}").contains("places: 65536,"));
    cache = AnswerCache::new(4);
    for number in 0..10_000u32 {
        let target = format!("/users/{number}");
        cache.put(
            0,
            target.as_bytes(),
            Prepared::of(Status::OK, &[], target.as_bytes()).unwrap(),
        );
        let found = cache.get(0, target.as_bytes()).map(body);
        assert_eq!(found.as_deref(), Some(target.as_bytes()));
    }
    assert!(format!("{cache:?}").contains("places: 4,"));
    let left = (0..10_000).filter(|number| {
        cache
            .get(0, format!("/users/{number}").as_bytes())
            .is_some()
    });
    assert!((1..=4).contains(&left.count()));
}
