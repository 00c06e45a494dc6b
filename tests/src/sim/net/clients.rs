//! What the clients do, one step after the other.

use super::{Act, Net};
use crate::sim::client::{Ending, Step};
use crate::sim::link::Way;

impl Net {
    /// Puts the client's next step on the agenda, unless it is there or has to wait.
    pub(super) fn go_on(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let waits = match client.steps.front() {
            Some(Step::Await(count)) => client.transcript.received.len() < *count,
            Some(_) => false,
            None => true,
        };
        if waits || client.scheduled {
            return;
        }
        client.scheduled = true;
        match client.steps.front() {
            Some(Step::Pause(ms)) => {
                let nanos = ms * 1_000_000;
                self.plan(nanos, Act::Go(at));
            }
            _ => self.plan_soon(Act::Go(at)),
        }
    }

    pub(super) fn step(&mut self, at: usize) {
        let (client, link) = (&mut self.clients[at], &mut self.links[at]);
        match client.steps.pop_front() {
            Some(Step::Send(mut bytes)) => {
                let n = match self.rng.below(3) {
                    0 => bytes.len(),
                    1 => self.rng.one_to(bytes.len()).min(bytes.len()),
                    _ => self.rng.one_to(8).min(bytes.len()),
                };
                client.say(n, self.now);
                let rest = bytes.split_off(n);
                link.inbox.extend(bytes);
                if !rest.is_empty() {
                    client.steps.push_front(Step::Send(rest));
                }
                self.wake(at, Way::In);
            }
            Some(Step::Deaf) => client.deaf = true,
            Some(Step::HalfClose) => {
                link.fin = true;
                self.wake(at, Way::In);
            }
            Some(Step::Close) => {
                link.fin = true;
                link.deserted = true;
                // Answers that nobody read turn the end into a reset.
                link.reset |= !link.outbox.is_empty();
                link.outbox.clear();
                client.end(Ending::Left);
                self.wake(at, Way::Both);
            }
            Some(Step::Abort) => {
                link.reset = true;
                link.deserted = true;
                link.outbox.clear();
                client.end(Ending::Left);
                self.wake(at, Way::Both);
            }
            Some(Step::Pause(_) | Step::Await(_)) | None => {}
        }
        self.go_on(at);
    }

    /// The client takes some of the answers.
    pub(super) fn drain(&mut self, at: usize) {
        let (client, link) = (&mut self.clients[at], &mut self.links[at]);
        link.draining = false;
        if client.deaf && link.held {
            return;
        }
        let n = match self.rng.below(2) {
            0 => link.outbox.len(),
            _ => self.rng.one_to(link.outbox.len()).min(link.outbox.len()),
        };
        client.hear(link.outbox.drain(..n), self.now);
        if link.server_fin && link.outbox.is_empty() {
            client.end(Ending::Finished);
        }
        let more = !link.outbox.is_empty();
        if link.no_space && link.has_room() {
            link.no_space = false;
            self.wake(at, Way::Out);
        }
        if more {
            self.start_drain(at);
        }
        self.go_on(at);
    }

    pub(super) fn start_drain(&mut self, at: usize) {
        if !core::mem::replace(&mut self.links[at].draining, true) {
            self.plan_soon(Act::Drain(at));
        }
    }
}
