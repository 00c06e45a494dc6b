//! The one mapped region, and how it is cut.
//!
//! ```text
//!  | slot 0                    | slot 1                    | ...  one private anonymous mapping
//!  | receive part | send part  | receive part | send part  |
//!  | ctl | bytes  | ctl | bytes|
//! ```
//!
//! What is cut is `'static`: buffers travel through drivers, the kernel and other threads, and
//! none of them can be asked to give all of them back. So a region that was cut is never unmapped;
//! it is the process's memory, and there is a fixed number of such regions, made at start.

use std::io;
use std::iter::FusedIterator;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::resident::{lock_range, populate};

mod huge;
pub use huge::{HUGE_PAGE_BYTES, Pages, huge_pages_all, huge_pages_free, huge_pages_needed};

/// Bytes that both parts of a slot are a multiple of: a cache line, so that no line has two
/// owners.
pub const PART_ALIGN_BYTES: usize = 64;

/// Control bytes at the front of a receive part (rounded up to its alignment).
pub const RECV_CONTROL_BYTES: usize = size_of::<RecvBuffer<[u8; 0]>>();

/// Control bytes at the front of a send part (rounded up to its alignment).
pub const SEND_CONTROL_BYTES: usize = size_of::<SendBuffer<[u8; 0]>>();

// A page is aligned to more than a line, and a line to more than any control word.
const _: () = assert!(PART_ALIGN_BYTES.is_multiple_of(align_of::<RecvBuffer<[u8; 0]>>()));
const _: () = assert!(PART_ALIGN_BYTES.is_multiple_of(align_of::<SendBuffer<[u8; 0]>>()));

// Zeroes are a value of both types: the compiler refuses a constant that is none, so that core
// cannot break this by a field (a reference, a `NonZero`, an enum without a variant of tag 0).
// SAFETY: this is the proof itself; were it not so, it would not compile.
const _: RecvBuffer<[u8; 0]> = unsafe { std::mem::zeroed() };
// SAFETY: as above.
const _: SendBuffer<[u8; 0]> = unsafe { std::mem::zeroed() };

/// Zeroed, page-aligned memory from the system, unmapped on drop unless it is made into
/// something.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    /// As asked for; the mapping goes on to the end of the page.
    bytes: usize,
    /// Whole pages, of whichever size.
    mapped: usize,
    pages: Pages,
}

impl Region {
    /// Maps `bytes` bytes (at least 1), private and anonymous. No page is touched: memory is
    /// taken when it is used first, or by [`prefault`](Self::prefault).
    ///
    /// The system counts the region as promised memory. MAP_NORESERVE would talk it out of that;
    /// but a machine that cannot keep the promise shall say so now and not kill the server under
    /// load.
    ///
    /// # Errors
    /// `InvalidInput` for 0 bytes or more than half of the address space, `OutOfMemory` if the
    /// system refuses.
    pub fn map(bytes: usize) -> io::Result<Region> {
        let mapped = bytes.checked_next_multiple_of(page_bytes());
        match mapped {
            // A slice may not be longer than that.
            Some(mapped) if bytes > 0 && mapped <= isize::MAX as usize => {
                let protection = ProtFlags::READ | ProtFlags::WRITE;
                // SAFETY: without MAP_FIXED a new mapping touches no memory that exists.
                let start = unsafe {
                    rustix::mm::mmap_anonymous(
                        ptr::null_mut(),
                        mapped,
                        protection,
                        MapFlags::PRIVATE,
                    )
                }?;
                let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
                Ok(Region {
                    start,
                    bytes,
                    mapped,
                    pages: Pages::Normal,
                })
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Bytes, as asked for.
    #[allow(clippy::len_without_is_empty, reason = "a region is never empty")]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// The whole region. Reading touches pages too, but costs no memory.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the mapping is that long, initialised (zeroed by the system), and owned by
        // `self`, which is borrowed meanwhile.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// Takes all the memory now, so that no page fault comes later. Costs 0.15 s for
    /// 160 MB on a small virtual machine.
    ///
    /// # Errors
    /// `OutOfMemory` if there is not so much. (Before Linux 5.14 every page is written to
    /// instead, and a system without memory may then end the process.)
    pub fn prefault(&mut self) -> io::Result<()> {
        self.prefault_by(|start, bytes| populate(start, bytes, Advice::LinuxPopulateWrite))
    }

    fn prefault_by(
        &mut self,
        populate: impl FnOnce(usize, usize) -> Result<(), Errno>,
    ) -> io::Result<()> {
        match populate(self.start.addr().get(), self.mapped) {
            Err(Errno::INVAL) => self.touch(),
            done => done?,
        }
        Ok(())
    }

    /// Locks all of it in memory, if that is allowed; says whether it is. Pages of the pool are
    /// never taken away, so nothing has to be asked for.
    pub fn lock(&self) -> bool {
        self.pages == Pages::Pool || lock_range(self.start.addr().get(), self.mapped)
    }

    /// Writes to every page what is there already.
    fn touch(&mut self) {
        for at in (0..self.bytes).step_by(page_bytes()) {
            let page = self.start.as_ptr().wrapping_add(at);
            // SAFETY: below `bytes`, so inside of the mapping, which is readable, initialised
            // and borrowed mutably by this call.
            let byte = unsafe { page.read_volatile() };
            // SAFETY: as above; the mapping is writable.
            unsafe { page.write_volatile(byte) };
        }
    }

    /// Cuts the region into slots of `slot_bytes`, of which the first `recv_bytes` are the receive
    /// part. No page is touched. What is left over at the end, less than a slot, is not used.
    ///
    /// Slots are page-aligned if `slot_bytes` is a multiple of the page. From now on the memory is
    /// never unmapped.
    ///
    /// # Errors
    /// `InvalidInput` if a size is no multiple of [`PART_ALIGN_BYTES`], if a part has no room for
    /// a byte behind its control words, or more bytes than 16-bit positions can name (65,535), or
    /// if the region is smaller than one slot.
    pub fn into_slots(self, slot_bytes: usize, recv_bytes: usize) -> io::Result<SlotCutter> {
        let recv_len = part_len(recv_bytes, RECV_CONTROL_BYTES);
        let send_len = slot_bytes
            .checked_sub(recv_bytes)
            .and_then(|send_bytes| part_len(send_bytes, SEND_CONTROL_BYTES));
        match (recv_len, send_len, self.bytes.checked_div(slot_bytes)) {
            (Some(recv_len), Some(send_len), Some(left)) if left > 0 => Ok(SlotCutter {
                next: self.leak(),
                left,
                slot_bytes,
                recv_bytes,
                recv_len,
                send_len,
            }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// As zeroed words for everybody, for ever: what is left over at the end is not used. From now
    /// on the memory is never unmapped.
    pub fn into_words(self) -> &'static [AtomicU64] {
        let count = self.bytes / size_of::<AtomicU64>();
        let start = self.leak().as_ptr().cast::<AtomicU64>();
        // SAFETY: `count` words lie inside of the mapping, which is page-aligned, zeroed (a valid
        // word), and leaked by the line above, so nobody else reaches or unmaps it.
        unsafe { std::slice::from_raw_parts(start, count) }
    }

    /// As [`into_words`](Self::into_words), with words of 32 bits.
    pub fn into_half_words(self) -> &'static [AtomicU32] {
        let count = self.bytes / size_of::<AtomicU32>();
        let start = self.leak().as_ptr().cast::<AtomicU32>();
        // SAFETY: `count` words lie inside of the mapping, which is page-aligned, zeroed (a valid
        // word), and leaked by the line above, so nobody else reaches or unmaps it.
        unsafe { std::slice::from_raw_parts(start, count) }
    }

    /// As [`into_words`](Self::into_words), with single bytes.
    pub fn into_bytes(self) -> &'static [AtomicU8] {
        let count = self.bytes;
        let start = self.leak().as_ptr().cast::<AtomicU8>();
        // SAFETY: `count` bytes lie inside of the mapping, which is zeroed (a valid byte), and
        // leaked by the line above, so nobody else reaches or unmaps it.
        unsafe { std::slice::from_raw_parts(start, count) }
    }

    /// Gives up the ownership; nobody unmaps it any more.
    fn leak(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).start
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and whole: what was made of it went through `leak`, which
        // does not come here, and borrows have ended.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.mapped) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

/// Bytes behind the control words of a part, if its size is a proper one.
fn part_len(part_bytes: usize, control_bytes: usize) -> Option<usize> {
    let len = part_bytes.checked_sub(control_bytes)?;
    let proper = part_bytes.is_multiple_of(PART_ALIGN_BYTES);
    (proper && len > 0 && len <= usize::from(u16::MAX)).then_some(len)
}

/// Hands out the slots of a region, each once, from the first on. They are zeroed, which is empty;
/// core's `Slots` resets each before a connection uses it. Those that were not asked for
/// when it is dropped are lost.
#[derive(Debug)]
pub struct SlotCutter {
    /// Where the next slot starts.
    next: NonNull<u8>,
    /// Slots from there on.
    left: usize,
    slot_bytes: usize,
    recv_bytes: usize,
    /// Bytes behind the control words.
    recv_len: usize,
    send_len: usize,
}

impl Iterator for SlotCutter {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        self.left = self.left.checked_sub(1)?;
        let rx = self.next.as_ptr();
        // Inside of the mapping, as `recv_bytes` is less than `slot_bytes`.
        let tx = rx.wrapping_add(self.recv_bytes);
        // One past the end of the mapping at most.
        self.next = NonNull::new(rx.wrapping_add(self.slot_bytes))?;
        // The length of the bytes makes the length of the whole buffer.
        let rx = ptr::slice_from_raw_parts_mut(rx, self.recv_len) as *mut RecvBuffer;
        let tx = ptr::slice_from_raw_parts_mut(tx, self.send_len) as *mut SendBuffer;
        // SAFETY: the part is aligned (PART_ALIGN_BYTES) and zeroed by the system, which is a valid
        // buffer (proven above); the buffer is no longer than the part (`part_len` took the
        // control words off, rounded up); the mapping is leaked, so it lives for ever; and `next`
        // has moved on, so nobody gets this part again.
        let rx = unsafe { &mut *rx };
        // SAFETY: as above; it begins behind the receive part and ends with the slot.
        let tx = unsafe { &mut *tx };
        debug_assert!(size_of_val(rx) <= self.recv_bytes);
        debug_assert!(size_of_val(tx) <= self.slot_bytes - self.recv_bytes);
        Some(Slot { rx, tx })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for SlotCutter {}
impl FusedIterator for SlotCutter {}

/// Bytes of a page: 4,096 nearly everywhere, up to 65,536 on some.
pub fn page_bytes() -> usize {
    rustix::param::page_size()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    /// How many pages from `start` on are in memory.
    fn resident(start: NonNull<u8>, pages: usize) -> usize {
        let mut map = vec![0_u8; pages];
        let bytes = pages * page_bytes();
        // SAFETY: `map` has a byte for each page of the range; the range is only looked up.
        let failed = unsafe { libc::mincore(start.as_ptr().cast(), bytes, map.as_mut_ptr()) };
        assert_eq!(failed, 0, "{}", io::Error::last_os_error());
        map.iter().filter(|&&page| page & 1 == 1).count()
    }

    fn spans(slot: &Slot) -> [(usize, usize); 2] {
        let rx = ptr::from_ref(&*slot.rx).addr();
        let tx = ptr::from_ref(&*slot.tx).addr();
        [
            (rx, rx + size_of_val(&*slot.rx)),
            (tx, tx + size_of_val(&*slot.tx)),
        ]
    }

    #[test]
    fn a_region_is_zeroed_and_starts_at_a_page() {
        for bytes in [1, 100, 4096, 4097, 1 << 20] {
            let region = Region::map(bytes).unwrap();
            assert_eq!(region.len(), bytes);
            assert!(region.start.addr().get().is_multiple_of(page_bytes()));
            assert!(region.as_bytes().iter().all(|&byte| byte == 0));
            assert_eq!(region.as_bytes().len(), bytes);
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for bytes in [0, usize::MAX, usize::MAX - 5000, isize::MAX as usize] {
            assert_eq!(
                Region::map(bytes).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        let too_much = Region::map(1 << 60).unwrap_err();
        assert_eq!(too_much.kind(), io::ErrorKind::OutOfMemory);

        for (slot_bytes, recv_bytes) in [
            (0, 0),
            (16384, 0),
            (16384, 16384),
            (16384, 16448),
            (16384, 8191),
            (16383, 8192),
            (1 << 20, 8192),
            (1 << 20, (1 << 20) - 8192),
            (usize::MAX - 63, 8192),
            (65536, 8192),
        ] {
            let cut = Region::map(50_000)
                .unwrap()
                .into_slots(slot_bytes, recv_bytes);
            let kind = cut.map(|slots| slots.len()).unwrap_err().kind();
            assert_eq!(
                kind,
                io::ErrorKind::InvalidInput,
                "{slot_bytes} {recv_bytes}"
            );
        }
    }

    #[test]
    fn slots_lie_one_after_the_other_and_fill_their_parts() {
        for (slot_bytes, recv_bytes, count) in [
            (16384, 8192, 100),
            (4096, 2048, 7),
            (4096, 3072, 33),
            (1024, 512, 50),
            (320, 192, 1000),
            (65536 + 8192, 65536, 3),
        ] {
            let region = Region::map(slot_bytes * count + 63).unwrap();
            let start = region.start.addr().get();
            let end = start + region.len();
            let cut = region.into_slots(slot_bytes, recv_bytes).unwrap();
            assert_eq!(cut.len(), count);
            let slots: Vec<Slot> = cut.collect();
            assert_eq!(slots.len(), count);
            let mut free_from = start;
            for (i, slot) in slots.iter().enumerate() {
                let [rx, tx] = spans(slot);
                assert_eq!(rx.0, start + i * slot_bytes);
                assert_eq!(tx.0, rx.0 + recv_bytes);
                assert!(free_from <= rx.0 && rx.1 <= tx.0 && tx.1 <= rx.0 + slot_bytes);
                free_from = tx.1;
                // What is lost to alignment is less than a word.
                assert!(tx.0 - rx.1 < 8 && rx.0 + slot_bytes - tx.1 < 8);
                assert!(tx.0.is_multiple_of(PART_ALIGN_BYTES));
                if slot_bytes.is_multiple_of(page_bytes()) {
                    assert!(rx.0.is_multiple_of(page_bytes()));
                }
            }
            assert!(free_from <= end);
        }
    }

    #[test]
    fn zeroes_look_like_a_new_buffer() {
        let region = Region::map(1024).unwrap();
        let slot = region.into_slots(1024, 512).unwrap().next().unwrap();
        let (rx, tx) = (RecvBuffer::<[u8; 64]>::new(), SendBuffer::<[u8; 64]>::new());
        assert_eq!(format!("{:?}", slot.rx), format!("{rx:?}"));
        assert_eq!(format!("{:?}", slot.tx), format!("{tx:?}"));
    }

    #[test]
    fn every_byte_of_a_slot_is_its_own() {
        let region = Region::map(64 * 1024).unwrap();
        let mut slots: Vec<Slot> = region.into_slots(1024, 512).unwrap().collect();
        for (i, slot) in slots.iter_mut().enumerate() {
            assert!(
                slot.rx.is_empty() && slot.tx.pending().is_empty(),
                "zeroed is empty"
            );
            assert_eq!(slot.tx.capacity(), 512 - SEND_CONTROL_BYTES);
            let space = slot.rx.space();
            assert!(space.iter().all(|&byte| byte == 0));
            space.fill(i as u8 + 1);
            let n = space.len();
            slot.rx.filled(n);
        }
        for (i, slot) in slots.iter().enumerate() {
            assert_eq!(slot.rx.unread().len(), slot.rx.capacity());
            assert!(slot.rx.unread().iter().all(|&byte| byte == i as u8 + 1));
            assert_eq!(slot.tx.room(), slot.tx.capacity());
        }
    }

    #[test]
    fn cutting_touches_no_page_and_prefaulting_touches_all() {
        let slot_bytes = 4 * page_bytes();
        let mut prefaulted = Region::map(64 * slot_bytes - 1).unwrap();
        assert_eq!(resident(prefaulted.start, 256), 0);
        prefaulted.prefault().unwrap();
        assert_eq!(resident(prefaulted.start, 256), 256);

        // As a system before 5.14 answers.
        let mut touched = Region::map(64 * slot_bytes - 1).unwrap();
        touched.prefault_by(|_, _| Err(Errno::INVAL)).unwrap();
        assert_eq!(resident(touched.start, 256), 256);

        let mut refused = Region::map(64 * slot_bytes).unwrap();
        let error = refused.prefault_by(|_, _| Err(Errno::NOMEM)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(resident(refused.start, 256), 0);

        // What is locked is there; if it may not be locked, that is said.
        let locked = Region::map(slot_bytes).unwrap();
        let pages = if locked.lock() { 4 } else { 0 };
        assert_eq!(resident(locked.start, 4), pages);

        let cut = Region::map(64 * slot_bytes).unwrap();
        let start = cut.start;
        let slots: Vec<Slot> = cut
            .into_slots(slot_bytes, slot_bytes / 2)
            .unwrap()
            .collect();
        assert_eq!(slots.len(), 64);
        assert_eq!(resident(start, 256), 0);
    }

    #[test]
    fn a_dropped_region_is_gone() {
        let region = Region::map(page_bytes()).unwrap();
        let start = region.start;
        drop(region);
        let mut map = [0_u8];
        // SAFETY: the range is only looked up, and `map` has a byte for its one page.
        let found = unsafe { libc::mincore(start.as_ptr().cast(), 1, map.as_mut_ptr()) };
        // Another test's thread may have got the same address meanwhile, but then it is not ours.
        assert!(found == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::ENOMEM));
    }

    #[test]
    fn words_are_zeroed_shared_and_as_many_as_fit() {
        let words = Region::map(8007).unwrap().into_words();
        assert_eq!(words.len(), 1000);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        std::thread::spawn(move || words[999].store(7, Ordering::Relaxed))
            .join()
            .unwrap();
        assert_eq!(words[999].load(Ordering::Relaxed), 7);

        let halves = Region::map(8007).unwrap().into_half_words();
        assert_eq!(halves.len(), 2001);
        assert_eq!(halves[2000].fetch_add(1, Ordering::Relaxed), 0);
        let bytes = Region::map(8007).unwrap().into_bytes();
        assert_eq!(bytes.len(), 8007);
        assert_eq!(bytes[8006].fetch_add(1, Ordering::Relaxed), 0);
    }
}
