//! Tables of descriptors for one thread alone, seen through `/proc`. In a process of its own: a
//! table that is copied holds whatever other tests have open.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use barewire_core::driver::{Event, Kernel, WAKER};
use barewire_linux::table::{Group, OWN_TABLES, Seat};
use barewire_linux::{BACKLOG, Epoll, bind_group};

/// Everything here takes milliseconds; this is for machines that do much else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: each looks at all that the process has open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the calling thread has open: numbers, and what they stand for.
fn table() -> BTreeMap<i32, String> {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let open = fs::read_dir("/proc/thread-self/fd").unwrap();
    let open = open.filter_map(|entry| {
        let entry = entry.unwrap();
        let link = fs::read_link(entry.path());
        // The list itself is open while it is read, and closed when it is looked at again.
        Some((number(entry)?, link.ok()?.display().to_string()))
    });
    open.filter(|(_, link)| !link.starts_with("/proc/"))
        .collect()
}

/// The sockets among these, each as often as it is there.
fn sockets(table: &BTreeMap<i32, String>) -> Vec<String> {
    let links = table.values();
    let mut found: Vec<_> = links
        .filter(|link| link.starts_with("socket:"))
        .cloned()
        .collect();
    found.sort();
    found
}

/// Listeners on a free port, their group, and what of sockets was open before.
struct Start {
    addr: SocketAddr,
    group: Option<Group>,
    seats: Vec<Seat>,
    before: BTreeMap<i32, String>,
    /// The listeners.
    listeners: Vec<String>,
}

fn start(count: usize) -> Start {
    let before = table();
    let listeners = bind_group("127.0.0.1:0".parse().unwrap(), BACKLOG, count).unwrap();
    let addr = listeners[0].local_addr().unwrap();
    let (group, seats) = Group::new(listeners).unwrap();
    assert_eq!((group.wakers().count(), seats.len()), (count, count));
    let mut listeners = sockets(&table());
    listeners.retain(|link| !before.values().any(|old| old == link));
    assert_eq!(listeners.len(), count);
    Start {
        addr,
        group: Some(group),
        seats,
        before,
        listeners,
    }
}

impl Start {
    /// A worker on each seat; `own`: with a table of its own.
    fn workers(&mut self, own: bool) -> Vec<Worker> {
        let seats = self.seats.drain(..);
        seats.map(|seat| Worker::start(seat, own)).collect()
    }
}

/// Something that a thread does with the kernel it has.
type Order = Box<dyn FnOnce(&mut Epoll) + Send>;

/// A thread that has taken its seat, and does what it is told.
struct Worker {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    is_own: bool,
}

impl Worker {
    fn start(seat: Seat, own: bool) -> Worker {
        let (orders, order) = channel::<Order>();
        let (told, is_own) = channel();
        let thread = thread::spawn(move || {
            let (mut kernel, is_own) = seat.take(own).unwrap();
            told.send(is_own).unwrap();
            order.iter().for_each(|order| order(&mut kernel));
        });
        Worker {
            orders: Some(orders),
            thread: Some(thread),
            is_own: is_own.recv_timeout(PATIENCE).unwrap(),
        }
    }

    /// Lets it do something, and waits for the outcome.
    fn does<T: Send + 'static>(&self, what: impl FnOnce(&mut Epoll) -> T + Send + 'static) -> T {
        let (done, outcome): (_, Receiver<T>) = channel();
        let order = move |kernel: &mut Epoll| done.send(what(kernel)).unwrap();
        let orders = self.orders.as_ref().unwrap();
        orders.send(Box::new(order)).unwrap();
        outcome.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.orders = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

fn accept(kernel: &mut Epoll) -> Vec<OwnedFd> {
    std::iter::from_fn(|| kernel.accept().ok())
        .map(|(socket, _)| socket)
        .collect()
}

#[test]
fn what_a_thread_opens_in_its_own_table_no_other_thread_has() {
    let _alone = alone();
    let mut start = start(2);
    let workers = start.workers(true);
    assert!(OWN_TABLES && workers.iter().all(|worker| worker.is_own));
    drop(start.group.take());
    assert_eq!(table(), start.before, "nothing is left here");

    let (number, name) = workers[0].does(|_| {
        let file = File::open("/proc/version").unwrap();
        let number = file.as_raw_fd();
        let link = fs::read_link(format!("/proc/thread-self/fd/{number}")).unwrap();
        std::mem::forget(file);
        (number, link.display().to_string())
    });
    assert_eq!(name, "/proc/version");
    let link = |table: &str| fs::read_link(format!("{table}/fd/{number}"));
    assert!(link("/proc/self").map_or(true, |link| link.display().to_string() != name));
    let there = workers[1].does(move |_| table().contains_key(&number));
    assert!(!there, "not of the other worker either");
    // And the other way round: what is opened here.
    let file = File::open("/proc/version").unwrap();
    let number = file.as_raw_fd();
    let seen = workers[1].does(move |_| table().get(&number).cloned());
    assert_ne!(seen.as_deref(), Some("/proc/version"));
}

#[test]
fn each_listener_is_open_in_the_table_of_its_worker_alone() {
    let _alone = alone();
    let mut start = start(3);
    let workers = start.workers(true);
    drop(start.group.take());
    let before = sockets(&start.before);
    let mut found: Vec<_> = workers
        .iter()
        .flat_map(|worker| {
            let mut open = worker.does(|_| sockets(&table()));
            open.retain(|link| !before.contains(link));
            assert_eq!(open.len(), 1, "{open:?}");
            open
        })
        .collect();
    found.sort();
    assert_eq!(found, start.listeners);
}

#[test]
fn after_one_has_stopped_to_listen_the_others_get_all_and_after_the_last_nobody() {
    let _alone = alone();
    for own in [true, false] {
        let mut start = start(2);
        let workers = start.workers(own);
        assert!(workers.iter().all(|worker| worker.is_own == own));
        drop(start.group.take());
        workers[0].does(Epoll::stop_listening);
        let mut clients: Vec<_> = (0..32)
            .map(|_| TcpStream::connect(start.addr).unwrap())
            .collect();
        let begin = Instant::now();
        let mut served = Vec::new();
        while served.len() < clients.len() {
            let more = workers[1].does(|kernel| {
                let sockets = accept(kernel);
                sockets
                    .iter()
                    .for_each(|socket| assert_eq!(kernel.send(socket, b"x"), Ok(1)));
                sockets
                    .into_iter()
                    .map(|socket| socket.as_raw_fd())
                    .collect::<Vec<_>>()
            });
            served.extend(more);
            assert!(
                begin.elapsed() < PATIENCE,
                "only {} of 32, {own}",
                served.len()
            );
        }
        // They were closed in the table that they were in, so their ends come.
        for client in &mut clients {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            assert_eq!(text, "x");
        }
        workers[1].does(Epoll::stop_listening);
        let refused = TcpStream::connect(start.addr).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{own}");
        bind_group(start.addr, BACKLOG, 2).unwrap();
        drop((workers, clients));
        assert_eq!(table(), start.before, "{own}");
    }
}

#[test]
fn a_wake_up_reaches_a_worker_from_either_side() {
    let _alone = alone();
    let mut start = start(2);
    let workers = start.workers(true);
    let wakers: Vec<_> = start.group.as_ref().unwrap().wakers().cloned().collect();
    drop(start.group.take());
    let is_woken = |kernel: &mut Epoll| {
        let mut events = [Event::default(); 8];
        let until = barewire_core::driver::Instant(kernel.now().0 + 5_000_000_000);
        let count = kernel.poll(&mut events, Some(until)).unwrap();
        events[..count].iter().any(|event| event.token == WAKER)
    };
    for (at, worker) in workers.iter().enumerate() {
        wakers[at].wake();
        assert!(worker.does(is_woken), "{at}");
        // Of its neighbour, from a worker.
        let waker = wakers[1 - at].clone();
        worker.does(move |_| waker.wake());
        assert!(workers[1 - at].does(is_woken), "{at}");
    }
    drop(workers);
    drop(wakers);
    assert_eq!(table(), start.before);
}

#[test]
fn where_no_table_can_be_had_the_seat_is_taken_in_the_one_of_all() {
    let _alone = alone();
    let mut start = start(2);
    // In the thread of the group: it has nobody to share with, so nothing could be closed.
    let (mut here, is_own) = start.seats.remove(0).take(true).unwrap();
    assert!(!is_own);
    let there = Worker::start(start.seats.remove(0), false);
    assert!(!there.is_own);
    drop(start.group.take());
    assert_eq!(sockets(&table()).len(), sockets(&start.before).len() + 2);
    let _clients: Vec<_> = (0..16)
        .map(|_| TcpStream::connect(start.addr).unwrap())
        .collect();
    let (begin, mut served) = (Instant::now(), 0);
    while served < 16 {
        served += accept(&mut here).len() + there.does(|kernel| accept(kernel).len());
        assert!(begin.elapsed() < PATIENCE);
    }
    drop((here, there));
    let refused = TcpStream::connect(start.addr).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_seat_without_its_group_is_refused_and_takes_nothing() {
    let _alone = alone();
    let mut start = start(1);
    let seat = start.seats.remove(0);
    drop(start.group.take());
    let outcome = thread::spawn(move || seat.take(true).map(|_| ()))
        .join()
        .unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(table(), start.before);
    bind_group(start.addr, BACKLOG, 1).expect("the port is free");
}
