//! Splits what a server sent into responses, as strictly as RFC 9112 lets a client be.
//!
//! Written for the judge alone and slow on purpose: it looks at whole byte strings again and
//! again, so that nothing has to be remembered between two reads but where the last response ended.

/// What a client saw of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Final responses (101 included), complete ones only, in order.
    pub finals: Vec<Response>,
    /// Responses with a 1xx status other than 101.
    pub interims: Vec<Response>,
    /// Whether the server ended the connection.
    pub state: State,
    /// Why the bytes are no stream of responses, if they are not; a connection that ended inside
    /// a response counts.
    pub bad: Option<String>,
}

/// What became of a connection, seen from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The server may still send.
    Open,
    /// The server closed it in order.
    Closed,
    /// The server reset it.
    Reset,
    /// The client itself reset it: nothing can be said.
    Gone,
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The version it was sent with: major, minor.
    pub version: (u8, u8),
    /// Names in lower case, and values without white space around them; each byte as the
    /// character of the same number.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// What said where the body ends.
    pub framing: Framing,
    /// The method of the request that it answers.
    pub method: String,
    /// Faults that do not make the response unreadable; the lints report them.
    pub notes: Vec<String>,
}

/// What said where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There can be none: 1xx, 204, 304, an answer to HEAD, or to CONNECT with 2xx.
    None,
    /// Content-Length.
    Length,
    /// Transfer-Encoding.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

impl Observation {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            finals: Vec::new(),
            interims: Vec::new(),
            state: State::Open,
            bad: None,
        }
    }

    /// What a client sees that got these bytes and then finds the connection in this state.
    /// `methods` are those of the requests in order; GET beyond.
    pub fn from_bytes(output: &[u8], state: State, methods: &[String]) -> Self {
        let mut stream = ResponseStream::new(methods);
        stream.push(output);
        stream.end(state);
        stream.into_observation()
    }

    /// Whether the server ended the connection.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Reset)
    }

    /// In a few words: statuses and what became of the connection.
    pub fn in_short(&self) -> String {
        let all = self.interims.iter().chain(&self.finals);
        // Twelve fit in a line, and nobody counts more by eye.
        let mut words: Vec<String> = all.take(12).map(|r| r.status.to_string()).collect();
        if words.is_empty() {
            words.push("nothing".to_owned());
        }
        let bad = self
            .bad
            .as_ref()
            .map(|bad| format!("; {bad}"))
            .unwrap_or_default();
        format!("{}; {:?}{bad}", words.join(" "), self.state)
    }
}

impl Default for Observation {
    fn default() -> Self {
        Self::new()
    }
}

impl Response {
    /// The values of a field (lower-case name), one for each line.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Collects bytes and splits them into responses as they become complete.
#[derive(Debug, Clone)]
pub struct ResponseStream {
    methods: Vec<String>,
    bytes: Vec<u8>,
    /// Where the first response begins that is not complete.
    at: usize,
    seen: Observation,
    /// 101 was read: the rest belongs to another protocol.
    switched: bool,
}

/// What came of reading at one place.
enum Part<T> {
    Whole(T),
    /// More bytes, or the end of the connection, must tell.
    NotYet(&'static str),
}

impl ResponseStream {
    /// A stream that answers requests with these methods, and GET beyond.
    pub fn new(methods: &[String]) -> Self {
        Self {
            methods: methods.to_vec(),
            bytes: Vec::new(),
            at: 0,
            seen: Observation::new(),
            switched: false,
        }
    }

    /// Takes bytes that came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.advance();
    }

    /// Takes notice of the end of the connection.
    pub fn end(&mut self, state: State) {
        self.seen.state = state;
        self.advance();
    }

    /// What was seen so far.
    pub fn observation(&self) -> &Observation {
        &self.seen
    }

    /// What was seen.
    pub fn into_observation(self) -> Observation {
        self.seen
    }

    fn advance(&mut self) {
        let ended = self.seen.is_closed();
        while self.seen.bad.is_none() && self.at < self.bytes.len() && !self.switched {
            let method = self
                .methods
                .get(self.seen.finals.len())
                .map_or("GET", String::as_str);
            match response(&self.bytes[self.at..], ended, method) {
                Ok(Part::Whole((response, length))) => {
                    self.at += length;
                    self.switched = response.status == 101;
                    if (100..200).contains(&response.status) && !self.switched {
                        self.seen.interims.push(response);
                    } else {
                        self.seen.finals.push(response);
                    }
                }
                Ok(Part::NotYet(what)) => {
                    if ended {
                        self.seen.bad = Some(format!("the connection ended inside {what}"));
                    }
                    break;
                }
                Err(bad) => self.seen.bad = Some(bad),
            }
        }
    }
}

/// Reads the response at the beginning of `bytes`; tells its length too.
fn response(bytes: &[u8], ended: bool, method: &str) -> Result<Part<(Response, usize)>, String> {
    let begin = &bytes[..bytes.len().min(5)];
    if !b"HTTP/".starts_with(begin) {
        return Err(format!("no status line: {}", excerpt(bytes)));
    }
    let Some(head_length) = find(bytes, b"\r\n\r\n") else {
        return Ok(Part::NotYet("a head"));
    };
    let mut response = head(&bytes[..head_length], method)?;
    let start = head_length + 4;
    let body = &bytes[start..];

    let codings: Vec<String> = list(&response, "transfer-encoding");
    let mut lengths: Vec<String> = response
        .values("content-length")
        .map(str::to_owned)
        .collect();
    if !codings.is_empty() && !lengths.is_empty() {
        response
            .notes
            .push("both Transfer-Encoding and Content-Length".to_owned());
    }
    lengths.dedup();
    let length = match lengths.as_slice() {
        [] => None,
        [digits] if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Some(
            digits
                .parse::<usize>()
                .map_err(|_| format!("Content-Length {digits}"))?,
        ),
        _ => return Err(format!("invalid Content-Length {lengths:?}")),
    };
    let status = response.status;
    let framed = !codings.is_empty() || length.is_some();
    if (status == 204 || status < 200) && framed {
        response
            .notes
            .push(format!("framing field in a {status} response"));
    }
    let connected = method == "CONNECT" && (200..300).contains(&status);
    if method == "HEAD" || status < 200 || status == 204 || status == 304 || connected {
        response.framing = Framing::None;
        return Ok(Part::Whole((response, start)));
    }
    match codings.as_slice() {
        [] => {}
        // A server may use no other coding unasked (RFC 9112 7.4), and no vector asks.
        [.., last] if last != "chunked" => return Err(format!("transfer coding {codings:?}")),
        [first @ .., _] if first.iter().any(|coding| coding == "chunked") => {
            return Err("chunked twice".to_owned());
        }
        [..] => response.framing = Framing::Chunked,
    }
    if response.framing == Framing::Chunked {
        return Ok(match chunked(body, &mut response.notes)? {
            Part::Whole((decoded, length)) => {
                response.body = decoded;
                Part::Whole((response, start + length))
            }
            Part::NotYet(what) => Part::NotYet(what),
        });
    }
    if let Some(length) = length {
        response.framing = Framing::Length;
        let Some(body) = body.get(..length) else {
            return Ok(Part::NotYet("a body"));
        };
        response.body = body.to_vec();
        return Ok(Part::Whole((response, start + length)));
    }
    if !ended {
        return Ok(Part::NotYet("a body that the close ends"));
    }
    response.framing = Framing::UntilClose;
    response.body = body.to_vec();
    Ok(Part::Whole((response, bytes.len())))
}

/// Reads a head without its empty line.
fn head(bytes: &[u8], method: &str) -> Result<Response, String> {
    let mut lines = lines(bytes);
    let line = lines.next().unwrap_or_default();
    let mut notes = Vec::new();
    let wrong = || format!("bad status line: {}", excerpt(line));
    // HTTP/d.d SP ddd [SP reason]
    let (version, rest) = line.split_at_checked(8).ok_or_else(wrong)?;
    let (major, minor) = match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            (major - b'0', minor - b'0')
        }
        _ => return Err(wrong()),
    };
    let (code, reason) = rest.split_at_checked(4).ok_or_else(wrong)?;
    let status = match code {
        [b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err(wrong()),
    };
    match reason {
        [] => notes.push("status line lacks the SP after the code".to_owned()),
        [b' ', reason @ ..] if !reason.iter().any(|b| is_control(*b)) => {}
        _ => return Err(wrong()),
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = field(line)?;
        if value.bytes_are_odd() {
            notes.push("control character in field value".to_owned());
        }
        fields.push((name, value.0));
    }
    Ok(Response {
        status,
        version: (major, minor),
        fields,
        body: Vec::new(),
        framing: Framing::None,
        method: method.to_owned(),
        notes,
    })
}

/// A field value, each byte as the character of the same number.
struct Value(String);

impl Value {
    fn bytes_are_odd(&self) -> bool {
        self.0
            .chars()
            .any(|c| u8::try_from(c).is_ok_and(is_control))
    }
}

fn field(line: &[u8]) -> Result<(String, Value), String> {
    let colon = line.iter().position(|b| *b == b':');
    let (name, value) = match colon {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => return Err(format!("bad field line: {}", excerpt(line))),
    };
    if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
        return Err(format!("bad field line: {}", excerpt(line)));
    }
    let name = latin_1(name).to_ascii_lowercase();
    Ok((
        name,
        Value(latin_1(value).trim_matches([' ', '\t']).to_owned()),
    ))
}

/// Decodes a chunked body; tells the bytes that it takes with its trailers.
fn chunked(bytes: &[u8], notes: &mut Vec<String>) -> Result<Part<(Vec<u8>, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line_length) = find(&bytes[at..], b"\r\n") else {
            return Ok(Part::NotYet("a chunk line"));
        };
        let line = &bytes[at..at + line_length];
        let size = line.split(|b| *b == b';').next().unwrap_or_default();
        let digits = size.trim_ascii();
        if digits.len() != size.len() {
            notes.push("white space beside a chunk size".to_owned());
        }
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let size = number.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.ok_or_else(|| format!("bad chunk size: {}", excerpt(line)))?;
        at += line_length + 2;
        if size == 0 {
            break;
        }
        let end = at
            .checked_add(size)
            .ok_or_else(|| format!("a chunk of {size} bytes"))?;
        let Some(data) = bytes.get(at..end) else {
            return Ok(Part::NotYet("a chunk"));
        };
        body.extend_from_slice(data);
        match bytes.get(end..end.saturating_add(2)) {
            None => return Ok(Part::NotYet("a chunk")),
            Some(b"\r\n") => at = end + 2,
            Some(_) => return Err("a chunk is longer than its size says".to_owned()),
        }
    }
    loop {
        let Some(length) = find(&bytes[at..], b"\r\n") else {
            return Ok(Part::NotYet("a trailer section"));
        };
        let line = &bytes[at..at + length];
        at += length + 2;
        if line.is_empty() {
            return Ok(Part::Whole((body, at)));
        }
        field(line)?;
    }
}

fn list(response: &Response, name: &str) -> Vec<String> {
    let items = response.values(name).flat_map(|value| value.split(','));
    items
        .map(|item| item.trim_matches([' ', '\t']).to_ascii_lowercase())
        .collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(end) = find(bytes, b"\r\n") else {
            return rest.take();
        };
        rest = Some(&bytes[end + 2..]);
        Some(&bytes[..end])
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' || byte == 0x7f
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The first bytes of what was not understood, readable.
fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(40)];
    format!("\"{}\"", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(output: &str, state: State, methods: &[&str]) -> Observation {
        let methods: Vec<String> = methods.iter().map(|m| (*m).to_owned()).collect();
        let whole = Observation::from_bytes(output.as_bytes(), state, &methods);
        let mut stream = ResponseStream::new(&methods);
        for byte in output.as_bytes() {
            stream.push(&[*byte]);
        }
        stream.end(state);
        let cut = stream.into_observation();
        assert_eq!(
            (&cut.finals, &cut.interims),
            (&whole.finals, &whole.interims)
        );
        // The words of an error quote what had come by then.
        assert_eq!(cut.bad.is_some(), whole.bad.is_some(), "{output:?}");
        whole
    }

    fn bodies(seen: &Observation) -> Vec<&[u8]> {
        assert_eq!(seen.bad, None);
        seen.finals.iter().map(|r| r.body.as_slice()).collect()
    }

    #[test]
    fn framing_follows_status_and_method() {
        let seen = see(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\
             HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
             HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.0 200 OK\r\n\r\nrest",
            State::Closed,
            &["HEAD"],
        );
        assert_eq!(bodies(&seen), [&b""[..], b"", b"", b"abc", b"hi", b"rest"]);
        assert_eq!(seen.interims.len(), 1);
        let framings: Vec<Framing> = seen.finals.iter().map(|r| r.framing).collect();
        use Framing::{Chunked, Length, None, UntilClose};
        assert_eq!(framings, [None, None, None, Chunked, Length, UntilClose]);
    }

    #[test]
    fn an_incomplete_response_is_bad_only_at_the_end() {
        for part in [
            "HT",
            "HTTP/1.1 200 OK\r\nA: b\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        ] {
            let open = see(part, State::Open, &[]);
            assert_eq!((open.finals.len(), open.bad), (0, None), "{part:?}");
            assert!(see(part, State::Closed, &[]).bad.is_some(), "{part:?}");
            assert!(see(part, State::Reset, &[]).bad.is_some(), "{part:?}");
        }
    }

    #[test]
    fn what_is_not_http_is_bad() {
        for wrong in [
            "hello",
            "http/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/11 200 OK\r\n\r\n",
            "HTTP/1.1 200 O\x07K\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        ] {
            assert!(see(wrong, State::Open, &[]).bad.is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn lesser_faults_are_noted() {
        let notes = |output| see(output, State::Closed, &[]).finals.remove(0).notes;
        assert_eq!(notes("HTTP/1.1 200 OK\r\n\r\n"), Vec::<String>::new());
        assert_eq!(notes("HTTP/1.1 200\r\n\r\n").len(), 1);
        assert_eq!(
            notes("HTTP/1.1 204 -\r\nContent-Length: 0\r\n\r\n").len(),
            1
        );
        assert_eq!(notes("HTTP/1.1 200 OK\r\nA: b\x01c\r\n\r\n").len(), 1);
        let both =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n";
        assert_eq!(notes(both).len(), 1);
    }
}
