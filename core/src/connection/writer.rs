//! The body of an answer, in parts.

use core::fmt;

use super::digits::digits;
use super::phase::{Outbound, Phase};
use super::reply::Done;
use super::{Connection, Fault, Flags};
use crate::buffer::{Draft, SendBuffer};

/// Writes the body of an answer in parts.
#[derive(Debug)]
#[must_use = "finish the answer, or pause it until there is room"]
pub struct BodyWriter<'s> {
    pub(super) connection: &'s mut Connection,
    pub(super) draft: Draft<'s>,
}

/// Bytes of a chunk around its data: four digits at most, and two line ends.
const CHUNK_FRAME: usize = 8;
/// `0 CR LF CR LF`: kept free behind the head and every chunk, so that an answer can always be
/// finished.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl<'s> BodyWriter<'s> {
    pub(super) fn new(connection: &'s mut Connection, tx: &'s mut SendBuffer) -> Self {
        BodyWriter {
            connection,
            draft: tx.draft(usize::MAX),
        }
    }

    /// Bytes that the next [`write`](Self::write) takes.
    pub fn room(&self) -> usize {
        let room = self.draft.free();
        match self.connection.outbound {
            Outbound::Length => room.min(usize::try_from(self.connection.owed).unwrap_or(room)),
            Outbound::Chunked => room.saturating_sub(CHUNK_FRAME + LAST_CHUNK.len()),
            Outbound::UntilClose => room,
            Outbound::Silent => usize::MAX,
            Outbound::Owed | Outbound::Complete => 0,
        }
    }

    /// Appends to the body as much as there is room for (and as the promised length allows), and
    /// says how much that was. 0: [`pause`](Self::pause), and go on when the writer is lent again.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.room());
        let piece = bytes.get(..n).unwrap_or(&[]);
        if n == 0 {
            return 0;
        }
        match self.connection.outbound {
            Outbound::Silent => {}
            Outbound::Chunked => {
                let mut room = [0; 20];
                self.draft.put(digits::<16>(n as u64, &mut room));
                self.draft.put(b"\r\n");
                self.draft.put(piece);
                self.draft.put(b"\r\n");
            }
            _ => self.draft.put(piece),
        }
        if !self.draft.commit() {
            return 0;
        }
        self.connection.owed = self.connection.owed.saturating_sub(n as u64);
        self.connection.flags.clear(Flags::STUCK);
        n
    }

    /// The answer goes on later: the writer is lent again when there is room, with the next piece
    /// of the request's body, or at its end.
    pub fn pause(self) -> Done {
        if matches!(self.connection.phase, Phase::Serving | Phase::Ending) {
            self.connection.phase = Phase::Body;
        }
        Done::new()
    }

    /// The answer is over. One that is shorter than it promised cuts the connection, so that the
    /// peer sees it.
    pub fn finish(mut self) -> Done {
        match self.connection.outbound {
            Outbound::Chunked => {
                self.draft.put(LAST_CHUNK);
                self.draft.commit();
                self.connection.answered();
            }
            Outbound::Length if self.connection.owed > 0 => {
                self.connection.refuse(Fault::AnswerShort);
            }
            _ => self.connection.answered(),
        }
        Done::new()
    }
}

impl fmt::Write for BodyWriter<'_> {
    /// All or an error; what was written before an error stays written.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.write(rest) {
                0 => return Err(fmt::Error),
                n => rest = rest.get(n..).unwrap_or(&[]),
            }
        }
        Ok(())
    }
}
