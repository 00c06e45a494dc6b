//! The core in tokio: a task for each connection, buffers only where something is under way.
//! The embedding to copy into a runtime that polls.
//!
//! ```text
//! cargo run -p barewire-core --example tokio -- 127.0.0.1:8080
//! ```
//!
//! What an embedding owes the core is in [`serve`]: do the one thing that each step says, and keep
//! the time. Around it stands what a server in tokio needs: bounds, and a stop in good order. The
//! application is in `tokio/app.rs`; yours takes its place.
//!
//! Port 0 takes a free port; the first line of output names it. `--fast-deadlines` is for tests.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Bodies, Check, Connection, Deadline, Site, Step, Wait};
use barewire_core::limits::Limits;
use barewire_core::wire::Date;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

#[path = "tokio/app.rs"]
mod app;

use app::App;

/// Connections that are served at a time: half of the 1,024 descriptors that a process has on most
/// systems unless more are asked for. The next one is told 503.
const CONNECTIONS_MAX: u32 = 512;

/// Connections that are being told 503 at a time. More than these are closed without a word: a
/// refusal that could pile up would be no limit.
const REFUSALS_MAX: usize = 64;

/// Buffers that are kept for the next request while nobody uses them: 3 MiB. Others are freed.
const FREE_BUFFERS_MAX: usize = 128;

/// For what is under way when the server is told to stop.
const STOP: Duration = Duration::from_secs(10);

/// One that is turned away shall take its answer and go.
const HASTY: Limits = Limits {
    send_ms: 200,
    linger_ms: 200,
    ..Limits::DEFAULT
};

fn main() -> io::Result<()> {
    let mut addr = "127.0.0.1:8080".to_owned();
    let mut limits = &Limits::DEFAULT;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--fast-deadlines" => limits = &FAST,
            _ => addr = argument,
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&addr, limits))
    // Tasks that are still there are dropped with the runtime, and their sockets with them.
}

async fn run(addr: &str, limits: &'static Limits) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening  http://{}", listener.local_addr()?);
    let server = Arc::new(Server::new(limits));
    first(accept(&listener, &server), interrupt()).await;
    drop(listener);
    // Idle connections close now, busy ones after their answer. All seats free: all are gone.
    server.stop.send_replace(true);
    let all_gone = async {
        let _ = timeout(STOP, server.seats.acquire_many(CONNECTIONS_MAX)).await;
    };
    first(all_gone, interrupt()).await;
    Ok(())
}

/// Ctrl-C. A service is told to stop by SIGTERM, for which `tokio::signal::unix` is there.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        pending().await // it cannot be caught here, so it ends the process as ever
    }
}

async fn accept(listener: &TcpListener, server: &Arc<Server>) {
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: one may be free soon.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut connection = Connection::new();
        let mut limits = server.limits;
        let mut seat = Arc::clone(&server.seats).try_acquire_owned();
        if seat.is_err() {
            connection.refuse_busy();
            limits = &HASTY;
            seat = Arc::clone(&refusals).try_acquire_owned();
        }
        let Ok(seat) = seat else { continue };
        let server = Arc::clone(server);
        tokio::spawn(async move {
            // Free again however the task ends: if a handler panics, too.
            let _seat = seat;
            serve(stream, connection, &server, limits).await;
        });
    }
}

/// What all connections share.
struct Server {
    limits: &'static Limits,
    seats: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    free: Mutex<Vec<Box<Buffers>>>,
    app: App,
}

impl Server {
    fn new(limits: &'static Limits) -> Self {
        Server {
            limits,
            seats: Arc::new(Semaphore::new(CONNECTIONS_MAX as usize)),
            stop: watch::Sender::new(false),
            free: Mutex::default(),
            app: App::new(),
        }
    }

    fn buffers(&self) -> Box<Buffers> {
        self.free().pop().unwrap_or_default()
    }

    fn give_back(&self, buffers: Option<Box<Buffers>>) {
        let Some(mut buffers) = buffers else { return };
        buffers.rx.reset();
        buffers.tx.reset();
        let mut free = self.free();
        if free.len() < FREE_BUFFERS_MAX {
            free.push(buffers);
        }
    }

    /// Held for a moment and never across an `await`.
    fn free(&self) -> MutexGuard<'_, Vec<Box<Buffers>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request needs while it is under way. In the send buffer there is room for a decoded path.
#[derive(Default)]
struct Buffers {
    rx: RecvBuffer<[u8; 8192]>,
    tx: SendBuffer<[u8; 16384]>,
}

/// One connection from its first byte to its close. Every error of the socket is the same to us:
/// the peer is gone.
async fn serve(
    mut stream: TcpStream,
    mut connection: Connection,
    server: &Server,
    limits: &Limits,
) {
    // Answers are written as a whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut stop = server.stop.subscribe();
    let mut timer = Timer::new(limits);
    let mut held = None;
    loop {
        let Buffers { rx, tx } = &mut **held.get_or_insert_with(|| server.buffers());
        let date = date();
        let site = Site {
            date: Some(&date),
            draining: *server.stop.borrow(),
            bodies: Bodies::Ask,
            ..Site::new(limits)
        };
        match connection.step(&site, rx, tx) {
            // The bytes that are lent here are asked for again when there is something to read.
            Step::Read(_) => {
                let Some(due) = timer.due(&connection, rx) else {
                    connection.expire();
                    continue;
                };
                // So an idle connection costs 3.7 KB of task and timers (measured), not 28. Who
                // lingers keeps its buffers: it will not be served again.
                if rx.is_empty() && connection.waiting_for() != Wait::Linger {
                    server.give_back(held.take());
                }
                let bytes = async { Some(receive(&mut stream, &mut held, server).await) };
                let stopped = async { stop.changed().await.ok().and(None) };
                match timeout_at(due, first(bytes, stopped)).await {
                    Ok(Some(Ok(n))) => {
                        let Buffers { rx, .. } = &mut **held.get_or_insert_default();
                        if n == 0 { rx.end() } else { rx.filled(n) }
                    }
                    Ok(Some(Err(_))) => connection.lose(),
                    // The next step sees that the server drains, or that the deadline has passed.
                    Ok(None) | Err(_) => {}
                }
            }
            Step::Write(_) => {
                let Some(due) = timer.due(&connection, rx) else {
                    connection.expire();
                    continue;
                };
                let write = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, tx.pending()));
                match timeout_at(due, write).await {
                    Ok(Ok(n)) => tx.sent(n),
                    Ok(Err(_)) => connection.lose(),
                    Err(_) => {}
                }
            }
            Step::Request(exchange) => {
                let _ = server.app.request(exchange);
            }
            // The exchange was put off, and all before it is sent now. It lends from the buffers
            // while its handler awaits. If that is dropped half-way, nothing of it is there.
            Step::Away => {
                let due = timer.due(&connection, rx);
                let Some(exchange) = connection.resume(&site, rx, tx) else {
                    continue;
                };
                let answered = async { Some(server.app.resume(exchange).await) };
                let gone = async { stream.ready(Interest::ERROR).await.ok().and(None) };
                let now = Instant::now();
                match timeout_at(due.unwrap_or(now), first(answered, gone)).await {
                    Ok(Some(_)) => {}
                    Ok(None) => connection.lose(),
                    Err(_) => connection.expire(),
                }
            }
            Step::Head(fork) => {
                let _ = server.app.head(fork);
            }
            Step::Chunk(mut inflow) => server.app.chunk(&mut inflow),
            Step::End(ending) => {
                let _ = server.app.end(ending);
            }
            // Comes to answers that are longer than a buffer. The only one here is the echo, which
            // has its turn at each chunk; std.rs has another.
            Step::Room(writer) => {
                let _ = writer.finish();
            }
            Step::Cut => {} // nothing is kept from one step to the next
            Step::HalfClose => {
                let _ = poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await;
            }
            Step::Close => return server.give_back(held),
        }
    }
}

/// Waits for bytes, then takes buffers if there are none, and reads. 0: the peer sends no more.
///
/// By `poll_read` and not by `try_read`: it knows that a read which leaves space has emptied the
/// socket (a system call less for each request), and it lets other tasks have their turn.
async fn receive(
    stream: &mut TcpStream,
    held: &mut Option<Box<Buffers>>,
    server: &Server,
) -> io::Result<usize> {
    poll_fn(|cx: &mut Context<'_>| {
        if held.is_none() {
            ready!(stream.poll_read_ready(cx))?;
        }
        let buffers = held.get_or_insert_with(|| server.buffers());
        let mut into = ReadBuf::new(buffers.rx.space());
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut into))?;
        Poll::Ready(Ok(into.filled().len()))
    })
    .await
}

/// Whichever comes first; the other one is dropped. `tokio::select!` would do, and bring
/// procedural macros.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Pending => other.as_mut().poll(cx),
        done => done,
    })
    .await
}

/// The core reads no clock. It wants milliseconds that only rise.
struct Timer<'l> {
    deadline: Deadline,
    start: Instant,
    limits: &'l Limits,
}

impl<'l> Timer<'l> {
    fn new(limits: &'l Limits) -> Self {
        Timer {
            deadline: Deadline::new(),
            start: Instant::now(),
            limits,
        }
    }

    /// Until when what the connection waits for may take; `None` if that has passed.
    fn due(&mut self, connection: &Connection, rx: &RecvBuffer) -> Option<Instant> {
        let now = Instant::now();
        let now_ms = now.duration_since(self.start).as_millis() as u32; // wraps, as it may
        self.deadline.watch(connection, rx, self.limits, now_ms);
        match self.deadline.check(now_ms) {
            Check::Later(due_ms) => {
                let ms = due_ms.wrapping_sub(now_ms);
                Some(now + Duration::from_millis(ms.into()))
            }
            Check::Passed => None,
        }
    }
}

/// The date of the answers. Written once a second by each thread of the runtime, for all the tasks
/// that it runs: no lock, no task that ticks.
fn date() -> Date {
    thread_local!(static LAST: std::cell::Cell<(u64, Date)> = (0, Date::from_unix(0)).into());
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = since.map_or(0, |since| since.as_secs());
    let (last, date) = LAST.get();
    if second == last {
        return date;
    }
    let date = Date::from_unix(second);
    LAST.set((second, date));
    date
}

/// Deadlines short enough for a test to wait for them.
const FAST: Limits = Limits {
    first_byte_ms: 600,
    head_ms: 600,
    request_ms: 1_200,
    pace_ms: 600,
    send_ms: 600,
    idle_ms: 600,
    handler_ms: 900,
    linger_ms: 300,
    ..Limits::DEFAULT
};
