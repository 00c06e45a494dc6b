//! Random exchanges pass every edge of the table of phases, and no other.
//!
//! The phase is looked at before and after each step, and after each answer of the handler, which
//! takes one edge. A step may take several: those that all ways of the table have in common count as
//! passed; where there is no way, the table or the machine is wrong.

use super::*;
use crate::connection::phase::Phase::{self, *};

const PHASES: [Phase; 19] = [
    Head, Choose, Choosing, Gather, Hold, Stream, Serve, Serving, Deferred, Away, End, Ending,
    Body, Discard, Answered, Refuse, Last, Linger, Closed,
];

/// The edges of the table in the text of `phase.rs`, without faults: any phase may lead to Refuse,
/// and that to Last.
fn table() -> Vec<(Phase, Phase)> {
    let named = |name: &str| {
        PHASES
            .into_iter()
            .find(|phase| format!("{phase:?}") == name)
    };
    let mut edges = vec![];
    for row in include_str!("../phase.rs").lines() {
        let mut cells = row.split('|').map(str::trim).skip(1);
        if let (Some(from), Some(all)) = (cells.next().and_then(named), cells.next())
            && from != Refuse
        {
            edges.extend(all.split(", ").map(|to| (from, named(to).expect(to))));
        }
    }
    edges
}

/// What all walks have passed, and where the one at hand was seen last.
struct Seen {
    last: Phase,
    /// The connection stayed open then.
    stays: bool,
    /// No further request is read.
    ends: bool,
    table: Vec<(Phase, Phase)>,
    edges: Vec<(Phase, Phase)>,
    /// To where the table knows no way.
    strange: Vec<(Phase, Phase)>,
}

impl Seen {
    /// All ways from the end of `way` to `to`. What is lent is seen, so it is on none of them.
    fn ways(&self, way: &mut Vec<Phase>, to: Phase, has_body: bool, found: &mut Vec<Vec<Phase>>) {
        let here = *way.last().unwrap();
        for &(from, phase) in &self.table {
            match (here, phase) {
                _ if from != here => continue,
                (Answered, Head) if !self.stays => continue,
                (Answered, Last) if self.stays => continue,
                (Head, Last) if !self.ends => continue,
                (Head, Gather) if !has_body => continue,
                _ => {}
            }
            way.push(phase);
            if phase == to {
                found.push(way.clone());
            } else if way.len() <= 5 // Discard, Answered, Head, Gather, Serve: no way is longer
                && !matches!(phase, Choosing | Serving | Ending | Away | Linger)
            {
                self.ways(way, to, has_body, found);
            }
            way.pop();
        }
    }

    fn passed(&mut self, from: Phase, to: Phase) {
        if !self.edges.contains(&(from, to)) {
            self.edges.push((from, to));
        }
    }

    fn strange(&mut self, from: Phase, to: Phase) {
        if !self.strange.contains(&(from, to)) {
            self.strange.push((from, to));
        }
    }

    /// A step led here.
    fn at(&mut self, phase: Phase, has_body: bool) {
        let from = core::mem::replace(&mut self.last, phase);
        if from == phase || self.edges.contains(&(from, phase)) {
            return;
        }
        let mut found = vec![];
        self.ways(&mut vec![from], phase, has_body, &mut found);
        let Some((first, others)) = found.split_first() else {
            self.strange(from, phase);
            return;
        };
        for pair in first.windows(2) {
            if others
                .iter()
                .all(|way| way.windows(2).any(|other| other == pair))
            {
                self.passed(pair[0], pair[1]);
            }
        }
    }

    fn stepped(&mut self, connection: &Connection) {
        if connection.fault().is_none() {
            self.at(connection.phase, true);
            self.stays = connection.flags.has(Flags::PERSISTENT);
        }
    }

    /// The handler led here.
    fn answered(&mut self, connection: &Connection) {
        if connection.fault().is_none() && connection.phase != self.last {
            match self.table.contains(&(self.last, connection.phase)) {
                true => self.passed(self.last, connection.phase),
                false => self.strange(self.last, connection.phase),
            }
            self.last = connection.phase;
        }
        self.stays = connection.flags.has(Flags::PERSISTENT);
    }
}

/// Numbers from a seed (xorshift), below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        for shift in [13, -7, 17] {
            self.0 ^= match shift {
                0.. => self.0 << shift,
                _ => self.0 >> -shift,
            };
        }
        (self.0 % bound as u64) as usize
    }
}

fn answer(reply: Reply<'_>, dice: &mut Dice) {
    let choice = dice.below(4);
    if choice == 0 {
        let _ = reply.defer();
        return;
    }
    let head = reply.status(Status::OK);
    let _ = match choice {
        1 => head.text("x").ok(),
        _ => (head.stream(Some(3)).ok()).map(|writer| write(writer, dice)),
    };
}

fn write(mut writer: BodyWriter<'_>, dice: &mut Dice) -> Done {
    writer.write(&b"abc"[..1 + dice.below(3)]);
    match dice.below(2) {
        0 => writer.pause(),
        _ => writer.finish(),
    }
}

fn outlet(outlet: Outlet<'_>, dice: &mut Dice) {
    match outlet {
        Outlet::Reply(reply) => answer(reply, dice),
        Outlet::Writer(writer) => drop(write(writer, dice)),
    }
}

fn walk(seed: u64, seen: &mut Seen) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let limits = Limits {
        reply_bytes_max: 200,
        drain_bytes_max: 20,
        ..Limits::DEFAULT
    };
    let mut site = Site {
        bodies: [Bodies::Gather(100), Bodies::Ask][dice.below(2)],
        date: Some(&DATE),
        ..Site::new(&limits)
    };
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 512]>::new(),
        SendBuffer::<[u8; 256]>::new(),
    );
    let mut input = vec![];
    for _ in 0..1 + dice.below(4) {
        input.extend_from_slice(match dice.below(7) {
            0 => b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".as_slice(),
            1 => {
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n\
                   0123456789012345678901234567890123456789"
            }
            2 => {
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            }
            3 => b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            _ => b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        });
    }
    let mut connection = Connection::new();
    (seen.last, seen.stays) = (Head, true);
    let mut at = 0;
    for _ in 0..200 {
        site.draining |= dice.below(60) == 0;
        seen.ends = site.draining || rx.has_ended();
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                let most = space.len().min(input.len() - at);
                let n = match dice.below(3) {
                    0 => most.min(1 + dice.below(60)),
                    _ => most,
                };
                space[..n].copy_from_slice(&input[at..at + n]);
                at += n;
                seen.stepped(&connection);
                match n {
                    0 if dice.below(4) == 0 => connection.expire(),
                    0 => rx.end(),
                    n => rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                let n = 1 + dice.below(bytes.len());
                seen.stepped(&connection);
                tx.sent(n);
            }
            Step::Request(exchange) => {
                seen.at(Serving, !exchange.body.is_empty());
                answer(exchange.reply, &mut dice);
                seen.answered(&connection);
            }
            Step::Head(fork) => {
                seen.at(Choosing, true);
                match dice.below(4) {
                    0 => drop(fork.gather(100)),
                    1 => drop(fork.stream()),
                    2 => drop(fork.stream_after(1 + dice.below(8))),
                    _ => answer(fork.answer(), &mut dice),
                }
                seen.answered(&connection);
            }
            Step::Chunk(mut inflow) => {
                seen.at(Stream, true);
                if dice.below(3) == 0 {
                    outlet(inflow.outlet(), &mut dice);
                } else {
                    let n = 1 + dice.below(inflow.bytes().len());
                    inflow.take(n);
                }
                seen.answered(&connection);
            }
            Step::End(ending) => {
                seen.at(Ending, true);
                outlet(ending.outlet, &mut dice);
                seen.answered(&connection);
            }
            Step::Room(writer) => {
                seen.at(Body, true);
                let _ = write(writer, &mut dice);
                seen.answered(&connection);
            }
            Step::Away => {
                seen.at(Away, true);
                if let Some(exchange) = connection.resume(&site, &mut rx, &mut tx) {
                    seen.at(Serving, true);
                    answer(exchange.reply, &mut dice);
                    seen.answered(&connection);
                }
            }
            Step::Close => {
                seen.stepped(&connection);
                return;
            }
            Step::Cut | Step::HalfClose => seen.stepped(&connection),
        }
    }
}

#[test]
fn every_edge_of_the_table_is_passed_and_no_other() {
    let mut seen = Seen {
        last: Head,
        stays: true,
        ends: false,
        table: table(),
        edges: vec![],
        strange: vec![],
    };
    for seed in 0..4_000 {
        walk(seed, &mut seen);
    }
    assert!(seen.table.len() >= 36, "rows of the table are not read");
    seen.table.retain(|edge| !seen.edges.contains(edge));
    assert_eq!((seen.table, seen.strange), (vec![], vec![]));
}
