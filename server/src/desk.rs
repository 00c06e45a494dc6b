//! Where a worker works: its tables, made before its first connection.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use barewire_core::buffer::Slot;
use barewire_core::driver::{Entry, Kernel, Readiness, Slots};
use barewire_core::wheel;

use crate::addresses::Addresses;
use crate::app::App;
use crate::config::{Config, RESERVE};
use crate::footprint::{STACK_BYTES, deferral_list, hold_own_stack};
use crate::occupancy::Occupancy;
use crate::peer::Peer;
use crate::platform::lock;
use crate::worker::{Admission, Memory, Waits, Worker};

/// What a worker is given besides its kernel, its slots and its application.
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) admission: Admission,
    /// Where it tells what it refuses.
    pub(crate) occupancy: Option<Arc<Occupancy>>,
    /// Who hears, with [`Config::prefault`], whether all of its memory is there and locked, the
    /// stack of its thread as well. `None`: nobody, and the stack is not ours to touch.
    pub(crate) ready: Option<Sender<bool>>,
}

/// Whom each of `workers` workers lets in.
pub(crate) fn admission(config: &Config, workers: usize) -> Admission {
    Admission {
        open_max: config.share(workers),
        per_address_max: config.per_address_max(),
        addresses: Arc::new(Addresses::new(config.connections)),
    }
}

impl Desk {
    /// Makes the tables, and the worker over them, for `work`; they end with it.
    pub(crate) fn with_worker<K, A, T>(
        self,
        kernel: K,
        share: Vec<Slot>,
        app: A,
        work: impl for<'m> FnOnce(Worker<'m, Readiness<'m, K>, A>) -> T,
    ) -> T
    where
        K: Kernel<Error = io::Error>,
        A: App,
    {
        let Desk {
            config,
            admission,
            occupancy,
            ready,
        } = self;
        let places = admission.open_max + RESERVE;
        let mut entries: Vec<Entry<_>> = std::iter::repeat_with(Entry::new).take(places).collect();
        let mut peers: Vec<Peer> = std::iter::repeat_with(Peer::vacant).take(places).collect();
        let mut timers = vec![wheel::Entry::EMPTY; places];
        let mut waits = Waits::new(share.len());
        // Who is deferred keeps its slot.
        let deferred: VecDeque<u32> = deferral_list(places.min(share.len()), config.prefault);
        let mut free: Vec<Option<Slot>> = share.iter().map(|_| None).collect();
        let slots_locked = config.prefault && lock(&free);
        let mut slots = Slots::new(&mut free);
        // Last in, first out: the first slot of the region is used first.
        share.into_iter().rev().for_each(|slot| slots.give(slot));
        if config.prefault {
            // The other tables are touched: they were written to when they were made.
            let tables = lock(&entries) && lock(&peers) && lock(&timers) && slots_locked;
            let tables = tables && waits.hold() && admission.addresses.hold();
            if let Some(ready) = &ready {
                // Nobody to tell: the start has failed.
                let _ = ready.send(hold_own_stack(STACK_BYTES) && tables);
            }
        }
        drop(ready);
        let memory = Memory {
            peers: &mut peers,
            timers: &mut timers,
            slots,
            deferred,
            waits,
        };
        let driver = Readiness::new(kernel, &mut entries);
        let worker = Worker::new(driver, app, config.limits, memory, admission, unix_time);
        work(
            worker
                .answering(config.refusals, config.server)
                .telling(occupancy),
        )
    }
}

fn unix_time() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
