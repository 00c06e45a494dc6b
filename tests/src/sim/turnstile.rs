//! Who is let in, by a plain count: exactly those above a limit are refused.

use std::collections::HashMap;

use barewire_core::driver::{Address, PeerId};

/// A model of the worker's admission, between the worker and its driver, where the order of all
/// accepts and closes is the worker's own.
#[derive(Debug)]
pub(super) struct Turnstile {
    open_max: usize,
    per_address_max: u32,
    /// The server stops: nobody is let in any more.
    is_shut: bool,
    /// Who was let in and is open, with its address.
    inside: HashMap<u32, [u8; 16]>,
    /// Who came just now, and whether it is let in: what the worker does first must show it.
    fresh: HashMap<u32, bool>,
    refused: u64,
    /// Of these, because of their address alone.
    crowded: u64,
}

impl Turnstile {
    /// Nobody is there.
    pub(super) fn new(open_max: usize, per_address_max: u32) -> Turnstile {
        Turnstile {
            open_max,
            per_address_max,
            is_shut: false,
            inside: HashMap::new(),
            fresh: HashMap::new(),
            refused: 0,
            crowded: 0,
        }
    }

    /// Connections that were to be refused; those of them that only their address stood against.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.refused, self.crowded)
    }

    /// The server stops.
    pub(super) fn shut(&mut self) {
        self.is_shut = true;
    }

    /// Somebody comes.
    pub(super) fn comes(&mut self, peer: PeerId, from: Address) {
        let of_address = self.inside.values().filter(|ip| **ip == from.ip).count();
        let has_room = self.inside.len() < self.open_max && !self.is_shut;
        let may = of_address < self.per_address_max as usize;
        match has_room && may {
            true => drop(self.inside.insert(peer.index, from.ip)),
            false => {
                self.refused += 1;
                self.crowded += u64::from(has_room);
            }
        }
        self.fresh.insert(peer.index, has_room && may);
    }

    /// The worker listens to a connection, or does anything else with it.
    pub(super) fn is_served(&mut self, peer: PeerId, served: bool) {
        if let Some(may) = self.fresh.remove(&peer.index) {
            assert_eq!(
                served, may,
                "let in, or refused, and should not be: {peer:?}"
            );
        }
    }

    /// A connection is closed.
    pub(super) fn goes(&mut self, peer: PeerId) {
        self.is_served(peer, false);
        self.inside.remove(&peer.index);
    }
}
