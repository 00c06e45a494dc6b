//! A long answer to a reader that takes all of it at once does not keep the others waiting.

use super::*;
use barewire_core::connection::BodyWriter;

/// So many calls of `send` between two polls are no turn any more: one has five for each of
/// two peers.
const SENDS_MAX: u32 = 1_000;

/// Two clients, who ask once when they are told of, and take all that is sent.
#[derive(Default)]
struct Greedy {
    now: u64,
    tokens: Vec<u64>,
    accepted: u32,
    asked: [bool; 3],
    sent: [usize; 3],
    sends: u32,
}

#[derive(Clone, Default)]
struct Handle(Rc<RefCell<Greedy>>);

impl Kernel for Handle {
    type Socket = u32;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], _: Option<Instant>) -> Result<usize, Infallible> {
        let mut greedy = self.0.borrow_mut();
        greedy.sends = 0;
        greedy.now += 1_000_000;
        let mut tokens = std::mem::take(&mut greedy.tokens);
        if greedy.accepted == 0 {
            tokens.push(LISTENER);
        }
        for (event, token) in events.iter_mut().zip(&tokens) {
            *event = Event {
                token: *token,
                readable: true,
                ..Event::default()
            };
        }
        Ok(tokens.len())
    }

    fn accept(&mut self) -> Result<(u32, Address), Trouble> {
        let mut greedy = self.0.borrow_mut();
        if greedy.accepted == 2 {
            return Err(Trouble::WouldBlock);
        }
        greedy.accepted += 1;
        Ok((greedy.accepted, Address::default()))
    }

    fn register(&mut self, _: &u32, token: u64) -> Result<(), Trouble> {
        self.0.borrow_mut().tokens.push(token);
        Ok(())
    }

    fn recv(&mut self, socket: &u32, into: &mut [u8]) -> Result<usize, Trouble> {
        let at = *socket as usize;
        if std::mem::replace(&mut self.0.borrow_mut().asked[at], true) {
            return Err(Trouble::WouldBlock);
        }
        let request: &[u8] = match socket {
            1 => b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n",
            _ => b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n",
        };
        into[..request.len()].copy_from_slice(request);
        Ok(request.len())
    }

    fn send(&mut self, socket: &u32, from: &[u8]) -> Result<usize, Trouble> {
        let mut greedy = self.0.borrow_mut();
        greedy.sends += 1;
        assert!(greedy.sends < SENDS_MAX, "a turn that does not end");
        greedy.sent[*socket as usize] += from.len();
        Ok(from.len())
    }

    fn shutdown(&mut self, _: &u32) {}

    fn close(&mut self, _: u32, _: bool) {}

    fn stop_listening(&mut self) {}

    fn local(&self, _: &u32) -> Option<Address> {
        None
    }

    fn now(&self) -> Instant {
        Instant(self.0.borrow().now)
    }
}

/// Answers without end, or with nothing.
struct Endless;

fn fill(mut writer: BodyWriter<'_>) -> Done {
    let room = writer.room();
    writer.write(&vec![b'x'; room]);
    writer.pause()
}

impl App for Endless {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        if exchange.head.path() == b"/short" {
            return exchange.reply.bare(Status::OK);
        }
        let Ok(writer) = exchange.reply.status(Status::OK).stream(None) else {
            panic!("an empty buffer has room for a head");
        };
        fill(writer)
    }

    fn room(&mut self, _: &mut Context<'_>, writer: BodyWriter<'_>) -> Done {
        fill(writer)
    }
}

#[test]
fn an_endless_answer_to_a_fast_reader_leaves_turns_to_the_others() {
    let kernel = Handle::default();
    turns(kernel.clone(), Endless, 4, |worker| {
        for _ in 0..50 {
            let Ok(_) = worker.turn(None);
        }
    });
    let greedy = kernel.0.borrow();
    assert!(greedy.sent[2] > 0, "the other one was not answered");
    assert!(greedy.sent[1] > 50 * 8_000, "{}", greedy.sent[1]);
}
