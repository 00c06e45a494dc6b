//! Which part of a run is the product's and may allocate nothing, and which is the simulation's.
//!
//! Each thread has a mark. A turn of the worker sets it, and whatever is simulated below takes it
//! off for as long as it is at work. An allocator that looks at it finds out the one that should not
//! be; where there is none, the mark costs next to nothing.

use std::cell::Cell;

thread_local! {
    static STRICT: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread may neither allocate nor release memory now.
pub fn is_strict() -> bool {
    STRICT.get()
}

/// Gives the thread its mark back as it was.
#[derive(Debug)]
pub struct Marked {
    before: bool,
}

impl Drop for Marked {
    fn drop(&mut self) {
        STRICT.set(self.before);
    }
}

/// The product is at work, until what this gives is dropped.
#[must_use]
pub fn strict() -> Marked {
    Marked {
        before: STRICT.replace(true),
    }
}

/// The simulation is at work.
#[must_use]
pub(super) fn aside() -> Marked {
    Marked {
        before: STRICT.replace(false),
    }
}
