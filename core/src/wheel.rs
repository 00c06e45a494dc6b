//! Coarse timers over the caller's slice: one timer for each index, no allocation, no clock.
//!
//! # What it promises
//!
//! A timer never fires before its due time, and at most one tick after it, if the owner asks when
//! [`Wheel::next_due`] says. (Only one that is armed for more than 2^32 - 1 ticks ahead, 49 days at
//! 1 ms, fires after so many; then its owner arms it again.) Arming, disarming and the search for
//! the next due time cost the same however many timers are armed. [`Wheel::pop`] visits the timers
//! that fire, and now and then moves one a level down: at most seven times in its life, twice for
//! 30 s at a tick of 100 ms. A clock that jumps ahead by hours costs no more, because empty
//! stretches of time are skipped whole.
//!
//! # One store for each request
//!
//! Deadlines of a connection move on with every request, and nearly none of them ever fires. So do not
//! move the timer: keep the true due time beside the connection (one store) and leave the timer where
//! it hangs. When it fires too early for the true due time, arm it again for that. A busy connection
//! pays for one firing in each timeout, not for each request.
//!
//! ```
//! use barewire_core::wheel::{Entry, Wheel};
//!
//! let mut entries = [Entry::EMPTY; 4];
//! let mut wheel = Wheel::new(&mut entries, 100);
//! let mut due_ms = [u64::MAX; 4]; // the true ones, kept by the owner
//!
//! due_ms[2] = 30_000;
//! wheel.arm(2, due_ms[2]);
//! due_ms[2] = 47_000; // a request came: one store, the wheel is not touched
//!
//! let now_ms = 30_000;
//! while let Some(index) = wheel.pop(now_ms) {
//!     match due_ms[index as usize] {
//!         due if due > now_ms => _ = wheel.arm(index, due),
//!         _ => panic!("not yet"),
//!     }
//! }
//! assert!(wheel.pop(46_999).is_none());
//! assert_eq!(wheel.pop(47_000), Some(2));
//! ```
//!
//! An owner whose due time moves *ahead* of the armed one has to arm again at once, or it hears of it
//! too late.
//!
//! # How it works
//!
//! Eight wheels of 64 buckets. A timer lies on the wheel of the highest base-64 digit in which its due
//! tick differs from the current tick, in the bucket of that digit. So everything on a lower wheel is
//! due before everything on a higher one, the lowest bucket of the lowest wheel is next, and two bit
//! scans find it. When time reaches a bucket, its whole list becomes the list of *opened* timers (one
//! store); of these `pop` fires what is due and hangs the others on lower wheels.
//!
//! ```text
//! pop:  opened timer there:    due? unlink and fire; else hang it again, lower
//!       next bucket begun:     tick = its start, open it, again
//!       otherwise:             tick = now, nothing fires
//! ```
//!
//! A single wheel with rounds was considered: every far timer is then looked at in every round, and
//! after a jump all of them at once.

use core::fmt;
use core::num::NonZeroU64;

/// Base-64 digits of a tick number that are told apart. 48 bits of ticks are 8,925 years at 1 ms; a
/// time beyond that counts as that. The bucket heads take 2,052 bytes.
const LEVELS: usize = 8;
/// Bits in a digit: the buckets of one level are the bits of one `u64`.
const DIGIT_BITS: u32 = 6;
/// Buckets on one level.
const DIGITS: usize = 1 << DIGIT_BITS;
/// The last tick that the digits of all levels can tell; later ones fire with it.
const TICK_MAX: u64 = (1 << (DIGIT_BITS * LEVELS as u32)) - 1;
/// Ticks that a timer can hang ahead of the current one: what 32 bits tell apart. At 100 ms these
/// are 13 years, at 1 ms 49 days; the longest deadline of a connection is half of the latter.
const AHEAD_MAX: u64 = u32::MAX as u64;
/// The list of timers whose bucket has begun; behind the buckets of the levels.
const OPENED: usize = LEVELS * DIGITS;

/// End of a list, and a timer that is not armed.
const NONE: u32 = u32::MAX;
/// Marks a link to a bucket instead of a timer.
const BUCKET: u32 = 1 << 31;

/// One timer, armed or not; 12 bytes. The caller owns the slice, the wheel its contents.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The low bits of the due tick. Of all ticks with these bits it is the first one from the
    /// current tick on. 64 bits took four bytes more, for times that no connection waits.
    due: u32,
    /// The timer before this one, or the bucket that it is the first of.
    prev: u32,
    next: u32,
}

impl Entry {
    /// A timer that is not armed.
    pub const EMPTY: Entry = Entry {
        due: 0,
        prev: NONE,
        next: NONE,
    };
}

const _: () = assert!(size_of::<Entry>() == 12);

/// Timers with a common tick.
///
/// Times are milliseconds of one clock of the owner's choice that never goes back; a reading below
/// an earlier one counts as the earlier one.
pub struct Wheel<'m> {
    entries: &'m mut [Entry],
    /// First timer of each bucket, then of the opened ones.
    heads: [u32; OPENED + 1],
    /// For each level, the buckets that are not empty.
    filled: [u64; LEVELS],
    /// Ticks that have passed. Opened timers aside, everything armed is due later.
    tick: u64,
    tick_ms: NonZeroU64,
    armed: u32,
}

impl<'m> Wheel<'m> {
    /// A wheel with one timer for each entry, none of them armed; what the entries held is lost.
    ///
    /// A tick of 0 ms counts as 1 ms. Indices from 2^31 on cannot be armed.
    #[must_use]
    pub fn new(entries: &'m mut [Entry], tick_ms: u32) -> Self {
        entries.fill(Entry::EMPTY);
        Wheel {
            entries,
            heads: [NONE; OPENED + 1],
            filled: [0; LEVELS],
            tick: 0,
            tick_ms: NonZeroU64::new(u64::from(tick_ms)).unwrap_or(NonZeroU64::MIN),
            armed: 0,
        }
    }

    /// Arms a timer, or moves it. `false`: there is no such timer.
    ///
    /// A due time that has passed already fires at the next [`Wheel::pop`], even at one of the same
    /// pass: who arms again while popping must arm for later than now, or never gets to the end.
    ///
    /// A due time more than 2^32 - 1 ticks after the last `pop` (or after time 0, before the first)
    /// counts as so many: it fires too early, and is to be armed again then.
    pub fn arm(&mut self, index: u32, due_ms: u64) -> bool {
        self.disarm(index);
        if index >= BUCKET {
            return false;
        }
        let (ticks, part) = (due_ms / self.tick_ms, due_ms % self.tick_ms);
        let due = ticks.saturating_add(u64::from(part != 0));
        // No later than its entry can hold; what has passed is due now.
        let last = self.tick.saturating_add(AHEAD_MAX).min(TICK_MAX);
        let due = due.min(last).max(self.tick);
        if self.entry(index).is_none() {
            return false;
        }
        self.hang(index, due);
        self.armed = self.armed.saturating_add(1);
        true
    }

    /// Disarms a timer. `false`: it was not armed.
    pub fn disarm(&mut self, index: u32) -> bool {
        let was_armed = self.unlink(index).is_some();
        if was_armed {
            self.armed = self.armed.saturating_sub(1);
        }
        was_armed
    }

    /// Whether the timer is armed.
    #[must_use]
    pub fn is_armed(&self, index: u32) -> bool {
        let entry = usize::try_from(index)
            .ok()
            .and_then(|i| self.entries.get(i));
        entry.is_some_and(|entry| entry.prev != NONE)
    }

    /// When the timer fires, in milliseconds, rounded up to a tick; no earlier than the last
    /// [`Wheel::pop`]. `None` if it is not armed.
    #[must_use]
    pub fn due(&self, index: u32) -> Option<u64> {
        let entry = self.entries.get(usize::try_from(index).ok()?)?;
        (entry.prev != NONE).then(|| self.ms(self.whole(entry.due)))
    }

    /// How many timers are armed.
    #[must_use]
    pub fn armed(&self) -> u32 {
        self.armed
    }

    /// When to call [`Wheel::pop`] next, in milliseconds; `None` while nothing is armed.
    ///
    /// Nothing fires before, and the next timer is due no more than a tick before it: whoever sleeps
    /// until then is not late. For timers far ahead it can be too early, and `pop` then gives nothing
    /// but a later time: at most seven times for one timer.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        if self.opened() != NONE {
            return Some(self.ms(self.tick));
        }
        let (_, _, start) = self.next_bucket()?;
        Some(self.ms(start))
    }

    /// Disarms the next timer whose due time has come, and gives its index. `None`: no more of them.
    ///
    /// Between two calls any timer may be armed and disarmed. Timers of one tick come in no
    /// particular order.
    pub fn pop(&mut self, now_ms: u64) -> Option<u32> {
        let now = (now_ms / self.tick_ms).min(TICK_MAX).max(self.tick);
        loop {
            while self.opened() != NONE {
                let index = self.opened();
                let due = self.unlink(index)?;
                let due = self.whole(due);
                if due <= now {
                    self.armed = self.armed.saturating_sub(1);
                    return Some(index);
                }
                self.hang(index, due);
            }
            match self.next_bucket() {
                Some((level, digit, start)) if start <= now => {
                    self.tick = start;
                    self.open(level, digit);
                }
                _ => {
                    self.tick = now;
                    return None;
                }
            }
        }
    }

    /// The due tick with these low bits: none that has passed hangs, and none too far ahead.
    fn whole(&self, due: u32) -> u64 {
        let ahead = due.wrapping_sub(self.tick as u32);
        self.tick.saturating_add(u64::from(ahead))
    }

    /// The begin of a tick, in milliseconds.
    fn ms(&self, tick: u64) -> u64 {
        tick.saturating_mul(self.tick_ms.get())
    }

    /// The bucket that begins next, and its first tick.
    fn next_bucket(&self) -> Option<(usize, usize, u64)> {
        let (level, filled) = self.filled.iter().enumerate().find(|level| *level.1 != 0)?;
        let digit = filled.trailing_zeros();
        let shift = DIGIT_BITS * level as u32;
        // All digits above this one are those of the current tick, all below are 0.
        let above = self.tick >> shift >> DIGIT_BITS << DIGIT_BITS;
        Some((level, digit as usize, (above | u64::from(digit)) << shift))
    }

    /// Turns a bucket into the list of opened timers, which is empty.
    fn open(&mut self, level: usize, digit: usize) {
        let Some(head) = self.heads.get_mut(level * DIGITS + digit) else {
            return;
        };
        let first = core::mem::replace(head, NONE);
        self.mark(level * DIGITS + digit, false);
        if let Some(head) = self.heads.get_mut(OPENED) {
            *head = first;
        }
        if let Some(entry) = self.entry(first) {
            entry.prev = BUCKET | OPENED as u32;
        }
    }

    /// Hangs a timer that hangs nowhere into the bucket for its tick.
    fn hang(&mut self, index: u32, due: u64) {
        let bucket = match due.checked_sub(self.tick) {
            None | Some(0) => OPENED,
            Some(_) => {
                let level = (due ^ self.tick).ilog2() / DIGIT_BITS;
                let digit = due >> (DIGIT_BITS * level) & (DIGITS as u64 - 1);
                level as usize * DIGITS + digit as usize
            }
        };
        let Some(head) = self.heads.get_mut(bucket) else {
            return;
        };
        let second = core::mem::replace(head, index);
        if let Some(entry) = self.entry(index) {
            *entry = Entry {
                due: due as u32,
                prev: BUCKET | bucket as u32,
                next: second,
            };
        }
        if let Some(entry) = self.entry(second) {
            entry.prev = index;
        }
        self.mark(bucket, true);
    }

    /// Takes a timer out of its list and gives the low bits of its tick. `None`: it hangs nowhere.
    fn unlink(&mut self, index: u32) -> Option<u32> {
        let entry = self.entry(index).filter(|entry| entry.prev != NONE)?;
        let Entry { due, prev, next } = core::mem::replace(entry, Entry::EMPTY);
        if let Some(after) = self.entry(next) {
            after.prev = prev;
        }
        if prev & BUCKET == 0 {
            self.entry(prev)?.next = next;
        } else {
            let bucket = (prev & !BUCKET) as usize;
            *self.heads.get_mut(bucket)? = next;
            if next == NONE {
                self.mark(bucket, false);
            }
        }
        Some(due)
    }

    /// Notes whether a bucket has timers. The opened ones need no mark.
    fn mark(&mut self, bucket: usize, filled: bool) {
        if let Some(level) = self.filled.get_mut(bucket / DIGITS) {
            let bit = 1 << (bucket % DIGITS);
            *level = if filled { *level | bit } else { *level & !bit };
        }
    }

    fn opened(&self) -> u32 {
        self.heads.get(OPENED).copied().unwrap_or(NONE)
    }

    fn entry(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(index).ok()?)
    }
}

impl fmt::Debug for Wheel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("timers", &self.entries.len())
            .field("armed", &self.armed)
            .field("tick", &self.tick)
            .field("tick_ms", &self.tick_ms)
            .field("next_due", &self.next_due())
            .finish()
    }
}

#[cfg(test)]
mod tests;
