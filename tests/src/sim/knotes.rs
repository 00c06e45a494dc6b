//! What is registered with a kernel event queue, by the manual pages: kqueue(2) of FreeBSD and of
//! macOS, where they agree.
//!
//! ```text
//!            ADD           news            told: CLEAR             told: DISPATCH
//!  nothing ------> quiet -------> active ----------------> quiet  -----------------> disabled
//!     ^              |              |  ^ told otherwise: it stays active   ENABLE looks again
//!     +-- DELETE, or the descriptor is closed: what was active is not told any more
//! ```
//!
//! This table knows numbers only. Whether what is active is true is asked when it would be told,
//! as the filters of both systems are; see [`SimQueue`](super::queue::SimQueue).

use std::collections::VecDeque;

use barewire_macos::event::{Filter, Flags, Record, TRIGGER};
use rustix::io::Errno;

/// The first number that a socket can have: those before are the process's standard streams.
const FIRST_NUMBER: usize = 3;

/// Whose a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Listener,
    /// The connection of this index.
    Link(usize),
}

/// One thing that is registered: a filter of a descriptor, or of a number of the caller's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knote {
    pub(super) ident: usize,
    pub(super) filter: Filter,
    /// Those of `CLEAR`, `DISPATCH` and `ONESHOT` that it was added with.
    flags: Flags,
    /// The word that is told with it.
    pub(super) udata: u64,
    is_active: bool,
    is_enabled: bool,
    /// It was told, and is to be told again.
    pub(super) is_again: bool,
}

/// All that is registered with one queue, and the descriptors that can be.
#[derive(Debug, Default)]
pub(super) struct Knotes {
    /// By number, from [`FIRST_NUMBER`] on.
    owners: Vec<Option<Owner>>,
    /// Numbers that had an owner before.
    used: usize,
    notes: Vec<Knote>,
    /// In the order of their news.
    active: VecDeque<(usize, Filter)>,
}

/// What a descriptor's close took along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// Something that was not told yet.
    pub(super) event: bool,
}

impl Knotes {
    /// A descriptor of this owner: the lowest number that is free. Says whether it had another
    /// owner before.
    pub(super) fn open(&mut self, owner: Owner) -> (usize, bool) {
        let free = self.owners.iter().position(Option::is_none);
        let at = free.unwrap_or(self.owners.len());
        if at == self.owners.len() {
            self.owners.push(None);
        }
        self.owners[at] = Some(owner);
        let again = at < self.used;
        self.used = self.used.max(at + 1);
        (FIRST_NUMBER + at, again)
    }

    /// "Calling close() on a file descriptor will remove any kevents that reference the
    /// descriptor."
    pub(super) fn close(&mut self, ident: usize) -> Closed {
        let of = |other: usize, filter: Filter| other == ident && filter != Filter::User;
        let before = self.active.len();
        self.active.retain(|(other, filter)| !of(*other, *filter));
        self.notes.retain(|note| !of(note.ident, note.filter));
        self.owners[ident - FIRST_NUMBER] = None;
        Closed {
            event: self.active.len() < before,
        }
    }

    /// Whose this number is. `None`: it is not open.
    pub(super) fn owner(&self, ident: usize) -> Option<Owner> {
        let at = ident.checked_sub(FIRST_NUMBER)?;
        *self.owners.get(at)?
    }

    /// Applies one change. Says whether it was a trigger of what was triggered already.
    ///
    /// # Errors
    /// `BADF`: no such descriptor. `NOENT`: nothing is registered. `INVAL`: no such filter.
    pub(super) fn change(&mut self, change: &Record) -> Result<bool, Errno> {
        let Record { ident, filter, .. } = *change;
        match filter {
            Filter::User => {}
            Filter::Read | Filter::Write if self.owner(ident).is_none() => {
                return Err(Errno::BADF);
            }
            Filter::Read | Filter::Write => {}
            Filter::Signal | Filter::Other(_) => return Err(Errno::INVAL),
        }
        let has = |flag: Flags| change.flags.has(flag);
        let at = match self.find(ident, filter) {
            Some(at) if has(Flags::DELETE) => {
                self.notes.swap_remove(at);
                self.active.retain(|one| *one != (ident, filter));
                return Ok(false);
            }
            Some(at) => at,
            None if has(Flags::ADD) && !has(Flags::DELETE) => {
                self.notes.push(Knote {
                    ident,
                    filter,
                    flags: Flags::NONE,
                    udata: 0,
                    is_active: false,
                    is_enabled: true,
                    is_again: false,
                });
                self.notes.len() - 1
            }
            None => return Err(Errno::NOENT),
        };
        let note = &mut self.notes[at];
        note.udata = change.udata;
        if has(Flags::ADD) {
            let kept = Flags::CLEAR.bits() | Flags::DISPATCH.bits() | Flags::ONESHOT.bits();
            note.flags = Flags::from_bits(change.flags.bits() & kept);
            note.is_enabled = true;
        }
        if has(Flags::ENABLE) {
            note.is_enabled = true;
        }
        if has(Flags::DISABLE) {
            note.is_enabled = false;
        }
        let triggers = filter == Filter::User && change.fflags & TRIGGER != 0;
        let coalesced = triggers && note.is_active;
        // What is true of a descriptor already counts as news, and is looked at again.
        if triggers || (filter != Filter::User && (has(Flags::ADD) || has(Flags::ENABLE))) {
            self.activate(ident, filter);
        } else if note.is_active && has(Flags::ENABLE) {
            self.enqueue(ident, filter);
        }
        Ok(coalesced)
    }

    /// There is news for this filter, if it is registered.
    pub(super) fn activate(&mut self, ident: usize, filter: Filter) {
        if let Some(at) = self.find(ident, filter) {
            self.notes[at].is_active = true;
            self.enqueue(ident, filter);
        }
    }

    /// Takes off what is to be told next. It has to be given back by one of the next three.
    pub(super) fn pop(&mut self) -> Option<Knote> {
        while let Some((ident, filter)) = self.active.pop_front() {
            if let Some(at) = self.find(ident, filter)
                && self.notes[at].is_enabled
            {
                return Some(self.notes[at]);
            }
        }
        None
    }

    /// It was not true any more, or is told later.
    pub(super) fn quiet(&mut self, note: &Knote) {
        if let Some(at) = self.find(note.ident, note.filter) {
            self.notes[at].is_active = false;
            self.notes[at].is_again = false;
        }
    }

    /// It was told.
    pub(super) fn told(&mut self, note: &Knote) {
        let Some(at) = self.find(note.ident, note.filter) else {
            return;
        };
        let found = &mut self.notes[at];
        found.is_again = false;
        if found.flags.has(Flags::ONESHOT) {
            self.notes.swap_remove(at);
            return;
        }
        // What was disabled by being told is looked at when it is enabled.
        found.is_enabled = !found.flags.has(Flags::DISPATCH);
        if found.flags.has(Flags::CLEAR) || !found.is_enabled {
            found.is_active = false;
        } else {
            // A level: it stays as long as it is true.
            self.enqueue(note.ident, note.filter);
        }
    }

    /// It was told, and is told once more although nothing is new.
    pub(super) fn told_and_again(&mut self, note: &Knote) {
        self.told(note);
        self.activate(note.ident, note.filter);
        if let Some(at) = self.find(note.ident, note.filter) {
            self.notes[at].is_again = true;
        }
    }

    /// Whether something is to be told, or at least looked at.
    pub(super) fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    fn find(&self, ident: usize, filter: Filter) -> Option<usize> {
        let is = |note: &Knote| note.ident == ident && note.filter == filter;
        self.notes.iter().position(is)
    }

    fn enqueue(&mut self, ident: usize, filter: Filter) {
        if !self.active.contains(&(ident, filter)) {
            self.active.push_back((ident, filter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: Flags = Flags::from_bits(Flags::ADD.bits() | Flags::CLEAR.bits());

    fn change(
        knotes: &mut Knotes,
        ident: usize,
        filter: Filter,
        flags: Flags,
    ) -> Result<(), Errno> {
        let change = Record::change(ident, filter, flags, 7);
        knotes.change(&change).map(drop)
    }

    fn tell(knotes: &mut Knotes) -> Option<(usize, Filter)> {
        let note = knotes.pop()?;
        knotes.told(&note);
        Some((note.ident, note.filter))
    }

    /// With one descriptor.
    fn knotes() -> (Knotes, usize) {
        let mut knotes = Knotes::default();
        let (ident, again) = knotes.open(Owner::Link(0));
        assert!(!again);
        (knotes, ident)
    }

    #[test]
    fn changes_of_what_is_not_there_fail_as_the_manual_says() {
        let (mut knotes, ident) = knotes();
        for (ident, filter, flags, error) in [
            (ident + 1, Filter::Read, Flags::ADD, Errno::BADF),
            (0, Filter::Write, Flags::ADD, Errno::BADF),
            (ident, Filter::Read, Flags::DELETE, Errno::NOENT),
            (ident, Filter::Read, Flags::ENABLE, Errno::NOENT),
            (0, Filter::User, Flags::NONE, Errno::NOENT),
            (ident, Filter::Other(-99), Flags::ADD, Errno::INVAL),
        ] {
            let result = change(&mut knotes, ident, filter, flags);
            assert_eq!(result, Err(error), "{ident} {filter:?} {flags:?}");
        }
        assert!(!knotes.has_active());
    }

    #[test]
    fn an_edge_is_told_once_and_a_level_while_it_is_true() {
        let (mut knotes, ident) = knotes();
        change(&mut knotes, ident, Filter::Read, EDGE).unwrap();
        assert_eq!(tell(&mut knotes), Some((ident, Filter::Read)));
        assert_eq!(tell(&mut knotes), None);
        knotes.activate(ident, Filter::Read);
        knotes.activate(ident, Filter::Read);
        knotes.activate(ident, Filter::Write);
        assert_eq!(tell(&mut knotes), Some((ident, Filter::Read)));
        assert_eq!(tell(&mut knotes), None);

        change(&mut knotes, ident, Filter::Write, Flags::ADD).unwrap();
        for _ in 0..3 {
            assert_eq!(tell(&mut knotes), Some((ident, Filter::Write)));
        }
        let note = knotes.pop().unwrap();
        knotes.quiet(&note);
        assert_eq!(tell(&mut knotes), None);
    }

    #[test]
    fn what_was_dispatched_waits_until_it_is_enabled() {
        let (mut knotes, ident) = knotes();
        change(&mut knotes, ident, Filter::Read, EDGE | Flags::DISPATCH).unwrap();
        assert!(tell(&mut knotes).is_some());
        knotes.activate(ident, Filter::Read);
        assert_eq!(tell(&mut knotes), None);
        change(&mut knotes, ident, Filter::Read, Flags::ENABLE).unwrap();
        assert!(tell(&mut knotes).is_some());
        change(
            &mut knotes,
            ident,
            Filter::Read,
            Flags::ADD | Flags::ONESHOT,
        )
        .unwrap();
        assert!(tell(&mut knotes).is_some());
        let gone = change(&mut knotes, ident, Filter::Read, Flags::DELETE);
        assert_eq!(gone, Err(Errno::NOENT), "told once, and removed");
    }

    #[test]
    fn a_close_takes_its_events_along_and_its_number_is_used_again() {
        let (mut knotes, ident) = knotes();
        change(&mut knotes, ident, Filter::Read, EDGE).unwrap();
        assert_eq!(knotes.close(ident), Closed { event: true });
        assert!(knotes.pop().is_none() && knotes.owner(ident).is_none());
        assert_eq!(knotes.open(Owner::Link(5)), (ident, true));
        knotes.activate(ident, Filter::Read);
        assert!(knotes.pop().is_none(), "nothing is registered for this one");
        change(&mut knotes, ident, Filter::Read, Flags::DELETE).unwrap_err();
    }

    #[test]
    fn wakes_become_one_and_carry_the_word_of_the_last() {
        let (mut knotes, _) = knotes();
        change(&mut knotes, 0, Filter::User, EDGE).unwrap();
        assert!(knotes.pop().is_none(), "nobody has triggered it");
        let trigger = |word| Record {
            fflags: TRIGGER,
            ..Record::change(0, Filter::User, Flags::NONE, word)
        };
        assert_eq!(knotes.change(&trigger(1)), Ok(false));
        assert_eq!(knotes.change(&trigger(2)), Ok(true));
        let note = knotes.pop().unwrap();
        assert_eq!((note.filter, note.udata), (Filter::User, 2));
        knotes.told(&note);
        assert!(knotes.pop().is_none());
    }
}
