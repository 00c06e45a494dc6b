//! edge-http, with the same routes and deadlines; each future is polled by a loop without a
//! runtime.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt::{Debug, Display};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};

use barewire_sizes::desk::{Desk, ID_BYTES, STATE_BYTES, USERS};
use barewire_sizes::wire::{NOW_MS, Wire, now_ms};
use barewire_sizes::{CONNECTIONS, RX_BYTES, paint, report};
use cortex_m_rt::entry;
use edge_http::Method;
use edge_http::io::Error;
use edge_http::io::server::{Connection, Handler, handle_connection};
use edge_nal::{Close, Readable, TcpShutdown, TcpSplit, WithTimeout};
use embassy_time_driver::Driver;
use embedded_io_async::{ErrorType, Read, Write};

/// Headers of a request at most: what four rows of our index cost is in our buffer, these are in
/// the state.
const HEADERS: usize = 16;

/// Bytes of the body of an event at most.
const BODY: usize = 64;

struct App<'d>(&'d RefCell<Desk<'static>>);

impl Handler for App<'_> {
    type Error<E>
        = Error<E>
    where
        E: Debug;

    async fn handle<T, const N: usize>(
        &self,
        _: impl Display + Copy,
        connection: &mut Connection<'_, T, N>,
    ) -> Result<(), Error<T::Error>>
    where
        T: Read + Write + TcpSplit,
    {
        let headers = connection.headers()?;
        match (headers.method, headers.path) {
            (Method::Get, "/") => {
                let fields = [("Content-Type", "text/plain"), ("Content-Length", "14")];
                connection
                    .initiate_response(200, Some("OK"), &fields)
                    .await?;
                connection.write_all(b"Hello, board!\n").await
            }
            (Method::Post, "/event") => {
                let (mut body, mut len) = ([0; BODY], 0);
                loop {
                    match connection.read(&mut body[len..]).await? {
                        0 => break,
                        n => len += n,
                    }
                }
                let counted = self.0.borrow_mut().event(&body[..len]);
                let (status, reason) = match counted {
                    true => (200, "OK"),
                    false => (400, "Bad Request"),
                };
                empty(connection, status, reason).await
            }
            (Method::Get, "/stats") => {
                let mut room = [0; STATE_BYTES];
                let text = self.0.borrow().state(&mut room);
                let mut digits = [0; 4];
                let length = decimal(text.len(), &mut digits);
                let fields = [
                    ("Content-Type", "application/json"),
                    ("Content-Length", length),
                ];
                connection
                    .initiate_response(200, Some("OK"), &fields)
                    .await?;
                connection.write_all(text).await
            }
            (_, "/" | "/event" | "/stats") => empty(connection, 405, "Method Not Allowed").await,
            _ => empty(connection, 404, "Not Found").await,
        }
    }
}

async fn empty<T: Read + Write, const N: usize>(
    connection: &mut Connection<'_, T, N>,
    status: u16,
    reason: &str,
) -> Result<(), Error<T::Error>> {
    let fields = [("Content-Length", "0")];
    connection
        .initiate_response(status, Some(reason), &fields)
        .await
}

/// Below 10,000.
fn decimal(mut number: usize, room: &mut [u8; 4]) -> &str {
    let mut at = room.len();
    while at > 0 && (number > 0 || at == room.len()) {
        at -= 1;
        room[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    core::str::from_utf8(&room[at..]).unwrap_or_default()
}

#[derive(Clone, Copy)]
struct Half<'w>(&'w RefCell<Wire>);

impl ErrorType for Half<'_> {
    type Error = Infallible;
}

impl Read for Half<'_> {
    async fn read(&mut self, space: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| match self.0.borrow_mut().recv(space) {
            Some(n) => Poll::Ready(Ok(n)),
            None => Poll::Pending,
        })
        .await
    }
}

impl Write for Half<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.0.borrow_mut().send(bytes))
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Readable for Half<'_> {
    async fn readable(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl TcpSplit for Half<'_> {
    type Read<'a>
        = Self
    where
        Self: 'a;
    type Write<'a>
        = Self
    where
        Self: 'a;

    fn split(&mut self) -> (Self, Self) {
        (*self, *self)
    }
}

impl TcpShutdown for Half<'_> {
    async fn close(&mut self, _: Close) -> Result<(), Infallible> {
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Clock;

impl Driver for Clock {
    fn now(&self) -> u64 {
        now_ms().into()
    }

    // The loop polls every turn.
    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

#[entry]
fn main() -> ! {
    static mut TABLE: [u32; USERS] = [0; USERS];
    static mut ARENA: [u8; ID_BYTES] = [0; ID_BYTES];
    static mut BUFFERS: [[u8; RX_BYTES]; CONNECTIONS] = [[0; RX_BYTES]; CONNECTIONS];
    let desk = RefCell::new(Desk::new(TABLE, ARENA));
    let app = App(&desk);
    let wires = [const { RefCell::new(Wire::new()) }; CONNECTIONS];
    let mut buffers = BUFFERS.iter_mut();
    let connections = wires.each_ref().map(|wire| {
        let io = WithTimeout::new(2_000, Half(wire));
        let buffer = &mut buffers.next().unwrap()[..];
        handle_connection::<_, _, HEADERS>(io, buffer, Some(5_000), 0, &app)
    });
    let state = size_of_val(&connections) / CONNECTIONS;
    let mut all = pin!(embassy_futures::join::join_array(connections));
    let mut context = Context::from_waker(Waker::noop());
    let (mut stack, mut is_over) = (0, false);
    while !is_over {
        stack = stack.max(paint::stack_of(&mut || {
            is_over = all.as_mut().poll(&mut context).is_ready();
        }));
        NOW_MS.store(now_ms().wrapping_add(1), Ordering::Relaxed);
    }
    let measured = report::Measured {
        stack,
        state,
        buffers: RX_BYTES,
    };
    report::end(wires.iter().map(RefCell::borrow), 4, 1, &measured)
}
