//! Counts the answers in a stream of bytes. The conformance vectors judge them; here only their
//! status matters, and that ten thousand peers cost little.

/// What one connection has received and not counted yet.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// An unfinished head.
    head: Vec<u8>,
    /// Bytes of the body that are still to come.
    body: u64,
    /// A body whose end is not looked for: nothing behind its head is counted.
    endless: bool,
}

impl Answers {
    /// Takes bytes; `each` gets the status of every final answer whose last byte has come (of a
    /// chunked one: whose head has come).
    ///
    /// # Panics
    /// If what comes is no answer.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(u16)) {
        while !bytes.is_empty() && !self.endless {
            if self.body > 0 {
                let count = self.body.min(bytes.len() as u64);
                self.body -= count;
                bytes = &bytes[count as usize..];
                if self.body == 0 {
                    each(status(&self.head));
                    self.head.clear();
                }
                continue;
            }
            let from = self.head.len().saturating_sub(3);
            let had = self.head.len();
            self.head.extend_from_slice(bytes);
            let Some(at) = self.head[from..].windows(4).position(|w| w == b"\r\n\r\n") else {
                return;
            };
            let length = from + at + 4;
            bytes = &bytes[length - had..];
            self.head.truncate(length);
            self.body = match field(&self.head, "content-length") {
                Some(value) => value.parse().expect("a length"),
                None => 0,
            };
            self.endless = field(&self.head, "transfer-encoding").is_some();
            if self.body == 0 || self.endless {
                let status = status(&self.head);
                self.head = Vec::new();
                if status >= 200 {
                    each(status);
                }
            }
        }
    }
}

fn status(head: &[u8]) -> u16 {
    let code = head.get(9..12).and_then(|code| str::from_utf8(code).ok());
    let status = code.and_then(|code| code.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {}", head.escape_ascii()))
}

fn field<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let text = str::from_utf8(head).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_wherever_they_are_cut() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong\
            HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 503 Busy\r\ncontent-length:1\r\n\r\n!\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        for size in 1..=text.len() {
            let (mut answers, mut seen) = (Answers::default(), Vec::new());
            for piece in text.chunks(size) {
                answers.push(piece, |status| seen.push(status));
            }
            assert_eq!(seen, [200, 204, 503, 200], "pieces of {size}");
        }
    }
}
