//! Every public function of barewire-core that can be called at run time, each for arguments and
//! for a state that the optimiser knows nothing of, linked with a panic handler that does not
//! exist: one panic that could be reached is one undefined symbol, and no program.
//!
//! A function is named by its address, and the address goes where the compiler cannot follow it.
//! It has to compile the body as it stands then, for every value that the types allow: also for
//! states that no call would make, such as a buffer whose end lies before its begin. What links is
//! hence free of panics by its own checks, and not by what its callers keep to.
//!
//! `tests/nostd/panics` builds it, shows that one planted panic breaks the link, and says where
//! a panic that is found stands.
#![no_std]
#![no_main]

/// Names functions with so many arguments, for the linker. `black_box` is an empty piece of
/// assembly that takes the address: code behind which the compiler sees nothing.
macro_rules! entries {
    (0: $($function:expr),* $(,)?) => { $(entry($function as fn() -> _);)* };
    (1: $($function:expr),* $(,)?) => { $(entry($function as fn(_) -> _);)* };
    (2: $($function:expr),* $(,)?) => { $(entry($function as fn(_, _) -> _);)* };
    (3: $($function:expr),* $(,)?) => { $(entry($function as fn(_, _, _) -> _);)* };
    (4: $($function:expr),* $(,)?) => { $(entry($function as fn(_, _, _, _) -> _);)* };
    (5: $($function:expr),* $(,)?) => { $(entry($function as fn(_, _, _, _, _) -> _);)* };
}

mod buffer;
mod connection;
mod driver;
mod json;
mod print;
mod router;
mod stats;
#[path = "../../system.rs"]
mod system;
mod wheel;
mod wire;

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Functions that were named.
static ENTRIES: AtomicUsize = AtomicUsize::new(0);

/// Takes the address of a function away from the compiler.
fn entry<F: Copy>(function: F) {
    black_box(function);
    ENTRIES.fetch_add(1, Ordering::Relaxed);
}

/// Goes through an iterator of core, whatever it yields.
fn exhaust(items: impl Iterator) {
    for item in items {
        black_box(item);
    }
}

/// For `tests/nostd/panics`, which shows that the proof can fail: a check that the caller keeps.
#[cfg(feature = "planted")]
fn planted(bytes: &[u8], at: usize) -> u8 {
    bytes[at]
}

/// Little to run: that it links is the proof.
fn run() -> u8 {
    wire::entries();
    buffer::entries();
    connection::entries();
    driver::entries();
    router::entries();
    json::entries();
    stats::entries();
    wheel::entries();
    print::entries();
    #[cfg(feature = "planted")]
    entries!(2: planted);
    system::say_number(ENTRIES.load(Ordering::Relaxed));
    system::say(b" functions of core, for all arguments and states: no panic can be reached\n");
    0
}
