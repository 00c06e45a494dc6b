//! The machine, its bounds, and what it lends to a handler.

use core::fmt::{self, Write};

use barewire_core::connection::{
    BodyWriter, Connection, Deadline, Done, Ending, Exchange, Fault, FieldName, FieldValue, Fork,
    Full, Inflow, Outlet, Prepared, RefusalBody, Refusals, Reply, ReplyHead, ServerName, Site,
};
use barewire_core::limits::Limits;
use barewire_core::wire;

use super::entry;

pub(crate) fn entries() {
    machine();
    replies();
    bodies();
}

fn machine() {
    entries!(0: Connection::new, Connection::default, Deadline::new, Deadline::default);
    entries!(0: Limits::default);
    entries!(4: Connection::step, Connection::resume);
    entries!(1: Connection::waiting_for, Connection::expire, Connection::give_way);
    entries!(1: Connection::lose, Connection::refuse_busy, Connection::fault);
    entries!(1: Connection::requests, Connection::is_active);
    entries!(3: Deadline::first_byte, Deadline::elapsed);
    entries!(5: Deadline::watch, Deadline::is_behind);
    entries!(1: Deadline::due, Deadline::stamp);
    entries!(2: Deadline::check);
    entries!(1: Fault::status, Fault::reason, |fault: wire::Fault| Fault::from(fault));
    entries!(1: |limits: &'static Limits| Site::new(limits));
    entries!(1: FieldName::new, FieldValue::new, ServerName::new, ServerName::as_str);
}

fn replies() {
    entries!(2: Reply::status, Reply::bare, Reply::prepared);
    entries!(3: Prepared::of);
    entries!(1: Reply::defer, ReplyHead::close);
    // Dropped without an answer.
    entries!(1: drop::<Exchange<'_>>, drop::<Reply<'_>>, drop::<ReplyHead<'_>>);
    entries!(1: drop::<Full<'_>>, drop::<Done>);
    entries!(3: ReplyHead::field);
    entries!(2: ReplyHead::body, ReplyHead::text, ReplyHead::html, ReplyHead::json);
    entries!(2: ReplyHead::stream, ReplyHead::reason);
    entries!(3: ReplyHead::refusal);
    entries!(4: ReplyHead::refusal_at);
    entries!(2: |head: ReplyHead<'static>, write: fn(&mut dyn Write) -> fmt::Result| {
        ReplyHead::body_with(head, write).is_ok()
    });
    entries!(2: <ReplyHead as Write>::write_str, <ReplyHead as Write>::write_char);
    entries!(2: RefusalBody::write, RefusalBody::content_type);
    entries!(2: <RefusalBody as Write>::write_str, <RefusalBody as Write>::write_char);
    entries!(2: |one: &Refusals, other: &Refusals| Refusals::eq(one, other));
}

fn bodies() {
    entries!(2: Fork::gather, Fork::stream_after, Fork::refuse);
    entries!(1: Fork::stream, Fork::answer);
    entries!(1: drop::<Fork<'_>>, drop::<Inflow<'_>>, drop::<Ending<'_>>, drop::<Outlet<'_>>);
    entries!(1: Inflow::head, Inflow::bytes, Inflow::outlet, Inflow::echo);
    entries!(2: Inflow::take);
    entries!(1: BodyWriter::room, BodyWriter::pause, BodyWriter::finish);
    entries!(1: drop::<BodyWriter<'_>>);
    entries!(2: BodyWriter::write);
    entries!(2: <BodyWriter as Write>::write_str, <BodyWriter as Write>::write_char);
}
