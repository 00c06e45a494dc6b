//! Mistakes that do not compile: each beside the same without the mistake, so that it fails for its
//! own reason.
//!
//! A head is a view of the receive buffer. It ends when the buffer is used again:
//!
//! ```
//! use barewire_core::buffer::{RecvBuffer, SendBuffer};
//! use barewire_core::connection::{Connection, Site, Step};
//! use barewire_core::{limits::Limits, wire::Status};
//!
//! fn serve(connection: &mut Connection, rx: &mut RecvBuffer, tx: &mut SendBuffer) {
//!     let site = Site::new(&Limits::DEFAULT);
//!     if let Step::Request(exchange) = connection.step(&site, rx, tx) {
//!         let path = exchange.head.path();
//!         println!("{path:?}");
//!         drop(exchange.reply.bare(Status::OK));
//!         rx.filled(1);
//!     }
//! }
//! ```
//!
//! ```compile_fail,E0499
//! use barewire_core::buffer::{RecvBuffer, SendBuffer};
//! use barewire_core::connection::{Connection, Site, Step};
//! use barewire_core::{limits::Limits, wire::Status};
//!
//! fn serve(connection: &mut Connection, rx: &mut RecvBuffer, tx: &mut SendBuffer) {
//!     let site = Site::new(&Limits::DEFAULT);
//!     if let Step::Request(exchange) = connection.step(&site, rx, tx) {
//!         let path = exchange.head.path();
//!         drop(exchange.reply.bare(Status::OK));
//!         rx.filled(1);
//!         println!("{path:?}"); // it may have moved
//!     }
//! }
//! ```
//!
//! Nobody can answer twice, for the first answer takes the reply:
//!
//! ```
//! use barewire_core::connection::{Done, Reply};
//! use barewire_core::wire::Status;
//!
//! fn answer(reply: Reply<'_>) -> Done {
//!     reply.bare(Status::OK)
//! }
//! ```
//!
//! ```compile_fail,E0382
//! use barewire_core::connection::{Done, Reply};
//! use barewire_core::wire::Status;
//!
//! fn answer(reply: Reply<'_>) -> Done {
//!     drop(reply.bare(Status::OK));
//!     reply.bare(Status::OK)
//! }
//! ```
//!
//! Nor can a handler forget to, for there is no other way to a [`Done`]:
//!
//! ```compile_fail,E0308
//! use barewire_core::connection::{Done, Reply};
//!
//! fn answer(_: Reply<'_>) -> Done {
//! }
//! ```
//!
//! [`Done`]: barewire_core::connection::Done
