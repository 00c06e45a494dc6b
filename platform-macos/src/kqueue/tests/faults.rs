//! Three adaptors that are wrong on purpose, and three trials that find them out. Each trial runs
//! over the right adaptor as well, and says in words what it saw.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use barewire_core::driver::{Address, Event, Instant, Kernel, Trouble, WAKER};
use rustix::io::Errno;

use super::script::{Script, number};
use super::traces::connect;
use crate::event::{Filter, Flags, Record};
use crate::kqueue::{Kqueue, Waker};
use crate::queue::Queue;
use crate::socket::{BACKLOG, Listener};

/// An adaptor between a queue and the driver, right or wrong.
trait Adaptor {
    type Kernel: Kernel<Socket = OwnedFd>;
    type Queue: Queue;
    fn open(script: Script, listener: Listener) -> (Self::Kernel, Waker<Self::Queue>);
}

fn stage<A: Adaptor>() -> (A::Kernel, Waker<A::Queue>, Script, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), BACKLOG, false).unwrap();
    let addr = listener.local_addr().unwrap();
    let script = Script::default();
    let (kernel, waker) = A::open(script.clone(), listener);
    (kernel, waker, script, addr)
}

fn poll<K: Kernel>(kernel: &mut K, room: usize) -> Vec<Event> {
    let mut events = vec![Event::default(); room];
    let Ok(n) = kernel.poll(&mut events, Some(Instant(0))) else {
        panic!("polling failed");
    };
    events.truncate(n);
    events
}

// --- the trials

/// The manual: "It is possible for EOF to be returned (indicating the connection is gone) while
/// there is still data pending in the socket buffer."
fn data_before_its_end<A: Adaptor>() -> Result<(), String> {
    let (mut kernel, _waker, script, addr) = stage::<A>();
    let (mut client, socket) = connect(&mut kernel, addr, 7);
    client.write_all(b"last words").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    script.happens(&socket, Filter::Read, Flags::EOF, 0, 10);
    let events = poll(&mut kernel, 8);
    if !matches!(events[..], [event] if event.readable && event.ended && !event.broken) {
        return Err(format!("the end was told as {events:?}"));
    }
    let mut into = [0; 64];
    match kernel.recv(&socket, &mut into) {
        Ok(10) => {}
        other => return Err(format!("10 bytes were pending, and reading gave {other:?}")),
    }
    match kernel.recv(&socket, &mut into) {
        Ok(0) => Ok(()),
        other => Err(format!("after the bytes came {other:?}")),
    }
}

/// The manual of EV_RECEIPT: "without draining any pending events".
fn no_wake_is_lost<A: Adaptor>() -> Result<(), String> {
    let (mut kernel, waker, _script, addr) = stage::<A>();
    waker.wake();
    waker.wake();
    let _connection = connect(&mut kernel, addr, 7);
    let count = |events: Vec<Event>| events.iter().filter(|e| e.token == WAKER).count();
    match count(poll(&mut kernel, 8)) {
        1 => {}
        n => return Err(format!("woken twice before a connection, told {n} times")),
    }
    match count(poll(&mut kernel, 8)) {
        0 => Ok(()),
        _ => Err("told again without a wake".to_owned()),
    }
}

/// The manual: "Calling close() on a file descriptor will remove any kevents that reference the
/// descriptor", and descriptors are used again at once.
fn a_close_takes_its_events_along<A: Adaptor>() -> Result<(), String> {
    // The next connection gets the number of the closed one, unless another test is faster.
    for _ in 0..100 {
        let (mut kernel, _waker, script, addr) = stage::<A>();
        let (_client, one) = connect(&mut kernel, addr, 7);
        let (_client, two) = connect(&mut kernel, addr, 8);
        script.bytes(&one, 1);
        script.bytes(&two, 1);
        let first = poll(&mut kernel, 1);
        assert_eq!(first.first().map(|event| event.token), Some(7));
        let _client = TcpStream::connect(addr).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let freed = number(&two);
        kernel.close(two, false);
        match kernel.accept() {
            Ok((next, _)) if number(&next) == freed => {
                kernel.register(&next, 9).unwrap();
                return match poll(&mut kernel, 8)[..] {
                    [] => Ok(()),
                    [Event { token, .. }, ..] => Err(format!("{token} was told of, and is new")),
                };
            }
            _ => {}
        }
    }
    panic!("no number is used again");
}

// --- the right adaptor

struct Right;

impl Adaptor for Right {
    type Kernel = Kqueue<Script>;
    type Queue = Script;

    fn open(script: Script, listener: Listener) -> (Kqueue<Script>, Waker<Script>) {
        Kqueue::over(script, Some(listener)).unwrap()
    }
}

#[test]
fn the_adaptor_passes_all_trials() {
    assert_eq!(data_before_its_end::<Right>(), Ok(()));
    assert_eq!(no_wake_is_lost::<Right>(), Ok(()));
    assert_eq!(a_close_takes_its_events_along::<Right>(), Ok(()));
}

// --- wrong ones

/// Takes the end for the end of everything, as one that reads EV_EOF as "gone" does.
struct Hasty {
    inner: Kqueue<Script>,
    is_over: bool,
}

/// Keeps records back that it has no room to tell, and looks up whose they are when it does.
struct Hoarder {
    inner: Kqueue<Script>,
    kept: VecDeque<(usize, Event)>,
    script: Script,
    owners: HashMap<usize, u64>,
}

/// What both wrong kernels leave to the right one.
macro_rules! rest {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($arg: $type),*) -> $result {
            self.inner.$name($($arg),*)
        })*
        fn local(&self, socket: &OwnedFd) -> Option<Address> {
            self.inner.local(socket)
        }
        fn now(&self) -> Instant {
            self.inner.now()
        }
    };
}

impl Kernel for Hasty {
    type Socket = OwnedFd;
    type Error = std::io::Error;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> std::io::Result<usize> {
        let n = self.inner.poll(events, until)?;
        self.is_over |= events[..n].iter().any(|event| event.ended);
        Ok(n)
    }

    fn recv(&mut self, socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Trouble> {
        if self.is_over {
            return Ok(0);
        }
        self.inner.recv(socket, into)
    }

    rest! {
        accept() -> Result<(OwnedFd, Address), Trouble>;
        register(socket: &OwnedFd, token: u64) -> Result<(), Trouble>;
        send(socket: &OwnedFd, from: &[u8]) -> Result<usize, Trouble>;
        shutdown(socket: &OwnedFd) -> ();
        close(socket: OwnedFd, abort: bool) -> ();
        stop_listening() -> ();
    }
}

impl Adaptor for Hasty {
    type Kernel = Hasty;
    type Queue = Script;

    fn open(script: Script, listener: Listener) -> (Hasty, Waker<Script>) {
        let (inner, waker) = Right::open(script, listener);
        let is_over = false;
        (Hasty { inner, is_over }, waker)
    }
}

impl Kernel for Hoarder {
    type Socket = OwnedFd;
    type Error = std::io::Error;

    fn poll(&mut self, events: &mut [Event], _: Option<Instant>) -> std::io::Result<usize> {
        let mut records = [Record::EMPTY; 8];
        let n = self.script.exchange(&[], &mut records, None)?;
        for record in &records[..n] {
            let event = crate::watch::translate(record).unwrap();
            self.kept.push_back((record.ident, event));
        }
        let mut count = 0;
        while count < events.len()
            && let Some((ident, event)) = self.kept.pop_front()
        {
            let token = self.owners.get(&ident).copied().unwrap_or(event.token);
            events[count] = Event { token, ..event };
            count += 1;
        }
        Ok(count)
    }

    fn register(&mut self, socket: &OwnedFd, token: u64) -> Result<(), Trouble> {
        self.owners.insert(number(socket), token);
        self.inner.register(socket, token)
    }

    rest! {
        accept() -> Result<(OwnedFd, Address), Trouble>;
        recv(socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Trouble>;
        send(socket: &OwnedFd, from: &[u8]) -> Result<usize, Trouble>;
        shutdown(socket: &OwnedFd) -> ();
        close(socket: OwnedFd, abort: bool) -> ();
        stop_listening() -> ();
    }
}

impl Adaptor for Hoarder {
    type Kernel = Hoarder;
    type Queue = Script;

    fn open(script: Script, listener: Listener) -> (Hoarder, Waker<Script>) {
        let (inner, waker) = Right::open(script.clone(), listener);
        let hoarder = Hoarder {
            inner,
            kept: VecDeque::new(),
            script,
            owners: HashMap::new(),
        };
        (hoarder, waker)
    }
}

/// A queue whose user forgot EV_RECEIPT: room for errors is room for events too.
struct Unreceipted(Script);

impl Queue for Unreceipted {
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno> {
        let mut changes = changes.to_vec();
        for change in &mut changes {
            change.flags = Flags::from_bits(change.flags.bits() & !Flags::RECEIPT.bits());
        }
        self.0.exchange(&changes, events, wait)
    }
}

struct Forgetful;

impl Adaptor for Forgetful {
    type Kernel = Kqueue<Unreceipted>;
    type Queue = Unreceipted;

    fn open(script: Script, listener: Listener) -> (Self::Kernel, Waker<Unreceipted>) {
        Kqueue::over(Unreceipted(script), Some(listener)).unwrap()
    }
}

fn failure(result: Result<(), String>) -> String {
    result.expect_err("the fault was not found")
}

#[test]
fn an_adaptor_that_drops_pending_data_at_the_end_is_found() {
    let seen = failure(data_before_its_end::<Hasty>());
    assert_eq!(seen, "10 bytes were pending, and reading gave Ok(0)");
    assert_eq!(no_wake_is_lost::<Hasty>(), Ok(()), "its only fault");
}

#[test]
fn an_adaptor_that_loses_a_wake_is_found() {
    let seen = failure(no_wake_is_lost::<Forgetful>());
    assert_eq!(seen, "woken twice before a connection, told 0 times");
    assert_eq!(data_before_its_end::<Forgetful>(), Ok(()), "its only fault");
}

#[test]
fn an_adaptor_that_tells_of_a_closed_socket_is_found() {
    let seen = failure(a_close_takes_its_events_along::<Hoarder>());
    assert_eq!(seen, "9 was told of, and is new");
    assert_eq!(data_before_its_end::<Hoarder>(), Ok(()), "its only fault");
}
