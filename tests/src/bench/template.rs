//! What every answer of a scenario has to be, byte for byte but for its date.

use std::ops::Range;

use crate::client::Answer;

/// Bytes of a date (RFC 9110 section 5.6.7, IMF-fixdate).
const DATE_BYTES: usize = 29;

/// The first answer, which was judged in full, and the place of its date.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    date: Range<usize>,
}

impl Template {
    /// All further answers are to be like this one.
    pub fn new(answer: &Answer) -> Template {
        let mut bytes = answer.head.clone().into_bytes();
        bytes.extend_from_slice(&answer.body);
        let field = answer.head.to_ascii_lowercase().find("\r\ndate: ");
        let start = field.map_or(0, |at| at + "\r\ndate: ".len());
        let end = field.map_or(0, |_| start + DATE_BYTES);
        Template {
            bytes,
            date: start..end,
        }
    }

    /// Takes the bytes that came when `at` bytes of the answer were there, moves `at`, and says how
    /// many answers they completed. `None`: they are not what they should be.
    pub fn check(&self, at: &mut usize, mut bytes: &[u8]) -> Option<u64> {
        let mut whole = 0;
        while !bytes.is_empty() {
            let end = self.bytes.len().min(*at + bytes.len());
            let (piece, rest) = bytes.split_at(end - *at);
            for part in [0..self.date.start, self.date.end..self.bytes.len()] {
                let (from, to) = (part.start.max(*at), part.end.min(end));
                if from < to && self.bytes[from..to] != piece[from - *at..to - *at] {
                    return None;
                }
            }
            *at = end;
            if end == self.bytes.len() {
                *at = 0;
                whole += 1;
            }
            bytes = rest;
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(date: &str) -> Answer {
        Answer {
            status: 200,
            head: format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 4\r\n\r\n"),
            body: b"pong".to_vec(),
        }
    }

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NOW: &str = "Sat, 21 Nov 2026 06:37:30 GMT";

    #[test]
    fn answers_of_another_second_are_the_same_wherever_they_are_cut() {
        let template = Template::new(&answer(THEN));
        let other = answer(NOW);
        let text = [other.head.as_bytes(), b"pong"].concat().repeat(3);
        for size in 1..=text.len() {
            let mut at = 0;
            let pieces = text
                .chunks(size)
                .map(|piece| template.check(&mut at, piece));
            assert_eq!(pieces.sum::<Option<u64>>(), Some(3), "pieces of {size}");
            assert_eq!(at, 0);
        }
    }

    #[test]
    fn any_other_byte_that_differs_is_found() {
        let template = Template::new(&answer(THEN));
        let text = [answer(THEN).head.as_bytes(), b"pong"].concat();
        let date = text.windows(5).position(|w| w == b"Sun, ").unwrap();
        for place in 0..text.len() {
            let mut wrong = text.clone();
            wrong[place] ^= 1;
            let within = (date..date + DATE_BYTES).contains(&place);
            let seen = template.check(&mut 0, &wrong).is_some();
            assert_eq!(seen, within, "{place}");
        }
    }
}
