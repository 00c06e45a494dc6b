//! A strict reader of HTTP/1.1 answers (RFC 9112): it is there to find a server's faults, so it forgives nothing.

use std::fmt;

/// Status line, fields and trailers together, in bytes. Servers of the challenge send about 200.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// One chunk-size line with its extensions, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Largest body or chunk, in bytes: no answer to these requests comes near, and additions cannot overflow.
const BODY_BYTES_MAX: u64 = 1 << 40;

/// A whole answer has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The server will close: it said so, speaks HTTP/1.0 without keep-alive, or the body ended with the connection.
    pub(crate) close: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The bytes not taken are the beginning of something: call again with them and more.
    More,
    /// Some bytes of the body.
    Body(&'a [u8]),
    /// The end of a final answer; interim ones (1xx) are skipped.
    Done(Answer),
}

/// Why the bytes are no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadAnswer(pub(crate) &'static str);

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Status,
    Fields,
    Counted(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
}

/// Reads the answers of one connection, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    phase: Phase,
    status: u16,
    http_1_0: bool,
    head_bytes: usize,
    length: Option<u64>,
    chunked: bool,
    said_close: bool,
    said_keep_alive: bool,
}

impl Answers {
    /// Between two answers: nothing of the next one was taken yet.
    pub(crate) fn at_start(&self) -> bool {
        self.phase == Phase::Status
    }

    /// Reads on. Says how many bytes of `input` were taken and what they were.
    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Step<'a>), BadAnswer> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match self.phase {
                Phase::Status => {
                    let begun = rest.len().min(7);
                    if rest[..begun] != b"HTTP/1."[..begun] {
                        return Err(BadAnswer("no status line where an answer should begin"));
                    }
                    let Some((line, used)) = line(rest, HEAD_BYTES_MAX)? else {
                        return Ok((at, Step::More));
                    };
                    *self = Answers {
                        head_bytes: used,
                        ..Answers::default()
                    };
                    self.status_line(line)?;
                    self.phase = Phase::Fields;
                    at += used;
                }
                Phase::Fields | Phase::Trailers => {
                    let Some((line, used)) = line(rest, HEAD_BYTES_MAX - self.head_bytes)? else {
                        return Ok((at, Step::More));
                    };
                    self.head_bytes += used;
                    at += used;
                    if !line.is_empty() {
                        self.field(line)?;
                    } else if self.phase == Phase::Trailers {
                        return Ok((at, Step::Done(self.done())));
                    } else if let Some(answer) = self.head_ends()? {
                        return Ok((at, Step::Done(answer)));
                    }
                }
                // Before the next arm: the end is told without waiting for more bytes.
                Phase::Counted(0) => return Ok((at, Step::Done(self.done()))),
                Phase::Counted(_) | Phase::ChunkData(_) | Phase::UntilClose if rest.is_empty() => {
                    return Ok((at, Step::More));
                }
                Phase::Counted(left) => {
                    let body = &rest[..rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
                    let left = left - body.len() as u64;
                    self.phase = Phase::Counted(left);
                    return Ok((at + body.len(), Step::Body(body)));
                }
                Phase::ChunkSize => {
                    let Some((line, used)) = line(rest, CHUNK_LINE_BYTES_MAX)? else {
                        return Ok((at, Step::More));
                    };
                    at += used;
                    self.phase = match chunk_size(line)? {
                        0 => Phase::Trailers,
                        size => Phase::ChunkData(size),
                    };
                }
                Phase::ChunkData(left) => {
                    let data = &rest[..rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
                    self.phase = match left - data.len() as u64 {
                        0 => Phase::ChunkEnd,
                        left => Phase::ChunkData(left),
                    };
                    return Ok((at + data.len(), Step::Body(data)));
                }
                Phase::ChunkEnd => {
                    let begun = rest.len().min(2);
                    if rest[..begun] != b"\r\n"[..begun] {
                        return Err(BadAnswer("a chunk is longer than its size"));
                    }
                    if begun < 2 {
                        return Ok((at, Step::More));
                    }
                    at += 2;
                    self.phase = Phase::ChunkSize;
                }
                Phase::UntilClose => return Ok((input.len(), Step::Body(rest))),
            }
        }
    }

    /// The connection has ended; `left` bytes were never taken. An answer without length ends here.
    pub(crate) fn end(&mut self, left: usize) -> Result<Option<Answer>, BadAnswer> {
        match self.phase {
            Phase::UntilClose => Ok(Some(self.done())),
            Phase::Status if left == 0 => Ok(None),
            _ => Err(BadAnswer("the connection ended in the middle of an answer")),
        }
    }

    fn done(&mut self) -> Answer {
        let close = self.phase == Phase::UntilClose
            || self.said_close
            || (self.http_1_0 && !self.said_keep_alive);
        self.phase = Phase::Status;
        Answer {
            status: self.status,
            close,
        }
    }

    /// RFC 9112 section 4. The space after the status is required even when no reason follows.
    fn status_line(&mut self, line: &[u8]) -> Result<(), BadAnswer> {
        let bad = BadAnswer("the status line is malformed");
        let Some((b"HTTP/1.", rest)) = line.split_first_chunk::<7>().map(|(a, b)| (&a[..], b))
        else {
            return Err(bad);
        };
        let [minor, b' ', a, b, c, b' ', reason @ ..] = rest else {
            return Err(bad);
        };
        self.http_1_0 = *minor == b'0';
        let digits = [a, b, c];
        let right = matches!(minor, b'0' | b'1')
            && digits.iter().all(|d| d.is_ascii_digit())
            && matches!(a, b'1'..=b'5')
            && reason.iter().all(|&b| is_text(b));
        if !right {
            return Err(bad);
        }
        self.status = digits.iter().fold(0, |n, d| n * 10 + u16::from(**d - b'0'));
        Ok(())
    }

    /// RFC 9112 section 5; folding is refused.
    fn field(&mut self, line: &[u8]) -> Result<(), BadAnswer> {
        let colon = line.iter().position(|&b| b == b':');
        let Some((name, value)) = colon.map(|at| (&line[..at], &line[at + 1..])) else {
            return Err(BadAnswer("a field without a colon"));
        };
        if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
            return Err(BadAnswer("a field name is not a token"));
        }
        if !value.iter().all(|&b| is_text(b)) {
            return Err(BadAnswer("a field value has control characters"));
        }
        if self.phase == Phase::Trailers {
            return Ok(()); // they decide nothing
        }
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let all_digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|v| v.parse::<u64>().ok());
            match length.filter(|&n| all_digits && n <= BODY_BYTES_MAX) {
                None => return Err(BadAnswer("Content-Length is not a number, or absurd")),
                Some(_) if self.length.is_some() => {
                    return Err(BadAnswer("Content-Length is given twice"));
                }
                length => self.length = length,
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(BadAnswer(
                    "Transfer-Encoding is something else than chunked",
                ));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                self.said_close |= option.eq_ignore_ascii_case(b"close");
                self.said_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    /// Chooses the framing (RFC 9112 section 6.3). Some: the answer has no body and is over.
    fn head_ends(&mut self) -> Result<Option<Answer>, BadAnswer> {
        if self.chunked && self.length.is_some() {
            return Err(BadAnswer("both Content-Length and Transfer-Encoding"));
        }
        let interim = (100..200).contains(&self.status);
        if interim || self.status == 204 {
            if self.chunked || self.length.is_some() {
                return Err(BadAnswer("a 1xx or 204 answer declares a body"));
            }
            if self.status == 101 {
                return Err(BadAnswer("101 without a request to switch"));
            }
            self.phase = Phase::Status;
            return Ok(if interim { None } else { Some(self.done()) });
        }
        if self.status == 304 {
            return Ok(Some(self.done()));
        }
        self.phase = match (self.chunked, self.length) {
            (true, _) => Phase::ChunkSize,
            (false, Some(0)) => return Ok(Some(self.done())),
            (false, Some(length)) => Phase::Counted(length),
            (false, None) => Phase::UntilClose,
        };
        Ok(None)
    }
}

/// A line without its CRLF, and the bytes it takes with it. A lone LF or CR is a fault.
fn line(input: &[u8], bytes_max: usize) -> Result<Option<(&[u8], usize)>, BadAnswer> {
    let Some(end) = input.iter().take(bytes_max).position(|&b| b == b'\n') else {
        return match input.len() < bytes_max {
            true => Ok(None),
            false => Err(BadAnswer("a line or head without end")),
        };
    };
    match input[..end].strip_suffix(b"\r") {
        Some(line) => Ok(Some((line, end + 1))),
        None => Err(BadAnswer("a line ends in a lone LF")),
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, BadAnswer> {
    let bad = BadAnswer("a chunk size is malformed");
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|d| u64::from_str_radix(d, 16).ok());
    let extension_begins = matches!(extension.trim_ascii_start().first(), None | Some(b';'));
    // White space alone behind the size is no extension.
    let blank = !extension.is_empty() && extension.trim_ascii_start().is_empty();
    match size {
        Some(size)
            if size <= BODY_BYTES_MAX
                && extension_begins
                && !blank
                && extension.iter().all(|&b| is_text(b)) =>
        {
            Ok(size)
        }
        _ => Err(bad),
    }
}

fn is_text(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Vec<(Answer, Vec<u8>)>, BadAnswer>;

    /// Reads `parts` one after the other, then the end of the connection.
    fn read(parts: &[&[u8]]) -> Read {
        let (mut answers, mut held) = (Answers::default(), Vec::new());
        let (mut found, mut body) = (Vec::new(), Vec::new());
        for part in parts {
            held.extend_from_slice(part);
            loop {
                let (used, step) = answers.next(&held)?;
                let more = match step {
                    Step::More => true,
                    Step::Body(bytes) => {
                        body.extend_from_slice(bytes);
                        false
                    }
                    Step::Done(answer) => {
                        found.push((answer, std::mem::take(&mut body)));
                        false
                    }
                };
                held.drain(..used);
                if more {
                    break;
                }
            }
        }
        if let Some(answer) = answers.end(held.len())? {
            found.push((answer, body));
        }
        Ok(found)
    }

    fn answer(status: u16, close: bool, body: &str) -> (Answer, Vec<u8>) {
        (Answer { status, close }, body.as_bytes().to_vec())
    }

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n\
        HTTP/1.1 201 \r\ncontent-length:  5 \t\r\nX: y:z\r\n\r\nhello\
        HTTP/1.1 404 Not Found\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\n\
        HTTP/1.1 204 No\r\n\r\n\
        HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx\
        HTTP/1.1 500 Oh\r\nConnection: x, Close\r\n\r\nto the end";

    fn stream_holds() -> Read {
        Ok(vec![
            answer(200, false, ""),
            answer(201, false, "hello"),
            answer(404, false, "abc0123456789"),
            answer(204, false, ""),
            answer(200, false, "x"),
            answer(500, true, "to the end"),
        ])
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_answers() {
        assert_eq!(read(&[STREAM]), stream_holds());
        for cut in 0..=STREAM.len() {
            let (a, b) = STREAM.split_at(cut);
            assert_eq!(read(&[a, b]), stream_holds(), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(read(&bytes), stream_holds());
    }

    #[test]
    fn every_end_in_the_middle_of_an_answer_is_seen() {
        let one = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        for cut in 1..one.len() {
            assert!(read(&[&one[..cut]]).is_err(), "cut at {cut}");
        }
        assert_eq!(read(&[one]), Ok(vec![answer(200, false, "ab")]));
        assert_eq!(read(&[]), Ok(vec![]));
    }

    #[test]
    fn the_end_of_a_counted_body_is_told_without_more_bytes() {
        let mut answers = Answers::default();
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        let (used, step) = answers.next(whole).unwrap();
        assert_eq!((used, step), (whole.len(), Step::Body(b"ab")));
        let done = Answer {
            status: 200,
            close: false,
        };
        assert_eq!(answers.next(b""), Ok((0, Step::Done(done))));
        assert!(answers.at_start());
    }

    #[test]
    fn garbage_is_refused_at_once() {
        let long = [b"HTTP/1.1 200 ".as_slice(), &[b'a'; HEAD_BYTES_MAX]].concat();
        assert!(Answers::default().next(&long).is_err());
        for bytes in [
            "x",
            "HTTP/2 200 OK\r\n",
            "http/1.1 200 OK\r\n",
            "HTTP/1.1 200\r\n",
            "HTTP/1.1  200 OK\r\n",
            "HTTP/1.1 20 OK\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 600 OK\r\n",
            "HTTP/1.1 200 OK\n",
            "HTTP/1.2 200 OK\r\n",
            "HTTP/1.1 200 O\x01K\r\n",
            "\r\n",
            "HTTP/1.1 101 Up\r\n\r\n",
        ] {
            assert!(
                Answers::default().next(bytes.as_bytes()).is_err(),
                "{bytes:?}"
            );
        }
        for fields in [
            "Content-Length: 1\n",
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 9999999999999\r\n",
            "Content-Length : 1\r\n",
            "NoColon\r\n",
            ": x\r\n",
            " folded: x\r\n",
            "A: b\0\r\n",
            "A: b\rc\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            assert!(
                Answers::default().next(bytes.as_bytes()).is_err(),
                "{fields:?}"
            );
        }
        for chunks in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "0x1\r\n",
            "1 \r\n",
            "1 2\r\n",
            "1\n",
            "11111111111111111\r\n",
            "fffffffffffffff\r\n",
            "1\r\nab",
            "1;\x01\r\n",
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert!(read(&[bytes.as_bytes()]).is_err(), "{chunks:?}");
            let mut answers = Answers::default();
            let mut at = 0;
            let refused = loop {
                match answers.next(&bytes.as_bytes()[at..]) {
                    Err(_) => break true,
                    Ok((_, Step::More)) => break false,
                    Ok((used, _)) => at += used,
                }
            };
            assert!(refused, "{chunks:?}");
        }
    }
}
