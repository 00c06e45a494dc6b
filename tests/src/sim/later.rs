//! The application of the challenge, lent to a worker, with one more route: an answer that is put
//! off.
//!
//! `GET /later/5` is answered 5 ms after it came, and `GET /later/never` is not. A handler that
//! waits for something else than the statistics is where a peer goes away, or a deadline passes,
//! while nothing of the connection is in flight.

use std::collections::HashMap;

use barewire::challenge::Challenge;
use barewire::{App, Context};
use barewire_core::connection::{BodyWriter, Done, Ending, Exchange, Fork, Inflow};
use barewire_core::driver::{Instant, PeerId};
use barewire_core::wire::Status;

use super::hap::{Hap, Haps};
use super::strict::aside;

/// Where the requests that are put off go.
pub(crate) const PATH: &str = "/later/";

/// What they are answered.
pub(crate) const TEXT: &str = "at last";

/// Requests that are put off: since when, and until when.
#[derive(Debug, Default)]
pub(crate) struct Later {
    waiting: HashMap<PeerId, (Instant, Option<Instant>)>,
    /// Milliseconds after which the worker gives them up.
    pub(crate) handler_ms: u64,
    pub(crate) haps: Haps,
}

impl Later {
    /// Nobody is kept who is gone.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.haps = Haps::default();
    }
}

/// An application that outlives its worker.
pub(crate) struct Lent<'a> {
    pub(crate) app: &'a mut Challenge,
    pub(crate) later: &'a mut Later,
}

impl App for Lent<'_> {
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        let path = exchange.head.path();
        let Some(when) = path.strip_prefix(PATH.as_bytes()) else {
            return self.app.request(context, exchange);
        };
        let ms = std::str::from_utf8(when)
            .ok()
            .and_then(|ms| ms.parse().ok());
        let now = context.now();
        let due = ms.map(|ms: u64| Instant(now.0 + ms * 1_000_000));
        let _aside = aside();
        let old = self.later.waiting.insert(context.peer(), (now, due));
        assert!(old.is_none(), "{:?} waits twice", context.peer());
        self.later.haps.note(Hap::Deferred);
        exchange.reply.defer()
    }

    fn resume(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        let Some((_, due)) = self.later.waiting.get(&context.peer()) else {
            return self.app.resume(context, exchange);
        };
        if due.is_none_or(|due| context.now() < due) {
            return exchange.reply.defer();
        }
        self.later.waiting.remove(&context.peer());
        match exchange.reply.status(Status::OK).text(TEXT) {
            Ok(done) => done,
            Err(_) => panic!("an empty buffer has room for a few words"),
        }
    }

    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        match fork.head.path().starts_with(PATH.as_bytes()) {
            true => fork.gather(usize::MAX),
            false => self.app.head(context, fork),
        }
    }

    fn chunk(&mut self, context: &mut Context<'_>, inflow: &mut Inflow<'_>) {
        self.app.chunk(context, inflow);
    }

    fn end(&mut self, context: &mut Context<'_>, ending: Ending<'_>) -> Done {
        self.app.end(context, ending)
    }

    fn room(&mut self, context: &mut Context<'_>, writer: BodyWriter<'_>) -> Done {
        self.app.room(context, writer)
    }

    fn gone(&mut self, context: &mut Context<'_>) {
        if let Some((since, _)) = self.later.waiting.remove(&context.peer()) {
            let nanos = context.now().nanos_since(since);
            let hap = match nanos >= self.later.handler_ms * 1_000_000 {
                true => Hap::DeferredTooLong,
                false => Hap::LostWhileDeferred,
            };
            self.later.haps.note(hap);
        }
        self.app.gone(context);
    }

    fn turn(&mut self) {
        self.app.turn();
    }

    fn sleep(&mut self) {
        self.app.sleep();
    }
}
