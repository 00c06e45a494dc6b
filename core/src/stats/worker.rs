//! What one worker writes and nobody else: where it is, and its two books.
//!
//! Progress: wait-free, plain loads and stores.

use super::amount::{Amount, Sum};
use super::register::{Register, const_fn};
use super::snapshot::Snapshot;
use super::word::Word;
use core::sync::atomic::Ordering::Relaxed;

/// One worker's part of the statistics: its announcement and its two books.
///
/// Aligned to 128 bytes, a pair of cache lines, because the neighbour line is fetched along on most
/// machines: workers then never write to a line that another one writes to. Memory full of zeros is
/// a valid shard.
#[repr(align(128))]
#[derive(Debug)]
pub struct Shard {
    /// The word this worker works under, or [`Word::OFFLINE`].
    pub(crate) here: Register,
    /// 1 while a recorder for this shard exists.
    pub(crate) taken: Register,
    /// Events of even and of odd phases.
    books: [Book; 2],
}

#[cfg(not(barewire_loom))]
const _: () = assert!(size_of::<Shard>() == 128);

impl Shard {
    const_fn! {
        /// A shard that nobody uses yet.
        pub fn new() -> Self {
            Self {
                here: Register::new(Word::OFFLINE),
                taken: Register::new(0),
                books: [Book::new(), Book::new()],
            }
        }
    }

    /// The book for events of `phase`.
    #[inline]
    pub(crate) fn book(&self, phase: u64) -> &Book {
        let [even, odd] = &self.books;
        if phase & 1 == 0 { even } else { odd }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::new()
    }
}

/// A shared word on cache lines of its own.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Line(pub(crate) Register);

/// Totals in shared memory with one writer at a time: relaxed loads and stores, no
/// read-modify-write. Who may write, and when others see it, is the protocol's business.
#[derive(Debug)]
pub(crate) struct Book {
    total: Register,
    refused: Register,
    /// New users; a signed number in two's complement, since a correction may come before what it
    /// corrects.
    users: Register,
    sum: [Register; 4],
}

impl Book {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self {
                total: Register::new(0),
                refused: Register::new(0),
                users: Register::new(0),
                sum: [
                    Register::new(0),
                    Register::new(0),
                    Register::new(0),
                    Register::new(0),
                ],
            }
        }
    }

    /// One event more.
    #[inline]
    pub(crate) fn event(&self, amount: Amount) {
        add(&self.total, 1);
        self.set_sum(self.sum().plus(amount));
    }

    /// One refused event more.
    pub(crate) fn refusal(&self) {
        add(&self.refused, 1);
    }

    /// One user more.
    pub(crate) fn user_more(&self) {
        add(&self.users, 1);
    }

    /// One user less: an earlier phase has got it.
    pub(crate) fn user_less(&self) {
        add(&self.users, u64::MAX);
    }

    pub(crate) fn read(&self) -> Snapshot {
        Snapshot {
            total: self.total.load(Relaxed),
            users: self.users.load(Relaxed),
            refused: self.refused.load(Relaxed),
            sum: self.sum(),
        }
    }

    pub(crate) fn write(&self, totals: &Snapshot) {
        self.total.store(totals.total, Relaxed);
        self.users.store(totals.users, Relaxed);
        self.refused.store(totals.refused, Relaxed);
        self.set_sum(totals.sum);
    }

    #[inline]
    fn sum(&self) -> Sum {
        let [a, b, c, d] = &self.sum;
        Sum::from_limbs([
            a.load(Relaxed),
            b.load(Relaxed),
            c.load(Relaxed),
            d.load(Relaxed),
        ])
    }

    #[inline]
    fn set_sum(&self, sum: Sum) {
        for (limb, value) in self.sum.iter().zip(sum.limbs()) {
            limb.store(value, Relaxed);
        }
    }
}

#[inline]
fn add(counter: &Register, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}
