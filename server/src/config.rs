//! What a deployment may choose.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use barewire_core::connection::{Refusals, ServerName};
use barewire_core::limits::Limits;

use crate::handoff::RING_PLACES;
use crate::platform::{HUGE_PAGE_BYTES, OWN_TABLES, SPREADS};

/// The configuration of a server. [`Config::default`] is that of `barewire` without arguments.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. Default 127.0.0.1:8080.
    pub bind: SocketAddr,
    /// Threads that serve, each with a loop of its own. 0: as many as the machine gives this process,
    /// processors and quotas counted. Default 0.
    pub workers: usize,
    /// How connections come to the workers. Default: as the system does it best.
    pub accept: Accept,
    /// Connections that are served at a time, shared out evenly to the workers. Further ones are
    /// told 503. Default 10,000.
    pub connections: usize,
    /// Connections from one address that are served at a time; an IPv6 network of 64 bits counts as
    /// one address. Further ones are told 503. 0: no limit of its own, since one address may be a
    /// proxy with a whole company behind it. Default 0.
    pub connections_per_address: u32,
    /// Buffers for connections that are active at a time. 0: as many as connections. Default 0.
    pub slots: usize,
    /// Bytes of a slot, a multiple of 64. Default 16,384: four pages.
    pub slot_bytes: usize,
    /// Bytes of the slot that receive, a multiple of 64; the rest sends. Default 8,192.
    pub recv_bytes: usize,
    /// Touch all memory that serving takes at the start, and lock it where that is allowed
    /// ([`Server::presence`](crate::Server::presence) says whether): slots, tables, stacks, and the
    /// program. No page fault comes later. What the application keeps is its own affair, and the
    /// rings of [`Accept::Handoff`] are touched but never locked. Default false.
    pub prefault: bool,
    /// Whether the slots lie in huge pages ([`Server::pages`](crate::Server::pages) says what was
    /// got). Default [`HugePages::Off`].
    pub huge_pages: HugePages,
    /// Tie each worker to a processor of its own: the first to the first that the process may use,
    /// and from the beginning again if there are more workers. Where the system cannot do that,
    /// the start is refused. Default false.
    pub pin: bool,
    /// Give each worker a table of descriptors of its own, where the system has that (Linux 5.9)
    /// and lets it ([`Server::own_descriptors`](crate::Server::own_descriptors) says whether). A
    /// request takes one or two per cent less of the processor; no accept waits for another
    /// worker's.
    /// With [`Accept::Handoff`] and several workers it is ignored, as connections move between
    /// threads there. Default false.
    ///
    /// **Not for every application.** What a worker opens (in the call that makes its application,
    /// or later) no other thread knows, and what others open after the start no worker knows: there
    /// the same number is another file, another peer's connection perhaps, or none. So a file, a
    /// socket, a pipe, or whatever holds one, must not be made on one side and used, closed or
    /// dropped on the other. What was open before the start may be used on both, and is closed only
    /// when both have closed it or the workers have ended: a connection of somebody else's in the
    /// same process ends later than it should. Nor do tools that look at `/proc/PID/fd` alone find
    /// the connections: these are in `/proc/PID/task/TID/fd`.
    pub own_descriptors: bool,
    /// Milliseconds that requests under way get to finish after a stop. Default 30,000.
    pub shutdown_ms: u64,
    /// What refusals tell. Default [`Refusals::Explain`].
    pub refusals: Refusals,
    /// The `Server` field of every answer. Default `None`: there is none.
    pub server: Option<ServerName<'static>>,
    /// The bounds of the protocol.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            accept: Accept::default(),
            connections: 10_000,
            connections_per_address: 0,
            slots: 0,
            slot_bytes: 16_384,
            recv_bytes: 8_192,
            prefault: false,
            huge_pages: HugePages::Off,
            pin: false,
            own_descriptors: false,
            shutdown_ms: 30_000,
            refusals: Refusals::Explain,
            server: None,
            limits: Limits::DEFAULT,
        }
    }
}

/// Whether slots lie in pages of 2 MiB, so that the processor finds them with fewer look-ups.
///
/// Slots only, not what the application keeps: the users of the statistics lie so close together
/// that 75,000 of them gained nothing from it, and ten would take 4 MiB more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Pages of the usual size.
    #[default]
    Off,
    /// Those of the system's pool (`vm.nr_hugepages`); else transparent ones, which the system
    /// makes where it finds memory in one piece; else the usual ones.
    Try,
    /// Those of the pool, or no start.
    Require,
}

/// How connections come to the workers. Either way each worker has its share of the connections
/// that are served at a time, and says 503 beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Each worker has a listener of its own on the port, and the system spreads connections over
    /// them (`SO_REUSEPORT`). Nothing is shared; but a worker that is busy, or at its share, gets
    /// new ones too, whatever room others have; and macOS gives all to one, so there it is refused
    /// for more than one worker.
    Reuseport,
    /// One thread accepts, and hands each connection to the worker that has the fewest, through a
    /// ring that holds 64. Nobody is told 503 while a worker has room. If the ring of one is full
    /// the next one gets it; if all are, accepting waits, and connections wait in the system's
    /// backlog. One worker needs no such thread, and has none.
    Handoff,
}

impl Default for Accept {
    /// `Reuseport` where the system spreads connections, else `Handoff`.
    fn default() -> Self {
        match SPREADS {
            true => Accept::Reuseport,
            false => Accept::Handoff,
        }
    }
}

/// Worker threads at most: 1,024, more than machines have processors, so that sums over workers are
/// bounded.
pub(crate) const WORKERS_MAX: usize = 1024;

/// Places beyond the connections, for each worker: those that are told 503. Enough for one turn's
/// accepts, so that a full server still says why.
pub(crate) const RESERVE: usize = 64;

/// So many of them, at least, have to find descriptors where these are few. (Who is told 503 leaves
/// within `linger_ms`; meanwhile the others wait in the backlog.)
const RESERVE_MIN: usize = 8;

/// Descriptors of each worker besides its connections (listener, epoll, waker), and of the process
/// (standard streams, a margin for what it was started with). Where each worker has a table of its
/// own the limit is that of each table, so there is more room than is counted here: what starts
/// does not depend on whether the system gives these.
const DESCRIPTORS_PER_WORKER: usize = 3;
const DESCRIPTORS_BESIDES: usize = 32;

impl Config {
    /// Slots in total.
    pub fn slot_count(&self) -> usize {
        if self.slots == 0 {
            self.connections
        } else {
            self.slots
        }
    }

    /// Bytes of all slots.
    pub fn reserved_bytes(&self) -> usize {
        self.slot_count().saturating_mul(self.slot_bytes)
    }

    /// Bytes of the pages that they may lie in.
    pub(crate) fn slot_pages_bytes(&self) -> usize {
        let bytes = self.reserved_bytes();
        match self.huge_pages {
            HugePages::Off => bytes,
            HugePages::Try | HugePages::Require => bytes
                .checked_next_multiple_of(HUGE_PAGE_BYTES)
                .unwrap_or(usize::MAX),
        }
    }

    /// Connections of one address.
    pub(crate) fn per_address_max(&self) -> u32 {
        match self.connections_per_address {
            0 => u32::MAX,
            most => most,
        }
    }

    /// Connections of one of `workers` workers.
    pub(crate) fn share(&self, workers: usize) -> usize {
        self.connections.div_ceil(workers)
    }

    /// Whether one thread accepts for all of `workers`.
    pub(crate) fn hands_out(&self, workers: usize) -> bool {
        self.accept == Accept::Handoff && workers > 1
    }

    /// Whether each of `workers` workers is to have a table of descriptors of its own.
    pub(crate) fn wants_own_tables(&self, workers: usize) -> bool {
        self.own_descriptors && OWN_TABLES && !self.hands_out(workers)
    }

    /// Connections that may lie in the rings of `workers` workers.
    fn in_rings(&self, workers: usize) -> usize {
        match self.hands_out(workers) {
            true => RING_PLACES * workers,
            false => 0,
        }
    }

    /// Descriptors that `workers` workers need.
    pub fn descriptors(&self, workers: usize) -> usize {
        let each = self.share(workers) + RESERVE + DESCRIPTORS_PER_WORKER;
        each * workers + self.in_rings(workers) + DESCRIPTORS_BESIDES
    }

    /// Descriptors without which they do not start: places beyond the connections count only as
    /// many as there are connections. The accepts of a burst may have to wait for descriptors then.
    pub(crate) fn descriptors_min(&self, workers: usize) -> usize {
        let spared = RESERVE - self.share(workers).clamp(RESERVE_MIN, RESERVE);
        self.descriptors(workers) - spared * workers - self.in_rings(workers)
    }

    /// Checks what can be checked without starting.
    ///
    /// # Errors
    /// The first value that cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let parts = [
            self.recv_bytes,
            self.slot_bytes.saturating_sub(self.recv_bytes),
        ];
        let wrong = |what| Err(ConfigError(what));
        if self.connections == 0 {
            return wrong("connections must be at least 1");
        }
        if self.workers > WORKERS_MAX {
            return wrong("workers must be at most 1024");
        }
        if parts
            .iter()
            .any(|part| !part.is_multiple_of(64) || !(1024..=65_472).contains(part))
        {
            return wrong("both parts of a slot must be multiples of 64 bytes, 1024 to 65472 each");
        }
        if self.limits.reply_bytes_max as usize > parts[1] - 64 {
            return wrong("reply_bytes_max must fit into the send part of a slot");
        }
        Ok(())
    }
}

/// A value of a [`Config`] that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(crate) &'static str);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_reserves_what_the_documents_say() {
        let config = Config::default();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.reserved_bytes(), 163_840_000);
    }

    #[test]
    fn huge_pages_are_counted_as_whole_ones() {
        let bytes = |huge_pages| {
            let config = Config {
                huge_pages,
                ..Config::default()
            };
            (config.reserved_bytes(), config.slot_pages_bytes())
        };
        assert_eq!(bytes(HugePages::Off), (163_840_000, 163_840_000));
        for huge_pages in [HugePages::Try, HugePages::Require] {
            assert_eq!(bytes(huge_pages), (163_840_000, 79 << 21));
        }
    }

    #[test]
    fn few_descriptors_are_shared_between_those_served_and_those_refused() {
        let needed = |connections, workers| {
            let config = Config {
                connections,
                ..Config::default()
            };
            let (all, least) = (config.descriptors(workers), config.descriptors_min(workers));
            assert!(least <= all);
            least
        };
        assert!(needed(14, 1) <= 64 && needed(15, 1) > 64);
        assert!(needed(10, 2) <= 64 && needed(11, 2) > 64);
        assert_eq!(needed(1, 1), 1 + 8 + 3 + 32);
        let most = Config::default();
        assert_eq!(most.descriptors_min(2), most.descriptors(2));
    }

    #[test]
    fn own_tables_are_for_who_asks_and_hands_nothing_over() {
        let wants = |own_descriptors, accept, workers| {
            let config = Config {
                own_descriptors,
                accept,
                ..Config::default()
            };
            config.wants_own_tables(workers)
        };
        assert!(!Config::default().own_descriptors);
        assert!(!wants(false, Accept::Reuseport, 2));
        assert!(!wants(true, Accept::Handoff, 2));
        for (accept, workers) in [(Accept::Reuseport, 2), (Accept::Handoff, 1)] {
            assert_eq!(wants(true, accept, workers), OWN_TABLES);
        }
    }

    #[test]
    fn what_waits_in_rings_has_descriptors_too() {
        let config = Config {
            accept: Accept::Handoff,
            ..Config::default()
        };
        let plain = Config {
            accept: Accept::Reuseport,
            ..Config::default()
        };
        assert_eq!(config.descriptors(4), plain.descriptors(4) + 256);
        assert_eq!(config.descriptors_min(4), plain.descriptors_min(4));
        assert!(config.hands_out(2) && !config.hands_out(1) && !plain.hands_out(2));
        assert_eq!(config.descriptors(1), plain.descriptors(1));
    }

    #[test]
    fn impossible_sizes_are_refused_with_a_reason() {
        let refuse = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            assert!(config.check().is_err(), "{config:?}");
        };
        refuse(|c| c.connections = 0);
        refuse(|c| c.slot_bytes = 8192);
        refuse(|c| c.recv_bytes = 100);
        refuse(|c| c.slot_bytes = 1 << 20);
        refuse(|c| c.limits.reply_bytes_max = 8192);
        refuse(|c| c.workers = 5000);
    }
}
