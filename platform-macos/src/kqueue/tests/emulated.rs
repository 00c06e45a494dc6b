//! The whole contract of [`Kernel`](barewire_core::driver::Kernel) over the adaptor, on a queue
//! that is made of epoll: real sockets and real edges, where there is no kqueue.
//!
//! What a kqueue does otherwise (records of their own for both filters, the end as a flag of each,
//! wakes inside of the queue) is done here in its way; what both systems do alike is epoll's.

#[path = "../../../../platform-linux/src/epoll/tests/contract.rs"]
mod contract;

use std::collections::HashMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;

use crate::event::{Filter, Flags, Record, TRIGGER};
use crate::kqueue::{self, Kqueue};
use crate::queue::Queue;
use crate::socket::Listener;

type Platform = Kqueue<Emulated>;
type Waker = kqueue::Waker<Emulated>;

fn open(listener: Listener) -> (Platform, Waker) {
    Kqueue::over(Emulated::new(), Some(listener)).unwrap()
}

/// One epoll for each filter, so that an edge of one is none of the other.
pub(super) struct Emulated {
    read: OwnedFd,
    write: OwnedFd,
    user: OwnedFd,
    words: Mutex<HashMap<(usize, Filter), u64>>,
}

impl Emulated {
    pub(super) fn new() -> Emulated {
        let new = || epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        Emulated {
            read: new(),
            write: new(),
            user: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap(),
            words: Mutex::default(),
        }
    }

    fn change(&self, change: &Record) -> Result<(), Errno> {
        use epoll::EventFlags as F;
        let (queue, flags) = match change.filter {
            Filter::Read => (&self.read, F::IN | F::RDHUP | F::ET),
            Filter::Write => (&self.write, F::OUT | F::ET),
            Filter::User => {
                let key = (change.ident, change.filter);
                self.words.lock().unwrap().insert(key, change.udata);
                if change.fflags & TRIGGER != 0 {
                    let _ = rustix::io::write(&self.user, &1_u64.to_ne_bytes());
                }
                return Ok(());
            }
            _ => return Err(Errno::INVAL),
        };
        let once = match change.flags.has(Flags::DISPATCH) {
            true => F::ONESHOT,
            false => F::empty(),
        };
        let flags = match change.flags.has(Flags::CLEAR) {
            true => flags | once,
            false => flags.difference(F::ET) | once,
        };
        // SAFETY: the adaptor registers sockets that it borrows during the call.
        let fd = unsafe { BorrowedFd::borrow_raw(change.ident as i32) };
        let data = epoll::EventData::new_u64(change.ident as u64);
        if change.flags.has(Flags::DELETE) {
            return epoll::delete(queue, fd);
        }
        match epoll::add(queue, fd, data, flags) {
            Err(Errno::EXIST) => epoll::modify(queue, fd, data, flags)?,
            done => done?,
        }
        let key = (change.ident, change.filter);
        self.words.lock().unwrap().insert(key, change.udata);
        Ok(())
    }

    /// What one of the two has to tell, as records.
    fn tell(&self, filter: Filter, into: &mut [Record]) -> Result<usize, Errno> {
        use epoll::EventFlags as F;
        let queue = match filter {
            Filter::Read => &self.read,
            _ => &self.write,
        };
        let nothing = epoll::Event {
            flags: F::empty(),
            data: epoll::EventData::new_u64(0),
        };
        let mut events = vec![nothing; into.len()];
        if events.is_empty() {
            return Ok(0);
        }
        let zero = Timespec::default();
        let count = epoll::wait(queue, &mut events[..], Some(&zero))?;
        for (into, event) in into.iter_mut().zip(&events[..count]) {
            let ident = event.data.u64() as usize;
            let (flags, is_read) = (event.flags, filter == Filter::Read);
            let end = if is_read {
                F::RDHUP | F::HUP | F::ERR
            } else {
                F::HUP | F::ERR
            };
            let udata = self.words.lock().unwrap().get(&(ident, filter)).copied();
            *into = Record::change(ident, filter, Flags::CLEAR, udata.unwrap());
            if flags.intersects(end) {
                into.flags = Flags::CLEAR | Flags::EOF;
            }
            if flags.contains(F::ERR) {
                into.fflags = Errno::CONNRESET.raw_os_error() as u32;
            }
        }
        Ok(count)
    }
}

impl Queue for Emulated {
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno> {
        let mut count = 0;
        for change in changes {
            let error = self.change(change).err().map_or(0, Errno::raw_os_error);
            let Some(receipt) = events.get_mut(count) else {
                continue;
            };
            if error != 0 || change.flags.has(Flags::RECEIPT) {
                *receipt = Record {
                    flags: Flags::ERROR,
                    data: i64::from(error),
                    ..*change
                };
                count += 1;
            }
        }
        if count > 0 || events.is_empty() {
            return Ok(count);
        }
        let timeout = wait.map(|wait| Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        });
        let mut ready =
            [&self.user, &self.read, &self.write].map(|fd| PollFd::new(fd, PollFlags::IN));
        rustix::event::poll(&mut ready, timeout.as_ref())?;
        if !ready[0].revents().is_empty() {
            rustix::io::read(&self.user, &mut [0; 8])?;
            let words = self.words.lock().unwrap();
            let (key, udata) = words.iter().find(|(key, _)| key.1 == Filter::User).unwrap();
            events[0] = Record::change(key.0, Filter::User, Flags::CLEAR, *udata);
            count = 1;
        }
        for filter in [Filter::Read, Filter::Write] {
            count += self.tell(filter, &mut events[count..])?;
        }
        Ok(count)
    }
}
