//! The timers of the connections, and how long a turn may wait for them.

use barewire_core::connection::Check;
use barewire_core::driver::{Driver, Instant};
use barewire_core::wheel::Wheel;

use super::{State, Worker};
use crate::app::App;

/// Nanoseconds after which deferred exchanges are asked again, if nothing else happens.
const RETRY_NANOS: u64 = 100_000;

impl<D: Driver, A: App> Worker<'_, D, A> {
    /// When the next wait ends at the latest.
    pub(super) fn wake_up_at(&self, until: Option<Instant>) -> Option<Instant> {
        let timer = self.wheel.next_due().map(Instant::from_millis);
        let retry = (!self.deferred.is_empty())
            .then(|| Instant(self.driver.now().0.saturating_add(RETRY_NANOS)));
        let relief = self.is_pressed().then(|| self.relief_due());
        [until, timer, retry, relief].into_iter().flatten().min()
    }

    /// Timers hang where they were first hung; the peer knows whether it is time.
    pub(super) fn expire(&mut self, now: Instant) {
        let now_ms = now.millis();
        while let Some(index) = self.wheel.pop(now_ms) {
            let peer = &mut self.peers[index as usize];
            if peer.state == State::Vacant {
                continue;
            }
            match peer.deadline.check(now_ms as u32) {
                Check::Later(due) => {
                    self.wheel.arm(index, at(now_ms, due));
                }
                Check::Passed => {
                    let in_flight = self.driver.cancel(peer.id(index));
                    peer.land(in_flight);
                    if peer.state == State::Deferred {
                        self.forget(index);
                    }
                    let peer = &mut self.peers[index as usize];
                    // One look too early: what comes now is due later, and has a timer so.
                    self.wheel.arm(index, at(now_ms, now_ms as u32));
                    peer.connection.expire();
                    if peer.rx.is_none() && peer.tx.is_none() {
                        // Nothing was begun, so there is nothing to say.
                        self.close(index, false);
                    } else {
                        self.run(index);
                    }
                }
            }
        }
    }
}

/// Hangs the timer, unless it hangs early enough: it looks again when it fires.
pub(super) fn hang(wheel: &mut Wheel<'_>, index: u32, due_ms: u64) {
    if wheel.due(index).is_none_or(|hung| due_ms < hung) {
        wheel.arm(index, due_ms);
    }
}

/// The point in time near `now_ms` whose low 32 bits are `due_ms`; later than now, as a timer that
/// is hung for now would fire for ever in the same pass.
pub(super) fn at(now_ms: u64, due_ms: u32) -> u64 {
    let ahead = due_ms.wrapping_sub(now_ms as u32) as i32;
    now_ms.saturating_add(ahead.max(1) as u64)
}
