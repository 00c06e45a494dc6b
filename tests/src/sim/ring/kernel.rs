//! The ring itself: what is submitted is done at once or later, in any order.

use barewire_core::driver::{Instant, PeerId, Trouble};

use super::{BACKOFF_MS, Ring};
use crate::sim::hap::Hap;
use crate::sim::link::Way;
use crate::sim::task::{Done, Operation, Task};

impl Ring {
    pub(super) fn submit(&mut self, peer: PeerId, task: Task) {
        let Some(socket) = self.place(peer).and_then(|place| place.socket.as_ref()) else {
            return;
        };
        let socket = socket.at();
        let operation = Operation { peer, socket, task };
        // At once, sometimes; then it is done before the submission returns.
        let operation = match self.net.rng.below(3) {
            0 => match self.attempt(operation) {
                Some(operation) => operation,
                None => return,
            },
            _ => operation,
        };
        self.operations.push(operation);
        self.net.wake_soon(socket, Way::Both);
    }

    /// Does it, if that can be: then it is in the queue. Otherwise it comes back.
    pub(super) fn attempt(&mut self, operation: Operation) -> Option<Operation> {
        let Operation {
            peer,
            socket: at,
            mut task,
        } = operation;
        let link = &self.net.links[at];
        let news = !link.inbox.is_empty() || link.fin || link.reset;
        let hung_up = link.reset || (link.fin && link.server_fin);
        let socket = self.places[peer.index as usize].socket.as_ref();
        let result = match (&mut task, socket) {
            (Task::Poll, _) if news => Ok(0),
            (Task::Watch, _) if hung_up => Ok(0),
            (Task::Poll | Task::Watch, _) | (_, None) => Err(Trouble::WouldBlock),
            (Task::Receive(rx), Some(socket)) => self.net.recv(socket, rx.space()),
            (Task::ReceiveOnce(slot), Some(socket)) => self.net.recv(socket, slot.rx.space()),
            (Task::Send(tx), Some(_)) if tx.pending().is_empty() => Ok(0),
            (Task::Send(tx), Some(socket)) => self.net.send(socket, tx.pending()),
        };
        let once = matches!(task, Task::ReceiveOnce(_));
        match result {
            // The ring itself goes on with it.
            Err(Trouble::WouldBlock) if !once => Some(Operation {
                peer,
                socket: at,
                task,
            }),
            Err(Trouble::Interrupted) => {
                self.net.wake_soon(at, Way::Both);
                Some(Operation {
                    peer,
                    socket: at,
                    task,
                })
            }
            result => {
                self.complete(peer, task, result);
                None
            }
        }
    }

    pub(super) fn complete(&mut self, peer: PeerId, task: Task, result: Result<usize, Trouble>) {
        self.made += 1;
        let number = self.made;
        self.queue.push(Done {
            peer,
            task,
            result,
            number,
        });
    }

    /// Brings the operations of a connection forward, in any order.
    pub(super) fn work(&mut self, socket: usize) {
        let mut from = 0;
        while let Some(more) = self.operations[from..]
            .iter()
            .position(|one| one.socket == socket)
        {
            let operation = self.operations.swap_remove(from + more);
            match self.attempt(operation) {
                Some(operation) => {
                    self.operations.push(operation);
                    let last = self.operations.len() - 1;
                    self.operations.swap(from + more, last);
                    from += more + 1;
                }
                None => from += more,
            }
        }
    }

    /// The accept for many: connections until it is ended, by want, by a fault, or by chance.
    pub(super) fn work_accept(&mut self) {
        while self.accepts {
            match self.net.accept() {
                Ok(accepted) => self.surplus.push_back(accepted),
                Err(Trouble::WouldBlock) => return,
                Err(Trouble::Interrupted) => return self.net.wake_listener_soon(),
                Err(Trouble::Aborted) => self.accepts = false,
                Err(_) => {
                    self.accepts = false;
                    self.accept_after = Some(Instant(self.net.now + BACKOFF_MS * 1_000_000));
                }
            }
            let ends = self.net.rng.chance(8);
            self.accepts &= !ends;
            self.accept_ended |= !self.accepts;
            self.net.haps.note_if(!self.accepts, Hap::AcceptEnded);
        }
    }
}
