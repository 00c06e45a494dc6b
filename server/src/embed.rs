//! A server without a thread: one worker in a loop of somebody else's.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use barewire_core::driver::{Driver, Instant, Readiness};

use crate::app::App;
use crate::config::Config;
use crate::desk::{self, Desk};
use crate::pages;
use crate::platform::{Native, Waker};
use crate::server::{StartError, listen};
use crate::worker::{Tally, Worker};

/// A worker that listens, and does something only when it is told to: [`embed`] lends it.
pub struct Embedded<'m, A: App> {
    worker: Worker<'m, Readiness<'m, Native>, A>,
    addr: SocketAddr,
    waker: Waker,
}

/// Reserves everything that one worker needs, and lends it to `run`, in this thread. What is open
/// when `run` comes back is closed, and that is the end of the server.
///
/// For programs that have a loop already: a game, a simulation, a measurement. The application may
/// borrow what the loop works with, without a lock, as both are in one thread.
///
/// ```
/// use std::cell::Cell;
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// use barewire::{Config, embed, handler};
/// use barewire_core::wire::Status;
///
/// let config = Config {
///     bind: "127.0.0.1:0".parse()?,
///     connections: 16,
///     ..Config::default()
/// };
/// let rounds = Cell::new(0_u32);
/// let app = handler(|_, exchange| {
///     let text = format!("{} rounds", rounds.get());
///     match exchange.reply.status(Status::OK).text(&text) {
///         Ok(done) => done,
///         Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
///     }
/// });
/// let answer = embed(&config, app, |server| {
///     let mut client = TcpStream::connect(server.local_addr())?;
///     client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
///     while rounds.get() < 10_000 && server.tally().requests == 0 {
///         rounds.set(rounds.get() + 1); // the work of the loop
///         server.turn(Some(Duration::from_millis(1)))?; // and of the server, if there is any
///     }
///     let mut answer = String::new();
///     client.set_read_timeout(Some(Duration::from_secs(10)))?;
///     client.read_to_string(&mut answer)?;
///     std::io::Result::Ok(answer)
/// })??;
/// assert!(answer.ends_with(&format!("\r\n\r\n{} rounds", rounds.get())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Of `config` it takes what concerns connections, their memory, and the protocol. It has one
/// worker whatever `workers` says, so there is nothing to spread, pin or hand over; who shuts down
/// decides how long to wait. With `prefault` the slots and tables are touched and locked, but not
/// the stack, which is the caller's.
///
/// A worker borrows its tables, so it is lent for a call and not given away: that way nothing needs
/// to point into itself. The memory of the slots is never given back to the system, as that of
/// [`Server`](crate::Server) is not, so this is for the one server of a process, or a few.
///
/// # Errors
/// See [`StartError`]. `run` was not called then.
pub fn embed<A: App, T>(
    config: &Config,
    app: A,
    run: impl FnOnce(&mut Embedded<'_, A>) -> T,
) -> Result<T, StartError> {
    let (listeners, addr) = listen(config, 1, 1)?;
    let (mut slots, ..) = pages::slots(config)?;
    let share = pages::part(&mut slots, config, 1);
    let listener = listeners.into_iter().next();
    let listener = listener.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let (kernel, waker) = Native::new(listener)?;
    let desk = Desk {
        config: config.clone(),
        admission: desk::admission(config, 1),
        occupancy: None,
        ready: None,
    };
    Ok(desk.with_worker(kernel, share, app, |worker| {
        let mut embedded = Embedded {
            worker,
            addr,
            waker,
        };
        let outcome = run(&mut embedded);
        // The application is told of what it will not finish.
        embedded.worker.abort();
        outcome
    }))
}

impl<A: App> Embedded<'_, A> {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does what there is to do: accepts, reads, calls the application, answers, looks at
    /// deadlines. If there is nothing, it waits for it, at most as long as `wait` (`None`: for
    /// ever), and may come back before. With [`Duration::ZERO`] it never waits.
    ///
    /// Says whether its [`waker`](Self::waker) was used since the last turn. Deadlines and answers
    /// are as late as the turns are.
    ///
    /// # Errors
    /// Those of the system's call to wait, after which nothing can go on.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<bool> {
        let until = wait.map(|wait| {
            // Not the time of the turn before: what the embedder did since is no part of the wait.
            let now = self.worker.driver_mut().tick();
            let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            Instant(now.0.saturating_add(nanos))
        });
        self.worker.turn(until)
    }

    /// Ends a wait in [`turn`](Self::turn) from another thread, the present one or the next.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Stops listening, closes idle connections, and lets requests under way finish, in the turns
    /// that follow; [`open`](Self::open) tells when all have.
    pub fn drain(&mut self) {
        self.worker.drain();
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.worker.open()
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.worker.tally()
    }
}

impl<A: App> fmt::Debug for Embedded<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("addr", &self.addr)
            .field("worker", &self.worker)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;
    use std::time::Instant as Clock;

    use barewire_core::connection::{Done, Exchange};
    use barewire_core::wire::Status;

    use super::*;
    use crate::app::Context;
    use crate::handler::handler;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// More than any of these waits takes on a busy machine.
    const LONG: Duration = Duration::from_secs(10);

    fn config() -> Config {
        Config {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            connections: 4,
            ..Config::default()
        }
    }

    fn nothing(_: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        exchange.reply.bare(Status::NO_CONTENT)
    }

    fn turn_until<A: App>(
        server: &mut Embedded<'_, A>,
        is_done: impl Fn(&Embedded<'_, A>) -> bool,
    ) {
        let end = Clock::now() + LONG;
        while !is_done(server) {
            assert!(Clock::now() < end, "{server:?}");
            server.turn(Some(Duration::from_millis(20))).unwrap();
        }
    }

    #[test]
    fn nothing_happens_but_in_a_turn() {
        let asked = Cell::new(0);
        let app = handler(|context, exchange| {
            asked.set(asked.get() + 1);
            nothing(context, exchange)
        });
        embed(&config(), app, |server| {
            let mut client = TcpStream::connect(server.local_addr()).unwrap();
            client.write_all(GET).unwrap();
            thread::sleep(Duration::from_millis(50));
            assert_eq!((asked.get(), server.open()), (0, 0));
            turn_until(server, |server| server.tally().requests == 1);
            assert_eq!((asked.get(), server.open()), (1, 1));
            client.set_read_timeout(Some(LONG)).unwrap();
            let mut answer = [0; 12];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 204");
        })
        .unwrap();
    }

    #[test]
    fn a_turn_waits_as_long_as_it_may_and_no_longer() {
        embed(&config(), handler(nothing), |server| {
            let begin = Clock::now();
            for _ in 0..100 {
                assert!(!server.turn(Some(Duration::ZERO)).unwrap());
            }
            // The work of the embedder is no part of the wait that follows.
            thread::sleep(Duration::from_millis(60));
            let waits = Clock::now();
            server.turn(Some(Duration::from_millis(50))).unwrap();
            assert!(waits.elapsed() >= Duration::from_millis(45));
            assert!(begin.elapsed() < LONG);
        })
        .unwrap();
    }

    #[test]
    fn another_thread_ends_a_wait_without_end() {
        embed(&config(), handler(nothing), |server| {
            let waker = server.waker();
            let other = thread::spawn(move || {
                thread::sleep(Duration::from_millis(30));
                waker.wake();
            });
            while !server.turn(None).unwrap() {}
            other.join().unwrap();
            assert!(!server.turn(Some(Duration::ZERO)).unwrap(), "told once");
        })
        .unwrap();
    }

    #[test]
    fn a_drain_lets_the_request_under_way_finish_and_nobody_else_in() {
        embed(&config(), handler(nothing), |server| {
            let mut busy = TcpStream::connect(server.local_addr()).unwrap();
            let idle = TcpStream::connect(server.local_addr()).unwrap();
            busy.write_all(&GET[..10]).unwrap();
            turn_until(server, |server| server.open() == 2);
            // Its bytes were sent before it was accepted, and are read in one of the next turns.
            for _ in 0..3 {
                server.turn(Some(Duration::from_millis(20))).unwrap();
            }
            server.drain();
            busy.write_all(&GET[10..]).unwrap();
            turn_until(server, |server| server.tally().requests == 1);
            let mut said = String::new();
            for mut client in [busy, idle] {
                client.set_read_timeout(Some(LONG)).unwrap();
                client.read_to_string(&mut said).unwrap();
            }
            // Both have closed their end, so nobody lingers.
            turn_until(server, |server| server.open() == 0);
            assert!(said.starts_with("HTTP/1.1 204 "), "{said}");
            assert!(said.contains("\r\nConnection: close\r\n"), "{said}");
            assert!(TcpStream::connect(server.local_addr()).is_err());
        })
        .unwrap();
    }

    /// Puts every request off, and counts those that end so.
    struct Waiting<'a>(&'a Cell<u32>);

    impl App for Waiting<'_> {
        fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
            exchange.reply.defer()
        }

        fn gone(&mut self, _: &mut Context<'_>) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn the_end_of_the_loop_closes_who_is_still_there_and_the_application_hears_of_it() {
        let gone = Cell::new(0);
        let mut client = embed(&config(), Waiting(&gone), |server| {
            let mut client = TcpStream::connect(server.local_addr()).unwrap();
            client.write_all(GET).unwrap();
            turn_until(server, |server| server.tally().requests == 1);
            assert_eq!(gone.get(), 0);
            client
        })
        .unwrap();
        assert_eq!(gone.get(), 1);
        client.set_read_timeout(Some(LONG)).unwrap();
        match client.read(&mut [0; 1]) {
            Ok(n) => assert_eq!(n, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    #[test]
    fn what_cannot_start_is_refused_before_the_loop() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let busy = Config {
            bind: held.local_addr().unwrap(),
            ..config()
        };
        let none = Config {
            connections: 0,
            ..config()
        };
        let start = |config: &Config| embed(config, handler(nothing), |_| panic!("it runs"));
        assert!(matches!(start(&busy), Err(StartError::Busy(_))));
        assert!(matches!(start(&none), Err(StartError::Config(_))));
    }
}
