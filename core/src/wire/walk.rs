//! The fast way through a head: complete lines of the usual form, along the bit maps of its bytes.
//!
//! ```text
//! request line:  a usual method, SP, '/': then from one byte to the next that is no letter, digit or
//!                '-', and a look at each, up to SP; the ten bytes behind it are compared as words
//! field line:    name   up to the next such byte, which must be ':'
//!                value  behind one SP at most, up to the next control character, which must be CR LF
//! otherwise:     stop; the slow way in `head.rs` takes this line, and finds out what is wrong with
//!                it, if anything
//! ```
//!
//! What it takes, the slow way would take the same: the tests of the machine feed every head byte
//! by byte and as a whole, and the fuzz target `head` compares the two.

use super::blocks::Blocks;
use super::class::{self, HEX, PATH, QUERY};
use super::field::{FieldId, pack};
use super::head::{HOST_TWICE, HeadState, Stage};
use super::{Fault, Method, Target, Version};
use crate::limits::{FIELD_NAME_BYTES_MAX, Limits};

impl HeadState {
    /// The fast way: takes complete lines of the usual form, in one walk along the bit maps of the
    /// bytes. It stops, with `next` behind the last line that it took, at whatever is unusual, and
    /// where the bytes end: what that is, the slow way finds out.
    pub(super) fn walk(
        &mut self,
        bytes: &[u8],
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<(), Fault> {
        let mut blocks = Blocks::new(bytes, self.next as usize);
        if self.stage == Stage::RequestLine {
            match self.usual_request_line(&mut blocks, limits) {
                Some(()) => self.stage = Stage::Fields,
                None => return Ok(()),
            }
        }
        let mut next = self.next as usize;
        loop {
            let line = next;
            let Some(colon) = blocks.name_end(line) else {
                break;
            };
            let behind = bytes.get(colon..).unwrap_or(&[]);
            if colon == line {
                if behind.starts_with(b"\r\n") {
                    next = line.wrapping_add(2);
                    self.stage = Stage::Complete;
                }
                break;
            }
            // At most one space in front of the value; one behind it is not usual.
            let value = match behind.first_chunk::<3>() {
                Some([b':', b' ', third]) if *third != b' ' => colon.wrapping_add(2),
                Some([b':', second, _]) if *second != b' ' => colon.wrapping_add(1),
                _ => break,
            };
            let Some(name) = bytes
                .get(line..colon)
                .filter(|n| n.len() <= FIELD_NAME_BYTES_MAX)
            else {
                break;
            };
            let id = FieldId::from_name(name);
            let end = match id {
                FieldId::Host => usual_host(&mut blocks, value),
                _ => blocks.control(value),
            };
            let Some(end) = end else {
                break;
            };
            let around = bytes
                .get(end.wrapping_sub(1)..)
                .and_then(|rest| rest.first_chunk::<3>());
            match (around, rows.get_mut(self.rows as usize)) {
                (Some([last, b'\r', b'\n']), Some(row)) if *last != b' ' => {
                    *row = pack(line, value, end, name.len(), id);
                }
                _ => break,
            }
            self.rows = self.rows.wrapping_add(1);
            match id {
                FieldId::Other => {}
                // Valid, as far as it was the usual one.
                FieldId::Host => self.hosts = if self.hosts == 0 { 1 } else { HOST_TWICE },
                _ => self.field(id, bytes.get(value..end).unwrap_or(&[])),
            }
            next = end.wrapping_add(2);
        }
        self.next = next as u16;
        self.scanned = self.next;
        if self.stage == Stage::Complete {
            self.complete()
        } else {
            Ok(())
        }
    }

    /// A method, a path with or without a query, HTTP/1.1.
    #[inline(always)]
    fn usual_request_line(&mut self, blocks: &mut Blocks<'_>, limits: &Limits) -> Option<()> {
        let bytes = blocks.bytes();
        let line = self.next as usize;
        let (method, method_len) = match *bytes.get(line..)?.first_chunk::<5>()? {
            [b'G', b'E', b'T', b' ', _] => (Method::Get, 3),
            [b'P', b'O', b'S', b'T', b' '] => (Method::Post, 4),
            [b'H', b'E', b'A', b'D', b' '] => (Method::Head, 4),
            [b'P', b'U', b'T', b' ', _] => (Method::Put, 3),
            _ => return None,
        };
        let start = line.wrapping_add(method_len).wrapping_add(1);
        if bytes.get(start) != Some(&b'/') {
            return None;
        }
        let (mut allowed, mut question, mut encoded) = (PATH, None, 0);
        let mut at = start;
        // Letters, digits and '-' need no look; everything else stops here.
        let end = loop {
            at = blocks.name_end(at)?;
            match *bytes.get(at)? {
                byte if class::is(byte, allowed) => {}
                b' ' => break at,
                b'?' => {
                    question = Some(at);
                    allowed = QUERY;
                }
                b'%' => {
                    let [high, low] = *bytes.get(at.wrapping_add(1)..)?.first_chunk::<2>()?;
                    if !class::is(high, HEX) || !class::is(low, HEX) {
                        return None;
                    }
                    encoded |= if question.is_none() { 1 } else { 2 };
                }
                _ => return None,
            }
            at = at.wrapping_add(1);
        };
        let behind = bytes.get(end.wrapping_add(1)..)?.first_chunk::<10>()?;
        let len = end.wrapping_sub(start);
        if behind != b"HTTP/1.1\r\n" || len > limits.target_bytes_max as usize {
            return None;
        }
        self.target = Target::origin(len, question.map(|at| at.wrapping_sub(start)), encoded);
        self.method = method;
        self.version = Version::Http11;
        self.line = line as u16;
        self.target_at = start as u16;
        self.target_len = len as u16;
        self.next = end.wrapping_add(11) as u16;
        Some(())
    }
}

/// The end of a `Host` value made of a usual name or an IPv4 address, and a port perhaps.
#[inline(always)]
fn usual_host(blocks: &mut Blocks<'_>, start: usize) -> Option<usize> {
    let bytes = blocks.bytes();
    let mut at = start;
    loop {
        at = blocks.name_end(at)?;
        match *bytes.get(at)? {
            b'.' => at = at.wrapping_add(1),
            b'\r' => return Some(at),
            b':' => {
                let port = at.wrapping_add(1);
                let end = blocks.name_end(port)?;
                // Up to four digits are a port; who uses more takes the slow path.
                let digits = bytes.get(port..end)?;
                let usual = digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit);
                return (usual && bytes.get(end) == Some(&b'\r')).then_some(end);
            }
            _ => return None,
        }
    }
}
