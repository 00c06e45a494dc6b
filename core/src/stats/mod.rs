//! Statistics: exact, and consistent under load.
//!
//! Every event (a user id and an amount) is counted once and exactly. [`Stats::snapshot`] and
//! [`Stats::reset`] are linearizable: each takes effect at one moment between call and answer, for
//! all counters at once, with every event wholly before or wholly after it. Recording never waits.
//!
//! # The protocol
//!
//! One global word says which **era** and **phase** events belong to. A snapshot ends a phase; a
//! reset ends a phase and its era. Each worker has a [`Shard`] that only it writes: `here`, the word
//! it works under (or OFFLINE while it blocks), and two books, for even and for odd phases.
//!
//! ```text
//!                      word = 7            word = 8: THE MOMENT              all moved: fold 7
//!  coordinator   --------------------------+----------------------------------+-------> answer
//!                                          |  fence, looks at every `here`    ^
//!  worker 0      == event(7) === event(7) =|= here = 8 == event(8) ===========|== event(8) ==
//!  worker 1      ======== event(7) ========|====== still in event(7) == here = 8 == event(8) =
//!  worker 2      offline ------------------|------------------------------- here = 8 = event(8)
//!                                                                                  books[8 & 1]
//! ```
//!
//! * **Event** ([`Recorder::record`]): load the word; if it moved, store it in `here` first; add the
//!   user to the set; add the event to `books[phase & 1]`. Plain loads and stores, but for a user
//!   that is new.
//! * **Offline**: store OFFLINE before blocking. On waking: store `here`, full fence, load the word
//!   again and go by that.
//! * **Snapshot** ([`Ticket::poll`]): store phase + 1; full fence; when every `here` is OFFLINE or
//!   new, add the old books to the base, empty them, answer. Whoever polls does it; requests that
//!   come while a phase is ending wait for the end of the next one, and share it.
//! * **Reset**: the same with the next era, and a base of zero.
//!
//! # Why a snapshot is a moment
//!
//! Its moment is the store of phase p + 1. *An event that was answered before the snapshot was asked
//! for is in it*: the event loaded a word of at most p, and so is in the books of phase p or in the
//! base. *An event that is sent after the snapshot was answered is not*: its bytes were read after
//! the store, so its load finds p + 1 or later. An event in between is in either, but wholly: all it
//! adds goes to books of one phase, and it can fail only before it has added anything.
//!
//! *The old books are complete and still when they are folded*: a worker stores p + 1 in `here` with
//! release order after its last write to books of p, and will write to that book again only under
//! p + 2, which is stored after the fold. A worker found OFFLINE can wake only into p + 1: of its
//! "store `here`, fence, load word" and our "store word, fence, load `here`", at least one load
//! finds the other side's store. For the same reasons all phases at work at one time are p and
//! p + 1, and two books are enough.
//!
//! *Users*: the set is shared by both phases at work, so each user's cell says which phase it is
//! credited to. If a worker in p + 1 adds a user and then a worker still in p counts an event of the
//! same user, the user belongs to p already: the latter lowers the cell by compare-and-swap and
//! books +1 in p and -1 in p + 1, in its own two books. (It may write the book of p + 1: that book
//! was emptied before the word became p + 1, which the worker knows from the cell.) Each user is
//! thus credited once, to the earliest phase with an event of it.
//!
//! *Eras*: the set has two halves, chosen by the era's parity. A worker that is late in the old era
//! goes on in the old half, so a reset can say exactly what it removed. The next but one era takes
//! the half over when a phase of the era between has been folded, when nobody is left in it.
//!
//! # Progress
//!
//! What a thread can count on if others are stopped at any point of what they do, for ever (the
//! terms are Herlihy's): *wait-free* is a bound on its own steps, *lock-free* that somebody gets on.
//!
//! | call | guarantee | what it leans on |
//! |---|---|---|
//! | [`Recorder::turn`], [`offline`](Recorder::offline), [`refuse`](Recorder::refuse) | wait-free | loads and stores only, a fence on waking |
//! | [`Recorder::record`] of a known user | wait-free | at most `PROBES_MAX` slots; two tries to lower a cell, as two phases are at work |
//! | [`Recorder::record`] of a new user | lock-free | a compare-and-swap for the place, one for words of the arena, one for each slot: each fails only if another worker's succeeds |
//! | [`Stats::recorder`], [`Stats::snapshot`], [`Stats::reset`] | wait-free | one load, or one compare-and-swap that is not repeated |
//! | one [`Ticket::poll`] | wait-free | a taken desk is an answer ("not yet"); else each shard is looked at twice |
//! | the answer to a ticket | blocking | each worker that is online has to pass one `turn`, and who is at the desk has to leave it |
//! | a word (`Register`) | lock-free | asserted at build time: no lock hides in it |
//!
//! So nobody who records waits for anybody: no lock, no loop that another thread can keep going
//! without making progress itself. The one exception is bounded: when the very last place is taken
//! by an id that is not yet published, another new user looks a few hundred times before it is
//! refused, since the place may come back; if the other worker is stopped just there, one event may
//! be refused that would have found room a moment later.
//!
//! Snapshots and resets wait for each worker that is online to pass one [`Recorder::turn`], and so
//! for the longest handler; a thread that is stopped in the middle of a `poll` holds up the answers
//! of all others, though none of their calls, and no event. [`Ticket::poll`] never blocks: spin on
//! it for a few microseconds, then defer the exchange and poll once per turn of the loop. A worker
//! with a ticket must not block without a timeout: nobody wakes it when the others have moved.
//!
//! Shown with threads that are stopped: at the worst points, by the tests of this module
//! (`stalled.rs`), and at any instruction, by a signal (`platform-linux/tests/stalled.rs`).
//!
//! # What has been tried
//!
//! Loom runs these very sources under the orders that memory allows (`tests/loom`, two recorders
//! and a coordinator); random schedules run against a model, and recorded histories of real threads
//! are judged by a search for one moment for each operation (`tests/src/linear.rs`).
//!
//! # Without 64-bit atomics
//!
//! Targets that lack them have one core and one loop: [`SoloStats`] counts there, with the same
//! numbers and texts, and without any of the above. ([`Stats`] and its company are not compiled
//! there.)

mod amount;
mod capacity;
mod hash;
mod snapshot;
mod solo;
mod text;

#[cfg(target_has_atomic = "64")]
mod desk;
#[cfg(target_has_atomic = "64")]
mod half;
#[cfg(target_has_atomic = "64")]
mod recorder;
#[cfg(target_has_atomic = "64")]
mod register;
#[cfg(target_has_atomic = "64")]
mod shared;
#[cfg(target_has_atomic = "64")]
mod ticket;
#[cfg(target_has_atomic = "64")]
mod users;
#[cfg(target_has_atomic = "64")]
mod word;
#[cfg(target_has_atomic = "64")]
mod worker;

#[cfg(test)]
mod cases;
#[cfg(all(test, target_has_atomic = "64"))]
mod flood;
#[cfg(all(test, target_has_atomic = "64"))]
mod stalled;
#[cfg(all(test, target_has_atomic = "64"))]
mod under_load;
#[cfg(all(test, target_has_atomic = "64"))]
mod wrap;

pub use amount::{Amount, AmountError, DECIMAL_PLACES, INTEGER_DIGITS_MAX, Sum};
pub use capacity::{Capacity, ID_BYTES_MAX, SHARDS, WORKERS_MAX};
pub use hash::Key;
pub use snapshot::{Refused, Snapshot};
pub use solo::SoloStats;
pub use text::AVERAGE_DIGITS;

#[cfg(target_has_atomic = "64")]
pub use {
    recorder::Recorder,
    shared::Stats,
    ticket::{Outcome, Ticket},
    worker::Shard,
};
