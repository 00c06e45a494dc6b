//! Barewire: the driver and the application of the firmware.
#![no_std]
#![no_main]

#[allow(dead_code)] // the limits are taken from here, sizes are not
#[path = "../../../firmware/src/app.rs"]
mod app;
#[allow(dead_code)] // each connection is served once
#[path = "../../../firmware/src/peer.rs"]
mod peer;
use barewire_sizes::desk;

use app::{LIMITS, RX_BYTES, TX_BYTES};
use barewire_core::connection::Site;
use barewire_sizes::desk::{Desk, ID_BYTES, USERS};
use barewire_sizes::wire::{NOW_MS, Wire, now_ms};
use barewire_sizes::{CONNECTIONS, paint, report};
use core::sync::atomic::Ordering;
use cortex_m_rt::entry;
use heapless::Vec;
use peer::{Peer, Socket};

struct Loopback<'w>(&'w mut Wire);

impl Socket for Loopback<'_> {
    fn recv(&mut self, space: &mut [u8]) -> Option<usize> {
        self.0.recv(space)
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        self.0.send(bytes)
    }

    fn finish(&mut self) {}

    fn is_lost(&self) -> bool {
        false
    }
}

struct Seat {
    peer: Peer<RX_BYTES, TX_BYTES>,
    wire: Wire,
    is_open: bool,
}

#[entry]
fn main() -> ! {
    static mut TABLE: [u32; USERS] = [0; USERS];
    static mut ARENA: [u8; ID_BYTES] = [0; ID_BYTES];
    // Filled at run time: a value that is not all zeros would lie in flash as well.
    static mut SEATS: Vec<Seat, CONNECTIONS> = Vec::new();
    for _ in 0..CONNECTIONS {
        let _ = SEATS.push(Seat {
            peer: Peer::new(),
            wire: Wire::new(),
            is_open: true,
        });
    }
    let mut desk = Desk::new(TABLE, ARENA);
    let site = Site::new(&LIMITS);
    let mut stack = 0;
    while SEATS.iter().any(|seat| seat.is_open) {
        stack = stack.max(paint::stack_of(&mut || {
            for seat in SEATS.iter_mut().filter(|seat| seat.is_open) {
                let wire = &mut Loopback(&mut seat.wire);
                seat.is_open = seat.peer.poll(wire, &site, now_ms(), &mut |exchange| {
                    app::answer(&mut desk, exchange)
                });
            }
        }));
        NOW_MS.store(now_ms().wrapping_add(1), Ordering::Relaxed);
    }
    let measured = report::Measured {
        stack,
        state: size_of::<Seat>() - size_of::<Wire>() - RX_BYTES - TX_BYTES,
        buffers: RX_BYTES + TX_BYTES,
    };
    report::end(SEATS.iter().map(|seat| &seat.wire), 4, 1, &measured)
}
