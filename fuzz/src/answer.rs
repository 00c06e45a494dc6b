//! A reader of answers that shares nothing with what writes them: RFC 9112 sections 4 to 7, taken
//! at their word.

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) body: Body<'a>,
}

/// The content, by what ended it.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// The status has none, and names no length.
    None,
    /// The length that was named; the content, shorter if the connection ended first, and empty
    /// in answer to HEAD.
    Length(u64, &'a [u8]),
    Chunked(Vec<u8>),
    UntilClose(&'a [u8]),
}

impl<'a> Answer<'a> {
    /// Takes one answer off the front. Panics where a client would have to guess.
    pub(crate) fn read(rest: &mut &'a [u8], to_head: bool) -> Answer<'a> {
        let status = line(rest).expect("a status line");
        let digits = status.strip_prefix(b"HTTP/1.1 ").expect("its version");
        let (digits, phrase) = digits.split_at(3);
        assert!(digits.iter().all(u8::is_ascii_digit) && phrase.starts_with(b" "));
        assert!(phrase.iter().all(|byte| is_text(*byte)));
        let code = digits
            .iter()
            .fold(0, |code, digit| 10 * code + u16::from(digit - b'0'));
        let mut fields = Vec::new();
        loop {
            let field = line(rest).expect("an empty line ends the head");
            if field.is_empty() {
                break;
            }
            let colon = field
                .iter()
                .position(|byte| *byte == b':')
                .expect("a colon");
            let (name, value) = (&field[..colon], &field[colon + 1..]);
            assert!(!name.is_empty() && name.iter().all(|byte| is_tchar(*byte)));
            assert!(value.iter().all(|byte| is_text(*byte)));
            fields.push((name, value.strip_prefix(b" ").expect("a space")));
        }
        let mut answer = Answer {
            status: code,
            fields,
            body: Body::None,
        };
        answer.body = answer.content(rest, to_head);
        answer
    }

    /// RFC 9112 section 6.3, by its list; nothing but one length, or chunks, or neither.
    fn content(&self, rest: &mut &'a [u8], to_head: bool) -> Body<'a> {
        let lengths = self.values("Content-Length");
        let codings = self.values("Transfer-Encoding");
        assert!(lengths.len() + codings.len() <= 1, "one of them, once");
        if matches!(self.status, 204 | 304) {
            // Section 6.1: never with 204; nor does this engine guess what 304 would have had.
            assert!(lengths.is_empty() && codings.is_empty());
            return Body::None;
        }
        if let [length] = lengths[..] {
            assert!(!length.is_empty() && length.iter().all(u8::is_ascii_digit));
            let text = std::str::from_utf8(length).expect("digits");
            let length: u64 = text.parse().expect("64 bits");
            let here = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (body, behind) = rest.split_at(if to_head { 0 } else { here });
            *rest = behind;
            return Body::Length(length, body);
        }
        if let [coding] = codings[..] {
            assert_eq!(coding, b"chunked");
            return Body::Chunked(if to_head { Vec::new() } else { chunks(rest) });
        }
        let (body, behind) = rest.split_at(if to_head { 0 } else { rest.len() });
        *rest = behind;
        Body::UntilClose(body)
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let named = self.fields.iter();
        let named = named.filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|field| field.1).collect()
    }

    /// The values of that name, which are then gone.
    pub(crate) fn take(&mut self, name: &str) -> Vec<&'a [u8]> {
        let values = self.values(name);
        let other = |field: &(&[u8], &[u8])| !field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields.retain(other);
        values
    }

    /// RFC 9112 section 9.3; and an answer that did not come as a whole is the last.
    pub(crate) fn is_persistent(&self, asked_by_old: bool) -> bool {
        match self.values("Connection")[..] {
            [] => !asked_by_old,
            [b"close"] => false,
            [b"keep-alive"] => asked_by_old,
            ref other => panic!("Connection: {other:?}"),
        }
    }
}

/// The next line without its end, CR LF.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Some(line)
}

fn chunks(rest: &mut &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let digits = line(rest).expect("a size");
        assert!((1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit));
        let text = std::str::from_utf8(digits).expect("digits");
        let size = usize::from_str_radix(text, 16).expect("a size");
        assert!(size <= rest.len(), "a cut chunk");
        content.extend_from_slice(&rest[..size]);
        *rest = &rest[size..];
        assert_eq!(line(rest), Some(&b""[..]), "the end of a chunk");
        if size == 0 {
            return content;
        }
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
