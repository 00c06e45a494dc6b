//! Huge pages under a region: 2 MiB instead of 4 KiB, so that the table of translations that the
//! processor keeps (TLB) reaches 512 times as far.
//!
//! There are two kinds. Those of the *pool* are set aside by whoever runs the machine
//! (`sysctl -w vm.nr_hugepages=N`): whoever gets them has them. *Transparent* ones are made by the
//! system out of free memory where it finds 2 MiB of it in one piece, at the first touch or later:
//! asking is all that can be done.

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::Region;
use crate::resident::populate;

/// Bytes of a huge page: 2 MiB, the one size that both x86-64 and 64-bit ARM with pages of 4 KiB
/// have. (1 GiB would be more than all slots take.)
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Where the system tells of the pool of pages of that size.
const POOL: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";
/// Whether transparent ones may be asked for: one of `always madvise never` in brackets.
const TRANSPARENT: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// What a region lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Pages of the usual size.
    Normal,
    /// Huge ones as far as the system finds them, others in between.
    Transparent,
    /// Huge ones of the pool, all of them, there from the start and never taken away.
    Pool,
}

/// Huge pages that `bytes` bytes take.
pub const fn huge_pages_needed(bytes: usize) -> usize {
    bytes.div_ceil(HUGE_PAGE_BYTES)
}

/// Pages of the pool that nobody has, and nobody was promised. `None`: there is no such pool.
pub fn huge_pages_free() -> Option<usize> {
    Some(pool("free_hugepages")?.saturating_sub(pool("resv_hugepages")?))
}

/// All pages of the pool, whoever has them: `vm.nr_hugepages`. `None`: there is no such pool.
pub fn huge_pages_all() -> Option<usize> {
    pool("nr_hugepages")
}

/// One of the numbers that the system tells of the pool.
fn pool(name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(format!("{POOL}/{name}")).ok()?;
    text.trim().parse().ok()
}

impl Region {
    /// As [`map`](Region::map), in huge pages: of the pool; else transparent ones; else the usual
    /// ones. [`pages`](Region::pages) says which. The mapping is rounded up to 2 MiB.
    ///
    /// # Errors
    /// As [`map`](Region::map).
    pub fn map_huge(bytes: usize) -> io::Result<Region> {
        Region::map_in_pool(bytes)
            .or_else(|_| Region::map_transparent(bytes))
            .or_else(|_| Region::map(bytes))
    }

    /// As [`map`](Region::map), in huge pages of the pool. All of them are touched here: a control
    /// group may allow fewer than the pool has, and a page that is refused at its first touch would
    /// end the process (SIGBUS).
    ///
    /// # Errors
    /// `InvalidInput` as [`map`](Region::map), and where there are no such pages; `OutOfMemory` if
    /// the pool has not so many. Others where a limit forbids it.
    pub fn map_in_pool(bytes: usize) -> io::Result<Region> {
        let mapped = huge_bytes(bytes)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::HUGETLB | MapFlags::HUGE_2MB;
        // SAFETY: without MAP_FIXED a new mapping touches no memory that exists.
        let start =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), mapped, protection, flags) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let region = Region {
            start,
            bytes,
            mapped,
            pages: Pages::Pool,
        };
        match populate(start.addr().get(), mapped, Advice::LinuxPopulateWrite) {
            // Before Linux 5.14 nobody can ask beforehand.
            Ok(()) | Err(Errno::INVAL) => Ok(region),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`map`](Region::map), aligned to 2 MiB, and with the wish for transparent huge pages.
    ///
    /// # Errors
    /// `Unsupported` if the system has none, or is told never to make any; others as
    /// [`map`](Region::map).
    fn map_transparent(bytes: usize) -> io::Result<Region> {
        let enabled = std::fs::read_to_string(TRANSPARENT).unwrap_or_default();
        if !may_be_asked_for(&enabled) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mapped = huge_bytes(bytes)?;
        let wide = mapped
            .checked_add(HUGE_PAGE_BYTES)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut region = Region::map(wide)?;
        region.keep_aligned(bytes, mapped)?;
        let at = region.start.as_ptr().cast::<c_void>();
        // SAFETY: the range is the region's own mapping; the advice changes no byte of it.
        unsafe { rustix::mm::madvise(at, mapped, Advice::LinuxHugepage) }?;
        region.pages = Pages::Transparent;
        Ok(region)
    }

    /// Cuts a mapping that is a huge page longer than `mapped` down to the `mapped` bytes from the
    /// first multiple of a huge page on.
    fn keep_aligned(&mut self, bytes: usize, mapped: usize) -> io::Result<()> {
        let old = self.start.as_ptr();
        let head = old.addr().next_multiple_of(HUGE_PAGE_BYTES) - old.addr();
        let tail = self.mapped - mapped - head;
        let start = old.wrapping_add(head);
        if tail > 0 {
            let after = start.wrapping_add(mapped).cast();
            // SAFETY: the last `tail` bytes of our mapping, whole pages, which nobody borrows: it
            // was made a moment ago.
            unsafe { rustix::mm::munmap(after, tail) }?;
            self.mapped -= tail;
        }
        if head > 0 {
            // SAFETY: as above, the first `head` bytes.
            unsafe { rustix::mm::munmap(old.cast(), head) }?;
            self.mapped -= head;
        }
        self.start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        self.bytes = bytes;
        Ok(())
    }

    /// What it lies in.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Bytes of it that lie in huge pages now. `None`: the system does not say.
    pub fn huge_bytes(&self) -> Option<usize> {
        match self.pages {
            Pages::Normal => Some(0),
            Pages::Pool => Some(self.mapped),
            Pages::Transparent => {
                let text = std::fs::read_to_string("/proc/self/smaps").ok()?;
                let start = self.start.addr().get();
                Some(transparent_in(&text, start, start + self.mapped))
            }
        }
    }
}

/// Bytes rounded up to huge pages.
fn huge_bytes(bytes: usize) -> io::Result<usize> {
    let rounded = bytes.checked_next_multiple_of(HUGE_PAGE_BYTES);
    let possible = rounded.filter(|&mapped| bytes > 0 && mapped <= isize::MAX as usize);
    possible.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Whether the system makes transparent huge pages for whoever asks.
fn may_be_asked_for(enabled: &str) -> bool {
    enabled.contains("[always]") || enabled.contains("[madvise]")
}

/// Bytes in transparent huge pages of all mappings that begin in a range, by the system's list.
fn transparent_in(smaps: &str, start: usize, end: usize) -> usize {
    let mut within = false;
    let mut sum = 0;
    for line in smaps.lines() {
        let first = line.split_ascii_whitespace().next().unwrap_or_default();
        if let Some((from, _)) = first.split_once('-') {
            let from = usize::from_str_radix(from, 16).unwrap_or(0);
            within = (start..end).contains(&from);
        } else if let Some(rest) = line.strip_prefix("AnonHugePages:")
            && within
        {
            let kilobytes = rest.trim().trim_end_matches(" kB").trim();
            sum += kilobytes.parse::<usize>().unwrap_or(0) * 1024;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_of_the_default_take_79_huge_pages() {
        assert_eq!(huge_pages_needed(163_840_000), 79);
        for (bytes, pages) in [(0, 0), (1, 1), (2 << 20, 1), ((2 << 20) + 1, 2)] {
            assert_eq!(huge_pages_needed(bytes), pages);
        }
    }

    #[test]
    fn an_empty_pool_is_passed_over_and_it_is_told_what_was_got() {
        let free = huge_pages_free().unwrap_or(0);
        // More than the pool has, whatever it has.
        let bytes = (free + 3) * HUGE_PAGE_BYTES + 5;
        let refused = Region::map_in_pool(bytes).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory, "{refused}");
        let region = Region::map_huge(bytes).unwrap();
        assert_eq!(region.len(), bytes);
        let enabled = std::fs::read_to_string(TRANSPARENT).unwrap_or_default();
        let expected = match may_be_asked_for(&enabled) {
            true => Pages::Transparent,
            false => Pages::Normal,
        };
        assert_eq!(region.pages(), expected);
    }

    #[test]
    fn pages_of_the_pool_are_there_at_once_and_go_home() {
        let Some(free @ 2..) = huge_pages_free() else {
            println!("SKIPPED: the pool is empty (sysctl -w vm.nr_hugepages=8)");
            return;
        };
        let region = Region::map_in_pool(3 << 20).unwrap();
        assert_eq!(region.pages(), Pages::Pool);
        assert_eq!(region.huge_bytes(), Some(4 << 20));
        assert!(region.lock());
        assert!(region.as_bytes().iter().all(|&byte| byte == 0));
        assert!(huge_pages_free().unwrap() <= free - 2);
        assert!(huge_pages_all().unwrap() >= free);
        drop(region);
        assert!(huge_pages_free().unwrap() >= free);
    }

    #[test]
    fn a_transparent_region_is_aligned_whole_and_gone_when_it_is_dropped() {
        for bytes in [1, 2 << 20, (5 << 20) + 1] {
            let Ok(mut region) = Region::map_transparent(bytes) else {
                let enabled = std::fs::read_to_string(TRANSPARENT).unwrap_or_default();
                assert!(!may_be_asked_for(&enabled), "{enabled}");
                println!("SKIPPED: transparent huge pages are off");
                return;
            };
            assert!(region.start.addr().get().is_multiple_of(HUGE_PAGE_BYTES));
            assert_eq!(region.mapped, bytes.next_multiple_of(HUGE_PAGE_BYTES));
            assert_eq!((region.len(), region.huge_bytes()), (bytes, Some(0)));
            region.prefault().unwrap();
            assert!(region.as_bytes().iter().all(|&byte| byte == 0));
            // The system may have had none in one piece.
            let got = region.huge_bytes().unwrap();
            println!("{got} of {} bytes in huge pages", region.mapped);
            assert!(got.is_multiple_of(HUGE_PAGE_BYTES) && got <= region.mapped);
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for bytes in [0, usize::MAX, isize::MAX as usize] {
            for refused in [Region::map_huge(bytes), Region::map_in_pool(bytes)] {
                assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            }
        }
    }

    #[test]
    fn huge_pages_are_counted_in_the_mappings_of_a_range() {
        let smaps = "\
1000-2000 rw-p 00000000 00:00 0
AnonHugePages:      4096 kB
200000-400000 rw-p 00000000 00:00 0
Rss:                2048 kB
AnonHugePages:      2048 kB
400000-600000 rw-p 00000000 00:00 0    [heap]
AnonHugePages:      6144 kB
";
        assert_eq!(transparent_in(smaps, 0x20_0000, 0x40_0000), 2 << 20);
        assert_eq!(transparent_in(smaps, 0x20_0000, 0x40_0001), 8 << 20);
        assert_eq!(transparent_in(smaps, 0x60_0000, 0x70_0000), 0);
        assert!(may_be_asked_for("always [madvise] never\n"));
        assert!(!may_be_asked_for("always madvise [never]\n") && !may_be_asked_for(""));
    }
}
