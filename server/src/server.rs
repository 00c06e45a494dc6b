//! Threads around workers: start, stop, and what there is to tell.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use barewire_core::buffer::Slot;
use barewire_core::driver::Kernel;

use crate::app::App;
use crate::config::{Config, ConfigError, WORKERS_MAX};
use crate::desk::{self, Desk};
use crate::footprint::{Presence, STACK_BYTES, hold_own_stack};
use crate::handoff::{self, Acceptor, Handed};
use crate::occupancy::Occupancy;
use crate::pages::{self, SlotPages};
use crate::platform::{
    BACKEND, BACKLOG, Group, Listener, Native, Seat, SlotCutter, Waker, allowed, available,
    bind_group, hold_program, raise_descriptors, thread_cpu_ns, tied,
};
use crate::share::{self, Share};
use crate::worker::{Admission, Tally};

/// A server that runs.
///
/// ```no_run
/// use barewire::{App, Config, Context, Server};
/// use barewire_core::connection::{Done, Exchange};
/// use barewire_core::wire::Status;
///
/// struct Hello;
///
/// impl App for Hello {
///     fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
///         match exchange.reply.status(Status::OK).text("hello") {
///             Ok(done) => done,
///             Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
///         }
///     }
/// }
///
/// let server = Server::start(&Config::default(), |_worker| Hello)?;
/// println!("http://{}", server.local_addr());
/// server.join();
/// # Ok::<(), barewire::StartError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    threads: Vec<JoinHandle<Share>>,
    /// Where one thread accepts for all of them.
    acceptor: Option<JoinHandle<()>>,
    handle: Handle,
    shutdown: Duration,
    presence: Presence,
    pages: SlotPages,
    /// Where the workers are tied to.
    processors: Vec<usize>,
    own_descriptors: bool,
}

/// Stops a server from another thread.
///
/// Progress: no call waits for a worker, however long that one is busy (lock-free: one word, and a
/// wake-up for each).
#[derive(Clone, Debug)]
pub struct Handle {
    order: Arc<AtomicU8>,
    wakers: Arc<[Waker]>,
}

const RUN: u8 = 0;
const DRAIN: u8 = 1;
const ABORT: u8 = 2;

impl Handle {
    /// Stops accepting, closes idle connections, lets requests under way finish.
    pub fn drain(&self) {
        self.order.fetch_max(DRAIN, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
    }

    /// Closes everything at once.
    pub fn abort(&self) {
        self.order.fetch_max(ABORT, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration cannot be.
    Config(ConfigError),
    /// The address is in use.
    Busy(SocketAddr),
    /// The system does not allow so many open files.
    Descriptors {
        /// How many are needed.
        needed: usize,
        /// How many there may be.
        allowed: u64,
    },
    /// The memory for so many slots could not be had.
    Memory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// The pool has not so many huge pages, and they were required.
    HugePages {
        /// How many are needed.
        needed: usize,
        /// How many the pool has free; `None` where there is no pool.
        free: Option<usize>,
        /// What `vm.nr_hugepages` has to be, beside what others have; `None` where there is no
        /// pool.
        wanted: Option<usize>,
    },
    /// Huge pages were required, and the pool has enough, but the system refused them: a limit, or
    /// a control group.
    HugePagesRefused {
        /// How many are needed.
        needed: usize,
        /// What the system said.
        error: io::Error,
    },
    /// A worker cannot be tied to a processor, which was asked for.
    Pin(io::Error),
    /// Anything else the system said.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Busy(addr) => write!(f, "{addr} is in use by another program"),
            StartError::Descriptors { needed, allowed } => write!(
                f,
                "{needed} open files are needed, {allowed} are allowed \
                 (lower --connections, or raise `ulimit -n`)"
            ),
            StartError::Memory { bytes } => write!(f, "{bytes} bytes of memory cannot be had"),
            StartError::HugePages {
                needed,
                free,
                wanted,
            } => pages::lacking(f, *needed, free.zip(*wanted)),
            StartError::HugePagesRefused { needed, error } => pages::denied(f, *needed, error),
            StartError::Pin(error) => write!(f, "workers cannot be pinned: {error}"),
            StartError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        StartError::Io(error)
    }
}

impl Server {
    /// Starts `config.workers` threads, each with its own application from `app`, which is called
    /// with the number of the worker, in the worker's thread. Everything is reserved before the
    /// first connection is accepted. With [`Config::prefault`] it waits until all workers have
    /// their memory.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing runs then.
    pub fn start<A, F>(config: &Config, app: F) -> Result<Server, StartError>
    where
        A: App,
        F: Fn(usize) -> A + Clone + Send + 'static,
    {
        let workers = worker_count(config);
        let hands_out = config.hands_out(workers);
        let count = if hands_out { 1 } else { workers };
        let (mut listeners, addr) = listen(config, workers, count)?;
        let (mut slots, pages, mut locked) = pages::slots(config)?;
        let own_door = match hands_out {
            true => listeners.pop().map(Native::new).transpose()?,
            false => None,
        };
        let own_descriptors = config.wants_own_tables(workers);
        let (kernels, group): (Vec<(Native, Waker)>, _) = match (hands_out, own_descriptors) {
            (true, _) => {
                let blind = (0..workers).map(|_| Native::without_listener());
                (blind.collect::<io::Result<_>>()?, None)
            }
            (false, true) => (Vec::new(), Some(Group::new(listeners)?)),
            (false, false) => {
                let kernels = listeners.into_iter().map(Native::new);
                (kernels.collect::<io::Result<_>>()?, None)
            }
        };
        let seated = group.iter().flat_map(|(group, _)| group.wakers());
        let handle = Handle {
            order: Arc::new(AtomicU8::new(RUN)),
            wakers: (kernels.iter().chain(&own_door))
                .map(|(_, waker)| waker)
                .chain(seated)
                .cloned()
                .collect(),
        };
        let (ready, are_ready) = mpsc::channel();
        let mut crew = Crew {
            threads: Vec::with_capacity(workers),
            slots: &mut slots,
            workers,
            processors: match config.pin {
                true => allowed(),
                false => Vec::new(),
            },
            config,
            admission: desk::admission(config, workers),
            app,
            ready,
            handle: handle.clone(),
        };
        let mut acceptor = None;
        let mut own_descriptors = own_descriptors;
        if let Some((group, seats)) = group {
            for seat in seats {
                own_descriptors = crew.seat(seat, own_descriptors)?;
            }
            // Each is open where it is accepted from. Here it would be in its group for ever.
            drop(group);
        } else if let Some((door, _)) = own_door {
            let mut gates = Vec::with_capacity(workers);
            for (kernel, waker) in kernels {
                let (gate, door) = handoff::ring(waker);
                gates.push(gate);
                let occupancy = door.occupancy();
                crew.hire(|| Some(Handed::new(kernel, door)), Some(occupancy))?;
            }
            acceptor = Some(crew.open(Acceptor::new(door, gates))?);
        } else {
            for (kernel, _) in kernels {
                crew.hire(|| Some(kernel), None)?;
            }
        }
        let Crew {
            threads,
            ready,
            mut processors,
            ..
        } = crew;
        processors.truncate(workers);
        drop(ready);
        let mut presence = Presence::AsNeeded;
        if config.prefault {
            // Ends with the last worker that is ready, or has panicked before.
            locked = are_ready.iter().fold(locked, |all, one: bool| all && one);
            // Where the system does not say what is mapped, code is touched as it runs first.
            locked = hold_program().unwrap_or(false) && locked;
            presence = Presence::touched(locked);
        }
        let shutdown = Duration::from_millis(config.shutdown_ms);
        Ok(Server {
            addr,
            threads,
            acceptor,
            handle,
            shutdown,
            presence,
            pages,
            processors,
            own_descriptors,
        })
    }

    /// How much of the server's own memory is there from the start.
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// What the slots lie in.
    pub fn pages(&self) -> SlotPages {
        self.pages
    }

    /// The processors that the workers are tied to, the first to the first, from the beginning
    /// again if there are fewer. Empty if they go where the system puts them.
    pub fn processors(&self) -> &[usize] {
        &self.processors
    }

    /// Whether each worker has a table of descriptors of its own
    /// ([`Config::own_descriptors`]). Asked for and false: the system does not have that, or
    /// forbids it, or has no memory or no `/proc`; nothing else differs then.
    pub fn own_descriptors(&self) -> bool {
        self.own_descriptors
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many threads work.
    pub fn workers(&self) -> usize {
        self.threads.len()
    }

    /// How the operating system is asked.
    pub fn backend(&self) -> &'static str {
        BACKEND
    }

    /// Stops it from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Whether a thread has ended, which none does unless it is stopped.
    pub fn has_ended(&self) -> bool {
        let door = self.acceptor.as_ref();
        self.threads.iter().any(JoinHandle::is_finished)
            || door.is_some_and(|one| one.is_finished())
    }

    /// Whether all threads have ended.
    pub fn is_done(&self) -> bool {
        let door = self.acceptor.as_ref();
        self.threads.iter().all(JoinHandle::is_finished) && door.is_none_or(|one| one.is_finished())
    }

    /// Drains, waits as long as the configuration allows, then aborts what is left. Says what was
    /// done, and whether everything finished in time.
    pub fn shut_down(self) -> (Tally, bool) {
        self.handle.drain();
        let deadline = std::time::Instant::now() + self.shutdown;
        while !self.is_done() {
            if std::time::Instant::now() >= deadline {
                self.handle.abort();
                return (self.join(), false);
            }
            thread::sleep(Duration::from_millis(5));
        }
        (self.join(), true)
    }

    /// Waits for the end of all workers, and says what they did.
    pub fn join(self) -> Tally {
        share::sum(&self.join_each())
    }

    /// Waits for the end of all workers, and says what each did, in their order.
    pub fn join_each(self) -> Vec<Share> {
        let mut shares = Vec::with_capacity(self.threads.len());
        if let Some(Err(panic)) = self.acceptor.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        for thread in self.threads {
            match thread.join() {
                Ok(share) => shares.push(share),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        shares
    }
}

/// What the threads of a server are started with.
struct Crew<'s, F> {
    threads: Vec<JoinHandle<Share>>,
    slots: &'s mut SlotCutter,
    workers: usize,
    /// Where they are tied to, in turn; empty if nowhere.
    processors: Vec<usize>,
    config: &'s Config,
    admission: Admission,
    app: F,
    ready: mpsc::Sender<bool>,
    handle: Handle,
}

impl<F> Crew<'_, F> {
    /// Starts the next worker, and waits until it has taken its seat; with `own` it has a table of
    /// descriptors of its own then, if that can be. Says whether it has: one that has none holds
    /// its connections in the table that the next one would copy.
    fn seat<A>(&mut self, seat: Seat, own: bool) -> Result<bool, StartError>
    where
        A: App,
        F: Fn(usize) -> A + Clone + Send + 'static,
    {
        let (told, outcome) = mpsc::channel();
        let take = move || {
            let (kernel, outcome) = match seat.take(own) {
                Ok((kernel, is_own)) => (Some(kernel), Ok(is_own)),
                Err(error) => (None, Err(error)),
            };
            // Somebody waits for it.
            let _ = told.send(outcome);
            kernel
        };
        self.hire(take, None)?;
        let outcome = outcome.recv().map_err(io::Error::other);
        outcome.flatten().map_err(|error| {
            self.handle.abort();
            error.into()
        })
    }

    /// Starts the next worker, over the kernel that it makes in its thread (none: it ends); it
    /// tells there what it refuses.
    fn hire<K, A>(
        &mut self,
        kernel: impl FnOnce() -> Option<K> + Send + 'static,
        occupancy: Option<Arc<Occupancy>>,
    ) -> Result<(), StartError>
    where
        K: Kernel<Error = io::Error> + 'static,
        A: App,
        F: Fn(usize) -> A + Clone + Send + 'static,
    {
        let number = self.threads.len();
        let share = pages::part(self.slots, self.config, self.workers);
        let app = self.app.clone();
        let desk = Desk {
            config: self.config.clone(),
            admission: self.admission.clone(),
            occupancy,
            ready: Some(self.ready.clone()),
        };
        let order = self.handle.order.clone();
        let body = move || {
            // Before the application: what that opens is the worker's.
            let kernel = kernel();
            let work = |kernel| work(kernel, share, app(number), desk, &order);
            let tally = kernel.map(work).unwrap_or_default();
            let cpu = Duration::from_nanos(thread_cpu_ns());
            Share { tally, cpu }
        };
        let hire = || self.start(format!("worker-{number}"), STACK_BYTES, body);
        let thread = match (self.config.pin, self.processors.as_slice()) {
            (false, _) => hire(),
            // The system does not say which there are.
            (true, []) => Err(StartError::Pin(io::ErrorKind::Unsupported.into())),
            (true, all) => tied(all[number % all.len()], hire).unwrap_or_else(|error| {
                self.handle.abort();
                Err(StartError::Pin(error))
            }),
        };
        self.threads.push(thread?);
        Ok(())
    }

    /// Starts the thread that accepts for all workers.
    fn open<K>(&self, acceptor: Acceptor<K>) -> Result<JoinHandle<()>, StartError>
    where
        K: Kernel<Error = io::Error> + Send + 'static,
        K::Socket: Send,
    {
        let order = self.handle.order.clone();
        let (prefault, ready) = (self.config.prefault, self.ready.clone());
        let body = move || {
            if prefault {
                // Nobody to tell: the start has failed.
                let _ = ready.send(hold_own_stack(handoff::STACK_BYTES));
            }
            drop(ready);
            if let Err(error) = acceptor.work(&order, RUN) {
                // Without events nobody comes in. Who is there is served, until somebody looks
                // (`has_ended`) and stops the rest.
                eprintln!("barewire: accepting ends: {error}");
            }
        };
        self.start("acceptor".to_owned(), handoff::STACK_BYTES, body)
    }

    /// Starts a thread; if that cannot be, those that run already are ended.
    fn start<T: Send + 'static>(
        &self,
        name: String,
        stack_bytes: usize,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, StartError> {
        let thread = thread::Builder::new().name(name).stack_size(stack_bytes);
        thread.spawn(body).map_err(|error| {
            self.handle.abort();
            error.into()
        })
    }
}

/// Workers that a configuration means on this machine.
pub(crate) fn worker_count(config: &Config) -> usize {
    if config.workers == 0 {
        available().min(WORKERS_MAX)
    } else {
        config.workers
    }
}

/// Connections, at most those of `config`, that fit into the descriptors that this process may
/// have, for a default that has to start everywhere. At least 1, whether it fits or not.
pub(crate) fn connections_possible(config: &Config) -> usize {
    let workers = worker_count(config);
    let needed = |connections| {
        let config = Config {
            connections,
            ..config.clone()
        };
        config.descriptors_min(workers) as u64
    };
    // What `start` will be allowed; where the limits cannot even be set, it says so.
    let allowed = raise_descriptors(config.descriptors(workers) as u64).unwrap_or(u64::MAX);
    let (mut least, mut most) = (1, config.connections);
    while least < most {
        let middle = least + (most - least).div_ceil(2);
        if needed(middle) <= allowed {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

/// The body of a worker's thread.
fn work<K: Kernel<Error = io::Error>, A: App>(
    kernel: K,
    share: Vec<Slot>,
    app: A,
    desk: Desk,
    order: &AtomicU8,
) -> Tally {
    desk.with_worker(kernel, share, app, |mut worker| {
        let mut draining = false;
        loop {
            if let Err(error) = worker.turn(None) {
                // Without events nothing can go on. The other workers do, until somebody looks
                // (`has_ended`) and stops them.
                eprintln!("barewire: a worker ends: {error}");
                worker.abort();
                return worker.tally();
            }
            match order.load(Ordering::Relaxed) {
                ABORT => {
                    worker.abort();
                    return worker.tally();
                }
                DRAIN if !draining => {
                    draining = true;
                    worker.drain();
                }
                _ => {}
            }
            if draining && worker.open() == 0 {
                return worker.tally();
            }
        }
    })
}

/// So many listeners of one port, as long as the process may have the descriptors that `workers`
/// workers need; and where they listen.
pub(crate) fn listen(
    config: &Config,
    workers: usize,
    count: usize,
) -> Result<(Vec<Listener>, SocketAddr), StartError> {
    config.check().map_err(StartError::Config)?;
    let needed = config.descriptors_min(workers);
    let possible = raise_descriptors(config.descriptors(workers) as u64)?;
    if possible < needed as u64 {
        return Err(StartError::Descriptors {
            needed,
            allowed: possible,
        });
    }
    let listeners =
        bind_group(config.bind, BACKLOG, count).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::Busy(config.bind),
            _ => StartError::Io(error),
        })?;
    let first = listeners.first();
    let addr = first.map_or(Ok(config.bind), |first| first.local_addr())?;
    Ok((listeners, addr))
}
