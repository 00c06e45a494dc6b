//! What memory a server takes: at most, and how much of it is there from the start.

use std::collections::VecDeque;
use std::mem::size_of;

use barewire_core::buffer::Slot;
use barewire_core::driver::{Entry, Kernel};
use barewire_core::wheel;

use crate::addresses::Addresses;
use crate::config::{Config, RESERVE};
use crate::handoff;
use crate::peer::Peer;
use crate::platform::{Native, hold_stack, lock, lockable};
use crate::worker::Waits;

/// Bytes of a worker's stack: what threads of Rust have by default. The challenge takes 60 KiB of
/// them (measured); the rest is for the handlers of an [`App`](crate::App).
pub const STACK_BYTES: usize = 2 << 20;

/// Bytes of memory that are counted for the program itself: its code and static data with those of
/// the C library, the main thread, and what was allocated for the start. Measured 3.3 MiB with
/// everything touched; twice that is room for other libraries and builds without optimisation, and
/// for kernels that count resident pages in batches.
pub const PROGRAM_BYTES: usize = 8 << 20;

/// Bytes that an allocator may take for a worker besides its tables: the first piece of an arena of
/// its own (132 KiB with the GNU library), and the rounding of seven tables to pages.
const ALLOCATOR_BYTES: usize = 160 << 10;

/// Bytes of all tables for one place of a connection.
const PLACE_BYTES: usize =
    size_of::<Peer>() + size_of::<Entry<<Native as Kernel>::Socket>>() + size_of::<wheel::Entry>();

impl Config {
    /// Bytes of memory that a server of `workers` threads has resident at most, whatever its peers
    /// do: slots, tables, stacks, and [`PROGRAM_BYTES`] for the process. Without what the
    /// application keeps, as [`Board::memory_bytes_max`](crate::challenge::Board::memory_bytes_max)
    /// tells for its own, and without the kernel's memory for sockets.
    pub fn memory_bytes_max(&self, workers: usize) -> usize {
        let places = self.share(workers).saturating_add(RESERVE);
        // A worker has its slots twice at its start: as a list that it is given, and as its own.
        let slots = (self.slot_count() / workers.max(1)).max(1);
        let tables = places
            .saturating_mul(PLACE_BYTES)
            .saturating_add(slots.saturating_mul(2 * size_of::<Option<Slot>>()))
            .saturating_add(Waits::bytes(slots))
            // Indices of deferred exchanges.
            .saturating_add(places.min(slots).saturating_mul(size_of::<u32>()));
        let worker = tables.saturating_add(STACK_BYTES + ALLOCATOR_BYTES);
        self.slot_pages_bytes()
            .saturating_add(worker.saturating_mul(workers))
            .saturating_add(Addresses::bytes(self.connections))
            .saturating_add(match self.hands_out(workers) {
                true => handoff::bytes(workers) + ALLOCATOR_BYTES,
                false => 0,
            })
            .saturating_add(PROGRAM_BYTES)
    }
}

/// How much of the memory is there from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A page is taken when it is needed first.
    AsNeeded,
    /// All of it. The system may take away what is not used for long, if it is short of memory:
    /// locking was not allowed, or not so much.
    Touched {
        /// Bytes that the process may lock.
        lock_bytes_max: u64,
    },
    /// All of it, and it stays.
    Locked,
}

impl Presence {
    /// Of memory that was touched.
    pub(crate) fn touched(locked: bool) -> Presence {
        match locked {
            true => Presence::Locked,
            false => Presence::Touched {
                lock_bytes_max: lockable().0,
            },
        }
    }

    /// What can be said of both together.
    #[must_use]
    pub fn and(self, other: Presence) -> Presence {
        match (self, other) {
            (Presence::AsNeeded, _) | (_, Presence::AsNeeded) => Presence::AsNeeded,
            (Presence::Locked, other) => other,
            (touched, _) => touched,
        }
    }
}

/// Room for the indices of `places` exchanges; `touched` if it is to be there at once.
pub(crate) fn deferral_list(places: usize, touched: bool) -> VecDeque<u32> {
    let mut list = VecDeque::with_capacity(places);
    if touched {
        list.resize(places, 0);
        lock(list.as_slices().0);
        list.clear();
    }
    list
}

/// Touches and locks the stack of the calling thread, which was made with `stack_bytes`. Says
/// whether it could be locked.
pub(crate) fn hold_own_stack(stack_bytes: usize) -> bool {
    // Where the system does not say where it is, the stack is touched as needed, and not locked.
    hold_stack(stack_bytes).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Accept, HugePages};

    #[test]
    fn the_sum_names_every_part() {
        let config = Config::default();
        let sum = config.memory_bytes_max(2);
        let tables = 2 * (5_064 * 180 + 5_000 * (2 * 32 + 16 + 4)) + 20_000 * 4;
        let stacks = 2 * (2_097_152 + 163_840);
        assert_eq!(sum, 163_840_000 + tables + stacks + 8_388_608);
    }

    #[test]
    fn the_sum_has_wider_counts_where_they_are_wider() {
        let sum = |connections| {
            let slots = 10_000;
            let config = Config {
                connections,
                slots,
                ..Config::default()
            };
            config.memory_bytes_max(1)
        };
        assert_eq!(sum(63_487) - sum(63_486), 180 + 8);
        assert_eq!(sum(63_488) - sum(63_487), 180 + 63_488 * 16 - 63_487 * 8);
    }

    #[test]
    fn the_sum_grows_with_everything_and_never_overflows() {
        let sum = |change: fn(&mut Config), workers| {
            let mut config = Config::default();
            change(&mut config);
            config.memory_bytes_max(workers)
        };
        let plain = sum(|_| {}, 2);
        let huge = sum(|config| config.huge_pages = HugePages::Try, 2);
        assert_eq!(huge, plain + (79 << 21) - 163_840_000);
        assert!(sum(|config| config.connections += 2, 2) > plain + 2 * 16_384);
        assert!(sum(|config| config.slots = 9_998, 2) < plain);
        assert!(sum(|config| config.slot_bytes += 64, 2) == plain + 640_000);
        assert!(sum(|_| {}, 3) > plain + STACK_BYTES);
        assert_eq!(sum(|config| config.slots = usize::MAX, 1), usize::MAX);
        let handed = sum(|config| config.accept = Accept::Handoff, 2);
        assert!(handed > sum(|config| config.accept = Accept::Reuseport, 2) + handoff::STACK_BYTES);
    }

    #[test]
    fn together_is_the_least() {
        let (locked, none) = (Presence::Locked, Presence::AsNeeded);
        let touched = Presence::Touched { lock_bytes_max: 7 };
        for (one, other, both) in [
            (locked, locked, locked),
            (locked, touched, touched),
            (touched, none, none),
            (locked, none, none),
        ] {
            assert_eq!(one.and(other), both);
            assert_eq!(other.and(one), both);
        }
        assert_eq!(Presence::touched(true), locked);
    }

    #[test]
    fn a_deferral_list_is_empty_and_has_its_room() {
        for touched in [false, true] {
            let list = deferral_list(1000, touched);
            assert!(list.is_empty() && list.capacity() >= 1000);
        }
    }
}
