//! Numbers in the text of an answer: lengths in decimal, sizes of chunks in hexadecimal.

/// The digits of `n` to the base `RADIX`, at most 16, in lower case, at the end of `room`. Twenty
/// places are enough for every number from base 10 on.
pub(super) fn digits<const RADIX: u64>(mut n: u64, room: &mut [u8; 20]) -> &[u8] {
    const { assert!(10 <= RADIX && RADIX <= 16) };
    let mut at = room.len();
    for digit in room.iter_mut().rev() {
        *digit = match (n % RADIX) as u8 {
            low @ 0..=9 => b'0'.wrapping_add(low),
            high => b'a'.wrapping_add(high).wrapping_sub(10),
        };
        n /= RADIX;
        at = at.saturating_sub(1);
        if n == 0 {
            break;
        }
    }
    room.get(at..).unwrap_or(&[])
}

/// The decimal digits of `n`, CR LF, CR LF, in eight bytes, and how many of these count. `n` below
/// 10,000.
#[inline(always)]
pub(super) const fn short_length(n: u16) -> ([u8; 8], usize) {
    // Four digits by multiplication with reciprocals, each in a byte of its own.
    let hundreds = (n as u32).wrapping_mul(5243) >> 19;
    let pairs = hundreds | (n as u32).wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    let tens = (pairs.wrapping_mul(103) >> 10) & 0x000f_000f;
    let digits = tens | pairs.wrapping_sub(tens.wrapping_mul(10)) << 8;
    let text = (digits | 0x3030_3030) as u64 | 0x0a0d_0a0d << 32;
    // The zeros in front go; the last digit stays.
    let zeros = ((digits & 0x00ff_ffff) | 0x0100_0000).trailing_zeros() / 8;
    let text = text >> zeros.wrapping_mul(8);
    (text.to_le_bytes(), 8usize.wrapping_sub(zeros as usize))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for n in [0, 1, 9, 10, 99, 100, 65_535, u64::MAX] {
            assert_eq!(digits::<10>(n, &mut [0; 20]), n.to_string().as_bytes());
        }
    }

    #[test]
    fn short_lengths_end_a_head() {
        for n in 0..10_000 {
            let (bytes, len) = short_length(n);
            let expected = std::format!("{n}\r\n\r\n");
            assert_eq!(&bytes[..len], expected.as_bytes());
        }
    }

    #[test]
    fn sizes_are_written_as_the_standard_library_does() {
        for n in 0..=u64::from(u16::MAX) {
            assert_eq!(
                digits::<16>(n, &mut [0; 20]),
                std::format!("{n:x}").as_bytes()
            );
        }
    }
}
