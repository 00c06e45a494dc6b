//! Decide, then lend.
//!
//! [`Connection::step`](crate::connection::Connection::step) first decides, with short borrows,
//! the one thing that has to happen next; then it lends what is needed for it: a place to read
//! into, bytes to send, a request with the means to answer. The embedding does that one thing and
//! steps again. There is no callback, no clock, no queue and no error to forget.
//!
//! # What an embedding can rely on
//!
//! * **Any cut of the input gives the same output.** The parser looks at complete lines only (but
//!   for the very first byte of a request), limits are compared with positions and not with what a
//!   read happened to bring, and a requested `100 Continue` is always sent. A streamed answer may
//!   be cut into other chunks; decoded it is the same. The tests play every conformance case with
//!   every cut.
//! * **Room is promised.** A request is lent only when the send buffer has room for an answer of
//!   `reply_bytes_max`. So [`Full`](crate::connection::Full) means "larger than promised" and never
//!   "too much before it", and a pipeline of any depth is answered in order. A promise larger than
//!   the buffer counts as the whole buffer. A larger answer streams; or it is deferred, and finds an
//!   empty buffer when it is resumed.
//! * **An answer cannot be forgotten.** [`Reply`](crate::connection::Reply) turns into
//!   [`ReplyHead`](crate::connection::ReplyHead) and that into [`Done`](crate::connection::Done),
//!   which cannot be made otherwise. A handler that returns `Done` has answered once. In a bare
//!   loop a dropped exchange is answered 500, and what was half written is not there.
//! * **Flush before waiting.** `Read` never comes while something waits to be sent. Answers to a
//!   pipeline collect in the buffer and go out together.
//! * **The cost is linear.** Lines are looked at once, consumed requests are left behind by moving
//!   an offset, what remains moves to the front at most once per read, and a byte of a gathered
//!   chunked body moves at most once.
//! * **A fault of the peer ends one connection.** Answers to earlier requests are sent first, then
//!   the fault is answered (if there is an answer to it), then comes the half-close.
//!
//! # What it has to do
//!
//! * Step, and do what the step says. `Close` is final.
//! * Set a timer for [`waiting_for`](crate::connection::Connection::waiting_for), by
//!   [`Deadline`](crate::connection::Deadline), and call
//!   [`expire`](crate::connection::Connection::expire) when it fires.
//! * Say [`lose`](crate::connection::Connection::lose) when the transport breaks.
//!
//! When `Read` comes and both buffers are empty, they hold nothing of this connection: an idle
//! connection is 56 bytes and the buffers may serve another one.
//!
//! # Bodies
//!
//! With [`Bodies::Gather`](crate::connection::Bodies::Gather) every request comes whole. With
//! [`Bodies::Ask`](crate::connection::Bodies::Ask) a [`Fork`](crate::connection::Fork) comes for
//! every request that has a body, whether it arrived already or not. `stream_after` holds the
//! first piece back until so much is in hand, or all there is: a body that is malformed within it
//! is answered 400 before the handler has begun an answer that could only be cut.
