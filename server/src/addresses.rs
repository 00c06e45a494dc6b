//! How many connections each address has.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

use barewire_core::driver::Address;

use crate::config::WORKERS_MAX;
use crate::platform::lock;

/// Connections that cells of 16 bits are enough for, as no cell counts more than are counted in
/// all: 63,487. Each worker may count two beyond its even share: shares are rounded up, and one
/// connection is counted before it is known whether it may stay.
const NARROW_MAX: usize = u16::MAX as usize - 2 * WORKERS_MAX;

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
    cells: Cells,
    /// Connections open, and cells of the first row in use: about as many addresses.
    open: AtomicU32,
    used: AtomicU32,
}

/// Two rows of the same length, one behind the other.
#[derive(Debug)]
enum Cells {
    Narrow(Box<[AtomicU16]>),
    Wide(Box<[AtomicU32]>),
}

/// Where an address counts.
#[derive(Clone, Copy, Debug)]
struct Place([usize; 2]);

impl Addresses {
    /// Room for `connections` connections: 8 bytes for each, or 16 if they are more than 63,487.
    /// When all of them come from different addresses, one in seven is counted one too high, and
    /// one in 120 by two.
    ///
    /// No more may be counted at a time but two for each of at most 1,024 workers.
    pub fn new(connections: usize) -> Addresses {
        Addresses {
            key: RandomState::new(),
            cells: Cells::new(connections),
            open: AtomicU32::new(0),
            used: AtomicU32::new(0),
        }
    }

    /// Bytes of the counts for `connections` connections.
    pub(crate) fn bytes(connections: usize) -> usize {
        let cell = match Cells::are_narrow(connections) {
            true => size_of::<AtomicU16>(),
            false => size_of::<AtomicU32>(),
        };
        Cells::count(connections).saturating_mul(cell)
    }

    /// Locks its memory, if that is allowed; it was touched when it was made.
    pub(crate) fn hold(&self) -> bool {
        self.cells.hold()
    }

    /// One connection more. Says how many the address has now.
    pub fn enter(&self, address: Address) -> u32 {
        let Place([first, second]) = self.place(address);
        self.open.fetch_add(1, Relaxed);
        let one = self.cells.add(first);
        if one == 0 {
            self.used.fetch_add(1, Relaxed);
        }
        one.min(self.cells.add(second)) + 1
    }

    /// One connection fewer, of an address that has one.
    pub fn leave(&self, address: Address) {
        let Place([first, second]) = self.place(address);
        self.open.fetch_sub(1, Relaxed);
        if self.cells.subtract(first) == 1 {
            self.used.fetch_sub(1, Relaxed);
        }
        self.cells.subtract(second);
    }

    /// Connections of an address.
    pub fn of(&self, address: Address) -> u32 {
        let Place(cells) = self.place(address);
        let [first, second] = cells.map(|at| self.cells.get(at));
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

impl Cells {
    fn new(connections: usize) -> Cells {
        match Self::are_narrow(connections) {
            true => Cells::Narrow(Self::zeros(connections)),
            false => Cells::Wide(Self::zeros(connections)),
        }
    }

    fn zeros<T: Default>(connections: usize) -> Box<[T]> {
        std::iter::repeat_with(T::default)
            .take(Self::count(connections))
            .collect()
    }

    /// Whether 16 bits are enough.
    fn are_narrow(connections: usize) -> bool {
        connections <= NARROW_MAX
    }

    /// Cells of both rows.
    fn count(connections: usize) -> usize {
        connections.max(32).saturating_mul(4)
    }

    fn len(&self) -> usize {
        match self {
            Cells::Narrow(cells) => cells.len(),
            Cells::Wide(cells) => cells.len(),
        }
    }

    fn hold(&self) -> bool {
        match self {
            Cells::Narrow(cells) => lock(cells),
            Cells::Wide(cells) => lock(cells),
        }
    }

    fn get(&self, at: usize) -> u32 {
        match self {
            Cells::Narrow(cells) => cells[at].load(Relaxed).into(),
            Cells::Wide(cells) => cells[at].load(Relaxed),
        }
    }

    /// Adds one, and says how many it were before.
    fn add(&self, at: usize) -> u32 {
        match self {
            Cells::Narrow(cells) => cells[at].fetch_add(1, Relaxed).into(),
            Cells::Wide(cells) => cells[at].fetch_add(1, Relaxed),
        }
    }

    /// Subtracts one, and says how many it were before.
    fn subtract(&self, at: usize) -> u32 {
        match self {
            Cells::Narrow(cells) => cells[at].fetch_sub(1, Relaxed).into(),
            Cells::Wide(cells) => cells[at].fetch_sub(1, Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::new(format!("{text}:80").parse().unwrap())
    }

    /// With cells of either kind.
    fn both(connections: usize) -> [Addresses; 2] {
        let mut wide = Addresses::new(connections);
        wide.cells = Cells::Wide(Cells::zeros(connections));
        let narrow = Addresses::new(connections);
        assert!(matches!(narrow.cells, Cells::Narrow(_)));
        [narrow, wide]
    }

    #[test]
    fn each_address_is_counted_for_itself() {
        both(10_000).iter().for_each(count_two);
    }

    fn count_two(addresses: &Addresses) {
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
        assert!((0..addresses.cells.len()).all(|at| addresses.cells.get(at) == 0));
        assert_eq!(
            [&addresses.open, &addresses.used].map(|sum| sum.load(Relaxed)),
            [0, 0]
        );
    }

    #[test]
    fn cells_are_narrow_up_to_the_border_and_their_bytes_are_what_is_announced() {
        for (connections, cell) in [(1, 2), (63_487, 2), (63_488, 4), (1_000_000, 4)] {
            let addresses = Addresses::new(connections);
            let bytes = match &addresses.cells {
                Cells::Narrow(cells) => size_of_val(&**cells),
                Cells::Wide(cells) => size_of_val(&**cells),
            };
            assert_eq!(bytes, 4 * cell * connections.max(32));
            assert_eq!(bytes, Addresses::bytes(connections));
        }
        assert_eq!(Addresses::bytes(usize::MAX), usize::MAX);
    }

    #[test]
    fn an_address_with_all_connections_is_counted_right_on_both_sides_of_the_border() {
        let one = address("192.0.2.1");
        // All the workers count at most; and beyond what 16 bits hold.
        for (connections, most) in [(63_487, 65_535), (63_488, 65_537)] {
            let addresses = Addresses::new(connections);
            for count in 1..=most {
                assert_eq!(addresses.enter(one), count);
            }
            assert_eq!(addresses.of(one), most);
            (0..most).for_each(|_| addresses.leave(one));
            assert_eq!(addresses.of(one), 0);
        }
    }

    #[test]
    fn workers_never_count_more_than_narrow_cells_hold() {
        for workers in 1..=WORKERS_MAX {
            let share = NARROW_MAX.div_ceil(workers);
            assert!(workers * (share + 1) <= usize::from(u16::MAX), "{workers}");
        }
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
        both(10_000).iter().for_each(count_ten_thousand);
    }

    fn count_ten_thousand(addresses: &Addresses) {
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
