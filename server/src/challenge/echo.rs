//! `POST /echo`: the body, while it comes.

use barewire_core::connection::{Done, FieldName, FieldValue, Inflow, Outlet, Reply, ReplyHead};
use barewire_core::wire::{Framing, Status};

use super::or_500;

/// Bytes that are held back before the answer begins. A body that is malformed within them, or
/// ends early, is answered 400 and not with half an echo. Half a receive buffer.
pub(super) const HOLD_BYTES: usize = 4096;

pub(super) fn whole(body: &[u8], reply: Reply<'_>) -> Done {
    or_500(begin(reply).body(body))
}

pub(super) fn chunk(inflow: &mut Inflow<'_>) {
    // The length of the answer is that of the body, if that is known.
    let length = match inflow.head().framing() {
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::None => None,
    };
    if let Outlet::Reply(reply) = inflow.outlet() {
        match begin(reply).stream(length) {
            Ok(writer) => {
                let _ = writer.pause();
            }
            Err(full) => {
                let _ = full.0.bare(Status::INTERNAL_SERVER_ERROR);
                return;
            }
        }
    }
    inflow.echo();
}

fn begin(reply: Reply<'_>) -> ReplyHead<'_> {
    // Not the type that the client named: a browser would run what somebody else sent.
    reply
        .status(Status::OK)
        .field(FieldName::CONTENT_TYPE, FieldValue::BYTES)
}
