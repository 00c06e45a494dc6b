//! What is in memory before it is needed, and stays there: pages touched ahead of time, and locked.
//!
//! Touching is [`Region::prefault`](crate::Region::prefault) for mapped regions and [`hold_stack`]
//! for a thread's stack. Where the program itself lies neither system tells in a list (Linux has
//! `/proc/self/maps`), so its code is touched as it runs first. Locking keeps touched pages from
//! being taken away again; it needs a limit that is high enough (`RLIMIT_MEMLOCK`, raised as far
//! as it may be), and FreeBSD can forbid it altogether (`security.bsd.unprivileged_mlock`).

use std::ffi::c_void;
use std::hint::black_box;
use std::io;
use std::ptr;

use crate::limits::raise_lockable;
use crate::memory::page_bytes;

/// Bytes at the end of a stack that touching leaves alone: room for the frames that do it, and for
/// whatever a signal puts there.
const STACK_MARGIN_BYTES: usize = 32 << 10;

/// Locks the pages that `memory` lies in. Says whether that was allowed.
pub fn lock<T>(memory: &[T]) -> bool {
    lock_range(memory.as_ptr().addr(), size_of_val(memory))
}

/// Locks the pages of a range; pages that are not there yet are taken. Nobody is harmed if the
/// range is not mapped.
pub(crate) fn lock_range(start: usize, bytes: usize) -> bool {
    if bytes == 0 {
        return true;
    }
    // POSIX lets a system refuse what does not begin at a page.
    let first = start - start % page_bytes();
    let at = ptr::without_provenance_mut::<c_void>(first);
    // Refused without enough of a limit, so as much of it as there may be is asked for first.
    raise_lockable();
    // SAFETY: locking changes no byte and no mapping, whatever lies in the range.
    unsafe { rustix::mm::mlock(at, bytes + (start - first)) }.is_ok()
}

/// Touches the calling thread's stack down to its end, and locks it. `stack_bytes` is what the
/// thread was made with. Says whether it could be locked.
///
/// # Errors
/// If the system does not say where the stack is.
pub fn hold_stack(stack_bytes: usize) -> io::Result<bool> {
    let (lowest, end) = stack_of_this_thread()?;
    // What lies below may be a guard, or was never promised.
    let start = lowest.max(end.saturating_sub(stack_bytes));
    let start = start.next_multiple_of(page_bytes());
    descend(start + STACK_MARGIN_BYTES);
    Ok(lock_range(start, end.saturating_sub(start)))
}

/// Writes to the stack down to the address `until`, by using it.
#[inline(never)]
fn descend(until: usize) {
    // Less than a page, so that no page is jumped over.
    let mut frame = [0_u8; 2048];
    let here = ptr::from_mut(black_box(&mut frame)).addr();
    if here > until {
        descend(until);
    }
    black_box(&frame);
}

/// Touches and locks code and static data of the program: not on these systems.
///
/// # Errors
/// Always `Unsupported`.
pub fn hold_program() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The lowest address of the calling thread's stack, and the first one behind it.
#[cfg(target_vendor = "apple")]
fn stack_of_this_thread() -> io::Result<(usize, usize)> {
    // SAFETY: takes no arguments, cannot fail.
    let me = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread is alive, and so its handle is valid.
    let end = unsafe { libc::pthread_get_stackaddr_np(me) }.addr();
    // SAFETY: as above.
    let bytes = unsafe { libc::pthread_get_stacksize_np(me) };
    Ok((end.saturating_sub(bytes), end))
}

/// The lowest address of the calling thread's stack, and the first one behind it.
#[cfg(not(target_vendor = "apple"))]
fn stack_of_this_thread() -> io::Result<(usize, usize)> {
    #[cfg(target_os = "freebsd")]
    use libc::pthread_attr_get_np as attributes_of;
    #[cfg(not(target_os = "freebsd"))]
    use libc::pthread_getattr_np as attributes_of;

    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let done = |error| match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    };
    // SAFETY: there is room for one set of attributes, which the call initialises.
    done(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    // SAFETY: takes no arguments, cannot fail.
    let me = unsafe { libc::pthread_self() };
    // SAFETY: the thread is alive, and the attributes are initialised.
    let found = done(unsafe { attributes_of(me, attributes.as_mut_ptr()) });
    let (mut lowest, mut bytes) = (ptr::null_mut(), 0);
    let read = found.and_then(|()| {
        // SAFETY: the attributes are initialised; both results live through the call.
        done(unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut lowest, &mut bytes) })
    });
    // SAFETY: they were initialised, and nobody uses them any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    read?;
    Ok((lowest.addr(), lowest.addr().saturating_add(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the pages of a range are in memory.
    fn resident(start: usize, end: usize) -> usize {
        let mut map = vec![0_u8; (end - start).div_ceil(page_bytes())];
        let at = ptr::without_provenance_mut(start);
        // SAFETY: `map` has a byte for each page of the range; the range is only looked up.
        let failed = unsafe { libc::mincore(at, end - start, map.as_mut_ptr().cast()) };
        assert_eq!(failed, 0, "{}", io::Error::last_os_error());
        map.iter().filter(|&&page| page & 1 == 1).count()
    }

    #[test]
    fn a_stack_is_touched_nearly_to_its_end() {
        // Larger than any other of these tests: the system keeps stacks, touched as they are.
        const STACK_BYTES: usize = 4 << 20;
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let run = move || {
            let (lowest, end) = stack_of_this_thread().unwrap();
            let local = 0_u8;
            assert!((lowest..end).contains(&ptr::from_ref(black_box(&local)).addr()));
            let start = lowest.max(end - STACK_BYTES).next_multiple_of(page_bytes());
            let before = resident(start, end);
            hold_stack(STACK_BYTES).unwrap();
            (before, resident(start, end), (end - start) / page_bytes())
        };
        let (before, after, all) = thread.spawn(run).unwrap().join().unwrap();
        let margin = STACK_MARGIN_BYTES / page_bytes() + 1;
        assert!(before < all / 2, "{before} of {all}");
        assert!(after + margin >= all, "{after} of {all}");
    }

    #[test]
    fn the_program_cannot_be_held() {
        let error = hold_program().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn locking_is_allowed_or_not_but_never_fails_otherwise() {
        let bytes = vec![1_u8; 100];
        let (current, _) = crate::limits::lockable();
        // A page is allowed to nearly everybody; if not even that is, it is said.
        assert!(lock(&bytes) || current < page_bytes() as u64 || cfg!(target_os = "freebsd"));
        assert!(lock::<u64>(&[]));
        // Not mapped: no memory, so not locked.
        assert!(!lock_range(
            usize::MAX & !(page_bytes() - 1),
            page_bytes() - 1
        ));
    }
}
