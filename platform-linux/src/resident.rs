//! What is in memory before it is needed, and stays there: pages touched ahead of time, and locked.
//!
//! Touching is [`Region::prefault`](crate::Region::prefault) for mapped regions,
//! [`hold_stack`] for a thread's stack, and [`hold_program`] for code and static data. Locking
//! keeps touched pages from being taken away again. It needs a limit that is high enough
//! (`RLIMIT_MEMLOCK`, raised as far as it may be) or CAP_IPC_LOCK; where it is refused, what was
//! touched stays touched as long as the system has no better use for the memory.
//!
//! Neither can stop the kernel from unmapping a page for a moment on its own account: automatic
//! NUMA balancing and compaction do that, also to locked pages.

use std::ffi::c_void;
use std::hint::black_box;
use std::io;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::Advice;

use crate::limits::raise_lockable;
use crate::memory::page_bytes;

/// Bytes at the end of a stack that the slow way of touching it leaves alone: room for the frames
/// that do it, and for whatever a signal puts there.
const STACK_MARGIN_BYTES: usize = 32 << 10;

/// Locks the pages that `memory` lies in. Says whether that was allowed.
pub fn lock<T>(memory: &[T]) -> bool {
    lock_range(memory.as_ptr().addr(), size_of_val(memory))
}

/// Locks the pages of a range; pages that are not there yet are taken. Nothing is locked at the
/// addresses of other mappings' pages, and nobody is harmed if the range is not mapped.
pub(crate) fn lock_range(start: usize, bytes: usize) -> bool {
    if bytes == 0 {
        return true;
    }
    let at = ptr::without_provenance_mut::<c_void>(start);
    // Refused without enough of a limit, so as much of it as there may be is asked for first.
    raise_lockable();
    // SAFETY: locking changes no byte and no mapping, whatever lies in the range.
    unsafe { rustix::mm::mlock(at, bytes) }.is_ok()
}

/// Touches the pages of a range, whose contents stay as they are. `Err(INVAL)` before Linux 5.14.
pub(crate) fn populate(start: usize, bytes: usize, how: Advice) -> Result<(), Errno> {
    debug_assert!(matches!(
        how,
        Advice::LinuxPopulateRead | Advice::LinuxPopulateWrite
    ));
    let at = ptr::without_provenance_mut::<c_void>(start);
    loop {
        // SAFETY: populating reads, or writes back what is there, in the kernel, page by page and
        // without a race: no byte changes, whoever owns the range. Other advice does not come here.
        match unsafe { rustix::mm::madvise(at, bytes, how) } {
            Err(Errno::INTR | Errno::AGAIN) => {}
            done => return done,
        }
    }
}

/// Touches the calling thread's stack down to its end, and locks it. `stack_bytes` is what the
/// thread was made with. Says whether it could be locked.
///
/// # Errors
/// If the system does not say where the stack is (`/proc` is not mounted), or has not so much
/// memory.
pub fn hold_stack(stack_bytes: usize) -> io::Result<bool> {
    hold_stack_by(stack_bytes, |start, bytes| {
        populate(start, bytes, Advice::LinuxPopulateWrite)
    })
}

fn hold_stack_by(
    stack_bytes: usize,
    populate: impl FnOnce(usize, usize) -> Result<(), Errno>,
) -> io::Result<bool> {
    let (start, end) = stack_range(stack_bytes)?;
    match populate(start, end - start) {
        Ok(()) => {}
        Err(Errno::INVAL) => descend(start + STACK_MARGIN_BYTES),
        Err(error) => return Err(error.into()),
    }
    Ok(lock_range(start, end - start))
}

/// Where the calling thread's stack lies. Below it is its guard, which is a mapping of its own;
/// above it there may be anything, so its size has to be known.
fn stack_range(stack_bytes: usize) -> io::Result<(usize, usize)> {
    let local = 0_u8;
    let here = ptr::from_ref(black_box(&local)).addr();
    let text = std::fs::read_to_string(MAPS)?;
    let stack = mappings(&text)
        .find(|mapping| (mapping.start..mapping.end).contains(&here))
        .ok_or(io::ErrorKind::NotFound)?;
    let start = stack.start.max(here.saturating_sub(stack_bytes));
    let start = start.next_multiple_of(page_bytes());
    let end = stack.end.min(start.saturating_add(stack_bytes));
    Ok((start, end))
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

/// Touches the code and the static data of the program and its libraries, and locks them. Says
/// whether they could be locked. Before Linux 5.14 they are locked, which touches, or left.
///
/// These are the private mappings of all files of which one part may be executed, and the zeroed
/// data behind them. Other mappings of the process are somebody else's.
///
/// # Errors
/// If the system does not say what is mapped (`/proc` is not mounted), or has not so much memory.
pub fn hold_program() -> io::Result<bool> {
    let text = std::fs::read_to_string(MAPS)?;
    let mut locked = true;
    for part in program(&text) {
        let how = match part.writable {
            true => Advice::LinuxPopulateWrite,
            false => Advice::LinuxPopulateRead,
        };
        match populate(part.start, part.end - part.start, how) {
            // FAULT: a page beyond the end of the file, which nobody can use.
            Ok(()) | Err(Errno::INVAL | Errno::FAULT) => {}
            Err(error) => return Err(error.into()),
        }
        locked = locked && lock_range(part.start, part.end - part.start);
    }
    Ok(locked)
}

/// Where the system lists what is mapped.
const MAPS: &str = "/proc/self/maps";

/// A line of that list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping<'t> {
    start: usize,
    end: usize,
    readable: bool,
    writable: bool,
    executable: bool,
    private: bool,
    /// Device and inode; `None` for memory without a file.
    file: Option<(&'t str, &'t str)>,
    /// `[heap]`, `[vdso]` and the like, or the path.
    name: &'t str,
}

/// `start-end perms offset device inode    name`; what is written otherwise is left out.
fn mappings(text: &str) -> impl Iterator<Item = Mapping<'_>> + Clone {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let permissions = words.next()?.as_bytes();
        let (_offset, device, inode) = (words.next()?, words.next()?, words.next()?);
        Some(Mapping {
            start: usize::from_str_radix(start, 16).ok()?,
            end: usize::from_str_radix(end, 16).ok()?,
            readable: permissions.first() == Some(&b'r'),
            writable: permissions.get(1) == Some(&b'w'),
            executable: permissions.get(2) == Some(&b'x'),
            private: permissions.get(3) == Some(&b'p'),
            file: (inode != "0").then_some((device, inode)),
            name: words.next().unwrap_or_default(),
        })
    })
}

/// The parts of the program and its libraries.
fn program(text: &str) -> impl Iterator<Item = Mapping<'_>> {
    let is_code = |file| {
        mappings(text).any(|mapping| {
            mapping.executable && mapping.private && mapping.file.is_some() && mapping.file == file
        })
    };
    let mut data_end = 0;
    mappings(text).filter(move |mapping| {
        let is_file = mapping.file.is_some() && is_code(mapping.file);
        // What is zero at first lies behind the data, without a file.
        let is_zeroed = mapping.file.is_none()
            && mapping.name.is_empty()
            && mapping.writable
            && mapping.start == data_end;
        let is_ours = mapping.private && mapping.readable && (is_file || is_zeroed);
        data_end = match is_ours && is_file && mapping.writable {
            true => mapping.end,
            false => 0,
        };
        is_ours
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of the pages of a range are in memory.
    fn resident(start: usize, end: usize) -> usize {
        let mut map = vec![0_u8; (end - start).div_ceil(page_bytes())];
        let at = ptr::without_provenance_mut(start);
        // SAFETY: `map` has a byte for each page of the range; the range is only looked up.
        let failed = unsafe { libc::mincore(at, end - start, map.as_mut_ptr()) };
        assert_eq!(failed, 0, "{}", io::Error::last_os_error());
        map.iter().filter(|&&page| page & 1 == 1).count()
    }

    /// Runs with a stack of a known size. The size must be larger than any before: the system's
    /// library keeps stacks, touched as they are, for later threads.
    fn on_a_stack<T: Send>(stack_bytes: usize, run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(stack_bytes)
                .spawn_scoped(scope, run)
                .unwrap()
                .join()
                .unwrap()
        })
    }

    /// Pages of a fresh stack that are in memory before and after, and all of them.
    fn touched(stack_bytes: usize, touch: impl FnOnce(usize) + Send) -> [usize; 3] {
        on_a_stack(stack_bytes, || {
            let (start, end) = stack_range(stack_bytes).unwrap();
            let before = resident(start, end);
            touch(start);
            [
                before,
                resident(start, end),
                (end - start).div_ceil(page_bytes()),
            ]
        })
    }

    #[test]
    fn a_stack_is_touched_to_its_end_in_either_way() {
        let [before, after, all] = touched(4 << 20, |_| {
            hold_stack(4 << 20).unwrap();
        });
        assert!(all * page_bytes() > 3 << 20, "{all}");
        assert!(before < all / 4, "{before} of {all}");
        assert_eq!(after, all);

        // As an older system answers. (Locking would touch as well, so this goes without.)
        let [before, after, all] = touched(8 << 20, |start| descend(start + STACK_MARGIN_BYTES));
        let margin = STACK_MARGIN_BYTES / page_bytes();
        assert!(before < all / 4, "{before} of {all}");
        assert!(all > after && after >= all - margin, "{after} of {all}");
        on_a_stack(9 << 20, || hold_stack_by(9 << 20, |_, _| Err(Errno::INVAL))).unwrap();

        let refused = on_a_stack(1 << 20, || hold_stack_by(1 << 20, |_, _| Err(Errno::NOMEM)));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    fn the_program_is_its_files_and_the_zeroes_behind_them() {
        let text = "\
1000-2000 r--p 00000000 fd:00 7    /bin/a program
2000-3000 r-xp 00001000 fd:00 7    /bin/a program
3000-4000 r--p 00002000 fd:00 7    /bin/a program
4000-5000 rw-p 00003000 fd:00 7    /bin/a program
5000-6000 rw-p 00000000 00:00 0
6000-7000 rw-p 00000000 00:00 0    [heap]
8000-9000 r--p 00000000 fd:00 9    /data
9000-a000 rw-p 00000000 00:00 0
b000-c000 r-xs 00000000 fd:00 8    /shared
d000-e000 ---p 00000000 fd:00 7    /bin/a program
e000-f000 r-xp 00000000 00:00 0    [vdso]
nonsense
";
        let found: Vec<(usize, bool)> = program(text)
            .map(|part| (part.start, part.writable))
            .collect();
        let expected = [
            (0x1000, false),
            (0x2000, false),
            (0x3000, false),
            (0x4000, true),
            (0x5000, true),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_can_be_touched_and_all_of_it_is() {
        hold_program().unwrap();
        let text = std::fs::read_to_string(MAPS).unwrap();
        let here = ptr::from_ref(&MAPS).addr();
        let mut found = false;
        for part in program(&text) {
            found |= (part.start..part.end).contains(&here);
            let pages = (part.end - part.start) / page_bytes();
            assert_eq!(resident(part.start, part.end), pages, "{part:?}");
        }
        assert!(found, "the constants of this test belong to the program");
    }

    #[test]
    fn locking_is_allowed_or_not_but_never_fails_otherwise() {
        let bytes = vec![1_u8; 100];
        let (current, _) = crate::limits::lockable();
        // A page is allowed to nearly everybody; if not even that is, it is said.
        assert!(lock(&bytes) || current < page_bytes() as u64);
        assert!(lock::<u64>(&[]));
        // Not mapped: no memory, so not locked.
        assert!(!lock_range(usize::MAX & !(page_bytes() - 1), page_bytes()));
    }
}
