//! One connection of the load client, without its socket: which requests are on their way, what came back.

use std::collections::VecDeque;
use std::fmt;

use super::answer::{Answer, Answers, BadAnswer, Step};
use super::check::Events;
use super::histogram::Histogram;
use super::plan::Plan;

/// Bytes of an answer that is remembered. Longer ones are always parsed: comparing them would not be
/// cheaper.
const MEMO_BYTES_MAX: usize = 1024;

/// A request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Its number.
    pub(crate) index: u64,
    /// When its last byte was offered to the socket for the first time, in ns of the run's clock.
    pub(crate) at_ns: u64,
}

/// What a server did that no server may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Bytes that are no answer.
    Bad(BadAnswer),
    /// More answers than requests.
    Surplus(u16),
    /// Bytes after an answer that announced the close.
    AfterClose,
    /// The connection ended before everything was answered, without having been announced.
    Early {
        unanswered: usize,
        error: Option<String>,
    },
    /// Nothing came for too long.
    Silence { unanswered: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Bad(bad) => write!(f, "malformed answer: {bad}"),
            Fault::Surplus(status) => write!(f, "an answer ({status}) that no request asked for"),
            Fault::AfterClose => f.write_str("bytes after an answer with Connection: close"),
            Fault::Early { unanswered, error } => {
                write!(f, "connection closed with {unanswered} requests unanswered")?;
                error
                    .as_ref()
                    .map_or(Ok(()), |error| write!(f, " ({error})"))
            }
            Fault::Silence { unanswered } => {
                write!(f, "no answer in time, {unanswered} requests unanswered")
            }
        }
    }
}

/// What the connections of one thread have seen.
#[derive(Clone)]
pub(crate) struct Tally {
    /// Events answered with 200 or 201.
    pub(crate) ok: Events,
    /// Answers by status, 100 to 599.
    pub(crate) by_status: Box<[u64]>,
    /// Requests answered with anything else.
    pub(crate) refused: u64,
    /// From write to read.
    pub(crate) latency: Histogram,
    /// When the last answer came, ns of the run's clock.
    pub(crate) last_ns: u64,
    /// The last answer that was parsed whole, byte for byte, and its status: an answer of the same bytes means the same.
    memo: (Vec<u8>, u16),
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            ok: Events::default(),
            by_status: vec![0; 600].into_boxed_slice(),
            refused: 0,
            latency: Histogram::new(),
            last_ns: 0,
            memo: (Vec::with_capacity(MEMO_BYTES_MAX), 0),
        }
    }

    fn count(&mut self, status: u16, sent: Sent, now_ns: u64, plan: &Plan) {
        if let Some(count) = self.by_status.get_mut(usize::from(status)) {
            *count += 1;
        }
        match status {
            200 | 201 => self.ok.add(Events {
                count: 1,
                halves: plan.halves(sent.index),
            }),
            _ => self.refused += 1,
        }
        self.latency.record(now_ns.saturating_sub(sent.at_ns), 1);
        self.last_ns = now_ns;
    }
}

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Client {
    answers: Answers,
    /// Bytes of an answer that cannot be read before more come.
    held: Vec<u8>,
    /// Sent and not answered, oldest first. Never more than the pipeline is deep.
    flight: VecDeque<Sent>,
    /// To be sent again: an answer announced the close before theirs (RFC 9112 section 9.3.1).
    again: VecDeque<u64>,
    closing: bool,
}

impl Client {
    /// Room for `pipeline` requests on their way, so that nothing allocates later.
    pub(crate) fn new(pipeline: usize) -> Client {
        Client {
            flight: VecDeque::with_capacity(pipeline),
            ..Client::default()
        }
    }

    /// Requests sent and not answered.
    pub(crate) fn unanswered(&self) -> usize {
        self.flight.len()
    }

    /// The server has announced that it closes: nothing more may be sent.
    pub(crate) fn closing(&self) -> bool {
        self.closing
    }

    /// Requests that wait to be sent again.
    pub(crate) fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Takes one of the requests to be sent again.
    pub(crate) fn take_again(&mut self) -> Option<u64> {
        self.again.pop_front()
    }

    /// A request is about to be written.
    pub(crate) fn sent(&mut self, sent: Sent) {
        self.flight.push_back(sent);
    }

    /// Reads what arrived. Every answer is matched with its request and counted.
    pub(crate) fn received(
        &mut self,
        bytes: &[u8],
        now_ns: u64,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        if self.held.is_empty() {
            let used = self.read(bytes, now_ns, plan, tally)?;
            self.held.extend_from_slice(&bytes[used..]);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(bytes);
            let used = self.read(&held, now_ns, plan, tally)?;
            held.drain(..used);
            self.held = held;
        }
        Ok(())
    }

    fn read(
        &mut self,
        bytes: &[u8],
        now_ns: u64,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<usize, Fault> {
        let (mut at, mut begun) = (0, None);
        loop {
            let rest = &bytes[at..];
            if self.answers.at_start() {
                if self.closing && !rest.is_empty() {
                    return Err(Fault::AfterClose);
                }
                // Seen before, byte for byte: one comparison instead of a parse. Date changes it once a second.
                let (memo, status) = (&tally.memo.0, tally.memo.1);
                if !memo.is_empty() && rest.starts_with(memo) {
                    at += memo.len();
                    let sent = self.flight.pop_front().ok_or(Fault::Surplus(status))?;
                    tally.count(status, sent, now_ns, plan);
                    continue;
                }
                begun = Some(at);
            }
            let (used, step) = self.answers.next(rest).map_err(Fault::Bad)?;
            at += used;
            match step {
                Step::More => return Ok(at),
                Step::Body(_) => {}
                Step::Done(answer) => {
                    self.answered(answer, now_ns, plan, tally)?;
                    match begun.take().and_then(|from| bytes.get(from..at)) {
                        Some(whole) if !answer.close && whole.len() <= MEMO_BYTES_MAX => {
                            tally.memo.0.clear();
                            tally.memo.0.extend_from_slice(whole);
                            tally.memo.1 = answer.status;
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn answered(
        &mut self,
        answer: Answer,
        now_ns: u64,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let sent = self
            .flight
            .pop_front()
            .ok_or(Fault::Surplus(answer.status))?;
        tally.count(answer.status, sent, now_ns, plan);
        self.closing |= answer.close;
        Ok(())
    }

    /// The connection is over: the server closed it, or we do after an announced close. Puts the state back to that of
    /// a new connection; says how many requests have to be sent again, or what was wrong with this end.
    pub(crate) fn ended(
        &mut self,
        error: Option<String>,
        now_ns: u64,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<usize, Fault> {
        let end = match error {
            None => self.answers.end(self.held.len()).map_err(Fault::Bad),
            Some(_) => Ok(None),
        };
        let end = end.and_then(|answer| {
            answer.map_or(Ok(()), |answer| self.answered(answer, now_ns, plan, tally))
        });
        let announced = self.closing;
        self.answers = Answers::default();
        self.held.clear();
        self.closing = false;
        match end {
            Ok(()) if announced || self.flight.is_empty() => {
                let again = self.flight.len();
                self.again
                    .extend(self.flight.drain(..).map(|sent| sent.index));
                Ok(again)
            }
            Ok(()) => Err(Fault::Early {
                unanswered: self.flight.len(),
                error,
            }),
            Err(fault) => Err(fault),
        }
    }

    /// After a fault: forgets the connection. Says how many requests will never be answered.
    pub(crate) fn give_up(&mut self) -> u64 {
        let lost = self.flight.len() as u64;
        self.flight.clear();
        self.answers = Answers::default();
        self.held.clear();
        self.closing = false;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Target, Values};
    use super::*;

    struct Bench {
        client: Client,
        tally: Tally,
        plan: Plan,
    }

    impl Bench {
        fn new(requests: u64) -> Bench {
            let target = Target {
                authority: String::new(),
                base: String::new(),
                addresses: Vec::new(),
            };
            let mut client = Client::new(16);
            (0..requests).for_each(|index| {
                client.sent(Sent {
                    index,
                    at_ns: 100 * index,
                })
            });
            Bench {
                client,
                tally: Tally::new(),
                plan: Plan::new(&target, 1000, 10, Values::Half),
            }
        }

        fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
            self.client
                .received(bytes, 1000, &self.plan, &mut self.tally)
        }

        fn end(&mut self, error: Option<String>) -> Result<usize, Fault> {
            self.client.ended(error, 1000, &self.plan, &mut self.tally)
        }
    }

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const CREATED: &[u8] =
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    const ERROR: &[u8] = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    const CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn every_cut_counts_the_same_answers() {
        let stream = [OK, OK, OK, ERROR, CREATED, CREATED, OK, ERROR, OK].concat();
        for cut in 0..=stream.len() {
            let mut bench = Bench::new(9);
            bench.receive(&stream[..cut]).unwrap();
            bench.receive(&stream[cut..]).unwrap();
            // The events with numbers 0 1 2 4 5 6 8: the sum of 2i + 1.
            assert_eq!(
                bench.tally.ok,
                Events {
                    count: 7,
                    halves: 2 * 26 + 7
                },
                "cut at {cut}"
            );
            assert_eq!((bench.tally.refused, bench.client.unanswered()), (2, 0));
            let by = &bench.tally.by_status;
            assert_eq!((by[200], by[201], by[500]), (5, 2, 2));
            assert_eq!(bench.tally.latency.max(), 1000);
            assert_eq!(bench.end(None), Ok(0));
        }
        let mut bench = Bench::new(9);
        stream.iter().for_each(|b| bench.receive(&[*b]).unwrap());
        assert_eq!(bench.tally.ok.count, 7);
    }

    #[test]
    fn an_answer_too_many_is_seen_parsed_or_remembered() {
        for stream in [
            [OK, OK].concat(),
            [OK, ERROR].concat(),
            [OK, &OK[..5]].concat(),
        ] {
            let mut bench = Bench::new(1);
            let seen = bench
                .receive(&stream)
                .and_then(|()| bench.receive(&OK[5..]))
                .is_err();
            assert!(seen);
        }
        assert_eq!(Bench::new(0).receive(ERROR), Err(Fault::Surplus(500)));
    }

    #[test]
    fn only_an_announced_close_lets_requests_be_sent_again() {
        let mut bench = Bench::new(4);
        bench.receive(OK).unwrap();
        bench.receive(CLOSE).unwrap();
        assert!(bench.client.closing());
        assert_eq!(bench.end(None), Ok(2));
        let again: Vec<u64> = std::iter::from_fn(|| bench.client.take_again()).collect();
        assert_eq!((again, bench.client.unanswered()), (vec![2, 3], 0));

        let mut bench = Bench::new(2);
        bench.receive(OK).unwrap();
        assert_eq!(
            bench.end(None),
            Err(Fault::Early {
                unanswered: 1,
                error: None
            })
        );
        assert_eq!(bench.client.give_up(), 1);

        let mut bench = Bench::new(1);
        bench.receive(OK).unwrap();
        assert_eq!(bench.end(None), Ok(0)); // silently, between requests
    }

    #[test]
    fn bytes_after_an_announced_close_are_a_fault() {
        assert_eq!(
            Bench::new(2).receive(&[CLOSE, OK].concat()),
            Err(Fault::AfterClose)
        );
        let mut bench = Bench::new(2);
        bench.receive(OK).unwrap(); // remembered
        let mut more = Bench {
            client: Client::new(1),
            ..bench
        };
        (0..2).for_each(|index| more.client.sent(Sent { index, at_ns: 0 }));
        assert_eq!(more.receive(&[CLOSE, OK].concat()), Err(Fault::AfterClose));
    }

    #[test]
    fn an_answer_without_length_ends_with_the_connection() {
        let mut bench = Bench::new(2);
        bench.receive(b"HTTP/1.1 200 OK\r\n\r\nall of it").unwrap();
        assert_eq!(bench.tally.ok.count, 0);
        assert_eq!(bench.end(None), Ok(1));
        assert_eq!(bench.tally.ok.count, 1);
        let mut bench = Bench::new(1);
        bench.receive(b"HTTP/1.1 200 OK\r\n\r\nall of it").unwrap();
        assert!(bench.end(Some("reset".to_owned())).is_err());
    }

    #[test]
    fn an_answer_cut_off_is_a_fault() {
        for cut in 1..OK.len() {
            let mut bench = Bench::new(1);
            bench.receive(&OK[..cut]).unwrap();
            assert!(
                matches!(bench.end(None), Err(Fault::Bad(_))),
                "cut at {cut}"
            );
        }
    }
}
