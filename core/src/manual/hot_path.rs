//! The way of a request: what it costs, what made it cheaper, and what was tried and dropped.
//!
//! The measure is a loop over epoll that parses nothing: one receive and one send for each readable
//! event, one wait for all that are ready. The server makes the same calls and no other (a drill
//! counts them by strace); what it costs beyond them is the work of its own instructions, and the
//! cache lines that they touch.
//!
//! # Where the time goes
//!
//! Instructions of the whole server in user mode for each request (callgrind; the difference of two
//! runs, one twice as long), 64 connections that all send before any answer is read:
//!
//! | | plaintext | pipelined 16 | `POST /event` |
//! |---|---:|---:|---:|
//! | reads of a whole batch first, each send reported (before) | 2,115 | 850 | 3,381 |
//! | one peer after the other, sends in place, lazy timers | 1,613 | 826 | 2,882 |
//! | one catch of panics for a go, not for a call; an event routed once | 1,558 | 821 | 2,648 |
//!
//! Of the 1,558 of plaintext: the parser 300, the machine and the loop around it 560, events,
//! entries and slots 260, routing and the prepared answer 230, the calls themselves 120, the
//! deadline 65; the clock, twice in a turn, next to nothing.
//!
//! # What made it cheaper
//!
//! * **One peer after the other.** A turn read from all peers of a batch into a slot each, and
//!   answered them afterwards. Now `next` reads from the peer of the next event, its answer goes
//!   out, its slot comes back, and the next peer gets the same one: the socket is still in the
//!   cache when its answer is sent, and 64 busy connections use one slot instead of 64.
//! * **Sends in place.** What the kernel takes at once comes back from
//!   [`send_now`](crate::driver::Driver::send_now) and not as a completion: no list, no second
//!   round, and no deadline for a wait that never was. Four fillings in one go at most: a long
//!   answer goes on behind those of the others.
//! * **Lists only for those who wait.** An entry that is neither waiting nor broken is on no list,
//!   and one comparison of its flags says so.
//! * **The timer is looked at only when a deadline moves ahead.** While a connection is open a
//!   timer hangs no later than its deadline, so a later deadline needs no look; a request does not
//!   touch the wheel (12 bytes in another table: a cache line less).
//! * **A peer in the order of its use**: what the protocol knows in the first 64 bytes, what the
//!   worker lends in the next 40. The tables stay at 180 bytes for an idle connection: to align
//!   every peer to a line would have made it 188.
//! * **What is rare stands apart.** Between two requests the kernel's own code goes through the
//!   cache of instructions, so what counts is how many lines of 64 bytes the way of a request is
//!   spread over, more than how many instructions it has. What a branch leads to that a usual
//!   request never takes is marked (`core::hint::cold_path`), or is a function of its own; what has
//!   one caller on the way is inlined there. 171 lines became 138, on 10 pages instead of 14, and
//!   1,558 instructions 1,362; for `POST /event` 235 lines became 203, and 2,570 instructions
//!   2,359. (A build with a profile has 109 lines: `tests/bench/pgo`.)
//! * **The context of a call is made for the call**, not in every pass of the loop: 46
//!   instructions.
//!
//! # What was measured and not built
//!
//! *Bodies by reference* (`writev` of head and body, instead of one copy into the send buffer and
//! one `send`). Time of the processor for both, each in alternating slices, 64 of 200 sends, over
//! loopback; beside it the copy against itself:
//!
//! | body (bytes) | writev : copy | A : A | with a body that is in no cache |
//! |---:|---:|---:|---:|
//! | 100 | 1.06 | 1.01 | 1.05 |
//! | 1,024 | 1.03 | 1.02 | 1.05 |
//! | 4,096 | 1.03 | 1.00 | 1.04 |
//! | 16,384 | 0.97 | 0.99 | 0.97 |
//! | 65,536 | 0.89 | 1.02 | 0.94 |
//!
//! It begins to pay somewhere between 4 and 16 KiB, and the send part of a slot holds 8: no answer
//! in one piece is longer, and longer ones stream. For a short one, the usual case by far, the list
//! of two pieces costs more than the copy. So there is one contiguous output; an answer is written
//! where it is sent from.
//!
//! *Corking* (`MSG_MORE`, `TCP_CORK`). It joins the sends of one answer, or of several, into fewer
//! packets. Here all answers to what one read brought go out in one send, whatever the depth: 400
//! packets of 16 requests each are answered by 400 sends, so there is nothing to join, and the call
//! that lifts the cork would be one more than the floor makes.
//!
//! *A cache of answers* (by route and target, invalidated by generation: in the server, for
//! applications whose answers are dear). The dearest answer of the challenge that may be kept,
//! `GET /users/{id}`, takes 2,300 instructions from the bytes of the request to those of the
//! answer, besides 8 KiB of zeros for the longest id that there could be; found in the cache it
//! takes 2,016. One that was not found pays for the look and for a copy on top, and what is left to
//! win is the zeros, which a smaller place would save as well: the challenge uses none.
//!
//! *Machine code for handlers.* An answer that never changes stands ready when the program is built
//! ([`Prepared`](crate::connection::Prepared)): one copy of fixed size, with the date in its place.
//! No memory of the server is ever writable and executable at once; a drill looks at its maps.
