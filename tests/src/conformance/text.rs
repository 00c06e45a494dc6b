//! Bytes written as readable text: escapes, runs and the numbers of a counted request.

/// A piece of a request as the vectors write it: bytes, runs kept symbolic, and placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Run(Vec<u8>, usize),
    Number,
    Length,
    Twin,
}

impl Text {
    /// Reads the escapes `\r \n \t \\ \" \xHH`, the run `\{text*times}` and the placeholders
    /// `\(n)`, `\(len)`, `\(twin)`. Every other character must be printable ASCII.
    ///
    /// # Errors
    /// Says which character or escape it did not understand.
    pub fn read(source: &str) -> Result<Self, String> {
        let mut text = Self::default();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\\{") {
                rest = text.read_run(after)?;
            } else if let Some(after) = rest.strip_prefix("\\(") {
                let (name, after) = after
                    .split_once(')')
                    .ok_or_else(|| "`\\(` without `)`".to_owned())?;
                text.parts.push(match name {
                    "n" => Part::Number,
                    "len" => Part::Length,
                    "twin" => Part::Twin,
                    _ => return Err(format!("unknown placeholder `\\({name})`")),
                });
                rest = after;
            } else {
                let (byte, after) = read_byte(first, rest)?;
                text.push(byte);
                rest = after;
            }
        }
        Ok(text)
    }

    fn read_run<'s>(&mut self, source: &'s str) -> Result<&'s str, String> {
        let mut bytes = Vec::new();
        let mut rest = source;
        loop {
            match rest.chars().next() {
                None => return Err("a run without `*`".to_owned()),
                Some('*') => break,
                Some(first) => {
                    let (byte, after) = read_byte(first, rest)?;
                    bytes.push(byte);
                    rest = after;
                }
            }
        }
        let (times, after) = rest[1..]
            .split_once('}')
            .ok_or_else(|| "a run without `}`".to_owned())?;
        let times = times
            .parse()
            .map_err(|_| format!("`{times}` is no count of a run"))?;
        self.parts.push(Part::Run(bytes, times));
        Ok(after)
    }

    fn push(&mut self, byte: u8) {
        if let Some(Part::Bytes(bytes)) = self.parts.last_mut() {
            bytes.push(byte);
        } else {
            self.parts.push(Part::Bytes(vec![byte]));
        }
    }

    /// Continues this text with the next line's.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.parts.append(&mut other.parts);
    }

    /// Whether the text has placeholders, which only a counted step can fill.
    pub fn is_counted(&self) -> bool {
        self.parts
            .iter()
            .any(|p| matches!(p, Part::Number | Part::Length | Part::Twin))
    }

    /// Whether nothing is written at all.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes, with placeholders filled as for number 0.
    pub fn bytes(&self) -> Vec<u8> {
        self.numbered(0)
    }

    /// The bytes with `\(n)` as the decimal number, `\(len)` as the count of bytes behind the
    /// first empty line, and `\(twin)` as the number's 28-letter name: names that differ, but
    /// that a hash of the form `h * 31 + c` cannot tell apart.
    pub fn numbered(&self, number: usize) -> Vec<u8> {
        let length = if self.parts.contains(&Part::Length) {
            // What stands before the empty line does not count, so its own length is of no matter.
            let draft = self.fill(number, 0);
            draft
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .map_or(0, |at| draft.len() - at - 4)
        } else {
            0
        };
        self.fill(number, length)
    }

    fn fill(&self, number: usize, length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Run(bytes, times) => {
                    for _ in 0..*times {
                        out.extend_from_slice(bytes);
                    }
                }
                Part::Number => out.extend_from_slice(number.to_string().as_bytes()),
                Part::Length => out.extend_from_slice(length.to_string().as_bytes()),
                Part::Twin => {
                    for bit in 0..14 {
                        // 'A' * 31 + 'a' == 'B' * 31 + 'B'
                        out.extend_from_slice(if number >> bit & 1 == 1 { b"Aa" } else { b"BB" });
                    }
                }
            }
        }
        out
    }
}

/// Reads one byte, escaped or plain; `rest` begins with `first`.
fn read_byte(first: char, rest: &str) -> Result<(u8, &str), String> {
    if first != '\\' {
        return match u8::try_from(first) {
            Ok(byte @ 0x20..=0x7e) => Ok((byte, &rest[1..])),
            _ => Err(format!("{first:?} has to be written as \\xHH")),
        };
    }
    let bytes = rest.as_bytes();
    let byte = match bytes.get(1) {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'\\') => b'\\',
        Some(b'"') => b'"',
        Some(b'x') => {
            let digits = rest
                .get(2..4)
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
            return byte
                .map(|byte| (byte, &rest[4..]))
                .ok_or_else(|| "`\\x` without two hexadecimal digits".to_owned());
        }
        _ => {
            return Err(format!(
                "unknown escape `{}`",
                rest.chars().take(2).collect::<String>()
            ));
        }
    };
    Ok((byte, &rest[2..]))
}

#[cfg(test)]
mod tests {
    use super::Text;

    fn bytes(source: &str) -> Vec<u8> {
        Text::read(source).unwrap().bytes()
    }

    #[test]
    fn escapes_give_the_bytes_they_name() {
        assert_eq!(bytes(r#"a\r\n\t\\\"\x00\xff|"#), b"a\r\n\t\\\"\x00\xff|");
        assert_eq!(bytes(r"x\{ab*3}y\{\x2a*2}"), b"xabababy**");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for wrong in [
            r"\q", r"\x4", r"\xg0", r"\", "é", "\t", r"\{a}", r"\{a*x}", r"\(m)", r"\(n",
        ] {
            assert!(Text::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_length_counts_what_follows_the_empty_line() {
        let text = Text::read(r"L: \(len)\r\n\r\nn=\(n)").unwrap();
        assert_eq!(text.numbered(7), b"L: 3\r\n\r\nn=7");
        assert_eq!(text.numbered(12), b"L: 4\r\n\r\nn=12");
    }

    #[test]
    fn twins_differ_and_collide() {
        let text = Text::read(r"\(twin)").unwrap();
        let hash = |name: &[u8]| {
            name.iter()
                .fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(*b)))
        };
        let (a, b) = (text.numbered(5), text.numbered(16_383));
        assert_ne!(a, b);
        assert_eq!(a.len(), 28);
        assert_eq!(hash(&a), hash(&b));
    }
}
