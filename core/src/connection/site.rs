//! What a connection must know of its surroundings.

use super::field::ServerName;
use super::refusal::Refusals;
use crate::limits::Limits;
use crate::wire::Date;

/// The surroundings of a connection: one for each worker, renewed once a second. Core reads no
/// clock.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The bounds.
    pub limits: &'a Limits,
    /// The date for the answers. `None` where there is no clock (RFC 9110 section 6.6.1).
    pub date: Option<&'a Date>,
    /// The server is going down: answers say `Connection: close`, idle connections close.
    pub draining: bool,
    /// What is done with bodies.
    pub bodies: Bodies,
    /// What a refusal tells.
    pub refusals: Refusals,
    /// The `Server` field of every answer. `None`: there is none, as it tells an attacker more than
    /// a client (RFC 9110 section 10.2.4).
    pub server: Option<ServerName<'a>>,
}

impl<'a> Site<'a> {
    /// No date, not draining, bodies gathered as far as the buffer goes, refusals explained, no
    /// `Server` field.
    pub const fn new(limits: &'a Limits) -> Self {
        Site {
            limits,
            date: None,
            draining: false,
            bodies: Bodies::Gather(usize::MAX),
            refusals: Refusals::Explain,
            server: None,
        }
    }
}

/// What is done with the bodies of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Gather up to so many bytes, bounded by the receive buffer; larger ones are answered 413.
    /// Every request comes as [`Step::Request`](super::Step::Request).
    Gather(usize),
    /// Ask at each request that has a body, by [`Step::Head`](super::Step::Head).
    Ask,
}
