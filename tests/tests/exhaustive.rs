//! Every short string at the places where parsers disagree: chunk sizes, `Content-Length`, line
//! ends, versions; against models that are written from the grammar and share no code with what
//! they judge.
//!
//! Each sweep puts all strings up to a length, over an alphabet that has a byte of every class that
//! the grammar tells apart, into a place of a message, and compares accept or refuse (with the
//! status), and what was read. Shorter strings come once more in two pieces, cut at every place.

use barewire_core::limits::Limits;
use barewire_core::wire::{ChunkDecoder, ChunkStep, Fault, Framing, HeadState, Version};

/// Calls `check` with every string of up to `len_max` bytes of the alphabet; says how many.
fn sweep(alphabet: &[u8], len_max: usize, mut check: impl FnMut(&[u8])) -> usize {
    let mut count = 0;
    for len in 0..=len_max {
        let mut digits = vec![0; len];
        let mut text = vec![alphabet[0]; len];
        'strings: loop {
            check(&text);
            count += 1;
            for at in 0..len {
                digits[at] = (digits[at] + 1) % alphabet.len();
                text[at] = alphabet[digits[at]];
                if digits[at] != 0 {
                    continue 'strings;
                }
            }
            break;
        }
    }
    count
}

/// Takes the longest front of bytes for which `is` holds.
fn eat<'t>(text: &mut &'t [u8], is: fn(u8) -> bool) -> &'t [u8] {
    let len = text.iter().take_while(|byte| is(**byte)).count();
    let (front, rest) = text.split_at(len);
    *text = rest;
    front
}

/// RFC 9110 section 5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// SP and HTAB: RFC 9110 section 5.6.3.
fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// What a field value and a quoted string are made of: RFC 9110 section 5.5.
fn is_text(byte: u8) -> bool {
    is_space(byte) || byte.is_ascii_graphic() || byte >= 0x80
}

mod chunk_line {
    use super::*;

    /// The size that a line (without its end) says: RFC 9112 sections 7.1 and 7.1.1.
    fn model(mut line: &[u8]) -> Option<u64> {
        let digits = eat(&mut line, |byte| byte.is_ascii_hexdigit());
        let digits = std::str::from_utf8(digits).unwrap();
        let size = u64::from_str_radix(digits, 16).ok()?;
        while !line.is_empty() {
            eat(&mut line, is_space);
            line = line.strip_prefix(b";")?;
            eat(&mut line, is_space);
            if eat(&mut line, is_tchar).is_empty() {
                return None;
            }
            let mut behind = line;
            eat(&mut behind, is_space);
            if let Some(value) = behind.strip_prefix(b"=") {
                line = value;
                eat(&mut line, is_space);
                match line.strip_prefix(b"\"") {
                    Some(string) => line = behind_string(string)?,
                    None if eat(&mut line, is_tchar).is_empty() => return None,
                    None => {}
                }
            }
        }
        Some(size)
    }

    /// What follows a quoted string whose first quote is gone: RFC 9110 section 5.6.4.
    fn behind_string(mut text: &[u8]) -> Option<&[u8]> {
        loop {
            let (first, rest) = text.split_first()?;
            text = match first {
                b'"' => return Some(rest),
                b'\\' => rest.split_first().filter(|(byte, _)| is_text(**byte))?.1,
                byte if is_text(*byte) => rest,
                _ => return None,
            };
        }
    }

    type Outcome = Result<(usize, ChunkStep), Fault>;

    /// `text` in the pieces before and behind `cut`.
    fn read(text: &[u8], cut: usize) -> Outcome {
        let mut decoder = ChunkDecoder::new();
        let (used, step) = decoder.advance(&text[..cut])?;
        if step != ChunkStep::More {
            return Ok((used, step));
        }
        assert_eq!(used, cut);
        let (used, step) = decoder.advance(&text[cut..])?;
        Ok((cut + used, step))
    }

    /// `before`, every string, CR LF.
    fn check(before: &[u8], alphabet: &[u8], len_max: usize) -> usize {
        let mut text = Vec::new();
        sweep(alphabet, len_max, |string| {
            text.clear();
            for part in [before, string, b"\r\nX"] {
                text.extend_from_slice(part);
            }
            let end = text.windows(2).position(|two| two == b"\r\n").unwrap();
            let expected = match model(&text[..end]) {
                Some(0) => Ok((end + 2, ChunkStep::Last)),
                Some(size) => Ok((end + 2, ChunkStep::Data(size))),
                None => Err(Fault::Chunk),
            };
            let cuts = match string.len() < len_max {
                true => 0..text.len(),
                false => 0..1,
            };
            for cut in cuts {
                let shown = text.escape_ascii();
                assert_eq!(read(&text, cut), expected, "{shown} cut at {cut}");
            }
        })
    }

    #[test]
    fn every_short_size_line_is_read_as_the_grammar_says() {
        let count = check(b"", b"07aFx \r\n;+", 6);
        assert_eq!(count, 1_111_111);
    }

    #[test]
    fn every_short_extension_is_read_as_the_grammar_says() {
        assert_eq!(check(b"5", b"a;= \t\"\r\n", 7), 2_396_745);
        assert_eq!(check(b"0;", b"a;= \"\\\r,", 7), 2_396_745);
        assert_eq!(check(b"fF;a=\"", b"a\"\\ \t\r\n\0\x7f\x80", 6), 1_111_111);
    }

    #[test]
    fn sizes_are_exact_up_to_64_bits_and_refused_beyond() {
        for before in ["fffffffffffff", "0000000000000", "7ffffffffffff0"] {
            assert_eq!(check(before.as_bytes(), b"0189aAfF", 4), 4681, "{before}");
        }
    }
}

/// What a head says that has nothing but a request line, fields and `Content-Length`.
#[derive(Debug, PartialEq)]
struct Said {
    len: usize,
    version: Version,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Framing,
}

/// The status of a refusal.
type Refusal = u16;

/// RFC 9112 sections 2.1, 2.2, 3 and 5, for a request for `/`; the first fault in the order of the
/// bytes decides.
fn model(text: &[u8]) -> Result<Said, Refusal> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut len = 0;
    // Every line ends with CR LF (section 2.2: a bare LF may be taken, and is not).
    let mut next = || {
        let line = lines.next().unwrap();
        len += line.len() + 1;
        line.strip_suffix(b"\r").ok_or(400u16)
    };
    let mut line = next()?;
    while line.is_empty() {
        line = next()?; // section 2.2: before a request line
    }
    let version = request_line(line)?;
    let mut fields = Vec::new();
    loop {
        let line = next()?;
        if line.is_empty() {
            break;
        }
        fields.push(field_line(line).ok_or(400u16)?);
    }
    let values = |name: &str| {
        let named = fields
            .iter()
            .filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|field| &field.1[..]).collect::<Vec<_>>()
    };
    // Section 3.2. Hosts are made of `a` here.
    let hosts = values("host").len();
    if hosts > 1 || (hosts == 0 && version == Version::Http11) {
        return Err(400);
    }
    let body = match values("content-length")[..] {
        [] => Framing::None,
        [value] => content_length(value)?,
        _ => return Err(400),
    };
    Ok(Said {
        len,
        version,
        fields,
        body,
    })
}

fn request_line(line: &[u8]) -> Result<Version, Refusal> {
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, b"/", version] = parts[..] else {
        return Err(400);
    };
    if method.is_empty() || !method.iter().all(|byte| is_tchar(*byte)) {
        return Err(400);
    }
    // HTTP-version = "HTTP" "/" DIGIT "." DIGIT (section 2.3)
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            match (major, minor) {
                (b'1', b'0') => Ok(Version::Http10),
                (b'1', _) => Ok(Version::Http11),
                _ => Err(505),
            }
        }
        _ => Err(400),
    }
}

/// `field-name ":" OWS field-value OWS`; a folded line is refused (sections 5, 5.1 and 5.2).
fn field_line(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, mut value) = (&line[..colon], &line[colon + 1..]);
    eat(&mut value, is_space);
    while let [front @ .., b' ' | b'\t'] = value {
        value = front;
    }
    let fine = !name.is_empty()
        && name.iter().all(|byte| is_tchar(*byte))
        && value.iter().all(|byte| is_text(*byte));
    fine.then(|| (name.to_vec(), value.to_vec()))
}

/// `1*DIGIT` (RFC 9110 section 8.6); beyond what a server can count is too large.
fn content_length(value: &[u8]) -> Result<Framing, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(400);
    }
    let digits = std::str::from_utf8(value).unwrap();
    match digits.parse::<u64>() {
        Ok(0) => Ok(Framing::None),
        Ok(length) => Ok(Framing::Length(length)),
        Err(_) => Err(413),
    }
}

/// `text` up to `cut`, then all of it.
fn read(text: &[u8], cut: usize) -> Result<Said, Refusal> {
    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; 8]);
    let mut len = None;
    for text in [&text[..cut], text] {
        let outcome = state.advance(text, &mut rows, &Limits::DEFAULT);
        len = outcome.map_err(|fault| fault.status().code())?;
        if len.is_some() {
            break;
        }
    }
    let len = len.expect("it ends with an empty line");
    let head = state.head(&text[..len], &rows);
    assert_eq!(head.target(), b"/");
    let fields = head.fields().iter();
    Ok(Said {
        len,
        version: head.version(),
        fields: fields.map(|(n, v)| (n.to_vec(), v.to_vec())).collect(),
        body: head.framing(),
    })
}

/// `before`, every string, `behind`; strings of up to `cut_max` bytes are cut at every place.
fn check(
    before: &[u8],
    behind: &[u8],
    alphabet: &[u8],
    [len_max, cut_max]: [usize; 2],
) -> (usize, usize) {
    let mut text = Vec::new();
    let mut taken = 0;
    let count = sweep(alphabet, len_max, |string| {
        text.clear();
        for part in [before, string, behind] {
            text.extend_from_slice(part);
        }
        let expected = model(&text);
        taken += usize::from(expected.is_ok());
        let cuts = match string.len() <= cut_max {
            true => before.len()..before.len() + string.len() + 1,
            false => 0..0,
        };
        for cut in cuts.chain([0]) {
            let shown = text.escape_ascii();
            assert_eq!(read(&text, cut), expected, "{shown} cut at {cut}");
        }
    });
    (count, taken)
}

#[test]
fn every_short_content_length_is_read_as_the_grammar_says() {
    let before = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length:";
    let alphabet = b"09 \t\r\n+,a\x80";
    let (count, taken) = check(before, b"\r\n\r\n", alphabet, [6, 4]);
    assert_eq!((count, taken > 1000), (1_111_111, true));
    let (count, taken) = check(before, b"\r\n\r\n", b"19-;\0\"xF", [6, 4]);
    assert_eq!((count, taken), (299_593, 2 + 4 + 8 + 16 + 32 + 64));
}

#[test]
fn lengths_are_exact_up_to_64_bits_and_refused_beyond() {
    for digits in [
        "1844674407370955",
        "9999999999999999",
        "00001844674407370955",
    ] {
        let before = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {digits}");
        let (count, taken) = check(before.as_bytes(), b"\r\n\r\n", b"01569 a", [4, 2]);
        assert_eq!((count, taken > 10), (2801, true), "{digits}");
    }
}

#[test]
fn a_length_in_two_lines_is_refused_whatever_stands_between_them() {
    let before = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1";
    let behind = b"Content-Length: 1\r\n\r\n";
    let (count, taken) = check(before, behind, b"1\r\n a:", [7, 4]);
    // Those that end the head before the second line, or make another field of it.
    assert_eq!((count, taken > 100), (335_923, true));
}

#[test]
fn line_ends_before_a_request_are_read_as_the_grammar_says() {
    let behind = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (count, taken) = check(b"", behind, b"\r\n \ta:\0\x80", [7, 5]);
    // Nothing, `a`s that make another method, and empty lines, in this order.
    assert_eq!((count, taken), (2_396_745, 8 + 6 + 4 + 2));
}

#[test]
fn line_ends_between_lines_are_read_as_the_grammar_says() {
    let alphabet = b"\r\n \ta:\0\x80";
    let old = b"GET / HTTP/1.0";
    let (count, taken) = check(old, b"Host: a\r\n\r\n", alphabet, [7, 5]);
    assert_eq!((count, taken > 20), (2_396_745, true));
    let (count, taken) = check(b"GET / HTTP/1.1", b"Host: a\r\n\r\n", alphabet, [7, 5]);
    // CR LF, with a field of one letter behind it, or of two bytes more.
    assert_eq!((count, taken), (2_396_745, 1 + 1 + 6));
}

#[test]
fn line_ends_behind_a_field_are_read_as_the_grammar_says() {
    let before = b"GET / HTTP/1.1\r\nHost: a\r\nX: y";
    let alphabet = b"\r\n \ta:\x7f\xff";
    let (count, taken) = check(before, b"\r\n\r\n", alphabet, [7, 5]);
    assert_eq!((count, taken > 10_000), (2_396_745, true));
}

#[test]
fn every_short_version_is_read_as_the_grammar_says() {
    let behind = b"\r\nHost: a\r\n\r\n";
    let (count, taken) = check(b"GET / HTTP", behind, b"/0129. \r\n\x80", [6, 5]);
    // 1.0, 1.1, 1.2, 1.9; and 1.0 with a line end behind it, which needs no Host.
    assert_eq!((count, taken), (1_111_111, 4 + 1));
    let (count, taken) = check(
        b"GET / ",
        b"/1.1\r\nHost: a\r\n\r\n",
        b"HTPh/1 \t\0",
        [6, 5],
    );
    assert_eq!((count, taken), (597_871, 1));
}
