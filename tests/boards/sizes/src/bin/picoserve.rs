//! picoserve, with the same routes and deadlines; each future is polled by a loop without a
//! runtime.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};

use barewire_sizes::desk::{Desk, ID_BYTES, STATE_BYTES, USERS};
use barewire_sizes::wire::{NOW_MS, Wire, now_ms};
use barewire_sizes::{CONNECTIONS, RX_BYTES, paint, report};
use cortex_m_rt::entry;
use picoserve::io::embedded_io_async::{ErrorType, Read, Write as BaseWrite};
use picoserve::io::{Socket, Write};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};
use picoserve::request::Request;
use picoserve::response::{Content, IntoResponse, NoContent, ResponseWriter, StatusCode};
use picoserve::routing::{RequestHandlerService, get, get_service, post_service};
use picoserve::time::Duration;
use picoserve::{Config, ResponseSent, Router, Server, Timeouts, Timer};

type Shared = &'static RefCell<Desk<'static>>;

struct Event;

impl RequestHandlerService<Shared> for Event {
    async fn call_request_handler_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        desk: &Shared,
        (): (),
        mut request: Request<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let counted = match request.body_connection.body().read_all().await {
            Ok(body) => desk.borrow_mut().event(body),
            Err(_) => false,
        };
        let status = match counted {
            true => StatusCode::OK,
            false => StatusCode::BAD_REQUEST,
        };
        let connection = request.body_connection.finalize().await?;
        (status, NoContent)
            .write_to(connection, response_writer)
            .await
    }
}

struct Stats;

/// Bytes of JSON.
struct Json<'b>(&'b [u8]);

impl Content for Json<'_> {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn content_length(&self) -> usize {
        self.0.len()
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(self.0).await
    }
}

impl RequestHandlerService<Shared> for Stats {
    async fn call_request_handler_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        desk: &Shared,
        (): (),
        request: Request<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let connection = request.body_connection.finalize().await?;
        let mut room = [0; STATE_BYTES];
        let text = desk.borrow().state(&mut room);
        Json(text).write_to(connection, response_writer).await
    }
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

impl BaseWrite for Half<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.0.borrow_mut().send(bytes))
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Write for Half<'_> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> T, T>(
        &mut self,
        write: F,
    ) -> Result<T, Infallible> {
        let mut wire = self.0.borrow_mut();
        let mut buffer = BorrowedBuffer::new(wire.space());
        let outcome = write(buffer.unfilled());
        let n = buffer.len();
        wire.sent(n);
        Ok(outcome)
    }
}

struct Loop;

impl<'w> Socket<Loop> for Half<'w> {
    type Error = Infallible;
    type ReadHalf<'a>
        = Half<'w>
    where
        Self: 'a;
    type WriteHalf<'a>
        = Half<'w>
    where
        Self: 'a;

    fn split(&mut self) -> (Half<'w>, Half<'w>) {
        (*self, *self)
    }

    async fn abort<T: Timer<Loop>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Infallible>> {
        Ok(())
    }

    async fn shutdown<T: Timer<Loop>>(
        self,
        _: &Timeouts,
        _: &T,
    ) -> Result<(), picoserve::Error<Infallible>> {
        Ok(())
    }
}

struct Clock;

impl Timer<Loop> for Clock {
    fn delay(&self, duration: Duration) -> impl Future<Output = ()> {
        let due_ms = now_ms().wrapping_add(duration.as_millis() as u32);
        poll_fn(move |_| match now_ms().wrapping_sub(due_ms) as i32 >= 0 {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }
}

static CONFIG: Config = Config::new(Timeouts {
    start_read_request: Duration::from_millis(2_000),
    persistent_start_read_request: Duration::from_millis(5_000),
    read_request: Duration::from_millis(4_000),
    write: Duration::from_millis(2_000),
})
.keep_connection_alive();

#[entry]
fn main() -> ! {
    static mut TABLE: [u32; USERS] = [0; USERS];
    static mut ARENA: [u8; ID_BYTES] = [0; ID_BYTES];
    static mut DESK: Option<RefCell<Desk<'static>>> = None;
    static mut BUFFERS: [[u8; RX_BYTES]; CONNECTIONS] = [[0; RX_BYTES]; CONNECTIONS];
    let desk: Shared = DESK.insert(RefCell::new(Desk::new(TABLE, ARENA)));
    let app = Router::new()
        .route("/", get(async || "Hello, board!\n"))
        .route("/event", post_service(Event))
        .route("/stats", get_service(Stats))
        .with_state(desk);
    let wires = [const { RefCell::new(Wire::new()) }; CONNECTIONS];
    let mut buffers = BUFFERS.iter_mut();
    let connections = wires.each_ref().map(|wire| {
        let buffer = buffers.next().unwrap();
        Server::custom(&app, Clock, &CONFIG, &mut buffer[..]).serve(Half(wire))
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
