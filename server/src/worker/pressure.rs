//! Who gives its slot back when few are left.
//!
//! A slot is held by a connection from the first byte of a request to the last of its answer. Who
//! sends these bytes one by one holds it for long, and ten thousand such connections would hold
//! them all. So, while fewer than an eighth of a worker's slots are free, in this order:
//!
//! ```text
//! of the connections that wait for their peer, the longest wait first,
//! those whose address has more connections than its share, and then the others,
//!     while too few slots are free:
//!         an incomplete head gives way (408, close)
//!         a body behind its least rate gives way (408, close)
//!         a connection that lingers after its last answer is closed
//! if not one slot is free even so, once per tick of the timers:
//!     peers that have not taken a filling of the send buffer for long are reset
//! ```
//!
//! While there are slots, a head or a lingering connection has [`HASTE_MS`], a body or an answer
//! [`PATIENCE_MS`]. When there are none, bodies and answers have [`HASTE_MS`], and the oldest head
//! goes at once.
//!
//! Nobody else is disturbed: neither a request that is here and is being answered, nor a body that
//! keeps its rate, nor an idle connection, which holds no slot.

use barewire_core::connection::Wait;
use barewire_core::driver::{Driver, Instant, Slots};

use super::waits::Mark;
use super::{State, TICK_MS, Worker};
use crate::app::App;
use crate::peer::Peer;

/// Slots that only refusals may take, for each worker: as many as there are places for connections
/// beyond the limit, but not more than a sixteenth of all.
const RESERVE_SLOTS_MAX: usize = crate::config::RESERVE;

/// Milliseconds for which a body may be behind its rate, and an answer wait for its peer: a round
/// trip to the other end of the world, twice, and some loss.
const PATIENCE_MS: u32 = 1_000;

/// The same in milliseconds when not one slot is free: everybody else waits for as long.
const HASTE_MS: u32 = 100;

/// With fewer slots all of them are taken now and then in good times too, and clients whose heads
/// come in two packets would push each other out: everybody is given [`PATIENCE_MS`] then.
const FEW_SLOTS: usize = 64;

/// For so many waits that were gone through in vain, the next look is put off by 1 ms (in waits per
/// milliseconds). One costs about half a microsecond, so ten thousand uploads that keep their rate
/// cost the worker a tenth or two of its time, and not all of it.
const WAITS_PER_PAUSE_MS: u64 = 200;

/// When a worker's slots are scarce.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    /// With fewer slots free, connections give way.
    low: usize,
    /// Until so many are. More than `low`, so that the waits are gone through for several at once.
    enough: usize,
    /// Slots that only refusals may take.
    reserve: usize,
    /// The patience when no slot is free: with a head or with lingering, and with the others.
    head_ms: u32,
    haste_ms: u32,
    /// Until then the waits are not gone through again, as it would bring nothing.
    pause_until_ms: u64,
    /// Whether that was wished for meanwhile.
    is_put_off: bool,
    /// When stalled answers may be looked for again.
    next_sweep_ms: u64,
}

impl Gauge {
    /// Sets the reserve as well.
    pub(super) fn new(slots: &mut Slots<'_>) -> Gauge {
        let all = slots.capacity();
        let reserve = RESERVE_SLOTS_MAX.min(all / 16);
        slots.reserve(reserve);
        let low = (all / 8).max(1);
        let (head_ms, haste_ms) = match all {
            0..FEW_SLOTS => (PATIENCE_MS, PATIENCE_MS),
            _ => (0, HASTE_MS),
        };
        Gauge {
            low,
            enough: low + all / 32,
            reserve,
            head_ms,
            haste_ms,
            pause_until_ms: 0,
            is_put_off: false,
            next_sweep_ms: 0,
        }
    }
}

impl<D: Driver, A: App> Worker<'_, D, A> {
    /// Whether slots are scarce.
    pub(super) fn is_pressed(&self) -> bool {
        self.slots.available() < self.gauge.low
    }

    /// When to look again, though nothing happens meanwhile: patience ends by itself.
    pub(super) fn relief_due(&self) -> Instant {
        if self.gauge.is_put_off {
            return Instant::from_millis(self.gauge.pause_until_ms);
        }
        let tick = Instant::from_millis(TICK_MS.into());
        Instant(self.driver.now().0.saturating_add(tick.0))
    }

    /// Lets connections give way, if slots are scarce.
    pub(super) fn relieve(&mut self) {
        self.gauge.is_put_off = false;
        if !self.is_pressed() {
            return;
        }
        let now_ms = self.driver.now().millis();
        if now_ms < self.gauge.pause_until_ms {
            self.gauge.is_put_off = true;
            return;
        }
        // What refusals took from the reserve is owed too.
        let mut needed = self.gauge.enough + self.gauge.reserve - self.slots.free();
        let none_left = self.slots.available() == 0;
        let waits = self.waits.len();
        for only_above_share in [true, false] {
            let mut stayed = 0;
            for _ in 0..self.waits.len() {
                if needed == 0 {
                    break;
                }
                let Some(mark) = self.waits.pop() else { break };
                match self.may_give_way(mark, only_above_share, none_left) {
                    Verdict::GivesWay => {
                        self.give_way(mark.index);
                        needed -= 1;
                    }
                    Verdict::Stays => {
                        self.waits.put_back(mark);
                        stayed += 1;
                    }
                    Verdict::Over => {}
                }
            }
            self.waits.restore(stayed);
            if needed == 0 {
                return;
            }
        }
        self.gauge.pause_until_ms = now_ms + waits as u64 / WAITS_PER_PAUSE_MS;
        if none_left {
            self.sweep_stalled(needed);
        }
    }

    fn may_give_way(&mut self, mark: Mark, only_above_share: bool, none_left: bool) -> Verdict {
        let peer = &mut self.peers[mark.index as usize];
        if !holds(peer, mark) {
            return Verdict::Over;
        }
        if only_above_share && !self.admission.addresses.is_above_share(peer.from) {
            return Verdict::Stays;
        }
        let now_ms = self.driver.now().millis() as u32;
        let (head_ms, body_ms) = match none_left {
            true => (self.gauge.head_ms, self.gauge.haste_ms),
            false => (self.gauge.haste_ms, PATIENCE_MS),
        };
        let gives = match peer.connection.waiting_for() {
            Wait::Head => peer.deadline.elapsed(self.limits.head_ms, now_ms) >= head_ms,
            Wait::Linger => peer.deadline.elapsed(self.limits.linger_ms, now_ms) >= head_ms,
            _ => {
                // Only the buffer knows how many bytes came: it is taken back for a moment.
                let id = peer.id(mark.index);
                peer.land(self.driver.cancel(id));
                let behind = peer
                    .rx
                    .as_deref()
                    .is_some_and(|rx| peer.deadline.is_behind(rx, &self.limits, now_ms, body_ms));
                if !behind {
                    // Not just received again: bytes may have come in the same moment.
                    self.run(mark.index);
                    return match holds(&self.peers[mark.index as usize], mark) {
                        true => Verdict::Stays,
                        false => Verdict::Over,
                    };
                }
                true
            }
        };
        match gives {
            true => Verdict::GivesWay,
            false => Verdict::Stays,
        }
    }

    /// Peers that do not take their answers, wherever they are in the table: they are not among the
    /// waits, as every answer that a peer takes would be there, too.
    fn sweep_stalled(&mut self, mut needed: usize) {
        let now_ms = self.driver.now().millis();
        if now_ms < self.gauge.next_sweep_ms {
            return;
        }
        self.gauge.next_sweep_ms = now_ms + u64::from(TICK_MS);
        for patience_ms in [PATIENCE_MS, self.gauge.haste_ms] {
            for index in 0..self.peers.len() as u32 {
                if needed == 0 {
                    return;
                }
                let peer = &self.peers[index as usize];
                let stalled = peer.state != State::Vacant
                    && peer.connection.waiting_for() == Wait::Send
                    && peer.rx.is_some()
                    && peer.tx.is_none()
                    && peer.deadline.elapsed(self.limits.send_ms, now_ms as u32) >= patience_ms;
                if stalled {
                    self.give_way(index);
                    needed -= 1;
                }
            }
        }
    }

    fn give_way(&mut self, index: u32) {
        self.tally.gave_way += 1;
        let peer = &mut self.peers[index as usize];
        peer.land(self.driver.cancel(peer.id(index)));
        peer.connection.give_way();
        self.run(index);
    }
}

enum Verdict {
    GivesWay,
    /// It still waits, but may.
    Stays,
    /// What the mark tells of is over.
    Over,
}

/// Whether the connection still waits for what the mark tells of.
pub(super) fn holds(peer: &Peer, mark: Mark) -> bool {
    let waits = matches!(
        peer.connection.waiting_for(),
        Wait::Head | Wait::Body | Wait::Linger
    );
    // While bytes are waited for, the receive buffer is in flight and the other one is here.
    let holds_slot = peer.rx.is_none() && peer.tx.is_some();
    peer.state != State::Vacant && waits && holds_slot && peer.deadline.due() == mark.due_ms
}
