//! A program with a loop of its own that also answers over HTTP, in one thread: a little simulation
//! goes on at a fixed pace, and whoever asks is told where it stands.
//!
//! ```text
//! cargo run --release -p barewire --example embed [ADDRESS [SECONDS]]
//! ```
//!
//! It listens on 127.0.0.1:8080 for 10 seconds if it is not told otherwise, and ends by itself:
//! then, or at `POST /stop`, it lets requests under way finish. `GET /` says how many steps were
//! made.

use std::cell::Cell;
use std::error::Error;
use std::time::{Duration, Instant};

use barewire::{Config, embed, handler};
use barewire_core::connection::{Done, Exchange};
use barewire_core::wire::{Method, Status};

/// Time of one step of the simulation: a hundred in a second.
const STEP: Duration = Duration::from_millis(10);

/// How long requests under way get to finish at the end: shorter than a person's patience.
const GRACE: Duration = Duration::from_secs(2);

/// What the loop works with and the handler looks at. Both are in one thread, so there is no lock.
struct World {
    steps: Cell<u64>,
    stop: Cell<bool>,
}

impl World {
    /// Where the work of this program is done.
    fn step(&self) {
        self.steps.set(self.steps.get() + 1);
    }

    fn answer(&self, exchange: Exchange<'_>) -> Done {
        let reply = exchange.reply;
        match (exchange.head.method(), exchange.head.path()) {
            (Method::Get, b"/") => {
                let text = format!("{} steps\n", self.steps.get());
                match reply.status(Status::OK).text(&text) {
                    Ok(done) => done,
                    Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
                }
            }
            (Method::Post, b"/stop") => {
                self.stop.set(true);
                reply.bare(Status::NO_CONTENT)
            }
            _ => reply.bare(Status::NOT_FOUND),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let seconds = args.next().map_or(Ok(10), |seconds| seconds.parse())?;
    let config = Config {
        bind: address.parse()?,
        connections: 100,
        ..Config::default()
    };
    let world = World {
        steps: Cell::new(0),
        stop: Cell::new(false),
    };
    let app = handler(|_, exchange| world.answer(exchange));
    embed(&config, app, |server| {
        println!("http://{}", server.local_addr());
        let begin = Instant::now();
        let end = begin + Duration::from_secs(seconds);
        let mut next = begin;
        while !world.stop.get() && Instant::now() < end {
            // What is left until the next step is the server's, and then it is time for that.
            match next.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => {
                    server.turn(Some(left))?;
                }
                _ => {
                    world.step();
                    next += STEP;
                    // Even where steps take longer than there is time for them, answers go on.
                    server.turn(Some(Duration::ZERO))?;
                }
            }
        }
        server.drain();
        let end = Instant::now() + GRACE;
        while server.open() > 0 && Instant::now() < end {
            server.turn(Some(STEP))?;
        }
        // Who started it may have stopped reading what it prints.
        eprintln!("{} steps, {:?}", world.steps.get(), server.tally());
        Ok(())
    })?
}
