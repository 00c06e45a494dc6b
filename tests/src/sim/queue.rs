//! `kevent(2)` made of nothing but a seed.
//!
//! What the product's adaptor for kqueue asks is answered here: changes of what is registered at
//! once, events from the network. The network is lent for the time of a wait, since the adaptor
//! owns the queue and the kernel around it owns the network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barewire_core::driver::Instant;
use barewire_macos::Queue;
use barewire_macos::event::{Filter, Flags, Record, TRIGGER};
use rustix::io::Errno;

use super::faults::Faults;
use super::hap::{Hap, Haps};
use super::knotes::{Knote, Knotes, Owner};
use super::link::{Link, Way};
use super::net::Net;
use super::rng::Rng;
use super::strict::aside;

/// The error that an event of a reset connection carries.
const RESET: u32 = Errno::CONNRESET.raw_os_error() as u32;

/// A simulated event queue; a clone is the same one.
#[derive(Clone, Debug)]
pub(super) struct SimQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Never held while the network is at work: a wake-up out of the network needs it.
    table: Mutex<Table>,
    net: Mutex<Option<Box<Net>>>,
}

#[derive(Debug)]
struct Table {
    knotes: Knotes,
    /// Of its own: changes come when the network is elsewhere.
    rng: Rng,
    faults: Faults,
    haps: Haps,
    /// Descriptors whose other end is gone: EVFILT_WRITE of them is refused now and then.
    gone: Option<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimQueue {
    /// A queue whose faults begin with [`begin`](Self::begin).
    pub(super) fn new(seed: u64) -> SimQueue {
        let table = Table {
            knotes: Knotes::default(),
            rng: Rng::new(seed ^ 0x6b71_7565_7565),
            faults: Faults::NONE,
            haps: Haps::default(),
            gone: None,
        };
        SimQueue(Arc::new(Shared {
            table: Mutex::new(table),
            net: Mutex::new(None),
        }))
    }

    /// From now on things go wrong.
    pub(super) fn begin(&self, faults: Faults) {
        lock(&self.0.table).faults = faults;
    }

    /// The network, for one wait.
    pub(super) fn lend(&self, net: Box<Net>) {
        *lock(&self.0.net) = Some(net);
    }

    /// And back.
    pub(super) fn take_back(&self) -> Option<Box<Net>> {
        lock(&self.0.net).take()
    }

    /// A descriptor of this owner.
    pub(super) fn open(&self, owner: Owner) -> usize {
        let mut table = lock(&self.0.table);
        let (number, again) = table.knotes.open(owner);
        table.haps.note_if(again, Hap::NumberReused);
        number
    }

    /// The next registration of this descriptor may meet the end of the other side.
    pub(super) fn is_gone(&self, number: usize, gone: bool) {
        lock(&self.0.table).gone = gone.then_some(number);
    }

    /// The descriptor is closed.
    pub(super) fn close(&self, number: usize) {
        let mut table = lock(&self.0.table);
        let closed = table.knotes.close(number);
        table.haps.note_if(closed.event, Hap::EventGoneWithClose);
    }

    /// Our own half-close is news for the writing side.
    pub(super) fn shut(&self, number: usize) {
        lock(&self.0.table).knotes.activate(number, Filter::Write);
    }

    /// Turns the network's news into active filters, then tells those that are true.
    fn harvest(&self, net: &mut Net, events: &mut [Record]) -> usize {
        let mut table = lock(&self.0.table);
        let Table { knotes, haps, .. } = &mut *table;
        while let Some((at, way)) = net.pop_news() {
            let Some(number) = net.links[at].number else {
                continue;
            };
            if way.is_in() {
                knotes.activate(number, Filter::Read);
            }
            if way.is_out() {
                knotes.activate(number, Filter::Write);
            }
        }
        if net.listener_ready
            && let Some(number) = net.listener
        {
            net.listener_ready = false;
            knotes.activate(number, Filter::Read);
        }
        if !knotes.has_active() {
            return 0;
        }
        // A small batch now and then: the rest stays for the next call.
        let most = match net.rng.below(4) {
            0 => events.len().min(1),
            _ => events.len(),
        };
        let mut count = 0;
        while count < most
            && let Some(note) = knotes.pop()
        {
            let delayed = note.filter != Filter::User && net.rng.chance(net.faults.delay);
            if delayed && let Some(Owner::Link(at)) = knotes.owner(note.ident) {
                haps.note(Hap::EventDelayed);
                knotes.quiet(&note);
                let way = match note.filter {
                    Filter::Read => Way::In,
                    _ => Way::Out,
                };
                net.wake_soon(at, way);
                continue;
            }
            let Some(record) = look(net, &note, knotes.owner(note.ident), haps) else {
                haps.note(Hap::NoLongerTrue);
                knotes.quiet(&note);
                continue;
            };
            haps.note_if(note.is_again, Hap::EventTwice);
            // The manuals promise nothing about how often; but only what is still true then.
            match note.filter != Filter::User && net.rng.chance(net.faults.twice) {
                true => knotes.told_and_again(&note),
                false => knotes.told(&note),
            }
            events[count] = record;
            count += 1;
        }
        haps.note_if(count == most && knotes.has_active(), Hap::ListTooShort);
        count
    }
}

/// What a filter says now; `None`: it is not true.
fn look(net: &mut Net, note: &Knote, owner: Option<Owner>, haps: &mut Haps) -> Option<Record> {
    let record = Record::change(note.ident, note.filter, Flags::NONE, note.udata);
    match (note.filter, owner) {
        (Filter::User, _) => {
            haps.note(Hap::Woken);
            Some(record)
        }
        (Filter::Read, Some(Owner::Listener)) => {
            let waiting = net.waiting();
            let data = i64::try_from(waiting).unwrap_or(i64::MAX);
            (waiting > 0).then_some(Record { data, ..record })
        }
        (Filter::Read, Some(Owner::Link(at))) => read(&mut net.links[at], record, haps),
        (Filter::Write, Some(Owner::Link(at))) => write(&mut net.links[at], record, haps),
        _ => None,
    }
}

/// EVFILT_READ: bytes, or the end, or both in one.
fn read(link: &mut Link, record: Record, haps: &mut Haps) -> Option<Record> {
    let over = link.fin || link.reset;
    if link.inbox.is_empty() && !over {
        return None;
    }
    haps.note_if(over && !link.inbox.is_empty(), Hap::EndWithData);
    haps.note_if(link.reset, Hap::ErrorWithEnd);
    link.told_end |= over;
    Some(Record {
        flags: if over { Flags::EOF } else { Flags::NONE },
        fflags: if link.reset { RESET } else { 0 },
        data: i64::try_from(link.inbox.len()).unwrap_or(i64::MAX),
        ..record
    })
}

/// EVFILT_WRITE: room, or the end of this direction.
fn write(link: &mut Link, record: Record, haps: &mut Haps) -> Option<Record> {
    let over = link.server_fin || link.reset;
    if !over && !link.has_room() {
        // Who asks and hears "no room" is told later.
        link.no_space = true;
        return None;
    }
    haps.note_if(link.server_fin && !link.reset, Hap::OwnEnd);
    haps.note_if(link.reset, Hap::ErrorWithEnd);
    Some(Record {
        flags: if over { Flags::EOF } else { Flags::NONE },
        fflags: if link.reset { RESET } else { 0 },
        data: i64::try_from(link.room()).unwrap_or(i64::MAX),
        ..record
    })
}

impl Table {
    /// Applies one change, or refuses it.
    fn change(&mut self, change: &Record) -> Result<(), Errno> {
        let of_socket = matches!(change.filter, Filter::Read | Filter::Write);
        let adds = of_socket && change.flags.has(Flags::ADD);
        if adds && self.rng.chance(self.faults.unregistered) {
            return Err(Errno::NOMEM);
        }
        if adds
            && change.filter == Filter::Write
            && self.gone == Some(change.ident)
            && self.rng.chance(128)
        {
            self.haps.note(Hap::DirectionRefused);
            return Err(Errno::PIPE);
        }
        let coalesced = self.knotes.change(change)?;
        self.haps.note_if(coalesced, Hap::WakesCoalesced);
        Ok(())
    }

    /// Applies all changes; says how many receipts and errors were written.
    fn change_all(&mut self, changes: &[Record], events: &mut [Record]) -> Result<usize, Errno> {
        let mut count = 0;
        for change in changes {
            let result = self.change(change);
            if result.is_ok() && !change.flags.has(Flags::RECEIPT) {
                continue;
            }
            let error = result.err();
            match (events.get_mut(count), error) {
                (Some(place), _) => {
                    let data = error.map_or(0, |error| error.raw_os_error().into());
                    *place = Record {
                        flags: Flags::ERROR,
                        data,
                        ..*change
                    };
                    count += 1;
                }
                (None, Some(error)) => return Err(error),
                (None, None) => {}
            }
        }
        // A trigger takes no time in which a signal could come; a registration may wait for memory.
        let interruptible = changes.iter().any(|change| change.fflags & TRIGGER == 0);
        if interruptible && self.rng.chance(self.faults.interrupt) {
            self.haps.note(Hap::ChangeInterrupted);
            return Err(Errno::INTR);
        }
        Ok(count)
    }
}

impl Queue for SimQueue {
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno> {
        let _aside = aside();
        if !changes.is_empty() {
            let count = lock(&self.0.table).change_all(changes, events)?;
            if count > 0 {
                return Ok(count);
            }
        }
        if events.is_empty() {
            return Ok(0);
        }
        let mut net = lock(&self.0.net);
        let Some(net) = net.as_deref_mut() else {
            return Ok(0);
        };
        net.begin_turn();
        if net.interrupted().is_err() {
            return Err(Errno::INTR);
        }
        let until = wait.map(|wait| {
            let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            Instant(net.now.saturating_add(nanos))
        });
        loop {
            net.act_due();
            let count = self.harvest(net, events);
            if count > 0 || !net.pass_time(until) {
                net.haps.add(&std::mem::take(&mut lock(&self.0.table).haps));
                return Ok(count);
            }
        }
    }
}
