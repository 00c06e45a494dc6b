//! The stack that a call takes, by painting it. All unsafe code of the programs for boards.

/// Words below the stack pointer that are painted: 16 KiB, a few times what the deepest call takes.
const WORDS: usize = 4 << 10;

const PAINT: u32 = 0xa55a_0ff0;

/// Bytes of stack that a call takes, with its return address: the deepest word that it changed.
#[inline(never)]
pub fn stack_of(call: &mut dyn FnMut()) -> usize {
    let top = cortex_m::register::msp::read() as usize;
    let word = |nth: usize| (top - 4 * nth) as *mut u32;
    for nth in 1..=WORDS {
        // SAFETY: below the stack pointer nothing is in use, the board's RAM goes on there for
        // megabytes, and no interrupt is enabled that could write there.
        unsafe { word(nth).write_volatile(PAINT) };
    }
    call();
    let mut deepest = WORDS;
    // SAFETY: as above; it was painted.
    while deepest > 0 && unsafe { word(deepest).read_volatile() } == PAINT {
        deepest -= 1;
    }
    4 * deepest
}
