//! Searches over bytes. The one place that knows of vectors, so that another way of searching
//! changes nothing else.

use wide::u8x16;

use super::class::{self, TOKEN};
use crate::VECTORS;

/// Where the next LF is, from `from` on.
#[inline]
pub(crate) fn line_feed(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    // Peers that send byte by byte: a vector's set-up would cost more than the look.
    let at = if rest.len() < 16 || !VECTORS {
        rest.iter().position(|byte| *byte == b'\n')?
    } else {
        memchr::memchr(b'\n', rest)?
    };
    Some(from.wrapping_add(at))
}

/// Where this byte is the last time.
#[inline]
pub(crate) fn last(byte: u8, bytes: &[u8]) -> Option<usize> {
    if !VECTORS {
        return bytes.iter().rposition(|other| *other == byte);
    }
    memchr::memrchr(byte, bytes)
}

/// How many bytes at the front are `tchar` (RFC 9110 section 5.6.2).
///
/// Byte by byte: tokens are 3 to 20 bytes long, a vector's set-up costs more.
#[inline]
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !class::is(*byte, TOKEN))
        .unwrap_or(bytes.len())
}

/// Whether all bytes may stand in a field value (RFC 9110 section 5.5): HTAB, SP, visible ASCII
/// and 0x80 to 0xFF.
#[inline]
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    let (blocks, rest) = match VECTORS {
        true => bytes.as_chunks::<16>(),
        false => (&[][..], bytes),
    };
    blocks.iter().all(|block| block_is_field_value(*block))
        && rest.iter().all(|byte| class::is(*byte, class::FIELD))
}

#[inline]
fn block_is_field_value(block: [u8; 16]) -> bool {
    let bytes = u8x16::new(block);
    // max(b, 0x20) == b: not a control character.
    let above = bytes.max(u8x16::splat(0x20)).simd_eq(bytes);
    let tab = bytes.simd_eq(u8x16::splat(b'\t'));
    let delete = bytes.simd_eq(u8x16::splat(0x7f));
    ((above | tab) & !delete).to_bitmask() == 0xffff
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn every_byte_is_judged_the_same_in_a_block_and_behind_it() {
        for byte in 0..=255u8 {
            let expected = byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
            for at in 0..40 {
                let mut text = vec![b'a'; 40];
                text[at] = byte;
                assert_eq!(is_field_value(&text), expected, "byte {byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn tokens_end_at_the_first_other_byte() {
        assert_eq!(token_len(b"Host: x"), 4);
        assert_eq!(token_len(b""), 0);
        assert_eq!(token_len(b" a"), 0);
        assert_eq!(token_len(b"abc"), 3);
    }

    #[test]
    fn a_line_feed_is_found_from_any_start() {
        assert_eq!(line_feed(b"a\nb\n", 0), Some(1));
        assert_eq!(line_feed(b"a\nb\n", 2), Some(3));
        assert_eq!(line_feed(b"a\nb\n", 4), None);
        assert_eq!(line_feed(b"a\nb\n", 5), None);
    }
}
