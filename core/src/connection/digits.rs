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
    fn sizes_are_written_as_the_standard_library_does() {
        for n in 0..=u64::from(u16::MAX) {
            assert_eq!(
                digits::<16>(n, &mut [0; 20]),
                std::format!("{n:x}").as_bytes()
            );
        }
    }
}
