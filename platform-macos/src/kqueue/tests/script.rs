//! A queue that does what the manual pages of `kevent(2)` say, and tells what a test wants told.
//!
//! Sockets are real, so that reads and accepts are; only what is told about them is made up. What
//! is registered for a descriptor goes when its socket is closed, even if the number is used again.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::io::Errno;

use crate::event::{Filter, Flags, Record, TRIGGER};
use crate::queue::Queue;

/// A handle: the test keeps one, the adaptor has the other.
#[derive(Clone, Default)]
pub(super) struct Script {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    notes: Vec<Note>,
    /// What is to be told, in the order in which it happened.
    active: Vec<Record>,
    /// Batches that are told as they stand, whatever is registered.
    raw: VecDeque<Vec<Record>>,
    /// The next changes with this filter fail with this error.
    refused: Vec<(Filter, Errno)>,
    /// So many of the next calls are interrupted, when their changes are done.
    interrupts: usize,
    /// The waits that were asked for.
    waits: Vec<Option<Duration>>,
    changes: usize,
}

/// What is registered: a knote, as the manuals call it.
struct Note {
    /// Filter, number, flags of the registration and the word.
    record: Record,
    /// Which socket the number stood for.
    socket: Option<u64>,
    is_enabled: bool,
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Something happens: it is told if it is registered, with the word that was given.
    pub(super) fn happens(
        &self,
        fd: impl AsFd,
        filter: Filter,
        flags: Flags,
        fflags: u32,
        data: i64,
    ) {
        let record = Record {
            ident: number(&fd),
            filter,
            flags,
            fflags,
            data,
            udata: 0,
        };
        self.state().activate(record);
    }

    /// So many bytes have come.
    pub(super) fn bytes(&self, fd: impl AsFd, count: i64) {
        self.happens(fd, Filter::Read, Flags::NONE, 0, count);
    }

    /// The next call returns these, and nothing else.
    pub(super) fn tells(&self, batch: &[Record]) {
        self.state().raw.push_back(batch.to_vec());
    }

    /// The next change with this filter fails.
    pub(super) fn refuses(&self, filter: Filter, error: Errno) {
        self.state().refused.push((filter, error));
    }

    /// The next call is interrupted by a signal.
    pub(super) fn interrupts(&self, calls: usize) {
        self.state().interrupts = calls;
    }

    /// What is registered for this descriptor: the flags and the word of each filter.
    pub(super) fn registered(&self, fd: impl AsFd) -> Vec<(Filter, Flags, u64)> {
        let mut state = self.state();
        state.forget_closed();
        let number = number(&fd);
        let of_socket = state
            .notes
            .iter()
            .filter(|note| note.record.ident == number && note.record.filter != Filter::User);
        of_socket
            .map(|note| (note.record.filter, note.record.flags, note.record.udata))
            .collect()
    }

    /// How many things are registered at all.
    pub(super) fn notes(&self) -> usize {
        let mut state = self.state();
        state.forget_closed();
        state.notes.len()
    }

    /// Changes that were made since the last look.
    pub(super) fn changes(&self) -> usize {
        std::mem::take(&mut self.state().changes)
    }

    /// The last wait that was asked for.
    pub(super) fn last_wait(&self) -> Option<Duration> {
        *self.state().waits.last().unwrap()
    }
}

impl State {
    fn forget_closed(&mut self) {
        let is_open =
            |note: &Note| note.socket.is_none() || note.socket == inode(note.record.ident);
        self.notes.retain(is_open);
        let notes = &self.notes;
        self.active
            .retain(|event| notes.iter().any(|note| same(&note.record, event)));
    }

    /// Events of one filter become one, with what was told last.
    fn activate(&mut self, record: Record) {
        self.forget_closed();
        if !self.notes.iter().any(|note| same(&note.record, &record)) {
            return;
        }
        match self.active.iter_mut().find(|event| same(event, &record)) {
            Some(event) => {
                let flags = event.flags | record.flags;
                *event = record;
                event.flags = flags;
            }
            None => self.active.push(record),
        }
    }

    fn change(&mut self, change: &Record) -> Result<(), Errno> {
        self.changes += 1;
        self.forget_closed();
        let refused = self
            .refused
            .iter()
            .position(|(filter, _)| *filter == change.filter);
        if let Some(at) = refused {
            return Err(self.refused.remove(at).1);
        }
        let of_socket = matches!(change.filter, Filter::Read | Filter::Write);
        let socket = of_socket.then(|| inode(change.ident)).flatten();
        if of_socket && socket.is_none() {
            return Err(Errno::BADF);
        }
        let at = self
            .notes
            .iter()
            .position(|note| same(&note.record, change));
        if change.flags.has(Flags::DELETE) {
            self.notes.remove(at.ok_or(Errno::NOENT)?);
            self.forget_closed();
            return Ok(());
        }
        let at = match at {
            Some(at) => at,
            None if change.flags.has(Flags::ADD) => {
                self.notes.push(Note {
                    record: *change,
                    socket,
                    is_enabled: true,
                });
                self.notes.len() - 1
            }
            None => return Err(Errno::NOENT),
        };
        let note = &mut self.notes[at];
        // Every change sets the word anew, also one that only triggers.
        note.record.udata = change.udata;
        if change.flags.has(Flags::ADD) {
            note.record.flags = change.flags;
            note.is_enabled = true;
        }
        if change.flags.has(Flags::ENABLE) {
            note.is_enabled = true;
        }
        if change.flags.has(Flags::DISABLE) {
            note.is_enabled = false;
        }
        if change.filter == Filter::User && change.fflags & TRIGGER != 0 {
            self.activate(Record {
                flags: Flags::NONE,
                ..*change
            });
        }
        Ok(())
    }

    /// Takes what is to be told, as far as there is room.
    fn tell(&mut self, events: &mut [Record]) -> usize {
        self.forget_closed();
        let mut count = 0;
        let mut kept = Vec::new();
        for event in std::mem::take(&mut self.active) {
            let at = self
                .notes
                .iter()
                .position(|note| same(&note.record, &event));
            let note = &mut self.notes[at.unwrap()];
            if !note.is_enabled || count == events.len() {
                kept.push(event);
                continue;
            }
            let asked = note.record.flags;
            events[count] = Record {
                udata: note.record.udata,
                ..event
            };
            count += 1;
            if asked.has(Flags::DISPATCH) {
                note.is_enabled = false;
            }
            if asked.has(Flags::ONESHOT) {
                self.notes.remove(at.unwrap());
            } else if !asked.has(Flags::CLEAR) {
                // It still holds, and is told again.
                kept.push(event);
            }
        }
        self.active = kept;
        count
    }
}

impl Queue for Script {
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno> {
        let mut state = self.state();
        let mut count = 0;
        for change in changes {
            let done = state.change(change);
            let error = done.err().map_or(0, Errno::raw_os_error);
            if error == 0 && !change.flags.has(Flags::RECEIPT) {
                continue;
            }
            let Some(place) = events.get_mut(count) else {
                return Err(Errno::from_raw_os_error(error));
            };
            *place = Record {
                flags: Flags::ERROR,
                data: i64::from(error),
                ..*change
            };
            count += 1;
        }
        if changes.is_empty() {
            state.waits.push(wait);
        }
        if state.interrupts > 0 {
            state.interrupts -= 1;
            return Err(Errno::INTR);
        }
        if count > 0 || events.is_empty() {
            return Ok(count);
        }
        if let Some(batch) = state.raw.pop_front() {
            events[..batch.len()].copy_from_slice(&batch);
            return Ok(batch.len());
        }
        Ok(state.tell(events))
    }
}

fn same(one: &Record, other: &Record) -> bool {
    (one.ident, one.filter) == (other.ident, other.filter)
}

pub(super) fn number(fd: impl AsFd) -> usize {
    fd.as_fd().as_raw_fd() as usize
}

/// Which socket this number stands for now.
fn inode(number: usize) -> Option<u64> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: takes any number; there is room for what it fills.
    let failed = unsafe { libc::fstat(number as libc::c_int, status.as_mut_ptr()) };
    // SAFETY: where it has not failed it has filled all of it.
    (failed == 0).then(|| unsafe { status.assume_init() }.st_ino)
}

mod check {
    //! The script is only as good as its idea of a queue.

    use super::*;

    fn change(script: &Script, record: Record) -> Result<usize, Errno> {
        script.exchange(&[record], &mut [], Some(Duration::ZERO))
    }

    fn told(script: &Script) -> Vec<Record> {
        let mut events = [Record::EMPTY; 4];
        let count = script.exchange(&[], &mut events, None).unwrap();
        events[..count].to_vec()
    }

    #[test]
    fn what_was_told_comes_again_unless_it_was_cleared_disabled_or_removed() {
        for (flags, times) in [
            (Flags::NONE, [1, 1, 1]),
            (Flags::CLEAR, [1, 0, 0]),
            (Flags::DISPATCH, [1, 0, 1]),
            (Flags::ONESHOT, [1, 0, 0]),
        ] {
            let script = Script::default();
            let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
            let read = Record::change(number(&socket), Filter::Read, Flags::ADD | flags, 7);
            change(&script, read).unwrap();
            script.bytes(&socket, 3);
            assert_eq!(told(&script).len(), times[0], "{flags:?}");
            assert_eq!(told(&script).len(), times[1], "{flags:?}");
            let enable = Record::change(number(&socket), Filter::Read, Flags::ENABLE, 8);
            let enabled = change(&script, enable);
            assert_eq!(enabled.is_err(), flags == Flags::ONESHOT);
            let again = told(&script);
            assert_eq!(again.len(), times[2], "{flags:?}");
            assert!(again.iter().all(|event| event.udata == 8));
        }
    }

    #[test]
    fn what_is_registered_goes_with_the_socket_and_not_with_its_number() {
        let script = Script::default();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let at = number(&socket);
        let read = Record::change(at, Filter::Read, Flags::ADD, 7);
        change(&script, read).unwrap();
        script.bytes(&socket, 3);
        drop(socket);
        assert_eq!(told(&script), []);
        assert_eq!(script.notes(), 0);
        let gone = Record::change(at, Filter::Read, Flags::DELETE, 7);
        assert!(matches!(
            change(&script, gone),
            Err(Errno::BADF | Errno::NOENT)
        ));
    }
}
