//! What core writes for people by itself. Derived `Debug`, and that of a table of
//! routes, is not here: it prints texts through the standard library, and the checks in there of
//! where a character ends are too much for the optimiser. No code of ours runs there.

use core::fmt::{Debug, Display};

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::Reply;
use barewire_core::driver::Entry;
use barewire_core::json;
use barewire_core::router::{RouteError, Verbs};
use barewire_core::stats::{Key, Stats};
use barewire_core::wheel::Wheel;
use barewire_core::wire::{Date, Fields, Status, percent};

use super::driver::Ready;
use super::entry;

pub(crate) fn entries() {
    entries!(2: <json::Error as Display>::fmt, <RouteError as Display>::fmt);
    entries!(2: <percent::Short as Display>::fmt, <Verbs as Display>::fmt);
    entries!(2: <Date as Display>::fmt, <Status as Display>::fmt);
    entries!(2: <RecvBuffer as Debug>::fmt, <SendBuffer as Debug>::fmt);
    entries!(2: <Entry<u32> as Debug>::fmt, <Ready as Debug>::fmt);
    entries!(2: <Key as Debug>::fmt, <Stats<'_> as Debug>::fmt);
    entries!(2: <Wheel<'_> as Debug>::fmt, <Date as Debug>::fmt, <Status as Debug>::fmt);
    entries!(2: <Fields<'_> as Debug>::fmt, <Reply<'_> as Debug>::fmt);
}
