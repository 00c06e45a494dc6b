//! An allocator that counts what should not be: everything while it is sealed, and whatever a
//! thread does that is marked as the product at work in a simulation.
//!
//! Only an allocator may be unsafe outside of the platforms, and it is only here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use barewire_tests::sim::is_strict;

#[global_allocator]
static ALLOCATOR: Sealable = Sealable;

/// The system's allocator, which counts the calls that should not be.
struct Sealable;

/// Whether no thread may.
pub(crate) static SEALED: AtomicBool = AtomicBool::new(false);
/// What was counted.
pub(crate) static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// The same of releases.
pub(crate) static RELEASES: AtomicU64 = AtomicU64::new(0);
/// Who was the first.
pub(crate) static FIRST: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether this thread is taking a backtrace, which allocates.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

fn note(counter: &AtomicU64) {
    let sealed = SEALED.load(Ordering::Relaxed) || is_strict();
    if !sealed || LOOKING.get() {
        return;
    }
    counter.fetch_add(1, Ordering::Relaxed);
    LOOKING.set(true);
    if let Ok(mut first) = FIRST.try_lock()
        && first.is_none()
    {
        *first = Some(Backtrace::force_capture().to_string());
    }
    LOOKING.set(false);
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Sealable {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(&RELEASES);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}
