//! Hanging the timer of a connection: rarely, as it looks again when it fires.

use barewire_core::wheel::Wheel;

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
