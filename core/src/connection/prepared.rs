//! Answers that are always the same, written at compile time.

use super::digits::short_length;
use super::field::{FieldName, FieldValue};
use super::reply::{Done, Full, Reply};
use super::{Connection, Site};
use crate::buffer::SendBuffer;
use crate::wire::{DATE_LINE_BYTES, PADDED_LINE_BYTES, Status};

/// A whole answer but for its date: status, fields, `Content-Length`, body.
///
/// What is sent is the same bytes as of [`Reply::status`] with the same fields and body, for every
/// request; where the request is a usual one (HTTP/1.1, not HEAD, the connection stays) they are
/// copied as one piece.
///
/// ```
/// use barewire_core::connection::{Done, Exchange, FieldName, FieldValue, Prepared};
/// use barewire_core::wire::Status;
///
/// static HELLO: Prepared = Prepared::new(
///     Status::OK,
///     &[(FieldName::CONTENT_TYPE, FieldValue::TEXT)],
///     b"Hello, World!",
/// );
///
/// fn hello(exchange: Exchange<'_>) -> Done {
///     exchange.reply.prepared(&HELLO)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Prepared {
    status: Status,
    /// Field lines, `Content-Length`, the empty line, the body.
    bytes: [u8; PREPARED_BYTES_MAX],
    /// Bytes of the field lines.
    fields: usize,
    /// Where the body begins.
    body: usize,
    len: usize,
}

/// Bytes of a prepared answer at most, behind its date: each takes a place of this size in the
/// program. As much as an answer is promised by default, less the longest status line and the date.
pub const PREPARED_BYTES_MAX: usize = 424;

impl Prepared {
    /// 200 with an empty body: for places that shall hold an answer one day.
    pub const EMPTY: Prepared = Prepared::new(Status::OK, &[], b"");

    /// As [`new`](Self::new), for answers that are made while the server runs, to be sent more
    /// often than once. `None`: it has more than [`PREPARED_BYTES_MAX`] bytes, or the status allows
    /// no content.
    pub fn of(
        status: Status,
        fields: &[(FieldName<'_>, FieldValue<'_>)],
        body: &[u8],
    ) -> Option<Prepared> {
        if !status.allows_content() || body.len() > PREPARED_BYTES_MAX {
            return None;
        }
        let mut made = Prepared {
            status,
            ..Prepared::EMPTY
        };
        made.len = 0;
        for (name, value) in fields {
            for piece in [name.0, b": ", value.0, b"\r\n"] {
                made.put_piece(piece)?;
            }
        }
        made.fields = made.len;
        made.put_piece(b"Content-Length: ")?;
        let (digits, len) = short_length(body.len() as u16);
        made.put_piece(digits.get(..len)?)?;
        made.body = made.len;
        made.put_piece(body)?;
        Some(made)
    }

    fn put_piece(&mut self, piece: &[u8]) -> Option<()> {
        let end = self.len.checked_add(piece.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(piece);
        self.len = end;
        Some(())
    }

    /// The answer with this status, these fields and this body.
    ///
    /// # Panics
    ///
    /// At compile time, in a constant: if it has more than [`PREPARED_BYTES_MAX`] bytes, or if the
    /// status allows no content (there is little to prepare then).
    pub const fn new(
        status: Status,
        fields: &[(FieldName<'_>, FieldValue<'_>)],
        body: &[u8],
    ) -> Prepared {
        assert!(status.allows_content(), "an answer that has a body");
        let mut made = Prepared {
            status,
            bytes: [0; PREPARED_BYTES_MAX],
            fields: 0,
            body: 0,
            len: 0,
        };
        let mut at = 0;
        while at < fields.len() {
            let (name, value) = fields[at];
            made = made.with(name.0).with(b": ").with(value.0).with(b"\r\n");
            at += 1;
        }
        made.fields = made.len;
        let (digits, len) = short_length(body.len() as u16);
        let (digits, _) = digits.split_at(len);
        made = made.with(b"Content-Length: ").with(digits);
        made.body = made.len;
        made.with(body)
    }

    /// The whole answer, with the date, by one look at the room. False: nothing is written, for it
    /// is not as nearly always, or there is no room.
    #[inline(always)]
    fn put(&self, site: &Site<'_>, tx: &mut SendBuffer, limit: usize) -> bool {
        // Then the line is another one, and written.
        if !crate::VECTORS || !crate::EXPLAIN {
            return false;
        }
        let (Some(date), None) = (site.date, site.server) else {
            return false;
        };
        let Some((line, line_len)) = self.status.padded_line() else {
            return false;
        };
        let Some(rest) = self.bytes.get(..self.len) else {
            return false;
        };
        // A line as it stands ready is longer than it counts, and shorter with a date behind it.
        let line_len = line_len.min(PADDED_LINE_BYTES);
        let len = line_len
            .wrapping_add(DATE_LINE_BYTES)
            .wrapping_add(rest.len());
        let mut draft = tx.draft(limit);
        let Some(place) = draft.place(len) else {
            return false;
        };
        let Some(front) = place.first_chunk_mut() else {
            return false;
        };
        *front = *line;
        let Some((front, behind)) = place
            .get_mut(line_len..)
            .and_then(|place| place.split_first_chunk_mut())
        else {
            return false;
        };
        *front = *date.line();
        if behind.len() != rest.len() {
            return false;
        }
        behind.copy_from_slice(rest);
        draft.commit_place(len);
        true
    }

    const fn with(mut self, more: &[u8]) -> Prepared {
        assert!(
            more.len() <= PREPARED_BYTES_MAX - self.len,
            "a prepared answer is too long"
        );
        let (_, place) = self.bytes.split_at_mut(self.len);
        let (place, _) = place.split_at_mut(more.len());
        place.copy_from_slice(more);
        self.len += more.len();
        self
    }
}

impl<'s> Reply<'s> {
    /// Answers with what stands ready. It always fits, if answers of [`PREPARED_BYTES_MAX`] bytes
    /// and a head are promised; where it does not, 500 stands in its place.
    // Inline: of a static the length is known then, and the copy is of fixed size.
    #[inline(always)]
    pub fn prepared(self, answer: &Prepared) -> Done {
        let Reply {
            connection,
            site,
            tx,
            limit,
        } = self;
        if connection.is_plain(site) && answer.put(site, tx, limit) {
            connection.answered_plainly();
            return Done::new();
        }
        prepared_anyhow(connection, site, tx, limit, answer)
    }
}

/// Whatever the head needs. (In pieces: by itself the reply would have to be in memory.)
#[inline(never)]
fn prepared_anyhow(
    connection: &mut Connection,
    site: &Site<'_>,
    tx: &mut SendBuffer,
    limit: usize,
    answer: &Prepared,
) -> Done {
    let fields = answer.bytes.get(..answer.fields).unwrap_or_default();
    let body = answer
        .bytes
        .get(answer.body..answer.len)
        .unwrap_or_default();
    let head = Reply::new(connection, tx, site, limit).status(answer.status);
    or_500(head.lines(fields).body_anyhow(body))
}

#[inline(always)]
fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    match outcome {
        Ok(done) => done,
        Err(Full(reply)) => reply.bare(Status::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use crate::buffer::RecvBuffer;
    use crate::connection::Step;
    use crate::limits::Limits;
    use crate::wire::Date;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const FIELDS: &[(FieldName<'_>, FieldValue<'_>)] = &[
        (FieldName::CONTENT_TYPE, FieldValue::JSON),
        (FieldName::CACHE_CONTROL, FieldValue(b"no-store")),
    ];
    static EMPTY: Prepared = Prepared::new(Status::OK, &[], b"");
    static LONG: Prepared = Prepared::new(Status::CREATED, FIELDS, &[b'x'; 310]);

    /// What comes out for these bytes, and how often was asked.
    fn answers(
        input: &[u8],
        site: &Site<'_>,
        answer: &dyn Fn(Reply<'_>) -> Done,
    ) -> (Vec<u8>, usize) {
        let mut rx = RecvBuffer::<[u8; 1024]>::new();
        let mut tx = SendBuffer::<[u8; 1024]>::new();
        let mut connection = Connection::new();
        rx.space()[..input.len()].copy_from_slice(input);
        rx.filled(input.len());
        let (mut out, mut asked) = (Vec::new(), 0);
        loop {
            match connection.step(site, &mut rx, &mut tx) {
                Step::Request(exchange) => {
                    asked += 1;
                    let _ = answer(exchange.reply);
                }
                Step::Write(bytes) => {
                    out.extend_from_slice(bytes);
                    let len = bytes.len();
                    tx.sent(len);
                }
                Step::Read(_) => rx.end(),
                Step::Close => return (out, asked),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_prepared_while_it_runs_is_what_was_prepared_before() {
        let same = |a: &Prepared, b: &Prepared| {
            (a.status, a.fields, a.body, &a.bytes[..a.len])
                == (b.status, b.fields, b.body, &b.bytes[..b.len])
        };
        let long = Prepared::of(Status::CREATED, FIELDS, &[b'x'; 310]).unwrap();
        assert!(same(&long, &LONG) && !same(&long, &EMPTY));
        assert!(same(&Prepared::of(Status::OK, &[], b"").unwrap(), &EMPTY));
        // With a length of three digits, in front of the body: 16 + 3 + 4 bytes.
        let most = PREPARED_BYTES_MAX - 23;
        assert!(Prepared::of(Status::OK, &[], &vec![b'x'; most]).is_some());
        assert!(Prepared::of(Status::OK, &[], &vec![b'x'; most + 1]).is_none());
        assert!(Prepared::of(Status::OK, &[], &vec![b'x'; 70_000]).is_none());
        assert!(Prepared::of(Status::NO_CONTENT, &[], b"").is_none());
    }

    #[test]
    fn a_prepared_answer_is_the_bytes_of_a_written_one() {
        let date = Date::from_unix(784_111_777);
        let server = crate::connection::ServerName::new("a/1");
        let requests: [&[u8]; 7] = [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        ];
        // With the smaller promise only the empty one fits.
        for (reply_bytes_max, fits) in [(512, true), (160, false)] {
            let limits = Limits {
                reply_bytes_max,
                ..Limits::DEFAULT
            };
            for choice in 0..8 {
                let site = Site {
                    date: (choice & 1 == 0).then_some(&date),
                    server: server.filter(|_| choice & 2 == 0),
                    draining: choice & 4 != 0,
                    ..Site::new(&limits)
                };
                for request in requests {
                    let with = |answer: &dyn Fn(Reply<'_>) -> Done| answers(request, &site, answer);
                    let long = with(&|reply| reply.prepared(&LONG));
                    let written = with(&|reply| {
                        let head = reply.status(Status::CREATED);
                        let [one, other] = [FIELDS[0], FIELDS[1]];
                        let head = head.field(one.0, one.1).field(other.0, other.1);
                        or_500(head.body(&[b'x'; 310]))
                    });
                    assert_eq!(long, written);
                    let empty = with(&|reply| reply.prepared(&EMPTY));
                    assert_eq!(
                        empty,
                        with(&|reply| or_500(reply.status(Status::OK).body(b"")))
                    );
                    assert!(empty.1 > 0 && empty.0.starts_with(b"HTTP/1.1 200 OK\r\n"));
                    let long = long.0.starts_with(b"HTTP/1.1 201 Created\r\n");
                    assert!(long == fits || request.starts_with(b"HEAD"));
                }
            }
        }
    }

    #[test]
    fn an_answer_made_at_run_time_is_the_one_made_at_compile_time() {
        let status = std::hint::black_box(Status::CREATED);
        let made = Prepared::new(status, FIELDS, &[b'x'; 310]);
        assert_eq!(std::format!("{made:?}"), std::format!("{LONG:?}"));
    }

    #[test]
    fn a_status_without_a_line_of_its_own_is_prepared_all_the_same() {
        let status = Status::new(299).unwrap();
        let (limits, date) = (Limits::DEFAULT, Date::from_unix(784_111_777));
        let site = Site {
            date: Some(&date),
            ..Site::new(&limits)
        };
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let prepared = Prepared::new(status, &[], b"abc");
        let got = answers(request, &site, &|reply| reply.prepared(&prepared));
        let written = answers(request, &site, &|reply| {
            or_500(reply.status(status).body(b"abc"))
        });
        assert_eq!(got, written);
        assert!(got.0.starts_with(b"HTTP/1.1 299 \r\n"));
    }

    #[test]
    #[should_panic(expected = "an answer that has a body")]
    fn what_has_no_content_is_not_prepared() {
        let _ = Prepared::new(std::hint::black_box(Status::NO_CONTENT), &[], b"");
    }

    #[test]
    #[should_panic(expected = "a prepared answer is too long")]
    fn what_is_longer_than_its_place_is_not_prepared() {
        let _ = Prepared::new(Status::OK, &[], &[b'x'; PREPARED_BYTES_MAX]);
    }

    #[test]
    fn what_has_no_room_for_a_status_line_and_a_date_is_500() {
        let date = Date::from_unix(784_111_777);
        let limits = Limits {
            reply_bytes_max: 40,
            ..Limits::DEFAULT
        };
        let site = Site {
            date: Some(&date),
            ..Site::new(&limits)
        };
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let prepared = answers(request, &site, &|reply| reply.prepared(&EMPTY));
        let written = answers(request, &site, &|reply| {
            or_500(reply.status(Status::OK).body(b""))
        });
        assert_eq!(prepared, written);
        assert_eq!(prepared.1, 1);
        assert!((prepared.0).starts_with(b"HTTP/1.1 500 Internal Server Error\r\n"));
    }
}
