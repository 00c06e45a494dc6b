//! How many connections each address has.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use barewire_core::driver::Address;

use crate::platform::lock;

/// Counts of open connections for each address, for all workers together, in fixed memory.
///
/// An address counts in one cell of each of two rows, chosen by a hash whose key nobody knows, and
/// the lower cell is taken (a count-min sketch: Cormode and Muthukrishnan, 2005). It is exact as
/// long as no other address shares both cells; it is never too low. IPv6 addresses of one /64 count
/// as one, since one customer has them all.
///
/// Progress: wait-free wherever the processor adds to a word in one instruction, lock-free
/// elsewhere. No call waits for another thread, whatever that one was stopped in.
#[derive(Debug)]
pub struct Addresses {
    key: RandomState,
    /// Two rows of the same length, one behind the other.
    cells: Box<[AtomicU32]>,
    /// Connections open, and cells of the first row in use: about as many addresses.
    open: AtomicU32,
    used: AtomicU32,
}

/// Where an address counts.
#[derive(Clone, Copy, Debug)]
struct Place([usize; 2]);

impl Addresses {
    /// Room for `connections` connections: 16 bytes for each. When all of them come from
    /// different addresses, one in seven is counted one too high, and one in 120 by two.
    pub fn new(connections: usize) -> Addresses {
        let row = Self::row(connections);
        Addresses {
            key: RandomState::new(),
            cells: std::iter::repeat_with(|| AtomicU32::new(0))
                .take(2 * row)
                .collect(),
            open: AtomicU32::new(0),
            used: AtomicU32::new(0),
        }
    }

    /// Bytes of the counts for `connections` connections.
    pub(crate) fn bytes(connections: usize) -> usize {
        Self::row(connections).saturating_mul(2 * size_of::<AtomicU32>())
    }

    /// Cells of a row.
    fn row(connections: usize) -> usize {
        connections.max(32).saturating_mul(2)
    }

    /// Locks its memory, if that is allowed; it was touched when it was made.
    pub(crate) fn hold(&self) -> bool {
        lock(&self.cells)
    }

    /// One connection more. Says how many the address has now.
    pub fn enter(&self, address: Address) -> u32 {
        let Place([first, second]) = self.place(address);
        self.open.fetch_add(1, Relaxed);
        let one = self.cells[first].fetch_add(1, Relaxed);
        if one == 0 {
            self.used.fetch_add(1, Relaxed);
        }
        one.min(self.cells[second].fetch_add(1, Relaxed)) + 1
    }

    /// One connection fewer, of an address that has one.
    pub fn leave(&self, address: Address) {
        let Place([first, second]) = self.place(address);
        self.open.fetch_sub(1, Relaxed);
        if self.cells[first].fetch_sub(1, Relaxed) == 1 {
            self.used.fetch_sub(1, Relaxed);
        }
        self.cells[second].fetch_sub(1, Relaxed);
    }

    /// Connections of an address.
    pub fn of(&self, address: Address) -> u32 {
        let Place(cells) = self.place(address);
        let [first, second] = cells.map(|at| self.cells[at].load(Relaxed));
        first.min(second)
    }

    /// Whether an address has more connections than it would have if all had as many.
    pub fn is_above_share(&self, address: Address) -> bool {
        let of_this = u64::from(self.of(address));
        of_this * u64::from(self.used.load(Relaxed)) > u64::from(self.open.load(Relaxed))
    }

    fn place(&self, address: Address) -> Place {
        // An IPv4 address is mapped: its bits are the last.
        let ip = u128::from_be_bytes(address.ip);
        let subnet = if ip >> 32 == 0xffff { ip } else { ip >> 64 };
        let hash = self.key.hash_one(subnet);
        let row = self.cells.len() / 2;
        // A half of the hash as a fraction of the row: no cell is much likelier than another.
        let at = |half: u64| ((u128::from(half) * row as u128) >> 32) as usize;
        let [first, second] = [at(hash & u64::from(u32::MAX)), at(hash >> 32)];
        Place([first, row + second])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(format!("{text}:80").parse().unwrap())
    }

    #[test]
    fn each_address_is_counted_for_itself() {
        let addresses = Addresses::new(10_000);
        let (a, b) = (address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(addresses.enter(a), 1);
        assert_eq!(addresses.enter(a), 2);
        assert_eq!(addresses.enter(b), 1);
        assert_eq!([a, b].map(|one| addresses.of(one)), [2, 1]);
        addresses.leave(a);
        assert_eq!(addresses.enter(a), 2);
        for gone in [a, a, b] {
            addresses.leave(gone);
        }
        assert_eq!([a, b].map(|one| addresses.of(one)), [0, 0]);
        let zero = |cell: &AtomicU32| cell.load(Relaxed) == 0;
        assert!(addresses.cells.iter().all(zero) && zero(&addresses.open) && zero(&addresses.used));
    }

    #[test]
    fn a_subnet_of_64_bits_is_one_address() {
        let addresses = Addresses::new(100);
        addresses.enter(address("[2001:db8::1]"));
        assert_eq!(addresses.enter(address("[2001:db8::2]")), 2);
        assert_eq!(addresses.enter(address("[2001:db8:0:1::1]")), 1);
    }

    #[test]
    fn who_has_more_than_the_others_is_above_its_share() {
        let addresses = Addresses::new(1000);
        let greedy = address("192.0.2.1");
        for _ in 0..100 {
            addresses.enter(greedy);
        }
        assert!(!addresses.is_above_share(greedy), "all of it is its share");
        let modest = address("192.0.2.2");
        addresses.enter(modest);
        assert!(addresses.is_above_share(greedy));
        assert!(!addresses.is_above_share(modest));
    }

    #[test]
    fn ten_thousand_addresses_hardly_disturb_each_other() {
        let addresses = Addresses::new(10_000);
        let one = |n: u32| Address {
            ip: std::net::Ipv4Addr::from(n).to_ipv6_mapped().octets(),
            port: [0; 2],
        };
        for n in 0..10_000 {
            addresses.enter(one(n));
        }
        let disturbed = (0..10_000).filter(|n| addresses.of(one(*n)) != 1).count();
        // Expected are (1 - exp(-10,000 / 20,000))^2 of them, 1,548.
        assert!(disturbed < 1_800, "{disturbed}");
        let by_two = (0..10_000).filter(|n| addresses.of(one(*n)) > 2).count();
        // And (1 - 1.5 exp(-0.5))^2 by two, 81.
        assert!(by_two < 160, "{by_two}");
    }
}
