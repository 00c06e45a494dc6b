//! What a refusal tells: which rule broke, and where.
//!
//! ```text
//! 400 Bad Request: a field line must be: token, colon, value (head, line 3, byte 37)
//! {"status":400,"reason":"a field line must be: token, colon, value","section":"head","line":3,"byte":37}
//! ```
//!
//! The client's `Accept` chooses between the two ([`Notation`]). Nothing of the request is echoed:
//! a refusal is made of a status, a text of the program and numbers. [`Refusals`] switches it off,
//! or puts an embedder's own form in its place.

use core::fmt;

use super::Fault;
use super::digits::digits;
use super::field::{FieldName, FieldValue};
use super::reply::{Done, Full, Reply};
use super::reply_head::ReplyHead;
use crate::buffer::RecvBuffer;
use crate::limits::REFUSAL_BODY_BYTES_MAX;
use crate::wire::{FieldId, Notation, Place, Status};

/// A refusal: all that can be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status of the answer.
    pub status: Status,
    /// Which rule broke, in a few words for a person.
    pub reason: &'static str,
    /// Where it broke, if that is a place in the request.
    pub place: Option<Place>,
    /// In what form the client wants to be told.
    pub notation: Notation,
    /// The fault that the engine found. `None`: the application refuses.
    pub fault: Option<Fault>,
}

/// What the answer to a refusal has for a body. Status, `Date`, `Connection` and framing are the
/// engine's in any case.
#[derive(Clone, Copy, Debug, Default)]
pub enum Refusals {
    /// Which rule broke, and where; as text or JSON, as the client likes.
    #[default]
    Explain,
    /// Nothing.
    Silent,
    /// What this function writes.
    ///
    /// ```
    /// use barewire_core::connection::{FieldValue, Refusal, RefusalBody, Refusals, Site};
    /// use barewire_core::json::Writer;
    /// use barewire_core::limits::Limits;
    ///
    /// /// Problem details (RFC 9457). The writer escapes every text.
    /// fn problem(refusal: &Refusal, body: &mut RefusalBody) {
    ///     let mut room = [0; 200];
    ///     let mut json = Writer::new(&mut room);
    ///     json.begin_object();
    ///     json.key("title").string(refusal.status.reason());
    ///     json.key("status").u64(u64::from(refusal.status.code()));
    ///     json.key("detail").string(refusal.reason);
    ///     json.end_object();
    ///     if let Ok(text) = json.finish() {
    ///         body.write(text);
    ///         body.content_type(FieldValue::PROBLEM);
    ///     }
    /// }
    ///
    /// let site = Site {
    ///     refusals: Refusals::Own(problem),
    ///     ..Site::new(&Limits::DEFAULT)
    /// };
    /// # use barewire_core::{buffer::{RecvBuffer, SendBuffer}, connection::{Connection, Step}};
    /// # let (mut rx, mut tx) = (RecvBuffer::<[u8; 512]>::new(), SendBuffer::<[u8; 512]>::new());
    /// # rx.space()[..3].copy_from_slice(b" \r\n");
    /// # rx.filled(3);
    /// # let mut connection = Connection::new();
    /// # let Step::Write(answer) = connection.step(&site, &mut rx, &mut tx) else { panic!() };
    /// # let answer = std::str::from_utf8(answer).unwrap();
    /// # let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    /// # assert!(head.contains("\r\nContent-Type: application/problem+json\r\n"), "{head}");
    /// # assert_eq!(
    /// #     body,
    /// #     r#"{"title":"Bad Request","status":400,"detail":"the method must be a token"}"#
    /// # );
    /// ```
    Own(fn(&Refusal, &mut RefusalBody)),
}

impl PartialEq for Refusals {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Refusals::Own(one), Refusals::Own(other)) => core::ptr::fn_addr_eq(*one, *other),
            (one, other) => core::mem::discriminant(one) == core::mem::discriminant(other),
        }
    }
}

impl Refusal {
    /// What can be told of a fault, from the request as far as it is there. `None`: it is not
    /// answered.
    #[cold]
    pub(super) fn of(fault: Fault, rx: &mut RecvBuffer) -> Option<Refusal> {
        let status = fault.status()?;
        if !crate::EXPLAIN {
            return Some(Refusal {
                status,
                reason: "",
                place: None,
                notation: Notation::Text,
                fault: Some(fault),
            });
        }
        let in_trailers = rx.state.is_in_trailers();
        let parts = rx.trailer_parts();
        let of_trailers = match fault {
            Fault::Wire(fault) if in_trailers => {
                parts.state.place(fault, parts.bytes(), parts.rows)
            }
            _ => None,
        };
        let parts = rx.head_parts();
        let (state, bytes, rows) = (&*parts.state, parts.bytes(), &*parts.rows);
        let place = match fault {
            Fault::Wire(_) if in_trailers => of_trailers,
            Fault::Wire(fault) => state.place(fault, bytes, rows),
            Fault::BodyTooLarge => state.value_place(FieldId::ContentLength, bytes, rows),
            _ => None,
        };
        Some(Refusal {
            status,
            reason: fault.reason(),
            place,
            // Only lines that came before the fault are known.
            notation: state.fields_of(bytes, rows).notation(),
            fault: Some(fault),
        })
    }

    /// As text, or as an object of JSON. No formatting machinery: it would be most of the code of a
    /// small program, and nobody could say that it never panics.
    fn explain(&self, body: &mut RefusalBody) {
        let (section, line, byte) = match self.place {
            Some(Place {
                section,
                line,
                byte,
            }) => (section.name(), line, byte),
            None => ("", 0, 0),
        };
        match self.notation {
            Notation::Text => {
                body.status_line(self.status);
                body.texts(&[": ", self.reason]);
                if self.place.is_some() {
                    body.texts(&[" (", section, ", line "]);
                    body.number(line);
                    body.texts(&[", byte "]);
                    body.number(byte);
                    body.texts(&[")"]);
                }
                body.texts(&["\n"]);
            }
            Notation::Json => {
                body.texts(&[r#"{"status":"#]);
                body.number(self.status.code());
                body.texts(&[r#","reason":""#]);
                body.escaped(self.reason);
                body.texts(&["\""]);
                if self.place.is_some() {
                    body.texts(&[r#","section":""#, section, r#"","line":"#]);
                    body.number(line);
                    body.texts(&[r#","byte":"#]);
                    body.number(byte);
                }
                body.texts(&["}"]);
            }
        }
    }

    /// The status alone, for a reason that is too long.
    fn explain_less(&self, body: &mut RefusalBody) {
        match self.notation {
            Notation::Text => {
                body.status_line(self.status);
                body.texts(&["\n"]);
            }
            Notation::Json => {
                body.texts(&[r#"{"status":"#]);
                body.number(self.status.code());
                body.texts(&["}"]);
            }
        }
    }
}

/// The body of a refusal, while it is written: at most [`REFUSAL_BODY_BYTES_MAX`] bytes. If more
/// are written, all of it is dropped, and the engine's own explanation stands in its place.
#[derive(Debug)]
pub struct RefusalBody {
    bytes: [u8; REFUSAL_BODY_BYTES_MAX],
    len: usize,
    full: bool,
    content_type: FieldValue<'static>,
}

impl RefusalBody {
    fn new(notation: Notation) -> RefusalBody {
        RefusalBody {
            bytes: [0; REFUSAL_BODY_BYTES_MAX],
            len: 0,
            full: false,
            content_type: RefusalBody::type_of(notation),
        }
    }

    /// Writes what is told of a refusal into an empty body. In place, and in a call of its own: a
    /// body that is moved would be 288 bytes more of stack, on the deepest way there is.
    #[inline(never)]
    fn tell(&mut self, refusal: &Refusal, refusals: Refusals) {
        match refusals {
            Refusals::Silent => {}
            Refusals::Own(write) => write(refusal, self),
            Refusals::Explain => self.full = true,
        }
        for explain in [Refusal::explain, Refusal::explain_less] {
            if self.full {
                self.begin(refusal.notation);
                explain(refusal, self);
            }
        }
    }

    /// Drops what is written.
    fn begin(&mut self, notation: Notation) {
        self.len = 0;
        self.full = false;
        self.content_type = RefusalBody::type_of(notation);
    }

    fn type_of(notation: Notation) -> FieldValue<'static> {
        match notation {
            Notation::Text => FieldValue::TEXT,
            Notation::Json => FieldValue::JSON,
        }
    }

    /// Appends. `write!` does it as well.
    pub fn write(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.len..);
        match room.and_then(|room| room.get_mut(..bytes.len())) {
            Some(room) if !self.full => {
                room.copy_from_slice(bytes);
                self.len = self.len.saturating_add(bytes.len());
            }
            _ => self.full = true,
        }
    }

    /// Sets the `Content-Type`. By default it is that of the refusal's notation.
    pub fn content_type(&mut self, value: FieldValue<'static>) {
        self.content_type = value;
    }

    fn texts(&mut self, texts: &[&str]) {
        for text in texts {
            self.write(text.as_bytes());
        }
    }

    fn number(&mut self, number: u16) {
        self.write(digits::<10>(u64::from(number), &mut [0; 20]));
    }

    /// `404 Not Found`
    fn status_line(&mut self, status: Status) {
        self.number(status.code());
        match status.reason() {
            "" => {}
            reason => self.texts(&[" ", reason]),
        }
    }

    /// The inside of a JSON string (RFC 8259 section 7).
    fn escaped(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.write(&[b'\\', byte]),
                0..=0x1f => {
                    let mut room = [0; 20];
                    let low = digits::<16>(u64::from(byte & 0xf), &mut room);
                    self.write(if byte < 0x10 { b"\\u000" } else { b"\\u001" });
                    self.write(low);
                }
                _ => self.write(&[byte]),
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for RefusalBody {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Refusals of the application. They look like those of the engine, and obey the same
/// [`Refusals`].
impl<'s> ReplyHead<'s> {
    /// Answers with the reason for this status, as text or JSON:
    /// [`Head::notation`](crate::wire::Head::notation) knows what the client likes. Where there is
    /// no room for it, or the status allows none, the body is left out.
    pub fn refusal(self, reason: &'static str, notation: Notation) -> Done {
        self.refusal_at(reason, None, notation)
    }

    /// As [`refusal`](Self::refusal), with the place that is to blame.
    pub fn refusal_at(
        self,
        reason: &'static str,
        place: Option<Place>,
        notation: Notation,
    ) -> Done {
        let refusal = Refusal {
            status: self.status,
            reason,
            place,
            notation,
            fault: None,
        };
        match self.explained(&refusal) {
            Ok(done) => done,
            Err(Full(reply)) => reply.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }

    /// As [`refusal`](Self::refusal), as text.
    pub fn reason(self, reason: &'static str) -> Done {
        self.refusal(reason, Notation::Text)
    }

    fn explained(self, refusal: &Refusal) -> Result<Done, Full<'s>> {
        if !crate::EXPLAIN {
            return self.body(b"");
        }
        let mut body = RefusalBody::new(refusal.notation);
        body.tell(refusal, self.site.refusals);
        let bytes = body.as_bytes();
        let lines = VARY.0.len() + VARY.1.0.len() + FieldName::CONTENT_TYPE.0.len() + 2 * LINE;
        let needed = [lines, body.content_type.0.len(), ENGINES, bytes.len()];
        if bytes.is_empty() || !self.status.allows_content() {
            return self.body(b"");
        }
        if needed.iter().sum::<usize>() > self.draft.left() {
            return self.body(b"");
        }
        // What is told depends on a field of the request: a cache has to know (RFC 9110 section
        // 12.5.5).
        self.field(FieldName::CONTENT_TYPE, body.content_type)
            .field(FieldName(VARY.0), VARY.1)
            .body(bytes)
    }
}

const VARY: (&[u8], FieldValue<'static>) = (b"Vary", FieldValue(b"Accept"));
/// Bytes of a field line besides name and value.
const LINE: usize = b": \r\n".len();
/// Bytes that the engine writes behind the last field: `Connection` in its longer form,
/// `Content-Length` of a short body, and the empty line.
const ENGINES: usize = b"Connection: keep-alive\r\nContent-Length: 256\r\n\r\n".len();

impl Reply<'_> {
    /// The answer to a fault. There is room: the machine made sure.
    #[cold]
    pub(super) fn refuse(self, refusal: &Refusal) {
        if let Err(Full(reply)) = self.status(refusal.status).explained(refusal) {
            // A send buffer that cannot take a bare answer can take none.
            let _ = reply.status(refusal.status).body(b"");
        }
    }
}

#[cfg(test)]
mod tests;
