//! What a program needs that has nothing below it but a kernel: an entry, an exit, a panic handler
//! and the four functions that the compiler takes for granted.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

// The kernel jumps here, with no return address on the stack.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {enter}",
    enter = sym enter,
);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "bl {enter}", enter = sym enter);

extern "C" fn enter() -> ! {
    exit(super::run())
}

fn exit(code: u8) -> ! {
    // SAFETY: exit_group takes an integer and does not come back.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", in("rax") 231, in("rdi") u64::from(code), options(noreturn))
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") 94, in("x0") u64::from(code), options(noreturn))
    }
}

/// Says something on standard output. What cannot be said is not said.
#[allow(dead_code)] // not every program talks
pub(crate) fn say(text: &[u8]) {
    // SAFETY: write only reads, and only from `text`, which is ours while this runs. The kernel
    // leaves all registers alone but the named ones.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") 1usize => _,
            in("rdi") 1usize,
            in("rsi") text.as_ptr(),
            in("rdx") text.len(),
            lateout("rcx") _,
            lateout("r11") _,
            options(readonly, nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            in("x8") 64usize,
            inlateout("x0") 1usize => _,
            in("x1") text.as_ptr(),
            in("x2") text.len(),
            options(readonly, nostack),
        );
    }
}

/// Says a number.
#[allow(dead_code)] // as above
pub(crate) fn say_number(number: usize) {
    if number >= 10 {
        say_number(number / 10);
    }
    say(&[b'0'.wrapping_add((number % 10) as u8)]);
}

/// Bytes below the stack pointer that [`stack_of`] paints, in words of 8. Four times what the
/// deepest exchange may take; the first thread has 8 MiB.
const PAINTED: usize = 1 << 12;

/// Bytes of stack that a call takes, with its return address: the deepest byte that it changed.
#[allow(dead_code)] // one program measures
#[inline(never)]
pub(crate) fn stack_of(call: &mut dyn FnMut()) -> usize {
    const PAINT: u64 = 0xa5a5_5a5a_0ff0_f00f;
    let top: usize;
    // SAFETY: it copies the stack pointer and does nothing else.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("mov {}, rsp", out(reg) top, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("mov {}, sp", out(reg) top, options(nomem, nostack, preserves_flags));
    }
    let word = |nth: usize| (top - 8 * nth) as *mut u64;
    for nth in 1..=PAINTED {
        // SAFETY: below the stack pointer of a function that calls others nothing is in use, and
        // the kernel maps it as it is touched. There is no signal handler that could write there.
        unsafe { word(nth).write_volatile(PAINT) };
    }
    call();
    let mut deepest = PAINTED;
    // SAFETY: as above; it was painted.
    while deepest > 0 && unsafe { word(deepest).read_volatile() } == PAINT {
        deepest -= 1;
    }
    8 * deepest
}

/// Where panics end: nowhere. A program in which one can be reached does not link.
#[cfg(not(feature = "search"))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn a_panic_can_be_reached() -> !;
    }
    a_panic_can_be_reached()
}

/// To look for the panics of a program that does not link, it has to.
#[cfg(feature = "search")]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

/// Named by the prebuilt parts of `core`, for unwinding that never happens: panics abort.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// The compiler makes calls to these out of copies and comparisons. Targets without an operating
// system have them in `compiler_builtins`; for this one the C library has them, and is not here.
// Each access is volatile: else a loop that copies would be compiled into a call of itself.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    for at in 0..len {
        // SAFETY: the caller has `len` bytes at both places.
        unsafe { to.add(at).write_volatile(from.add(at).read()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    for at in 0..len {
        // From the end where the front would be overwritten before it is read.
        let at = if to.cast_const() > from {
            len - 1 - at
        } else {
            at
        };
        // SAFETY: the caller has `len` bytes at both places.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    for at in 0..len {
        // SAFETY: the caller has `len` bytes there.
        unsafe { to.add(at).write_volatile(byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: the caller has `len` bytes at both places.
        let (left, right) =
            unsafe { (left.add(at).read_volatile(), right.add(at).read_volatile()) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

/// Equal or not, by the same rule.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: the caller promises us what memcmp asks for.
    unsafe { memcmp(left, right, len) }
}
