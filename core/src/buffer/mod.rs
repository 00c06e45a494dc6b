//! The two buffers of a connection: what came in and what goes out.
//!
//! Both are one allocation each: a few control words followed by the bytes. The owner names the
//! size (`RecvBuffer<[u8; 4096]>`), everybody else sees the size erased (`RecvBuffer`, short for
//! `RecvBuffer<[u8]>`), so a buffer moves as one pointer and an idle connection keeps none.
//!
//! All-zero memory is a valid buffer; after a `reset` it is an empty one. A platform may therefore
//! cut its mapped region into buffers without touching a page, and
//! [`Slots::take`](crate::driver::Slots::take) resets what it hands out.

mod recv;
mod send;

pub use recv::RecvBuffer;
pub(crate) use recv::SectionParts;
pub(crate) use send::Draft;
pub use send::SendBuffer;

/// Moves bytes to a place before them. Positions that do not exist move nothing.
///
/// The one place that calls `copy_within`, in a form where none of its checks can fail, and whole:
/// in several places the compiler shares its code between them, and then cannot see that.
#[inline(never)]
pub(crate) fn slide(bytes: &mut [u8], from: core::ops::Range<usize>, to: usize) {
    if !crate::VECTORS {
        return slide_plainly(bytes, from, to);
    }
    if to < from.start
        && let Some(piece) = bytes.get_mut(to..from.end)
    {
        piece.copy_within(piece.len().saturating_sub(from.len()).., 0);
    }
}

/// Byte by byte: the library's `memmove` for small processors takes 1.6 KB, and this is all that
/// calls it.
fn slide_plainly(bytes: &mut [u8], from: core::ops::Range<usize>, to: usize) {
    let cells = core::cell::Cell::from_mut(bytes).as_slice_of_cells();
    if to < from.start
        && let Some(from) = cells.get(from)
        && let Some(to) = cells.get(to..)
    {
        to.iter()
            .zip(from)
            .for_each(|(to, from)| to.set(from.get()));
    }
}

/// The bytes from one position to another, which are there. (Without the hint the compiler makes
/// both outcomes, and selects among them.)
#[inline(always)]
fn within(bytes: &[u8], range: core::ops::Range<usize>) -> &[u8] {
    match bytes.get(range) {
        Some(bytes) => bytes,
        None => {
            core::hint::cold_path();
            &[]
        }
    }
}

/// One unit of buffer memory: what an active connection holds and an idle one gives back.
#[derive(Debug)]
pub struct Slot {
    /// Receives the requests; the index of the head lies behind the bytes.
    pub rx: &'static mut RecvBuffer,
    /// Collects the answers.
    pub tx: &'static mut SendBuffer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_do_not_exist_lend_no_byte_and_move_none() {
        let mut bytes = *b"abcdef";
        let (two, four, seven) = (2, 4, 7);
        assert_eq!(within(&bytes, two..four), b"cd");
        assert_eq!(within(&bytes, four..two), b"");
        assert_eq!(within(&bytes, two..seven), b"");
        slide(&mut bytes, two..seven, 0);
        slide(&mut bytes, four..two, 0);
        assert_eq!(&bytes, b"abcdef");
        slide(&mut bytes, two..four, 0);
        assert_eq!(&bytes, b"cdcdef");
    }

    #[test]
    fn bytes_slide_the_same_way_without_vectors() {
        for [from, end, to] in [
            [2, 6, 0],
            [3, 4, 1],
            [4, 2, 0],
            [2, 7, 0],
            [2, 4, 3],
            [0, 0, 0],
        ] {
            let (mut one, mut other) = (*b"abcdef", *b"abcdef");
            slide(&mut one, from..end, to);
            slide_plainly(&mut other, from..end, to);
            assert_eq!(one, other);
        }
    }
}
