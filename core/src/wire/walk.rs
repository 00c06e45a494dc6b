//! The fast way through a head: complete lines of the usual form, along the bit maps of its bytes.
//!
//! ```text
//! request line:  a usual method, SP, '/', compared as one word; a path of a vector at most, or
//!                from one byte to the next that is unusual in a target, and a look at each, to SP;
//!                the eleven bytes from SP on are compared as two words
//! field line:    ends at the next control character, which must be CR, LF
//!                empty: the head is complete
//!                name   up to the next byte that is unusual in a name, which must be ':'
//!                value  behind one SP at most, with none at its end
//! otherwise:     stop; the slow way in `head.rs` takes this line, and finds out what is wrong with
//!                it, if anything
//! ```
//!
//! What it takes, the slow way would take the same: the tests below compare the two.
//!
//! Each line is looked up in one window of 64 bytes: its name, the value of `Host`, its port need
//! no bounds test of their own. Where fewer than 64 bytes are left, the window is one of a copy
//! with zeros behind it; who has readable bytes behind the request spares that
//! ([`advance_within`](HeadState::advance_within)).
//!
//! Where the instructions go (callgrind; default build and x86-64-v3): of the 405 and 373 of the
//! smallest request (49 bytes, a slice) 70 are the caller's loop, a fresh state and what is done
//! around the walk, 30 the saving of registers, 20 the copy; the request line takes 65, its one
//! field line 140, of which 45 are the grammar of `Host`. A line that is no known field takes 64
//! beside the map of its block, which is 32 or 17 for 64 bytes.
//!
//! Measured and dropped, as it gained nothing or cost some: known fields in a function of their own
//! (+60 a field, for the vectors' constants do not outlive a call); the search beyond one vector in
//! a function (+10 %); an iterator over the free rows (+20); a range of bytes by subtractions that
//! saturate to 0 and a comparison with it (two more operations a vector); rows put together in a
//! register (+4 a line); the tests of a known name's length apart from its front (+5 a line); the
//! usual framing of a body inlined (-11 with a body, +5 without).

use core::hint::cold_path;

use super::blocks::{
    LANES, Lines, Tail, WINDOW, Window, array, first, host_stops, name_len, pad, part,
    target_stops, window,
};
use super::class::{self, Class, HEX, NAME, PATH, QUERY, TOKEN};
use super::field::{FieldId, is, pack};
use super::head::{HeadState, Stage};
use super::{Method, Target, Version};
use crate::limits::{FIELD_NAME_BYTES_MAX, Limits};

impl HeadState {
    /// The fast way: takes complete lines of the usual form, in one walk along the bit maps of the
    /// bytes. It stops, with `next` behind the last line that it took, at whatever is unusual, and
    /// where the bytes end: what that is, the slow way finds out. Says whether the head is
    /// complete.
    ///
    /// The head so far is the first `len` bytes of `room`. What is behind them is read, and not
    /// believed.
    #[inline(never)]
    pub(super) fn walk(
        &mut self,
        room: &[u8],
        len: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> bool {
        let given = room;
        let mut small;
        let room = if room.len() < WINDOW {
            cold_path();
            small = [0; 2 * WINDOW];
            pad(room, &mut small);
            &small
        } else {
            room.get(..len.wrapping_add(WINDOW)).unwrap_or(room)
        };
        let Some(bytes) = room.get(..len) else {
            cold_path();
            return false;
        };
        let mut tail = Tail::new();
        if room.len() == len && len < NEAR {
            tail.prepare(room);
        }
        let mut next = u32::from(self.next);
        if self.stage == Stage::RequestLine {
            // Out of a copy that was just made, vectors come late: the processor waits until the
            // stores are done. So a small head is looked up where it was.
            let front = if given.len() < WINDOW
                && let Some(window) = window::<FRONT>(given, next)
            {
                usual_front(window)
            } else {
                tail.window(room, next).and_then(usual_front)
            };
            let Some(behind) = front
                .and_then(|front| self.usual_request_line(front, room, bytes, &mut tail, limits))
            else {
                cold_path();
                // What lies behind the bytes may have looked like a query or an escape.
                self.target = Target::NOT_YET;
                return false;
            };
            next = behind;
        } else if self.stage != Stage::Fields {
            cold_path();
            return true;
        } else if bytes.len() < next.wrapping_add(2) as usize {
            // The first byte of a line: no use to look at it.
            return false;
        }
        let mut stage = Stage::Fields;
        let mut used = self.rows as usize;
        let mut lines = Lines::new(next);
        while let Some(mut end) = lines.end(room, &mut tail, next) {
            let line = next;
            // The last two bytes of the value, CR, LF.
            let Some(mut last) = array(bytes, end.wrapping_sub(2)).map(u32::from_le_bytes) else {
                cold_path();
                break;
            };
            if last >> 16 != CR_LF {
                cold_path();
                match end_beyond_ascii(bytes, end) {
                    Some(at) => {
                        (end, last) = at;
                        lines = Lines::new(end.wrapping_add(2));
                    }
                    None => break,
                }
            }
            if end == line {
                next = end.wrapping_add(2);
                stage = Stage::Complete;
                break;
            }
            let Some(window) = tail.window(room, line) else {
                cold_path();
                break;
            };
            let Some((name_len, value)) =
                usual_name(window, line).or_else(|| other_name(bytes, line))
            else {
                cold_path();
                break;
            };
            if (last >> 8) as u8 == b' ' {
                cold_path();
                break;
            }
            let Some(row) = rows.get_mut(used) else {
                cold_path();
                break;
            };
            let front = u64::from_le_bytes(*window.first_chunk().unwrap_or(&[0; 8]));
            let id = FieldId::from_front(front, name_len as usize, || {
                bytes.get(line as usize..line.wrapping_add(name_len) as usize)
            });
            match id {
                FieldId::Other | FieldId::Upgrade | FieldId::ContentType | FieldId::Accept => {}
                FieldId::Host => {
                    if !is_usual_host(bytes, window, line, value, end) {
                        cold_path();
                        break;
                    }
                    // 1 of none, and of any other number none that means one or an invalid one.
                    self.hosts = self.hosts.wrapping_mul(2).wrapping_add(1);
                }
                FieldId::Connection if is_keep_alive(window, line, value, end) => {
                    self.says.keep_alive = true;
                }
                _ => {
                    let value = bytes.get(value as usize..end as usize).unwrap_or(&[]);
                    match id {
                        FieldId::ContentLength => self.evidence.content_length(value),
                        FieldId::TransferEncoding => self.evidence.transfer_encoding(value),
                        _ => self.field(id, value),
                    }
                }
            }
            *row = pack(line, value, end, name_len, id);
            used = used.wrapping_add(1);
            next = end.wrapping_add(2);
        }
        self.stage = stage;
        self.rows = used as u16;
        self.next = next as u16;
        self.scanned = self.next;
        stage == Stage::Complete
    }

    /// A usual method, a path with or without a query, HTTP/1.1. Says where the next line begins.
    #[inline(always)]
    fn usual_request_line(
        &mut self,
        front: Front,
        room: &[u8],
        bytes: &[u8],
        tail: &mut Tail,
        limits: &Limits,
    ) -> Option<u32> {
        let line = u32::from(self.next);
        let start = line.wrapping_add(front.start);
        let end = if let Some(len) = front.path_len {
            self.target.set_path(len as u16, false);
            start.wrapping_add(len)
        } else {
            usual_target(&mut self.target, room, tail, start)?
        };
        let next = end.wrapping_add(11);
        let len = end.wrapping_sub(start);
        if next as usize > bytes.len() || len > limits.target_bytes_max {
            return None;
        }
        self.method = front.method;
        self.version = Version::Http11;
        self.line = line as u16;
        self.target_at = start as u16;
        self.target_len = len as u16;
        Some(next)
    }
}

/// Bytes that are likely to be one request alone, whose last window is going to be asked for: four
/// windows. The copy costs 20 instructions, and pipelined requests ask for it once in many.
const NEAR: usize = 4 * WINDOW;

/// Bytes of the window that a small head's request line is looked up in: the longest method with
/// SP, and a vector of 32 bytes behind it.
const FRONT: usize = 40;

/// What a window on the front of a request line tells.
struct Front {
    method: Method,
    /// Where the target begins in the line.
    start: u32,
    /// Bytes of the target, if it is nothing but a usual path, and the line is a usual one.
    path_len: Option<u32>,
}

#[inline(always)]
fn usual_front<const N: usize>(window: &[u8; N]) -> Option<Front> {
    let front = u64::from_le_bytes(*window.first_chunk()?);
    let (method, method_len) = if begins(front, b"GET /") {
        (Method::Get, 3)
    } else if begins(front, b"POST /") {
        (Method::Post, 4)
    } else {
        other_method(front)?
    };
    let start = method_len + 1;
    let len = first(target_stops(part(window, start)?));
    let usual =
        len < LANES as u32 && part(window, start.wrapping_add(len)).is_some_and(is_usual_version);
    Some(Front {
        method,
        start,
        path_len: usual.then_some(len),
    })
}

/// The methods that are less often asked for, and their lengths.
#[cold]
fn other_method(front: u64) -> Option<(Method, u32)> {
    Some(if begins(front, b"PUT /") {
        (Method::Put, 3)
    } else if begins(front, b"HEAD /") {
        (Method::Head, 4)
    } else if begins(front, b"PATCH /") {
        (Method::Patch, 5)
    } else if begins(front, b"DELETE /") {
        (Method::Delete, 6)
    } else {
        return None;
    })
}

const COLON_SP: u16 = u16::from_le_bytes(*b": ");
const CR_LF: u32 = u16::from_le_bytes(*b"\r\n") as u32;

/// A path with or without a query, SP, and the rest of the line. Says where the target ends.
#[inline(never)]
fn usual_target(target: &mut Target, room: &[u8], tail: &mut Tail, start: u32) -> Option<u32> {
    let (path_end, stop, path_encoded) = usual_part(room, tail, start, PATH)?;
    let end = match stop {
        b' ' => path_end,
        b'?' => {
            let query = path_end.wrapping_add(1);
            let (end, stop, query_encoded) = usual_part(room, tail, query, QUERY)?;
            if stop != b' ' {
                return None;
            }
            let within = |at: u32| at.wrapping_sub(start) as u16;
            target.set_query(within(query), within(end), query_encoded);
            end
        }
        _ => return None,
    };
    target.set_path(path_end.wrapping_sub(start) as u16, path_encoded);
    let behind: [u8; 11] = array(room, end)?;
    is_usual_version(&behind).then_some(end)
}

/// Two words, which overlap: LLVM compares the last three bytes in pieces.
#[inline(always)]
fn is_usual_version(behind: &[u8; 11]) -> bool {
    behind.first_chunk() == Some(b" HTTP/1.") && behind.last_chunk() == Some(b"TP/1.1\r\n")
}

/// A part of a target that begins at `at`: its end, the byte there, which is not of the class, and
/// whether there were escapes. `None`: the bytes end first, or an escape is none.
#[inline(always)]
fn usual_part(room: &[u8], tail: &mut Tail, mut at: u32, class: Class) -> Option<(u32, u8, bool)> {
    let mut encoded = false;
    loop {
        let window = tail.window(room, at)?;
        let run = first(target_stops(window.first_chunk()?));
        at = at.wrapping_add(run);
        if run == LANES as u32 {
            continue;
        }
        match *window.get(run as usize)? {
            b'%' => {
                let [high, low] = *part(window, run.wrapping_add(1))?;
                if !class::is(high, HEX) || !class::is(low, HEX) {
                    return None;
                }
                encoded = true;
            }
            byte if class::is(byte, class) => {}
            byte => return Some((at, byte, encoded)),
        }
        at = at.wrapping_add(1);
    }
}

/// Whether the bytes of `word`, in the order of memory, begin with `text`.
#[inline(always)]
fn begins<const N: usize>(word: u64, text: &[u8; N]) -> bool {
    const { assert!(0 < N && N <= 8) };
    let text = text
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte));
    (word ^ text) << (64 - 8 * N) == 0
}

/// Where a line ends that has a byte beyond ASCII at `at`, and its last four bytes.
#[cold]
#[inline(never)]
fn end_beyond_ascii(bytes: &[u8], at: u32) -> Option<(u32, u32)> {
    let rest = bytes.get(at as usize..)?;
    let len = rest.iter().position(|byte| *byte < b' ' || *byte == 0x7f)?;
    let end = at.wrapping_add(len as u32);
    let last = u32::from_le_bytes(array(bytes, end.wrapping_sub(2))?);
    (last >> 16 == CR_LF).then_some((end, last))
}

/// A name of 31 bytes at most, a colon, one SP: its length, and where the value begins.
#[inline(always)]
fn usual_name(window: &Window, line: u32) -> Option<(u32, u32)> {
    let mut len = name_len(window.first_chunk()?);
    if len == LANES as u32 && LANES == 16 {
        len = len.wrapping_add(name_len(part(window, LANES as u32)?));
    }
    if len.wrapping_sub(1) >= 31 {
        return None;
    }
    let [colon, space, value] = *part(window, len)?;
    let fits = u16::from_le_bytes([colon, space]) == COLON_SP && value != b' ';
    fits.then_some((len, line.wrapping_add(len).wrapping_add(2)))
}

/// The same of any name that may be, and also without SP.
#[cold]
#[inline(never)]
fn other_name(bytes: &[u8], line: u32) -> Option<(u32, u32)> {
    let rest = bytes.get(line as usize..)?;
    let len = rest.iter().position(|byte| !class::is(*byte, TOKEN))?;
    let [colon, second, third] = array(rest, len as u32)?;
    if colon != b':' || len.wrapping_sub(1) >= FIELD_NAME_BYTES_MAX {
        return None;
    }
    let spaces = match (second, third) {
        (b' ', b' ') => return None,
        (b' ', _) => 1,
        _ => 0,
    };
    let value = line.wrapping_add(len as u32).wrapping_add(1 + spaces);
    Some((len as u32, value))
}

/// `keep-alive` and nothing else, of a `Connection` line with one SP.
#[inline(always)]
fn is_keep_alive(window: &Window, line: u32, value: u32, end: u32) -> bool {
    value == line.wrapping_add(12)
        && end == line.wrapping_add(22)
        && part::<10, WINDOW>(window, 12).is_some_and(|value| is(value, b"keep-alive"))
}

/// A `Host` value made of a usual name or an IPv4 address, and a port perhaps.
#[inline(always)]
fn is_usual_host(bytes: &[u8], window: &Window, line: u32, value: u32, end: u32) -> bool {
    if value != line.wrapping_add(6) {
        return false;
    }
    let Some(vector) = part(window, 6) else {
        return false;
    };
    let len = first(host_stops(vector));
    let stop = len.wrapping_add(6);
    if len < LANES as u32 {
        match window.get(stop as usize) {
            Some(b'\r') => return true,
            Some(b':') => {
                let port_len = end.wrapping_sub(line).wrapping_sub(stop).wrapping_sub(1);
                if let Some(digits) = part(window, stop.wrapping_add(1))
                    && port_len.wrapping_sub(1) < 4
                {
                    return are_digits(*digits, port_len);
                }
            }
            _ => {}
        }
    }
    is_other_host(bytes, value.wrapping_add(len), end)
}

/// Whether the first `len` bytes are digits; 1 to 4.
#[inline(always)]
fn are_digits(bytes: [u8; 4], len: u32) -> bool {
    // What is behind them is shifted out; what stands for no byte counts as the digit 0.
    let beyond = len.wrapping_mul(8).wrapping_neg() % 32;
    let digits = (u32::from_le_bytes(bytes) ^ 0x3030_3030) << beyond;
    // A digit is at most 9: adding 6 carries into the high half of its byte if it is more.
    (digits | digits.wrapping_add(0x0606_0606)) & 0xf0f0_f0f0 == 0
}

/// The same from `at` on, for longer names, and names and ports of other bytes.
#[inline(never)]
fn is_other_host(bytes: &[u8], at: u32, end: u32) -> bool {
    let Some(rest) = bytes.get(at as usize..end as usize) else {
        return false;
    };
    match rest.iter().position(|byte| !class::is(*byte, NAME)) {
        None => true,
        Some(len) => {
            let colon = at.wrapping_add(len as u32);
            rest.get(len) == Some(&b':') && is_usual_port(bytes, colon.wrapping_add(1), end)
        }
    }
}

/// Up to seven digits, the number 65535 at most.
fn is_usual_port(bytes: &[u8], port: u32, end: u32) -> bool {
    let (len, last) = (end.wrapping_sub(port), array(bytes, end.wrapping_sub(8)));
    let Some(last) = last.filter(|_| len < 8) else {
        return false;
    };
    // The bytes before the port are masked out; what stands for no byte counts as the digit 0.
    let mask = (1u64 << (8 * (len % 8))).wrapping_sub(1);
    let digits = (u64::from_be_bytes(last) ^ 0x3030_3030_3030_3030) & mask;
    // A digit is at most 9: adding 6 carries into the high half of its byte if it is more.
    let other = (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    // Digits in this order compare as their numbers do, also with zeros in front.
    other == 0 && digits <= 0x06_05_05_03_05
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::Fault;
    use std::format;
    use std::vec::Vec;

    const ROWS: usize = 6;
    type Outcome = Result<Option<(HeadState, [[u8; 8]; ROWS])>, Fault>;

    fn with_fast_way(bytes: &[u8]) -> Outcome {
        let (mut state, mut rows) = (HeadState::new(), [[0; 8]; ROWS]);
        let len = state.advance(bytes, &mut rows, &Limits::DEFAULT)?;
        Ok(len.map(|_| (state, rows)))
    }

    /// As `with_fast_way`, with `behind` in the memory behind the bytes.
    fn within(bytes: &[u8], behind: &[u8]) -> Outcome {
        let (mut state, mut rows) = (HeadState::new(), [[0; 8]; ROWS]);
        let room = [bytes, behind].concat();
        let len = state.advance_within(&room, bytes.len(), &mut rows, &Limits::DEFAULT)?;
        Ok(len.map(|_| (state, rows)))
    }

    /// What may lie behind the bytes: what would go on with a head, or end it.
    const BEHIND: [&[u8]; 7] = [
        &[b'a'; 100],
        b"\r\n\r\n1 HTTP/1.1\r\nHost: a\r\n\r\n: : : : : : : : : : : : : : : : : : : : : : : :",
        b"\n\r\n HTTP/1.1\r\n\r\n",
        b" HTTP/1.1\r\nHost: a\r\n\r\n: : : : : : : : : : : : : : : : : : : : : : : :",
        b"?query HTTP/1.1\r\n: : : : : : : : : : : : : : : : : : : : : : : : :",
        b"%41?%42 HTTP/1.1\r\n: : : : : : : : : : : : : : : : : : : : : : : : :",
        b" ",
    ];

    fn without(bytes: &[u8]) -> Outcome {
        let (mut state, mut rows) = (HeadState::new(), [[0; 8]; ROWS]);
        while state.stage != Stage::Complete {
            if !state.slow(bytes, &mut rows, &Limits::DEFAULT)? {
                return Ok(None);
            }
        }
        state.complete()?;
        Ok(Some((state, rows)))
    }

    fn assert_same(bytes: &[u8]) {
        let (fast, slow) = (with_fast_way(bytes), without(bytes));
        assert_eq!(
            format!("{fast:?}"),
            format!("{slow:?}"),
            "{}",
            bytes.escape_ascii()
        );
        for behind in BEHIND {
            assert_eq!(
                format!("{:?}", within(bytes, behind)),
                format!("{slow:?}"),
                "{} before {}",
                bytes.escape_ascii(),
                behind.escape_ascii()
            );
        }
    }

    const HEADS: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a/b_c?d=%41&e=f HTTP/1.1\r\nhost: www.example.com:65535\r\nAccept: text/html\r\n\
          X-Long-Name-Of-More-Than-32-Letters: y\r\n\r\n",
        b"POST /event%20x HTTP/1.1\r\nHost:127.0.0.1:80\r\ncontent-LENGTH: 37\r\n\
          Content-Type: a/b\r\n\r\n{",
        b"DELETE /x HTTP/1.1\r\nConnection: close\r\nHOST: a_b\r\nTransfer-Encoding: chunked\r\n\
          Expect: 100-continue\r\n\r\n0",
        b"PUT / HTTP/1.1\r\nHost:\r\nUpgrade:x\r\nTransfer-Encodinh: a\r\nConnectiom: b\r\n\
          A: \x80\r\n\r\nPUT / H",
        b"PATCH / HTTP/1.0\r\nA: b\tc\r\nB:  c \r\nC: \r\nConnection: keep-alive\r\n\
          Content-Length: 18446744073709551615\r\nHost: [::1]:8\r\n\r\n",
    ];

    #[test]
    fn who_asks_again_is_told_the_same() {
        for head in HEADS {
            let (mut state, mut rows) = (HeadState::new(), [[0; 8]; ROWS]);
            let len = state.advance(head, &mut rows, &Limits::DEFAULT);
            assert!(matches!(len, Ok(Some(len)) if len > 2 && head[..len].ends_with(b"\r\n\r\n")));
            let before = format!("{state:?}{rows:?}");
            assert_eq!(state.advance(head, &mut rows, &Limits::DEFAULT), len);
            assert_eq!(format!("{state:?}{rows:?}"), before);
            assert_eq!(state.trailer_len(), 0);
        }
    }

    #[test]
    fn the_fast_way_takes_what_the_slow_way_takes_and_nothing_else() {
        for head in HEADS {
            assert!(
                matches!(without(head), Ok(Some(_))),
                "{}",
                head.escape_ascii()
            );
            for at in 0..head.len() {
                assert_same(&head[..at]);
                for byte in 0..=255 {
                    let mut other: Vec<u8> = head.into();
                    other[at] = byte;
                    assert_same(&other);
                    other.insert(at, head[at]);
                    assert_same(&other);
                }
                let mut shorter: Vec<u8> = head.into();
                shorter.remove(at);
                assert_same(&shorter);
            }
        }
    }

    #[test]
    fn what_lies_behind_the_bytes_is_forgotten_when_they_come() {
        for head in HEADS {
            let whole = format!("{:?}", without(head));
            for cut in 0..head.len() {
                for behind in BEHIND {
                    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; ROWS]);
                    let room = [&head[..cut], behind].concat();
                    let early = state.advance_within(&room, cut, &mut rows, &Limits::DEFAULT);
                    if matches!(early, Ok(Some(_))) {
                        continue;
                    }
                    let len = state.advance(head, &mut rows, &Limits::DEFAULT);
                    let outcome: Outcome = len.map(|len| len.map(|_| (state, rows)));
                    let (front, behind) = (head[..cut].escape_ascii(), behind.escape_ascii());
                    assert_eq!(format!("{outcome:?}"), whole, "{front} before {behind}");
                }
            }
        }
    }

    #[test]
    fn a_port_is_taken_up_to_65535() {
        for (port, usual) in [
            ("", true),
            ("0", true),
            ("80", true),
            ("8080", true),
            ("65535", true),
            ("65536", false),
            ("0065535", true),
            ("0065536", false),
            ("00065535", false), // valid, but not usual
            ("99999", false),
            ("100000", false),
            ("8a", false),
            ("/1", false),
            (":", false),
            ("1:", false),
            ("-1", false),
        ] {
            let value = format!("GET / HTTP/1.1\r\nHost: a:{port}\r\n\r\n");
            let end = value.len() as u32 - 4;
            let start = end - port.len() as u32;
            assert_eq!(is_usual_port(value.as_bytes(), start, end), usual, "{port}");
            assert_same(value.as_bytes());
        }
    }

    #[test]
    fn more_fields_than_rows_are_a_fault_in_both_ways() {
        let line = "A: b\r\n";
        for fields in 0..ROWS + 2 {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", line.repeat(fields));
            assert_same(head.as_bytes());
            assert_eq!(with_fast_way(head.as_bytes()).is_ok(), fields < ROWS);
        }
    }
}
