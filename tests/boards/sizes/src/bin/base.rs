//! No HTTP: a fixed answer where a request is known to end. The application is called too, so that
//! it is in no difference.
#![no_std]
#![no_main]

use barewire_sizes::desk::{Desk, ID_BYTES, STATE_BYTES, USERS};
use barewire_sizes::wire::{NOW_MS, Wire, now_ms};
use barewire_sizes::{CONNECTIONS, RX_BYTES, TX_BYTES, paint, report};
use core::sync::atomic::Ordering;
use cortex_m_rt::entry;

struct Peer {
    rx: [u8; RX_BYTES],
    tx: [u8; TX_BYTES],
    len: usize,
    turn: u32,
    wire: Wire,
    is_over: bool,
}

/// Bytes of the body of the event, which is the same in each script.
const EVENT_BYTES: usize = 28;

impl Peer {
    fn poll(&mut self, desk: &mut Desk<'_>) {
        while !self.is_over {
            let space = self.rx.get_mut(self.len..).unwrap_or_default();
            match self.wire.recv(space) {
                None => return,
                Some(0) => self.is_over = true,
                Some(n) => {
                    self.len += n;
                    self.answer(desk);
                }
            }
        }
    }

    /// A request is whole if it ends like one of those that are sent.
    fn answer(&mut self, desk: &mut Desk<'_>) {
        let bytes = self.rx.get(..self.len).unwrap_or_default();
        let is_event = self.turn == 1;
        match is_event {
            true if bytes.ends_with(b"}") => {
                desk.event(bytes.last_chunk::<EVENT_BYTES>().unwrap());
            }
            false if bytes.ends_with(b"\r\n\r\n") => {}
            _ => return,
        }
        self.wire
            .send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if self.turn == 2 {
            let text = desk.state(self.tx.first_chunk_mut::<STATE_BYTES>().unwrap());
            self.wire.send(text);
        }
        (self.turn, self.len) = (self.turn + 1, 0);
    }
}

#[entry]
fn main() -> ! {
    static mut TABLE: [u32; USERS] = [0; USERS];
    static mut ARENA: [u8; ID_BYTES] = [0; ID_BYTES];
    static mut PEERS: [Peer; CONNECTIONS] = [const {
        Peer {
            rx: [0; RX_BYTES],
            tx: [0; TX_BYTES],
            len: 0,
            turn: 0,
            wire: Wire::new(),
            is_over: false,
        }
    }; CONNECTIONS];
    let mut desk = Desk::new(TABLE, ARENA);
    let mut stack = 0;
    while PEERS.iter().any(|peer| !peer.is_over) {
        stack = stack.max(paint::stack_of(&mut || {
            for peer in PEERS.iter_mut() {
                peer.poll(&mut desk);
            }
        }));
        NOW_MS.store(now_ms().wrapping_add(1), Ordering::Relaxed);
    }
    let measured = report::Measured {
        stack,
        state: size_of::<Peer>() - size_of::<Wire>() - RX_BYTES - TX_BYTES,
        buffers: RX_BYTES + TX_BYTES,
    };
    report::end(PEERS.iter().map(|peer| &peer.wire), 5, 0, &measured)
}
