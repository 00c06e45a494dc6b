//! Which processors the process may use, and how many of them in sum.
//!
//! macOS has no call that ties a thread to a processor, and what it has (a hint that threads share
//! a cache) does nothing on its own processors. FreeBSD has one that is not used yet: whoever asks
//! the server for pinned workers is refused on both. Neither has control groups, so there are no
//! quotas to be read.

use std::io;
use std::num::NonZero;

/// Ties the calling thread to one processor: not on these systems.
///
/// # Errors
/// Always `Unsupported`.
pub fn pin(_cpu: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Runs `run` tied to one processor: not on these systems.
///
/// # Errors
/// Always `Unsupported`; `run` is not called.
pub fn tied<T>(cpu: usize, run: impl FnOnce() -> T) -> io::Result<T> {
    pin(cpu).map(|()| run())
}

/// The numbers of the processors that the calling thread may run on, in order.
pub fn allowed() -> Vec<usize> {
    (0..available()).collect()
}

/// How many threads can run at once. At least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_processor_and_nobody_can_be_tied_to_it() {
        assert!(available() >= 1);
        assert_eq!(allowed().len(), available());
        assert_eq!(pin(0).unwrap_err().kind(), io::ErrorKind::Unsupported);
        let tied = tied(0, || unreachable!("nobody is tied"));
        assert_eq!(tied.unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
