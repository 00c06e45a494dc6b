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
//! | `Connection` | 48 | `connection/mod.rs` |
//! | the worker's entry, with the connection | 120 | `server/src/peer.rs` |
//! | the driver's entry | 48 | `driver/entry.rs` |
//! | the timer's entry | 12 | `wheel.rs` |
//! | its address in the counts of addresses (16 with more than 63,487 connections) | 8 | `server/src/addresses.rs` |
//! | its slot in the list of free ones, twice at the start | 64 | `server/src/footprint.rs` |
//! | its slot in the line of waits | 16 | `server/src/worker/waits.rs` |
//! | its slot in the list of deferred exchanges | 4 | `server/src/footprint.rs` |
//! | an active connection, besides | 16,384 | the slot |
//!
//! When all slots are in use, connections that have something to say wait in line for one; further
//! connections than there may be, in all or from one address (`--per-address`), are told 503.
//! Neither takes memory that was not there before.
//!
//! # Who gives way
//!
//! A slot is held from the first byte of a request to the last of its answer, so who sends slowly
//! holds it for long, and some thousands who do it on purpose would hold them all. While fewer than
//! an eighth of a worker's slots are free, connections give way, in this order:
//!
//! 1. Those that keep the server waiting, the oldest wait first: an incomplete head (408, close), a
//!    body behind its least rate (408, close), a connection that lingers after its last answer
//!    (closed). Addresses with more connections than their share come first, then all others.
//! 2. If not one slot is free even so: peers that have taken nothing of an answer for long, reset.
//!
//! A body may be behind, and an answer be left, for a second; for a tenth of one when no slot is
//! free. Nobody else is disturbed: no request that is being answered, no body that keeps its rate,
//! no idle connection, as it holds no slot. A sixteenth of the slots, 64 at most, is kept for
//! refusals, so that a full server still says why. The last line of the server counts who gave way;
//! the rule in full is in `server/src/worker/pressure.rs`.
//!
//! Waits are found in a line, oldest first: 16 bytes a slot, for two marks, of which one may be
//! stale. Connections of each address are counted in two rows of cells (a count-min sketch), never
//! too low and hardly ever too high, in memory that does not grow with the addresses.
//!
//! # The sum
//!
//! Every table, list and queue has its size from the start, so there is a sum, and the server's
//! first lines say it: `memory       at most 404,120,192 bytes` by default, on two cores. One
//! function (`Config::memory_bytes_max`, for embedders as well) adds up:
//!
//! | what | bytes by default, two workers |
//! |---|---:|
//! | slots | 163,840,000 |
//! | users, ids, books (the challenge's; `Board::memory_bytes_max`) | 224,626,560 |
//! | tables: 180 a connection, and for 64 places more a worker (the 503s) | 1,823,040 |
//! | lists of free slots: 32 a slot, and as much again at the start | 640,000 |
//! | lines of waits: 16 a slot | 160,000 |
//! | list of deferred exchanges: 4 a slot | 40,000 |
//! | counts of addresses: two rows of 20,000 cells of 16 bits (above 63,487 connections of 32) | 80,000 |
//! | stacks: 2 MiB a worker | 4,194,304 |
//! | an allocator's arena and rounding: 160 KiB a worker | 327,680 |
//! | the program: code, static data, C library, main thread | 8,388,608 |
//!
//! The sum is a promise about resident memory: a test floods a server with heads, trailers,
//! bodies, unread answers, connections and users beyond every bound, and compares the peak that the
//! system counted. It does not cover the kernel's memory for sockets, which `net.ipv4.tcp_mem`
//! bounds, nor what an embedder's own application allocates.
//!
//! # Touched when needed, or at once
//!
//! Reserved is not taken: with the flags as they are, the default server has 4.5 MB resident after
//! its start (measured; 2.2 MB of it are tables and small things, the rest is the program's file).
//! Slots, users and ids are touched when they are needed first. Tables of connections are written
//! to at the start, as their free lists run through them: the start grows by 188 bytes for each
//! connection that there may be (measured below), and not by the 16,384 of its slot.
//!
//! The first touch of a page is a page fault: it costs microseconds, and the process if the machine
//! has promised more than it has. `--prefault` (`Config::prefault` and the challenge's
//! `Options::prefault`) has them all at the start: slots, users, tables, the whole stack of each
//! worker, and the program's code and data.
//! From the first request on the process takes no page fault, minor or major; a test asks the
//! system, over a mixture of all routes, faults of the protocol, new users, resets, bodies of 1 MiB
//! and connections that come and go. (Without `--prefault` the same run takes some 3,000.)
//!
//! What is touched can still be taken away again if the machine runs short, code first. So it is
//! locked too, where that is allowed: for root (CAP_IPC_LOCK), or below `ulimit -l`, whose soft
//! limit is raised to the hard one. The first lines say `locked in memory`, or `not locked` and the
//! limit; the server runs in both cases. Left out are the few small things that were allocated
//! for the start. Some kernels unmap even locked pages for a moment, to move them (compaction, NUMA
//! balancing); that looks like a minor fault and is none of ours.
//!
//! Why not `mlockall`: it is one call, but in a program that embeds the server it would lock memory
//! that is not the server's.
//!
//! # Beside others
//!
//! `tests/bench/memory` starts each server anew for 0, 4,500, 9,000, 13,500 and 18,000 connections,
//! opens them from many loopback addresses and takes the slope of the resident memory (nothing is
//! prefaulted). So tables that are made for the connections at the start count, in our server as in
//! nginx; counted from its start, ours grew by 0.02 to 0.25 MB in all. nginx (1.22.1, Debian's)
//! closes idle connections when fewer than a sixteenth of its places are free, so it has as many
//! more. hyper and axum run on tokio's current-thread runtime with their default buffers, Go's with
//! GOMAXPROCS=1. The manners: opened, and not a word; one request, answered, then idle; half of a
//! head, so that the connection holds its buffers (ours a slot of 16,384, three pages of it used).
//!
#![doc = include_str!("memory_table.md")]
//!
//! uWebSockets is said to take 257 bytes for an idle connection; that was not measured here. The
//! caches of the system may be shared by others of the same size, so a count may be a little high.
//!
//! An idle connection takes 188 bytes: 120 in the worker's table, 48 in the driver's, 12 for its
//! timer, 8 in the counts of addresses (16 with more than 63,487 connections to a server, where a
//! count may need more than 16 bits). 64 of these are four references of two words each, in both
//! tables, to the two parts of a slot, and they are empty while a connection rests. A number of 32
//! bits for the slot in each would do instead.
//!
//! # How many at a time
//!
//! `tests/bench/memory --together 400000` opens so many, as many to a process as the limit of
//! descriptors allows, holds them, and lets the servers close them (taken when the tables had 200
//! bytes for each, 12 more than now):
//!
//! | connections | servers | to open them | bytes of the servers for each |
//! |---:|---:|---:|---:|
//! | 100,000 | 6 | 16.4 s | 199.4 |
//! | 200,000 | 11 | 48.8 s | 195.6 |
//! | 400,000 | 21 | 96.7 s | 203.0 |
//!
//! What stopped it: a process has 20,000 descriptors on the machine where this was measured, by a
//! hard limit that only CAP_SYS_RESOURCE raises; one server and one client came to 19,930
//! connections, and the client said so. (The limits behind that are `fs.nr_open`, 1,048,576 for a
//! process, and `fs.file-max`, 2,466,183 for all.) With 400,000 nothing failed; more was not tried.
//!
//! Extrapolated, not measured: a million idle connections to one server would be 196 MB of its
//! tables, and 3.8 GB of the system's memory for their sockets, twice that with the clients beside.
