//! The shared words that the protocol is made of, and the fence between them.
//!
//! One file chooses them, so that the models in `tests/loom` run this very code: they include the
//! sources of this module and set `barewire_loom`, and loom's words then try every order in which
//! memory may show them. (The name is ours, since a program around us may be built with `--cfg loom`
//! for models of its own.)

#[cfg(not(barewire_loom))]
pub(crate) use core::{
    hint::spin_loop,
    sync::atomic::{AtomicU64, fence},
};
#[cfg(barewire_loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicU64, fence},
};

/// A shared 64-bit number. Its operations are lock-free, and loads and stores wait-free: one
/// instruction each, or a few where a read-modify-write is a pair of them that may be repeated. Where
/// the processor has none, the whole module is left out.
#[cfg(not(any(barewire_loom, target_arch = "x86")))]
pub(crate) type Register = atomic::Atomic<u64>;
/// On 32-bit x86 a `u64` is aligned to four bytes only, and an `Atomic<u64>` would be a lock.
#[cfg(any(barewire_loom, target_arch = "x86"))]
pub(crate) type Register = AtomicU64;

// Otherwise a lock would hide in it, and a recorder could wait.
#[cfg(not(any(barewire_loom, target_arch = "x86")))]
const _: () = assert!(Register::is_lock_free());

/// Makes the function `const`, but not in a model, whose words are made as it runs.
#[cfg(not(barewire_loom))]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}
#[cfg(barewire_loom)]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
}
pub(crate) use const_fn;
