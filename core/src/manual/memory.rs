//! Slots, buffers, and what a connection costs.
//!
//! A server maps one region at its start and cuts it into slots: 10,000 of 16,384 bytes by
//! default, 163,840,000 bytes (156.25 MiB). Nothing is allocated afterwards. A slot serves one
//! *active* connection; when nothing is received, decoded or waiting to be sent, it goes back to
//! its worker's free list. The list gives out the slot that came home last, so a server with few
//! active connections touches few pages, however many are idle.
//!
//! Half of a slot receives, half sends. The receive part holds its control words, the bytes, and
//! behind them one row of 8 bytes for each field line of the head at hand (100 at most, fewer in
//! small buffers). All positions are 16 bits wide.
//!
//! | what | bytes | where it is asserted |
//! |---|---:|---|
//! | `Connection` | 56 | `connection/mod.rs` |
//! | the worker's entry, with the connection | 128 | `server/src/peer.rs` |
//! | the driver's entry | 48 | `driver/entry.rs` |
//! | the timer's entry | 16 | `wheel.rs` |
//! | an active connection, besides | 16,384 | the slot |
//!
//! When all slots are in use, connections that have something to say wait in line for one; further
//! connections than there may be are told 503. Neither takes memory that was not there before.
