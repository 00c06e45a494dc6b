//! Requests without a connection: validated, framing decided, body consumed.

use barewire_core::limits::Limits;
use barewire_core::wire::{ChunkDecoder, ChunkStep, Framing, HeadState};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::budget::budget;
use crate::input::{self, leak, lone};

/// What a call needs besides the bytes. Rows are never cleared, as in a connection; the state is,
/// and that counts.
pub struct Room {
    state: HeadState,
    rows: [[u8; 8]; 100],
    limits: Limits,
}

pub type Case = (&'static [u8], &'static mut Room);

/// Takes one request from the front: its length, body included. `None`: incomplete or wrong.
#[inline]
fn request(bytes: &[u8], room: &mut Room) -> Option<usize> {
    room.state = HeadState::new();
    let len = room
        .state
        .advance(bytes, &mut room.rows, &room.limits)
        .ok()??;
    let rest = bytes.get(len..)?;
    Some(match room.state.framing() {
        Framing::None => len,
        Framing::Length(body) => {
            let body = usize::try_from(body).ok()?;
            rest.get(..body)?;
            len + body
        }
        Framing::Chunked => len + chunks(rest, room)?,
    })
}

/// Takes a chunked body with its trailers from the front: its length on the wire.
#[inline]
fn chunks(raw: &[u8], room: &mut Room) -> Option<usize> {
    let mut decoder = ChunkDecoder::new();
    let mut at = 0;
    loop {
        let (framing, step) = decoder.advance(raw.get(at..)?).ok()?;
        at += framing;
        match step {
            ChunkStep::More => return None,
            ChunkStep::Data(len) => {
                // No input here ends within a chunk; one that did would give nothing to take, again
                // and again.
                let taken = usize::try_from(len).ok()?;
                assert!(taken <= raw.len() - at, "a chunk that is cut");
                decoder.took(len);
                at += taken;
            }
            ChunkStep::Last => break,
        }
    }
    let Room {
        state,
        rows,
        limits,
    } = room;
    Some(
        at + state
            .advance_trailers(raw.get(at..)?, rows, limits)
            .ok()??,
    )
}

/// Takes requests until none is left: how many, and the bytes.
#[inline]
fn requests(bytes: &[u8], room: &mut Room) -> (usize, usize) {
    let (mut count, mut at) = (0, 0);
    while at < bytes.len() {
        let Some(len) = bytes.get(at..).and_then(|rest| request(rest, room)) else {
            break;
        };
        at += len;
        count += 1;
    }
    (count, at)
}

fn case(bytes: &[u8], count: usize) -> Case {
    let bytes = lone(bytes);
    let room = leak(Room {
        state: HeadState::new(),
        rows: [[0; 8]; 100],
        limits: Limits::DEFAULT,
    });
    assert_eq!(requests(bytes, room), (count, bytes.len()));
    (bytes, room)
}

fn one(bytes: &[u8]) -> Case {
    case(bytes, 1)
}

#[library_benchmark(setup = one)]
#[bench::get_49(args = (input::GET_49), config = budget("wire/framed/get_49"))]
#[bench::get_170(args = (input::GET_170), config = budget("wire/framed/get_170"))]
#[bench::get_414(args = (input::GET_414), config = budget("wire/framed/get_414"))]
#[bench::get_703(args = (input::GET_703), config = budget("wire/framed/get_703"))]
#[bench::get_1135(args = (input::GET_1135), config = budget("wire/framed/get_1135"))]
#[bench::post_event(args = (input::POST_EVENT), config = budget("wire/framed/post_event"))]
#[bench::chunked_4(args = (input::CHUNKED_4), config = budget("wire/framed/chunked_4"))]
fn framed((bytes, room): Case) -> Option<usize> {
    request(bytes, room)
}

#[library_benchmark]
#[bench::requests_16(
    args = (input::PIPELINED_16, 16),
    setup = case,
    config = budget("wire/pipelined/requests_16")
)]
fn pipelined((bytes, room): Case) -> (usize, usize) {
    requests(bytes, room)
}

// As if every byte came in a read of its own.
#[library_benchmark(setup = one)]
#[bench::get_414(args = (input::GET_414), config = budget("wire/byte_by_byte/get_414"))]
#[bench::get_1135(args = (input::GET_1135), config = budget("wire/byte_by_byte/get_1135"))]
fn byte_by_byte((bytes, room): Case) -> usize {
    room.state = HeadState::new();
    let mut complete = 0;
    for len in 1..=bytes.len() {
        let seen = bytes.get(..len).unwrap_or(bytes);
        if let Ok(Some(_)) = room.state.advance(seen, &mut room.rows, &room.limits) {
            complete += 1;
        }
    }
    complete
}

/// Half a head, once parsed as far as it goes.
fn half(bytes: &[u8]) -> Case {
    let (bytes, room) = one(bytes);
    room.state = HeadState::new();
    let half = &bytes[..bytes.len() / 2];
    let outcome = room.state.advance(half, &mut room.rows, &room.limits);
    assert_eq!(outcome, Ok(None));
    (half, room)
}

// What the calls alone of `byte_by_byte` cost: as many, but none brings a byte.
#[library_benchmark(setup = half)]
#[bench::get_414(args = (input::GET_414), config = budget("wire/idle_calls/get_414"))]
#[bench::get_1135(args = (input::GET_1135), config = budget("wire/idle_calls/get_1135"))]
fn idle_calls((bytes, room): Case) -> usize {
    let calls = if bytes.len() > 414 { 1135 } else { 414 };
    let mut complete = 0;
    for _ in 0..calls {
        let seen = core::hint::black_box(bytes);
        if let Ok(Some(_)) = room.state.advance(seen, &mut room.rows, &room.limits) {
            complete += 1;
        }
    }
    complete
}

library_benchmark_group!(
    name = wire_group;
    benchmarks = framed, pipelined, byte_by_byte, idle_calls
);
