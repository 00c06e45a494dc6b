//! One thread accepts for all workers, where the system does not spread connections by itself.
//!
//! ```text
//!              +--> ring of 64 --> worker 0      to the one with the fewest connections, in turn
//!  acceptor ---+--> ring of 64 --> worker 1      among equals; a full ring is passed over
//!              +--> ring of 64 --> worker 2      all full: accepting waits, the backlog fills
//! ```
//!
//! Each worker tells how many connections it has (`occupancy.rs`), so none is told 503 by a worker
//! at its share while another has room. (Dealing strictly in turn did that; the better of two
//! workers drawn by lot, which needs fewer looks, would still do it now and then. A look is a load
//! of two words for each worker and connection: nothing beside the system call that accepts.)
//!
//! A ring is a bounded channel of the standard library. It has one sender and one receiver, and
//! takes no memory after it was made. (A `heapless::spsc` queue was the first idea: it wants
//! memory that outlives both threads, and keeps the sockets that lie in it when a worker ends. This
//! one closes them, and gives back to the sender what comes too late.)
//!
//! The acceptor goes by turns, each a round of accepting and a wait, so a simulation can take them
//! one by one.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble, WAKER};

use crate::occupancy::Occupancy;
use crate::platform::Waker;

/// Connections that a ring holds: as many as a worker accepts in one turn, so that a burst goes on
/// at the pace that it has with a listener of its own.
pub(crate) const RING_PLACES: usize = 64;

/// Connections taken from the backlog before their workers are woken, at most: as many as a worker
/// serves in one turn.
const BURST_MAX: usize = 64;

/// Nanoseconds until full rings are tried again. A worker empties its ring in every turn, and a
/// turn is far shorter unless it has no places left.
const RETRY_NANOS: u64 = 1_000_000;

/// Nanoseconds without an accept after the system ran out of descriptors or memory: as a worker
/// with a listener of its own does it.
const BACK_OFF_NANOS: u64 = 100_000_000;

/// Bytes of the acceptor's stack: its kernel with 256 events of 40 bytes (kqueue's, the largest),
/// the 64 bytes each that FreeBSD writes them to, and ten times as much for whatever a thread of
/// Rust takes for itself.
pub(crate) const STACK_BYTES: usize = 256 << 10;

/// Bytes of memory of the acceptor and its rings.
pub(crate) fn bytes(workers: usize) -> usize {
    // A place is a connection, its address, and a word of the channel's own; then some lines for
    // its two ends, and those of the count, which has some to itself.
    let ring = RING_PLACES * (size_of::<(u64, Address)>() + size_of::<usize>()) + 1024;
    let ring = ring + 2 * size_of::<Occupancy>();
    STACK_BYTES.saturating_add(workers.saturating_mul(ring))
}

/// A connection on its way.
pub type Arrival<S> = (S, Address);

/// What wakes the worker at the other end of a ring, from any thread.
pub trait Wake {
    /// Makes the worker's current or next wait return. Never blocks.
    fn wake(&self);
}

impl Wake for Waker {
    fn wake(&self) {
        // The platform's own.
        self.wake();
    }
}

/// Whether the server runs; what else it can be told ends the acceptor.
pub(crate) type Order = AtomicU8;

/// A ring to a worker that `waker` wakes: the acceptor's end, and the worker's.
pub(crate) fn ring<S>(waker: Waker) -> (Gate<S>, Door<S>) {
    ring_of(RING_PLACES, waker)
}

/// The same with so many places.
pub fn ring_of<S, W>(places: usize, waker: W) -> (Gate<S, W>, Door<S>) {
    let (ring, arrivals) = sync_channel(places);
    let occupancy = Arc::new(Occupancy::default());
    let gate = Gate {
        ring,
        waker,
        given: 0,
        occupancy: occupancy.clone(),
        is_fed: false,
        is_full: false,
    };
    let door = Door {
        arrivals,
        occupancy,
    };
    (gate, door)
}

/// The acceptor's end of a ring.
pub struct Gate<S, W = Waker> {
    ring: SyncSender<Arrival<S>>,
    waker: W,
    /// Connections that were put there, modulo 2^32.
    given: u32,
    occupancy: Arc<Occupancy>,
    /// Something was put there since the worker was woken.
    is_fed: bool,
    /// It had no room for the connection that is dealt now.
    is_full: bool,
}

/// The worker's end of a ring.
pub struct Door<S> {
    arrivals: Receiver<Arrival<S>>,
    occupancy: Arc<Occupancy>,
}

impl<S> Door<S> {
    /// Where the worker tells what it refuses; what it closes its [`Handed`] tells.
    pub(crate) fn occupancy(&self) -> Arc<Occupancy> {
        self.occupancy.clone()
    }
}

/// A kernel whose connections come out of a ring instead of a listener.
pub struct Handed<K: Kernel> {
    kernel: K,
    /// `None` after `stop_listening`.
    arrivals: Option<Receiver<Arrival<K::Socket>>>,
    occupancy: Arc<Occupancy>,
    /// Woken, and not told yet that there may be connections: the events had no room.
    is_due: bool,
}

impl<K: Kernel> Handed<K> {
    /// Over a kernel without a listener of its own.
    pub fn new(kernel: K, door: Door<K::Socket>) -> Handed<K> {
        Handed {
            kernel,
            arrivals: Some(door.arrivals),
            occupancy: door.occupancy,
            is_due: false,
        }
    }

    /// The kernel below.
    pub fn inner(&self) -> &K {
        &self.kernel
    }
}

impl<K: Kernel> Kernel for Handed<K> {
    type Socket = K::Socket;
    type Error = K::Error;

    /// A wake-up may mean a connection, so it is an edge of the listener too.
    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, K::Error> {
        let until = match self.is_due {
            true => Some(self.now()),
            false => until,
        };
        let mut count = self.kernel.poll(events, until)?;
        let told = events.iter().take(count);
        self.is_due |= told.clone().any(|event| event.token == WAKER) && self.arrivals.is_some();
        if self.is_due
            && let Some(place) = events.get_mut(count)
        {
            *place = Event {
                token: LISTENER,
                readable: true,
                ..Event::default()
            };
            count += 1;
            self.is_due = false;
        }
        Ok(count)
    }

    fn accept(&mut self) -> Result<Arrival<K::Socket>, Trouble> {
        let arrivals = self.arrivals.as_ref().ok_or(Trouble::WouldBlock)?;
        match arrivals.try_recv() {
            Ok(arrival) => Ok(arrival),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Err(Trouble::WouldBlock),
        }
    }

    fn register(&mut self, socket: &K::Socket, token: u64) -> Result<(), Trouble> {
        self.kernel.register(socket, token)
    }

    fn recv(&mut self, socket: &K::Socket, into: &mut [u8]) -> Result<usize, Trouble> {
        self.kernel.recv(socket, into)
    }

    fn send(&mut self, socket: &K::Socket, from: &[u8]) -> Result<usize, Trouble> {
        self.kernel.send(socket, from)
    }

    fn shutdown(&mut self, socket: &K::Socket) {
        self.kernel.shutdown(socket);
    }

    /// Whoever closes a connection does it here: [`Readiness`](barewire_core::driver::Readiness)
    /// never just drops one.
    fn close(&mut self, socket: K::Socket, abort: bool) {
        // Told first: whoever hears of the end and comes again finds the place free. (The worker
        // goes on with the next connection when it is done with this one.)
        self.occupancy.closes();
        self.kernel.close(socket, abort);
    }

    /// Who lies in the ring is reset, as the system does with a backlog.
    fn stop_listening(&mut self) {
        let Some(arrivals) = self.arrivals.take() else {
            return;
        };
        for (socket, _) in arrivals.try_iter() {
            self.kernel.close(socket, true);
        }
        // What is put there from now on the channel gives back to the acceptor.
    }

    fn local(&self, socket: &K::Socket) -> Option<Address> {
        self.kernel.local(socket)
    }

    fn now(&self) -> Instant {
        self.kernel.now()
    }
}

impl<K: Kernel> fmt::Debug for Handed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").finish_non_exhaustive()
    }
}

/// Takes connections from the listener of its kernel and deals them out.
pub struct Acceptor<K: Kernel, W = Waker> {
    kernel: K,
    gates: Vec<Gate<K::Socket, W>>,
    /// Whose turn it is.
    next: usize,
    /// Accepted, and all rings were full.
    in_hand: Option<Arrival<K::Socket>>,
    /// The listener has not said `WouldBlock` since its last edge.
    is_acceptable: bool,
    /// Nothing is accepted before, in nanoseconds: the system was short of something. (Not only a
    /// longest wait: in a flood each connection ends that, and would be an accept in vain.)
    rests_until: u64,
}

/// How a round of accepting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Nothing waits; an edge will tell.
    Idle,
    /// More may wait: the round was long enough.
    More,
    /// All rings are full.
    Full,
    /// The system is short of something.
    Short,
    /// No worker is there any more.
    Alone,
}

impl<K: Kernel, W: Wake> Acceptor<K, W> {
    /// Nothing is accepted yet.
    pub fn new(kernel: K, gates: Vec<Gate<K::Socket, W>>) -> Acceptor<K, W> {
        Acceptor {
            kernel,
            gates,
            next: 0,
            in_hand: None,
            // A connection may have come before the listener was registered.
            is_acceptable: true,
            rests_until: 0,
        }
    }

    /// Works until `order` is no longer `run`, and whoever said so has woken the kernel.
    ///
    /// # Errors
    /// If the kernel cannot wait any more.
    pub(crate) fn work(mut self, order: &Order, run: u8) -> Result<(), K::Error> {
        while order.load(Ordering::Relaxed) == run {
            if self.turn()? == Round::Alone {
                break;
            }
        }
        self.end();
        Ok(())
    }

    /// One round of accepting, and a wait for the next. Says how the round ended; after
    /// [`Round::Alone`] there is nothing more to do.
    ///
    /// # Errors
    /// If the kernel cannot wait any more.
    pub fn turn(&mut self) -> Result<Round, K::Error> {
        let now = self.kernel.now().0;
        let round = self.round();
        let until = match round {
            Round::Idle => None,
            Round::More => Some(now),
            Round::Full => Some(now.saturating_add(RETRY_NANOS)),
            Round::Short => Some(self.rests_until),
            Round::Alone => return Ok(round),
        };
        let mut events = [Event::default(); 8];
        let count = self.kernel.poll(&mut events, until.map(Instant))?;
        let told = events.iter().take(count);
        self.is_acceptable |= told.clone().any(|event| event.token == LISTENER);
        Ok(round)
    }

    /// Listens no more, and resets what it has in hand.
    pub fn end(mut self) {
        self.kernel.stop_listening();
        if let Some((socket, _)) = self.in_hand.take() {
            self.kernel.close(socket, true);
        }
    }

    /// Accepts and deals out, then wakes who got something.
    fn round(&mut self) -> Round {
        let round = self.deal_out();
        for gate in &mut self.gates {
            if std::mem::take(&mut gate.is_fed) {
                gate.waker.wake();
            }
        }
        round
    }

    fn deal_out(&mut self) -> Round {
        for _ in 0..BURST_MAX {
            let arrival = match self.in_hand.take() {
                Some(arrival) => arrival,
                None if !self.is_acceptable => return Round::Idle,
                None if self.kernel.now().0 < self.rests_until => return Round::Short,
                None => match self.kernel.accept() {
                    Ok(arrival) => arrival,
                    Err(Trouble::WouldBlock) => {
                        self.is_acceptable = false;
                        return Round::Idle;
                    }
                    Err(Trouble::Interrupted | Trouble::Aborted) => continue,
                    Err(Trouble::Exhausted | Trouble::Lost | Trouble::Other(_)) => {
                        let now = self.kernel.now().0;
                        self.rests_until = now.saturating_add(BACK_OFF_NANOS);
                        return Round::Short;
                    }
                },
            };
            self.in_hand = self.deal(arrival);
            if self.in_hand.is_some() {
                let is_alone = self.gates.is_empty();
                return if is_alone { Round::Alone } else { Round::Full };
            }
        }
        Round::More
    }

    /// Gives it to the worker with the fewest connections whose ring has room; gives it back if
    /// none has.
    fn deal(&mut self, arrival: Arrival<K::Socket>) -> Option<Arrival<K::Socket>> {
        let mut arrival = arrival;
        for gate in &mut self.gates {
            gate.is_full = false;
        }
        // Each round ends it, or takes a gate out of the choice.
        while let Some(at) = self.least_loaded() {
            let gate = self.gates.get_mut(at)?;
            match gate.ring.try_send(arrival) {
                Ok(()) => {
                    gate.given = gate.given.wrapping_add(1);
                    gate.is_fed = true;
                    self.next = at + 1;
                    return None;
                }
                Err(TrySendError::Full(back)) => {
                    arrival = back;
                    gate.is_full = true;
                }
                // The worker has ended, or drains: it gets nothing any more.
                Err(TrySendError::Disconnected(back)) => {
                    arrival = back;
                    self.gates.remove(at);
                    self.next = at;
                }
            }
        }
        Some(arrival)
    }

    /// The gate of the worker with the fewest connections; of several the one whose turn it is.
    fn least_loaded(&self) -> Option<usize> {
        let count = self.gates.len();
        let in_turn = (self.next..count).chain(0..self.next.min(count));
        let open = in_turn.filter_map(|at| self.gates.get(at).map(|gate| (at, gate)));
        // The first of equals.
        open.filter(|(_, gate)| !gate.is_full)
            .min_by_key(|(_, gate)| gate.occupancy.load(gate.given))
            .map(|(at, _)| at)
    }
}

impl<S> fmt::Debug for Door<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl<S, W> fmt::Debug for Gate<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl<K: Kernel, W> fmt::Debug for Acceptor<K, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
