//! How a measured program ends: one line for the table, and an exit code.

use core::ops::Deref;
use core::panic::PanicInfo;

use cortex_m_semihosting::{debug, hio};

use crate::CONNECTIONS;
use crate::wire::Wire;

/// What a program measured of itself.
pub struct Measured {
    /// Bytes of stack, the most of all turns of the loop.
    pub stack: usize,
    /// Bytes that one connection keeps between turns, without the bytes of its buffers.
    pub state: usize,
    /// Bytes of its buffers.
    pub buffers: usize,
}

/// Says it, after a look at the answers: `good` of 2xx and `bad` of 4xx on each connection.
pub fn end(
    wires: impl Iterator<Item = impl Deref<Target = Wire>>,
    good: u32,
    bad: u32,
    measured: &Measured,
) -> ! {
    let mut all = 0;
    for wire in wires {
        let answers = wire.answers();
        if (answers.0, answers.1) != (good, bad) {
            say(
                "FAIL: good, bad, bytes of answers",
                &[answers.0, answers.1, answers.2],
            );
            exit(false);
        }
        all += 1;
    }
    let numbers = [
        all,
        measured.stack as u32,
        measured.state as u32,
        measured.buffers as u32,
    ];
    say("MEASURED", &numbers);
    exit(all == CONNECTIONS as u32)
}

/// Without `core::fmt`, which would be in every program's size.
fn say(text: &str, numbers: &[u32]) {
    let Ok(mut host) = hio::hstdout() else { return };
    let _ = host.write_all(text.as_bytes());
    for &number in numbers {
        let mut room = [b' '; 11];
        let mut left = number;
        for digit in room.iter_mut().skip(1).rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        let _ = host.write_all(&room);
    }
    let _ = host.write_all(b"\n");
}

fn exit(well: bool) -> ! {
    debug::exit(if well {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    loop {}
}

/// Where panics end: the same few bytes for all, without a text.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
