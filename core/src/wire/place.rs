//! Where a rule broke: found out afterwards, from the bytes, so that a good head pays nothing.
//!
//! Nothing is noted while a head is parsed. A fault in a line is found when the line is complete,
//! so the line that ends at `next` is the one; a fault of the whole head is looked up in the
//! index. Both are the same however the bytes were cut into reads.

use super::class;
use super::field::{FieldId, Fields};
use super::head::{HeadState, Stage};
use super::value::list_items;
use super::{Fault, scan};

/// Where in a request a rule broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// In which part of the request.
    pub section: Section,
    /// The line of the section, counted from 1. In a head the request line is line 1.
    pub line: u16,
    /// The byte of the section, counted from 0.
    pub byte: u16,
}

/// A part of a request that is made of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Request line and fields. Empty lines before them do not count.
    Head,
    /// The decoded body. The engine never blames it; applications do.
    Body,
    /// The fields behind a chunked body.
    Trailers,
}

impl Section {
    /// `head`, `body` or `trailers`.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Head => "head",
            Section::Body => "body",
            Section::Trailers => "trailers",
        }
    }
}

impl Place {
    /// The place behind these bytes of the section, from its first on. `None` beyond 65,535 of
    /// them: no buffer holds more.
    pub fn behind(section: Section, before: &[u8]) -> Option<Place> {
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        Some(Place {
            section,
            line: u16::try_from(lines.saturating_add(1)).ok()?,
            byte: u16::try_from(before.len()).ok()?,
        })
    }
}

impl HeadState {
    /// Where the rule of this fault broke, after [`advance`](Self::advance) or
    /// [`advance_trailers`](Self::advance_trailers) told it: `bytes` and `rows` as they were given
    /// to that call. Linear in the bytes. `None` where no byte is to blame: what is missing has no
    /// place, and chunks have no lines.
    pub fn place(&self, fault: Fault, bytes: &[u8], rows: &[[u8; 8]]) -> Option<Place> {
        let section = match self.stage {
            Stage::Trailers => Section::Trailers,
            _ => Section::Head,
        };
        let start = match section {
            Section::Head => empty_lines_len(bytes),
            Section::Body | Section::Trailers => 0,
        };
        let at = match section {
            Section::Head => self
                .request_line_at(fault, bytes, start)
                .or_else(|| self.head_at(fault, bytes, rows)),
            Section::Body | Section::Trailers => None,
        };
        let at = at.or_else(|| self.line_at(fault, bytes, start))?;
        Place::behind(section, bytes.get(start..at)?)
    }

    /// Where a field of the complete head begins its value.
    pub(crate) fn value_place(&self, id: FieldId, bytes: &[u8], rows: &[[u8; 8]]) -> Option<Place> {
        let (_, at, _) = self.fields_of(bytes, rows).lines_of(id).next()?;
        Place::behind(Section::Head, bytes.get(empty_lines_len(bytes)..at)?)
    }

    /// The field lines of the head that are parsed so far, also if it broke.
    pub(crate) fn fields_of<'a>(&self, bytes: &'a [u8], rows: &'a [[u8; 8]]) -> Fields<'a> {
        let count = match self.stage {
            Stage::RequestLine => 0,
            Stage::Fields => self.rows,
            Stage::Complete | Stage::Trailers => self.head_rows,
        };
        Fields::new(bytes, rows.get(..count as usize).unwrap_or(&[]))
    }

    /// Faults of the request line, which begins at `start`.
    fn request_line_at(&self, fault: Fault, bytes: &[u8], start: usize) -> Option<usize> {
        let line = bytes.get(start..)?;
        let method_len = scan::token_len(line);
        // A line without its end is not looked into: how much of it is here depends on the reads.
        let end = (self.next as usize).saturating_sub(2).max(start);
        match fault {
            Fault::Method => Some(start.saturating_add(method_len)),
            Fault::RequestLine => Some(end),
            Fault::Target | Fault::Misdirected => {
                Some(start.saturating_add(method_len).saturating_add(1))
            }
            Fault::TargetTooLong => Some(start),
            Fault::Version | Fault::VersionUnsupported => {
                let space = scan::last(b' ', bytes.get(start..end)?)?;
                Some(start.saturating_add(space).saturating_add(1))
            }
            _ => None,
        }
    }

    /// Faults of a line of any section whose first line begins at `start`.
    fn line_at(&self, fault: Fault, bytes: &[u8], start: usize) -> Option<usize> {
        let next = self.next as usize;
        // The line that ends at `next`.
        let before = bytes.get(start..next.saturating_sub(1).max(start))?;
        let line_at = match scan::last(b'\n', before) {
            Some(line_feed) => start.saturating_add(line_feed).saturating_add(1),
            None => start,
        };
        let line = bytes.get(line_at..next.saturating_sub(2).max(line_at))?;
        let within = match fault {
            // These lines have no end that counts: they begin at `next`.
            Fault::LineEnd => return scan::line_feed(bytes, next),
            Fault::HeadTooLarge | Fault::TrailerTooLarge => return Some(next),
            Fault::FieldName => scan::token_len(line),
            Fault::FieldValue => {
                let wrong = |byte: &u8| !class::is(*byte, class::FIELD);
                line.iter().position(wrong)?
            }
            Fault::Fold | Fault::FieldNameTooLong | Fault::TooManyFields => 0,
            _ => return None,
        };
        Some(line_at.saturating_add(within))
    }

    /// Faults of a head that is complete.
    fn head_at(&self, fault: Fault, bytes: &[u8], rows: &[[u8; 8]]) -> Option<usize> {
        let fields = self.fields_of(bytes, rows);
        let lines = |id| fields.lines_of(id);
        let (lengths, codings) = (FieldId::ContentLength, FieldId::TransferEncoding);
        let value = |line: Option<(usize, usize, &[u8])>| line.map(|(_, value, _)| value);
        let name = |line: Option<(usize, usize, &[u8])>| line.map(|(name, _, _)| name);
        match fault {
            Fault::Host => value(lines(FieldId::Host).next()),
            Fault::HostTwice => name(lines(FieldId::Host).nth(1)),
            Fault::Length => value(lines(lengths).find(|(_, _, value)| !is_number(value))),
            Fault::LengthTwice => name(lines(lengths).nth(1)),
            Fault::LengthTooLarge => value(lines(lengths).next()),
            // Either alone would do: the one that came second.
            Fault::LengthAndCoding => name(lines(lengths).next()).max(name(lines(codings).next())),
            Fault::CodingInOldVersion => name(lines(codings).next()),
            Fault::CodingNotChunked => value(lines(codings).last()),
            Fault::CodingUnknown => value(lines(codings).next()),
            Fault::Expectation => value(lines(FieldId::Expect).find(|(_, _, value)| {
                list_items(value).any(|item| !item.eq_ignore_ascii_case(b"100-continue"))
            })),
            _ => None,
        }
    }
}

fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

/// Bytes of the empty lines in front of a request line.
fn empty_lines_len(bytes: &[u8]) -> usize {
    let (lines, _) = bytes.as_chunks::<2>();
    let empty = lines.iter().take_while(|line| *line == b"\r\n").count();
    empty.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::limits::Limits;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    const LIMITS: Limits = Limits {
        head_bytes_max: 300,
        trailer_bytes_max: 100,
        target_bytes_max: 50,
        ..Limits::DEFAULT
    };

    /// Reads a head, and behind it trailers, in pieces up to these ends.
    fn read(bytes: &[u8], ends: impl Iterator<Item = usize>) -> Option<(Fault, Option<Place>)> {
        let mut state = HeadState::new();
        let mut rows = [[0; 8]; 5];
        let mut head_len = None;
        for end in ends {
            let bytes = &bytes[..end];
            if head_len.is_none() {
                match state.advance(bytes, &mut rows, &LIMITS) {
                    Ok(len) => head_len = len,
                    Err(fault) => return Some((fault, state.place(fault, bytes, &rows))),
                }
            }
            if let Some(rest) = head_len.map(|len| &bytes[len..]) {
                match state.advance_trailers(rest, &mut rows, &LIMITS) {
                    Ok(_) => {}
                    Err(fault) => return Some((fault, state.place(fault, rest, &rows))),
                }
            }
        }
        None
    }

    /// The fault and its place; the same whole, byte by byte, and at every single cut.
    fn broken(bytes: &[u8]) -> Option<(Fault, Option<Place>)> {
        let len = bytes.len();
        let whole = read(bytes, core::iter::once(len));
        assert_eq!(read(bytes, 1..=len), whole, "{}", bytes.escape_ascii());
        for cut in 1..len {
            let two = read(bytes, [cut, len].into_iter());
            assert_eq!(two, whole, "{} cut at {cut}", bytes.escape_ascii());
        }
        whole
    }

    /// `^` marks the place in a text that is otherwise the request.
    fn marked(text: &str) -> (String, usize) {
        let at = text.find('^').expect("a mark");
        (text.replacen('^', "", 1), at)
    }

    #[test]
    fn every_fault_of_a_head_is_placed_where_it_broke() {
        let long = "x".repeat(256);
        let longer = "x".repeat(400);
        let table: &[(Fault, &str)] = &[
            (Fault::LineEnd, "GET / HTTP/1.1^\nHost: a\r\n\r\n"),
            (Fault::LineEnd, "GET / HTTP/1.1\r\nHost: a^\n\r\n"),
            (Fault::LineEnd, "^\nGET / HTTP/1.1\r\n"),
            (Fault::RequestLine, "GET /^\r\nHost: a\r\n\r\n"),
            (Fault::Method, "^ GET / HTTP/1.1\r\n"),
            (Fault::Method, "G^(T / HTTP/1.1\r\n\r\n"),
            (Fault::Method, "GET^\r\n\r\n"),
            (Fault::Target, "GET ^a HTTP/1.1\r\n\r\n"),
            (Fault::Misdirected, "GET ^https://a/ HTTP/1.1\r\n\r\n"),
            (Fault::Version, "GET / ^HTTP/1.x\r\n\r\n"),
            (Fault::VersionUnsupported, "PRI * ^HTTP/2.0\r\n\r\n"),
            (Fault::Fold, "GET / HTTP/1.1\r\n^ Host: a\r\n\r\n"),
            (Fault::Fold, "GET / HTTP/1.1\r\nHost: a\r\n^\tb\r\n\r\n"),
            (Fault::FieldName, "GET / HTTP/1.1\r\nHost^ : a\r\n\r\n"),
            (Fault::FieldName, "GET / HTTP/1.1\r\nHost^\r\n\r\n"),
            (
                Fault::FieldName,
                "GET / HTTP/1.1\r\nHost: a\r\n^: b\r\n\r\n",
            ),
            (Fault::FieldValue, "GET / HTTP/1.1\r\nHost: a^\0b\r\n\r\n"),
            (Fault::FieldValue, "GET / HTTP/1.1\r\nHost: ^\r\r\n\r\n"),
            (
                Fault::TooManyFields,
                "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n^f:\r\n\r\n",
            ),
            (Fault::Host, "GET / HTTP/1.1\r\nHost: ^a b\r\n\r\n"),
            (
                Fault::HostTwice,
                "GET / HTTP/1.1\r\nHost: a\r\nb: c\r\n^host: a\r\n\r\n",
            ),
            (
                Fault::Length,
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ^x\r\n\r\n",
            ),
            (
                Fault::Length,
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: ^x\r\n\r\n",
            ),
            (
                Fault::LengthTwice,
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n^Content-Length: 1\r\n\r\n",
            ),
            (
                Fault::LengthTooLarge,
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ^99999999999999999999\r\n\r\n",
            ),
            (
                Fault::LengthAndCoding,
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\
                 ^Transfer-Encoding: chunked\r\n\r\n",
            ),
            (
                Fault::LengthAndCoding,
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                 ^Content-Length: 1\r\n\r\n",
            ),
            (
                Fault::CodingInOldVersion,
                "GET / HTTP/1.0\r\n^Transfer-Encoding: chunked\r\n\r\n",
            ),
            (
                Fault::CodingNotChunked,
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                 Transfer-Encoding: ^gzip\r\n\r\n",
            ),
            (
                Fault::CodingUnknown,
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ^gzip, chunked\r\n\r\n",
            ),
            (
                Fault::Expectation,
                "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: ^x\r\n\r\n",
            ),
            (
                Fault::TargetTooLong,
                &format!("^GET /{longer} HTTP/1.1\r\n"),
            ),
            (
                Fault::TargetTooLong,
                &format!("^GET /{} HTTP/1.1\r\n", &long[..50]),
            ),
            (Fault::TargetTooLong, &format!("^{longer}")),
            (
                Fault::HeadTooLarge,
                &format!("GET / HTTP/1.1\r\na: b\r\n^c: {longer}\r\n"),
            ),
            (
                Fault::FieldNameTooLong,
                &format!("GET / HTTP/1.1\r\n^{long}: a\r\n\r\n"),
            ),
        ];
        for (fault, text) in table {
            let (request, at) = marked(text);
            let line = 1 + text[..at].matches('\n').count() as u16;
            let place = Place {
                section: Section::Head,
                line,
                byte: at as u16,
            };
            assert_eq!(
                broken(request.as_bytes()),
                Some((*fault, Some(place))),
                "{text:?}"
            );
            // Empty lines in front count towards nothing.
            if !request.starts_with('\n') && *fault != Fault::HeadTooLarge {
                let shifted = format!("\r\n\r\n{request}");
                assert_eq!(
                    broken(shifted.as_bytes()),
                    Some((*fault, Some(place))),
                    "{shifted:?}"
                );
            }
        }
        let missing = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(broken(missing), Some((Fault::HostMissing, None)));
    }

    #[test]
    fn every_fault_of_trailers_is_placed_in_their_section() {
        let long = "x".repeat(120);
        let table: &[(Fault, &str)] = &[
            (Fault::LineEnd, "a: b^\n\r\n"),
            (Fault::Fold, "^ a: b\r\n\r\n"),
            (Fault::FieldName, "a: b\r\nc^ : d\r\n\r\n"),
            (Fault::FieldValue, "a: b\r\nc: ^\x01\r\n\r\n"),
            (Fault::TooManyFields, "a:\r\nb:\r\nc:\r\nd:\r\n^e:\r\n\r\n"),
            (Fault::TrailerTooLarge, &format!("a: b\r\n^c: {long}\r\n")),
        ];
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for (fault, text) in table {
            let (trailers, at) = marked(text);
            let place = Place {
                section: Section::Trailers,
                line: 1 + text[..at].matches('\n').count() as u16,
                byte: at as u16,
            };
            let all = format!("{head}{trailers}");
            assert_eq!(
                broken(all.as_bytes()),
                Some((*fault, Some(place))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn chunks_have_no_place() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut state = HeadState::new();
        let mut rows = [[0; 8]; 5];
        assert_eq!(
            state.advance(bytes, &mut rows, &LIMITS),
            Ok(Some(bytes.len()))
        );
        for fault in [Fault::Chunk, Fault::ChunkExcess] {
            assert_eq!(state.place(fault, bytes, &rows), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_broke_has_the_same_place_at_every_cut(
            parts in proptest::collection::vec(proptest::sample::select(std::vec![
                "GET ", "/ ", "HTTP/1.1", "HTTP/1.0", "\r\n", "\r\n", "\r\n", "Host: a", "Host",
                "Content-Length: ", "Transfer-Encoding: ", "chunked", "gzip", "1", ":", " ", "\t",
                "\n", "\r", "\0", "x: y", "Expect: ", ", ", "\u{ff}",
            ]), 0..24)
        ) {
            let bytes: Vec<u8> = parts.concat().into_bytes();
            broken(&bytes);
        }
    }
}
