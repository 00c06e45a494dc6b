//! Recorders, snapshots and resets under every order that memory allows, within bounds.
//!
//! Each model runs two recorders and a coordinator on threads of loom, which tries all ways in which
//! they can interleave with at most so many preemptions, and all values that each load may return.
//! A load may be stale, so "before" means what memory orders: an event counts as answered once the
//! coordinator has read the recorder's word of it (Acquire), and as sent after a snapshot if the
//! recorder has read the coordinator's word of that.

use barewire_loom::stats::{
    Amount, Capacity, Key, Outcome, Recorder, Refused, Shard, Snapshot, Stats, Sum, Ticket,
};
use loom::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use loom::thread::{self, JoinHandle};

/// Runs `body` in every order with at most so many preemptions. More find no other fault among
/// those that were planted, and take minutes.
fn check(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    // A bound, in case a model grows: loom panics beyond it, and does not pass silently.
    model.max_branches = 5000;
    model.check(body);
}

/// Statistics for so many recorders. Leaked (about 3 kB for each order that is tried): loom's threads
/// borrow nothing, and its words cannot be used in a second run.
fn stats(workers: usize, users_max: u32) -> &'static Stats<'static> {
    let capacity = Capacity {
        users_max,
        id_bytes_max: 4,
    };
    let words = |count| -> &'static [AtomicU64] {
        let words: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
        words.leak()
    };
    let shards: Vec<Shard> = (0..workers).map(|_| Shard::new()).collect();
    let table = words(capacity.table_words());
    let arena = words(capacity.arena_words(workers));
    let stats = Stats::new(shards.leak(), table, arena, capacity, Key::new(1, 2)).unwrap();
    Box::leak(Box::new(stats))
}

/// An event: its user, and its amount as a power of ten, so that a sum tells which events it is of.
type Event = (&'static [u8], u64);

fn amount((_, value): Event) -> Amount {
    Amount::from_small(false, value, 0).unwrap()
}

/// What these events make, but for refusals.
fn made_of(events: &[Event]) -> Snapshot {
    let mut users: Vec<&[u8]> = events.iter().map(|event| event.0).collect();
    users.sort_unstable();
    users.dedup();
    Snapshot {
        total: events.len() as u64,
        users: users.len() as u64,
        refused: 0,
        sum: events
            .iter()
            .fold(Sum::ZERO, |sum, event| sum.plus(amount(*event))),
    }
}

/// Which of `all` events the state is made of. There must be such a set.
fn parts(state: &Snapshot, all: &[Event]) -> Vec<Event> {
    let sets = (0..1u32 << all.len()).map(|set| {
        let chosen = (0..).zip(all).filter(|(i, _)| set >> i & 1 == 1);
        chosen.map(|(_, event)| *event).collect::<Vec<_>>()
    });
    let mut fitting = sets.filter(|set| made_of(set) == *state);
    let found = fitting.next();
    found.unwrap_or_else(|| panic!("no set of {all:?} makes {state:?}"))
}

/// Looks at the ticket a few times while the recorders run: as often as makes a difference.
fn try_poll(ticket: &mut Ticket, stats: &Stats<'_>) -> Option<Outcome> {
    // Without giving way in between: loom lets a thread that does so wait until the others have
    // finished, and then hides what it could have seen of them.
    (0..2).find_map(|_| ticket.poll_from_outside(stats))
}

/// Once all recorders are gone, one look is enough.
fn poll_alone(mut ticket: Ticket, stats: &Stats<'_>) -> Outcome {
    ticket
        .poll_from_outside(stats)
        .expect("nobody is left to wait for")
}

fn state(outcome: Outcome) -> Snapshot {
    match outcome {
        Outcome::State(state) => state,
        Outcome::Cleared(_) => panic!("a snapshot was asked for"),
    }
}

fn removed(outcome: Outcome) -> Snapshot {
    match outcome {
        Outcome::Cleared(Some(removed)) => removed,
        other => panic!("nobody else resets: {other:?}"),
    }
}

/// A worker's thread: does its work, and tells how far it is in a word of its own.
fn worker(
    stats: &'static Stats<'static>,
    index: usize,
    work: impl FnOnce(&mut Recorder<'static>) + 'static,
) -> JoinHandle<()> {
    let mut recorder = stats.recorder(index).unwrap();
    thread::spawn(move || work(&mut recorder))
}

const A: Event = (b"a", 1);
const B: Event = (b"b", 10);
/// Other events of A's user.
const A_TOO: Event = (b"a", 100);
const A_AGAIN: Event = (b"a", 1000);

fn record(recorder: &mut Recorder<'_>, event: Event) {
    recorder.record(event.0, amount(event)).unwrap();
}

/// Starts a recorder for each event, and says which of them were answered so far.
fn two_recorders(
    stats: &'static Stats<'static>,
    events: [Event; 2],
) -> (Vec<JoinHandle<()>>, Vec<Event>) {
    let told: &'static [AtomicU64; 2] = Box::leak(Box::new([AtomicU64::new(0), AtomicU64::new(0)]));
    let workers = (0..2)
        .map(|i| {
            worker(stats, i, move |recorder| {
                record(recorder, events[i]);
                told[i].store(1, Release);
            })
        })
        .collect();
    let answered = (0..2)
        .filter(|&i| told[i].load(Acquire) == 1)
        .map(|i| events[i])
        .collect();
    (workers, answered)
}

/// One snapshot while two recorders count one event each, and one when they are done.
fn snapshot_beside(events: [Event; 2], preemptions: usize) {
    check(preemptions, move || {
        let stats = stats(2, 2);
        let (workers, answered) = two_recorders(stats, events);
        let mut ticket = stats.snapshot();
        let early = try_poll(&mut ticket, stats);
        for worker in workers {
            worker.join().unwrap();
        }
        let first = state(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        let seen = parts(&first, &events);
        assert!(
            answered.iter().all(|event| seen.contains(event)),
            "{answered:?} {seen:?}"
        );
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&events));
    });
}

#[test]
fn a_snapshot_has_each_event_wholly_or_not_at_all() {
    snapshot_beside([A, B], 2);
}

#[test]
fn a_user_of_both_recorders_is_credited_once_and_to_the_earlier_phase() {
    snapshot_beside([A, A_TOO], 3);
}

#[test]
fn two_late_recorders_do_not_both_take_the_user_of_a_third() {
    // The third is the coordinator itself: it ends the phase, then counts its event in the next
    // one, where the others may still be about to count theirs in the old one.
    check(3, || {
        let stats = stats(3, 3);
        let mut third = stats.recorder(2).unwrap();
        let workers: Vec<_> = [A, A_TOO]
            .into_iter()
            .enumerate()
            .map(|(i, event)| worker(stats, i, move |recorder| record(recorder, event)))
            .collect();
        // Gives way, so that the others' way to here costs no preemption.
        thread::yield_now();
        let mut ticket = stats.snapshot();
        let early = ticket.poll(&mut third);
        record(&mut third, A_AGAIN);
        drop(third);
        for worker in workers {
            worker.join().unwrap();
        }
        let first = state(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        parts(&first, &[A, A_TOO]);
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&[A, A_TOO, A_AGAIN]));
    });
}

#[test]
fn a_new_user_of_both_recorders_is_one_user() {
    check(3, || {
        let stats = stats(2, 2);
        let workers = [A, A_TOO].into_iter().enumerate();
        let workers: Vec<_> = workers
            .map(|(i, event)| worker(stats, i, move |recorder| record(recorder, event)))
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&[A, A_TOO]));
    });
}

#[test]
fn the_last_place_is_given_to_one_user_and_a_refusal_leaves_no_trace() {
    check(3, || {
        let stats = stats(2, 1);
        let counted: &'static [AtomicU64; 2] =
            Box::leak(Box::new([AtomicU64::new(0), AtomicU64::new(0)]));
        let events = [A, B];
        let workers: Vec<_> = (0..2)
            .map(|i| {
                worker(stats, i, move |recorder| {
                    match recorder.record(events[i].0, amount(events[i])) {
                        Ok(()) => counted[i].store(1, Release),
                        Err(refused) => assert_eq!(refused, Refused::Full),
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        let counted = (0..2).filter(|&i| counted[i].load(Acquire) == 1);
        let counted: Vec<Event> = counted.map(|i| events[i]).collect();
        assert_eq!(counted.len(), 1, "the place was there, and was given once");
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&counted));
    });
}

#[test]
fn an_event_sent_after_the_answer_is_not_in_it() {
    check(2, || {
        let stats = stats(2, 2);
        let answered: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        let after: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        let first = worker(stats, 0, move |recorder| {
            if answered.load(Acquire) == 1 {
                after.store(1, Release);
            }
            record(recorder, A);
        });
        let second = worker(stats, 1, |recorder| record(recorder, A_TOO));
        let mut ticket = stats.snapshot();
        let early = try_poll(&mut ticket, stats);
        if early.is_some() {
            answered.store(1, Release);
        }
        first.join().unwrap();
        second.join().unwrap();
        let seen = state(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        let seen = parts(&seen, &[A, A_TOO]);
        assert!(after.load(Acquire) == 0 || !seen.contains(&A), "{seen:?}");
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&[A, A_TOO]));
    });
}

/// A reset while two recorders count: what it removed and what is left are all events, once.
fn reset_beside(events: [Event; 2], preemptions: usize) {
    check(preemptions, move || {
        let stats = stats(2, 2);
        let (workers, answered) = two_recorders(stats, events);
        let mut ticket = stats.reset();
        let early = try_poll(&mut ticket, stats);
        for worker in workers {
            worker.join().unwrap();
        }
        let removed = removed(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        let gone = parts(&removed, &events);
        assert!(
            answered.iter().all(|event| gone.contains(event)),
            "{answered:?} {gone:?}"
        );
        let last = state(poll_alone(stats.snapshot(), stats));
        let mut all = parts(&last, &events);
        all.extend(gone);
        all.sort_unstable_by_key(|event| event.1);
        assert_eq!(all, events, "removed and left");
    });
}

#[test]
fn a_reset_takes_each_event_wholly_or_not_at_all() {
    reset_beside([A, B], 2);
}

#[test]
fn a_user_is_counted_in_each_era_that_has_an_event_of_it() {
    reset_beside([A, A_TOO], 2);
}

#[test]
fn a_book_is_empty_when_its_worker_comes_back_to_it() {
    // Phases 1 and 3 share a book. The way to the middle of phase 2 is the same in all orders, and
    // the coordinator goes first from there: loom remembers only the last access to each word, here
    // the coordinator's own look at it, and would not come to that order from the other one.
    check(3, || {
        let stats = stats(1, 2);
        let mut recorder = stats.recorder(0).unwrap();
        record(&mut recorder, A);
        let mut ticket = stats.snapshot();
        assert_eq!(ticket.poll_from_outside(stats), None);
        recorder.turn();
        let counting = thread::spawn(move || record(&mut recorder, B));
        let first = state(poll_alone(ticket, stats));
        assert_eq!(first, made_of(&[A]));
        if let Some(outcome) = try_poll(&mut stats.snapshot(), stats) {
            let seen = parts(&state(outcome), &[A, B]);
            assert!(seen.contains(&A), "it was answered before");
        }
        counting.join().unwrap();
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&[A, B]));
    });
}

#[test]
fn a_half_is_empty_before_anybody_comes_into_its_era() {
    // Three new places behind one another: taken over late, the half would give one out twice.
    check(2, || {
        let stats = stats(1, 2);
        let events = [A, B, A_TOO];
        let counting = worker(stats, 0, move |recorder| {
            for event in events {
                record(recorder, event);
            }
        });
        let mut ticket = stats.reset();
        let early = try_poll(&mut ticket, stats);
        counting.join().unwrap();
        let removed = removed(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        let mut all = parts(&removed, &events);
        let last = state(poll_alone(stats.snapshot(), stats));
        all.extend(parts(&last, &events));
        assert_eq!(all, events, "in their order, removed and left");
    });
}

#[test]
fn a_worker_that_wakes_is_waited_for_or_comes_into_the_new_phase() {
    check(3, || {
        let stats = stats(2, 2);
        let sleeper = worker(stats, 0, |recorder| {
            recorder.offline();
            record(recorder, A);
            recorder.offline();
            record(recorder, A_TOO);
        });
        let mut ticket = stats.snapshot();
        let early = try_poll(&mut ticket, stats);
        sleeper.join().unwrap();
        let seen = state(early.unwrap_or_else(|| poll_alone(ticket, stats)));
        parts(&seen, &[A, A_TOO]);
        let last = state(poll_alone(stats.snapshot(), stats));
        assert_eq!(last, made_of(&[A, A_TOO]));
    });
}

#[test]
fn a_worker_that_sleeps_through_two_resets_comes_back_into_the_new_era() {
    check(2, || {
        let stats = stats(2, 2);
        let sleeper = worker(stats, 0, |recorder| {
            recorder.offline();
            record(recorder, A);
        });
        let mut gone = Vec::new();
        let mut tickets = Vec::new();
        for _ in 0..2 {
            let mut ticket = stats.reset();
            match try_poll(&mut ticket, stats) {
                Some(Outcome::Cleared(Some(removed))) => gone.extend(parts(&removed, &[A])),
                Some(other) => panic!("nobody else resets: {other:?}"),
                None => tickets.push(ticket),
            }
        }
        sleeper.join().unwrap();
        for ticket in tickets {
            // The first may have been overtaken by the second, which then says what is gone only
            // if it was the last one folded.
            match poll_alone(ticket, stats) {
                Outcome::Cleared(Some(removed)) => gone.extend(parts(&removed, &[A])),
                other => assert_eq!(other, Outcome::Cleared(None)),
            }
        }
        let last = state(poll_alone(stats.snapshot(), stats));
        gone.extend(parts(&last, &[A]));
        assert!(gone.len() <= 1, "{gone:?}");
        assert_eq!(made_of(&gone).users, gone.len() as u64);
    });
}

#[test]
fn two_coordinators_at_once_get_each_a_state_of_one_moment() {
    check(2, || {
        let stats = stats(2, 2);
        let asking = worker(stats, 0, move |recorder| {
            record(recorder, A);
            let mut ticket = stats.snapshot();
            let outcome = (0..2).find_map(|_| ticket.poll(recorder));
            // Its own event was answered before it asked, unless the reset came between.
            if let Some(outcome) = outcome {
                parts(&state(outcome), &[A]);
            }
        });
        let mut ticket = stats.reset();
        let early = try_poll(&mut ticket, stats);
        asking.join().unwrap();
        let outcome = early.unwrap_or_else(|| poll_alone(ticket, stats));
        let mut all = parts(&removed(outcome), &[A]);
        let last = state(poll_alone(stats.snapshot(), stats));
        all.extend(parts(&last, &[A]));
        assert_eq!(all, [A]);
    });
}
