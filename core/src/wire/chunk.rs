//! Chunked transfer coding (RFC 9112 section 7.1), byte by byte for the framing, in runs for the
//! data, with bounded extensions.
//!
//! ```text
//!                  ┌──────────── data ends ───────────┐
//!                  ▼                                  │
//!   SizeFirst ─► Size ──CR──► SizeLf ──size > 0──► Data ─► DataCr ─► DataLf ─► SizeFirst
//!                  │ ▲          ▲   └──size = 0──► (last chunk: the trailer section follows)
//!             BWS ;│ │extension │CR
//!                  ▼ └──────────┘
//! ```
//!
//! Line ends are CR LF and nothing else: here, where the next message begins depends on them.

use super::Fault;
use super::class::{self, FIELD, HEX, TOKEN};
use crate::limits::CHUNK_EXCESS_BYTES_MAX;

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkStep {
    /// More bytes are needed.
    More,
    /// So many data bytes follow (at least 1); [`ChunkDecoder::took`] tells what was taken of them.
    Data(u64),
    /// The last chunk is over; the trailer section follows (RFC 9112 section 7.1.2).
    Last,
}

/// Takes a chunked body apart. Holds no bytes.
#[derive(Clone, Copy, Debug)]
pub struct ChunkDecoder {
    /// Data bytes left in this chunk; while in the size line, its size.
    size: u64,
    /// Framing bytes beyond what the data justifies.
    excess: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first digit of a size.
    SizeFirst,
    /// More digits, or what may follow them.
    Size,
    /// White space behind a size or a value: only `;` may follow.
    Space,
    /// Behind `;`: white space, then a name.
    NameFirst,
    Name,
    /// White space behind a name: `=` or `;` may follow.
    NameSpace,
    /// Behind `=`: white space, then a token or a quoted string.
    ValueFirst,
    Value,
    Quoted,
    /// Behind a backslash in a quoted string.
    Escaped,
    QuotedEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Last,
}

/// Framing bytes of a chunk that need no justification: 16 digits or a short extension.
const FREE_BYTES: u32 = 16;

impl ChunkDecoder {
    /// At the first byte of a body.
    pub const fn new() -> Self {
        ChunkDecoder {
            size: 0,
            excess: 0,
            phase: Phase::SizeFirst,
        }
    }

    /// Reads framing from the front of `raw` until data, the end or more bytes are due. Says how
    /// many bytes were framing, and what comes behind them.
    ///
    /// # Errors
    /// [`Fault::Chunk`] at the first byte that cannot be; [`Fault::ChunkExcess`].
    #[inline]
    pub fn advance(&mut self, raw: &[u8]) -> Result<(usize, ChunkStep), Fault> {
        match self.usual(raw) {
            Some(usual) => Ok(usual),
            None => self.unusual(raw),
        }
    }

    /// The slow way, byte by byte.
    #[inline(never)]
    fn unusual(&mut self, raw: &[u8]) -> Result<(usize, ChunkStep), Fault> {
        if self.phase == Phase::Data {
            return Ok((0, ChunkStep::Data(self.size)));
        }
        for (at, byte) in raw.iter().enumerate() {
            let used = at.saturating_add(1);
            self.phase = self.follow(*byte)?;
            match self.phase {
                Phase::Data => return Ok((used, ChunkStep::Data(self.size))),
                Phase::Last => return Ok((used, ChunkStep::Last)),
                _ => {}
            }
        }
        Ok((
            raw.len(),
            if self.phase == Phase::Last {
                ChunkStep::Last
            } else {
                ChunkStep::More
            },
        ))
    }

    /// So many data bytes were taken.
    pub fn took(&mut self, n: u64) {
        self.size = self.size.saturating_sub(n);
        self.excess = self
            .excess
            .saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
        if self.size == 0 && self.phase == Phase::Data {
            self.phase = Phase::DataCr;
        }
    }

    /// The fast way, for a size line without extensions that is here as a whole: the end of the
    /// chunk before, up to four digits, a line end; all in one word. Anything else is left to the
    /// slow way, untouched.
    #[inline]
    fn usual(&mut self, raw: &[u8]) -> Option<(usize, ChunkStep)> {
        let word = raw.first_chunk().copied().unwrap_or_else(|| padded(raw));
        let mut word = u64::from_le_bytes(word);
        let mut used = 3usize;
        match self.phase {
            Phase::SizeFirst => {}
            Phase::DataCr if word as u16 == CR_LF => {
                word >>= 16;
                used = 5;
            }
            _ => return None,
        }
        let mut size = 0;
        // What is left of the word is shifted in as zeros, which are no digits.
        loop {
            let digit = HEX_VALUES[usize::from(word as u8)];
            if digit > 15 {
                return None;
            }
            size = size << 4 | u64::from(digit);
            word >>= 8;
            if word as u16 == CR_LF {
                break;
            }
            used = used.wrapping_add(1);
        }
        // As the slow way counts: at most eight bytes, so none has to be justified.
        self.excess = self
            .excess
            .saturating_sub(FREE_BYTES.wrapping_sub(used as u32));
        self.size = size;
        if size == 0 {
            self.phase = Phase::Last;
            return Some((used, ChunkStep::Last));
        }
        self.phase = Phase::Data;
        Some((used, ChunkStep::Data(size)))
    }

    /// Where `byte` leads to.
    fn follow(&mut self, byte: u8) -> Result<Phase, Fault> {
        self.excess = self.excess.saturating_add(1);
        if self.excess > CHUNK_EXCESS_BYTES_MAX {
            return Err(Fault::ChunkExcess);
        }
        let next = match (self.phase, byte) {
            (Phase::SizeFirst | Phase::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.size = self
                    .size
                    .checked_mul(16)
                    .and_then(|size| size.checked_add(u64::from(hex_value(byte))))
                    .ok_or(Fault::Chunk)?;
                Phase::Size
            }
            (Phase::Size | Phase::Name | Phase::Value | Phase::QuotedEnd, b'\r') => Phase::SizeLf,
            (
                Phase::Size
                | Phase::Space
                | Phase::Name
                | Phase::NameSpace
                | Phase::Value
                | Phase::QuotedEnd,
                b';',
            ) => Phase::NameFirst,
            (Phase::Size | Phase::Space | Phase::Value | Phase::QuotedEnd, b' ' | b'\t') => {
                Phase::Space
            }
            (Phase::NameFirst, b' ' | b'\t') => Phase::NameFirst,
            (Phase::Name | Phase::NameSpace, b' ' | b'\t') => Phase::NameSpace,
            (Phase::Name | Phase::NameSpace, b'=') => Phase::ValueFirst,
            (Phase::ValueFirst, b' ' | b'\t') => Phase::ValueFirst,
            (Phase::ValueFirst, b'"') => Phase::Quoted,
            (Phase::NameFirst | Phase::Name, _) if class::is(byte, TOKEN) => Phase::Name,
            (Phase::ValueFirst | Phase::Value, _) if class::is(byte, TOKEN) => Phase::Value,
            (Phase::Quoted, b'"') => Phase::QuotedEnd,
            (Phase::Quoted, b'\\') => Phase::Escaped,
            (Phase::Quoted | Phase::Escaped, _) if class::is(byte, FIELD) => Phase::Quoted,
            (Phase::SizeLf, b'\n') => {
                self.excess = self.excess.saturating_sub(FREE_BYTES);
                if self.size == 0 {
                    Phase::Last
                } else {
                    Phase::Data
                }
            }
            (Phase::DataCr, b'\r') => Phase::DataLf,
            (Phase::DataLf, b'\n') => {
                self.size = 0;
                Phase::SizeFirst
            }
            _ => return Err(Fault::Chunk),
        };
        Ok(next)
    }
}

const CR_LF: u16 = u16::from_le_bytes(*b"\r\n");

/// Fewer bytes than a word has, and zeros behind them.
#[cold]
#[inline(never)]
fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    word
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The value of every hexadecimal digit, 255 of anything else.
const HEX_VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut byte = 0;
    while byte < 256 {
        if class::is(byte as u8, HEX) {
            values[byte] = hex_value(byte as u8);
        }
        byte += 1;
    }
    values
};

const fn hex_value(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte.wrapping_sub(b'0'),
        _ => (byte | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Decodes `text` in pieces of `piece` bytes: the data, and how many bytes were used up.
    fn decode(text: &[u8], piece: usize) -> Result<(Vec<u8>, Option<usize>), Fault> {
        let (mut decoder, mut data, mut at) = (ChunkDecoder::new(), Vec::new(), 0);
        for end in (0..=text.len()).step_by(piece).skip(1).chain([text.len()]) {
            while at < end {
                let (used, step) = decoder.advance(&text[at..end])?;
                at += used;
                match step {
                    ChunkStep::More => {}
                    ChunkStep::Last => return Ok((data, Some(at))),
                    ChunkStep::Data(n) => {
                        let n = (n as usize).min(end - at);
                        data.extend_from_slice(&text[at..at + n]);
                        decoder.took(n as u64);
                        at += n;
                        if n == 0 {
                            break;
                        }
                    }
                }
            }
        }
        Ok((data, None))
    }

    #[test]
    fn every_cut_gives_the_same_data() {
        let text =
            b"5;a=b\r\nhello\r\nA ; q = \"x\\\"y;z\"\r\n0123456789\r\n0;last\r\nX: y\r\n\r\n";
        for piece in 1..=text.len() {
            let expected = (b"hello0123456789".to_vec(), Some(text.len() - 8));
            assert_eq!(decode(text, piece), Ok(expected), "pieces of {piece}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_know_is_refused() {
        for bad in [
            &b"\r\nhello"[..],
            b"0x5\r\n",
            b"+5\r\n",
            b" 5\r\n",
            b"5 \r\n",
            b"5\t\r\n",
            b"5;\r\n",
            b"5;a=\r\n",
            b"5;(a)\r\n",
            b"5;a\0b\r\n",
            b"5;a\rb\r\n",
            b"5\n",
            b"5;a\n",
            b"5\rhello",
            b"g\r\n",
            b"5h\r\n",
            b"5;a=\"\x01\"\r\n",
            b"5;a=\"b\"c\r\n",
            b"5;a b\r\n",
            b"5\r\nhello0\r\n",
            b"5\r\nhello\n0\r\n",
            b"5\r\nhello\rX",
            b"10000000000000000\r\n",
            b";a\r\n",
            b"-5\r\n",
            b"5,\r\n",
        ] {
            for piece in [1, bad.len()] {
                assert_eq!(
                    decode(bad, piece),
                    Err(Fault::Chunk),
                    "{}",
                    bad.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn small_chunks_are_free_and_large_extensions_are_not() {
        let mut text: Vec<u8> = b"1\r\nx\r\n".repeat(20_000);
        text.extend_from_slice(b"0\r\n");
        assert_eq!(
            decode(&text, text.len()).map(|(data, _)| data.len()),
            Ok(20_000)
        );
        let mut text = b"1;".to_vec();
        text.resize(10_000, b'x');
        assert_eq!(decode(&text, text.len()), Err(Fault::ChunkExcess));
        let mut many = b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(1000);
        assert_eq!(decode(&many, 7), Err(Fault::ChunkExcess));
        many.truncate(41 * 100);
        assert!(decode(&many, 7).is_ok());
    }

    #[test]
    fn the_bound_of_the_excess_is_exact() {
        let line = |len: usize| [b"1;", &b"a".repeat(len - 4)[..], b"\r\n"].concat();
        let most = CHUNK_EXCESS_BYTES_MAX as usize;
        let mut decoder = ChunkDecoder::new();
        let found = decoder.advance(&line(most));
        assert_eq!(found, Ok((most, ChunkStep::Data(1))));
        let mut decoder = ChunkDecoder::new();
        assert_eq!(decoder.advance(&line(most + 1)), Err(Fault::ChunkExcess));
    }

    #[test]
    fn a_digit_has_its_value_and_nothing_else_has_one() {
        for byte in 0..=u8::MAX {
            let value = char::from(byte).to_digit(16).unwrap_or(255);
            assert_eq!(u32::from(HEX_VALUES[byte as usize]), value, "{byte:#x}");
        }
    }

    #[test]
    fn a_body_that_is_over_stays_so() {
        let mut decoder = ChunkDecoder::new();
        assert_eq!(decoder.advance(b"0;a\r\n\r\n"), Ok((5, ChunkStep::Last)));
        assert_eq!(decoder.advance(b""), Ok((0, ChunkStep::Last)));
    }

    /// Both ways say the same; that the fast one is taken shows only here, and in instructions.
    #[test]
    fn lines_of_up_to_four_digits_go_the_fast_way() {
        let chunk = |size| Some(ChunkStep::Data(size));
        for (line, step) in [
            (&b"5\r\n"[..], chunk(5)),
            (b"f\r\n", chunk(15)),
            (b"F0\r\n", chunk(240)),
            (b"0\r\n", Some(ChunkStep::Last)),
            (b"000a\r\n", chunk(10)),
            (b"abcd\r\n", chunk(0xabcd)),
            (b"00000000a\r\n", None),
            (b"5;a\r\n", None),
            (b"g\r\n", None),
            (b"\r\n", None),
            (b"5\r", None),
        ] {
            let found = ChunkDecoder::new().usual(line).map(|usual| usual.1);
            assert_eq!(found, step, "{}", line.escape_ascii());
        }
        let mut behind = ChunkDecoder::new();
        assert_eq!(behind.advance(b"1\r\n"), Ok((3, ChunkStep::Data(1))));
        assert_eq!(behind.usual(b"2\r\n"), None, "in the data");
        behind.took(1);
        assert_eq!(behind.usual(b"\r\n2\r\n"), Some((5, ChunkStep::Data(2))));
    }

    #[test]
    fn behind_the_data_stands_a_line_end_and_nothing_else_whatever_follows() {
        let bytes = b"\r\n 0a;";
        for (one, other) in bytes
            .iter()
            .flat_map(|one| bytes.map(|other| (*one, other)))
        {
            for rest in [&b"2\r\nyz\r\n0\r\n\r\n"[..], b"0\r\n\r\n", b"\r\n0\r\n\r\n"] {
                let text = [b"1\r\nx", &[one, other][..], rest].concat();
                let good = (one, other) == (b'\r', b'\n') && rest[0] != b'\r';
                for piece in [1, 2, 3, text.len()] {
                    let outcome = decode(&text, piece);
                    assert_eq!(outcome.is_ok(), good, "{}", text.escape_ascii());
                }
            }
        }
    }
}
