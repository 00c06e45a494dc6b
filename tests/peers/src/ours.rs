//! Requests by `barewire_core::wire`: validated and framed in one pass, then the body.

use std::hint::black_box;

use barewire_core::limits::{FIELDS_MAX, Limits};
use barewire_core::wire::{ChunkDecoder, ChunkStep, Framing, Head, HeadState, Version};

use crate::{Said, Taken};

/// What a call needs besides the bytes, as a connection has it: rows are never cleared.
#[derive(Debug)]
pub struct Room {
    state: HeadState,
    rows: [[u8; 8]; FIELDS_MAX],
    limits: Limits,
}

impl Room {
    /// Room for heads of the default limits.
    #[expect(clippy::new_without_default, reason = "it is not small")]
    pub fn new() -> Self {
        Room {
            state: HeadState::new(),
            rows: [[0; 8]; FIELDS_MAX],
            limits: Limits::DEFAULT,
        }
    }
}

/// Takes one request from the front, its body included. `None`: incomplete or wrong.
#[inline(always)]
pub fn request(bytes: &[u8], room: &mut Room) -> Option<Taken> {
    request_with(bytes, room, |head| {
        black_box(&head);
    })
}

#[inline(always)]
fn request_with(bytes: &[u8], room: &mut Room, see: impl FnOnce(Head<'_>)) -> Option<Taken> {
    room.state = HeadState::new();
    let len = room
        .state
        .advance(bytes, &mut room.rows, &room.limits)
        .ok()??;
    see(room.state.head(bytes, &room.rows));
    let mut taken = Taken {
        len,
        body: 0,
        keep_alive: room.state.is_persistent(),
        expects: room.state.expects_continue(),
    };
    let rest = bytes.get(len..)?;
    match room.state.framing() {
        Framing::None => {}
        Framing::Length(body) => {
            let len = usize::try_from(body).ok()?;
            rest.get(..len)?;
            taken.len += len;
            taken.body = body;
        }
        Framing::Chunked => {
            let (len, body) = chunks(rest, room)?;
            taken.len += len;
            taken.body = body;
        }
    }
    Some(taken)
}

/// Takes a chunked body with its trailers from the front: its length on the wire, and of its data.
#[inline(always)]
fn chunks(raw: &[u8], room: &mut Room) -> Option<(usize, u64)> {
    let mut decoder = ChunkDecoder::new();
    let (mut at, mut body) = (0, 0);
    loop {
        let (framing, step) = decoder.advance(raw.get(at..)?).ok()?;
        at += framing;
        match step {
            ChunkStep::More => return None,
            ChunkStep::Data(len) => {
                at = at.checked_add(usize::try_from(len).ok()?)?;
                decoder.took(len);
                body += len;
            }
            ChunkStep::Last => break,
        }
    }
    let trailers = room
        .state
        .advance_trailers(raw.get(at..)?, &mut room.rows, &room.limits);
    Some((at + trailers.ok()??, body))
}

/// What the first request says, or `None` if it is not taken.
pub fn said(bytes: &[u8]) -> Option<Said> {
    let mut said = None;
    let taken = request_with(bytes, &mut Room::new(), |head| {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = head.fields();
        said = Some(Said {
            method: text(head.method_token()),
            target: text(head.target()),
            minor: u8::from(head.version() != Version::Http10),
            fields: fields
                .iter()
                .map(|(name, value)| (text(name), value.to_vec()))
                .collect(),
            taken: Taken {
                len: 0,
                body: 0,
                keep_alive: false,
                expects: false,
            },
        });
    })?;
    said.map(|said| Said { taken, ..said })
}
