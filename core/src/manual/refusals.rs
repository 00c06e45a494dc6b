//! Refusals explain themselves.
//!
//! Every 4xx of the engine, and its 500, 501, 503 and 505, say which rule broke, and where:
//!
//! ```text
//! $ printf 'GET / HTTP/1.1\r\nHost : a\r\n\r\n' | nc localhost 8080
//! 400 Bad Request: a field line must be: token, colon, value (head, line 2, byte 20)
//!
//! $ curl -H 'Accept: application/json' -X DELETE localhost:8080/event
//! {"status":405,"reason":"this path does not take this method"}
//! ```
//!
//! | member | what it is |
//! |---|---|
//! | `status` | the number of the status line, once more, for who keeps only bodies |
//! | `reason` | the rule, in the words of the program |
//! | `section` | `head`, `trailers`, or `body` where an application says so; absent with `line` and `byte` where no place is to blame |
//! | `line` | the line of the section, from 1; line 1 of a head is the request line |
//! | `byte` | the byte of the section, from 0; empty lines before a request line do not count |
//!
//! # Text or JSON
//!
//! By `Accept` (RFC 9110 section 12.5.1), see [`Notation`](crate::wire::Notation) for the rules; a
//! tie, no field, or a client that wants neither gets text. Of a head that breaks only the lines
//! before the fault count. `Vary: Accept` says so to caches, as 404, 405, 414 and 501 may be kept.
//! Who was told 408, or 503 at the accept, may not have sent a field yet: text. An answer to HEAD
//! has the same fields and no body.
//!
//! # Nothing is echoed
//!
//! A refusal consists of a status, a `&'static str` and three numbers, so there is nothing to
//! escape: no script comes back from a page of errors, and no log is forged by way of a client that
//! logs what it is told. A text of the program may hold quotation marks; the JSON escapes them.
//!
//! # Where it broke
//!
//! Nothing is noted while a head is parsed: a good one pays nothing, and
//! [`Connection`](crate::connection::Connection) and the receive buffer are as large as before.
//! [`HeadState::place`](crate::wire::HeadState::place) finds the place afterwards, from the state
//! at the fault: a faulty line is the one that ends where the parser stopped, as lines are judged
//! when they are complete; what is wrong with a head as a whole is looked up in its index. Both
//! depend on nothing that depends on the cut. Chunks have no place: the decoder keeps no position,
//! and for a body of gigabytes it would help nobody.
//!
//! # Switching it off, and other forms
//!
//! [`Site::refusals`](crate::connection::Site) is [`Explain`], [`Silent`] (an empty body), or
//! [`Own`]: a function that writes the body and names its type. It is a function and not a closure,
//! so that a site stays `Copy` and `'static` and wants no allocation; all that can be told is in
//! the [`Refusal`](crate::connection::Refusal). It cannot break an answer: status, `Date`,
//! `Connection`, `Content-Length` and the end of the head are the engine's, what it writes is
//! bounded ([`REFUSAL_BODY_BYTES_MAX`](crate::limits::REFUSAL_BODY_BYTES_MAX)), and a body that
//! became longer is dropped as a whole for the engine's own, as half an object of JSON is none.
//!
//! Handlers refuse with [`ReplyHead::refusal`](crate::connection::ReplyHead::refusal), which takes
//! the status that was said and the fields that were put, and obeys the same choice. It is given
//! the notation, as a reply has no way to the head:
//! [`Head::notation`](crate::wire::Head::notation) reads it there, and only who refuses pays for
//! it.
//!
//! # Room
//!
//! An answer to a fault is bounded like any other, by
//! [`FAULT_REPLY_BYTES`](crate::limits::FAULT_REPLY_BYTES), whatever is pending before it. In a
//! send buffer that is smaller the body is left out, then the answer.
//!
//! # `Server`
//!
//! Not sent: it helps those who look for known holes more than anybody else. A
//! [`ServerName`](crate::connection::ServerName) in the site is sent with every answer, the
//! refusals included.
//!
//! [`Explain`]: crate::connection::Refusals::Explain
//! [`Silent`]: crate::connection::Refusals::Silent
//! [`Own`]: crate::connection::Refusals::Own
