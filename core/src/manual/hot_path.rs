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
//! | what is rare stands apart; users in a front of the table | 1,361 | - | 2,245 |
//! | a receive is reported where it was made; fewer jumps | 1,234 | - | 2,135 |
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
//! * **Users lie close together.** The table of a million users takes 16 MiB, and 75,000 of them,
//!   spread all over it, touched 65,000 cache lines on all of its 4,096 pages: more than the
//!   processor's own cache and its list of pages (TLB) hold. Now an id is looked for in one line of
//!   a front of 1 MiB first (16,384 lines on 256 pages), and only then in its region: 75,000 users
//!   take 9.6 MB resident with everything, where they took 20.9, a thousand 3.6 for 6.4.
//!   With the next point `POST /event` came down from 1.24 [1.17, 1.26] of the floor to 1.20 [1.16,
//!   1.22] (one run of 36 pairs). While a million users came, most of them new, no difference was
//!   seen: 1.25 [1.21, 1.33] before, 1.23 [1.18, 1.29] now (20 pairs); the line of most is full
//!   then, and looked at in vain.
//! * **The one route in a hurry is two comparisons.** The head of an event is compared with `POST`
//!   and `/event` before it goes to the router: 117 instructions and 18 cache lines of code less.
//! * **What is rare stands apart.** Between two requests the kernel's own code goes through the
//!   cache of instructions, so what counts is how many lines of 64 bytes the way of a request is
//!   spread over, more than how many instructions it has. What a branch leads to that a usual
//!   request never takes is marked (`core::hint::cold_path`), or is a function of its own; what has
//!   one caller on the way is inlined there. 171 lines became 138, on 10 pages instead of 14, and
//!   1,558 instructions 1,362; for `POST /event` 235 lines became 203, and 2,570 instructions
//!   2,359. (A build with a profile has 109 lines: `tests/bench/pgo`.) Counted is what runs for
//!   nine requests of ten, and `tests/bench/lines` repeats it, without the opening and closing of
//!   connections: 138 lines, 1,357 instructions, 42 conditional jumps taken and 29 others for
//!   plaintext; 190, 2,241, 75 and 37 for `POST /event`, with the two points before. (Another
//!   build, of as many instructions in other places, had 140 and 194 lines. `tests/bench/ablation`
//!   counts more: one request in a turn, and an event that ends with a line.)
//! * **A receive is reported where it was made**, and not noted in the entry, and found and cleared
//!   there; with it, what the list of jumps showed: a router that said by a table of jumps that it
//!   had found a route, and the deadline of an idle connection, which has no window, behind those
//!   that have. 126 lines, 1,234 instructions, 42 conditional jumps and 17 others; 180, 2,135, 75
//!   and 26 for `POST /event`.
//! * **The context of a call is made for the call**, not in every pass of the loop: 46
//!   instructions.
//!
//! # What was measured and is not the default
//!
//! *Huge pages for the statistics* (transparent ones, asked for at the start). For the table as it
//! was they gained as much as the front does: 1.25 [1.22, 1.30] of the floor for 1.33 [1.26, 1.43];
//! behind the front they gain nothing: 1.25 [1.21, 1.30] for 1.24 [1.20, 1.31] (one run, paired,
//! other programs at work). And few users would pay for them. Resident,
//! in kB, with so many users:
//!
//! | | none | 10 | 1,000 | 75,000 | 1,000,000 |
//! |---|---:|---:|---:|---:|---:|
//! | regions alone | 2,740 | 2,800 | 6,364 | 20,892 | 42,572 |
//! | regions alone, huge pages | 2,608 | 16,968 | 21,064 | 21,064 | 43,592 |
//! | front and regions | 2,612 | 2,672 | 3,632 | 9,580 | 43,468 |
//! | front and regions, huge pages | 2,756 | 6,868 | 6,868 | 23,252 | 45,780 |
//!
//! So `--huge-pages` is about the slots alone.
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
//! *A wait without a time* (not built). Each wait says when the next deadline is, and the kernel
//! sets a timer for it whenever nothing is there yet. Tried: for ever, with deadlines that nobody
//! looks at. Of one connection that asks alone, so that there is a wait for each answer, the time
//! came down from 1.27 [1.18, 1.31] of the floor to 1.18 [1.09, 1.29] (30 pairs; a bare loop of
//! tokio, which has no deadlines: 1.16); of 64 connections not at all. (A build by hand that is not
//! kept: no command repeats it.) A descriptor that tells the time, set when a deadline moves ahead,
//! would do the same in order; it is one more for each worker.
//!
//! *A table of descriptors for each worker* (`--own-descriptors`; built, and off by default). In a
//! table that several threads use (a server of one worker has its main thread besides) each call
//! with a descriptor takes a reference to the open file and gives it back, two atomic changes: 88
//! ns of a request, by a profile of the kernel's `fdget` and `fput`. Accepts and closes take a lock
//! that all workers share. With the flag each worker copies the table at its start (`close_range`,
//! `CLOSE_RANGE_UNSHARE`), and needs neither. Processor time of plaintext with the one table of
//! all, over that with a table each: 1.01 [1.00, 1.02] in 120 pairs, beside 1.00 [0.99, 1.00] of A
//! to A; over the floor 1.10 to 1.08; a connection per request 1.13 to 1.12. Two workers on one
//! processor, six processes each: 1.29 to 1.26, but these lie between 1.19 and 1.34, by how
//! connections fall to workers. So it is one or two of a hundred, and the price is that
//! `/proc/PID/fd`, where `ss -p` and others look for who has a port, shows the main thread's table
//! alone; nor may anything that holds a descriptor pass between threads, so `--accept handoff` goes
//! without. The trap: a copied table holds copies of all listeners, and one that stays open
//! anywhere stays in its group after its worker has closed it, and gets connections that nobody
//! accepts. A worker closes all but its own, and the main thread those it has when all workers have
//! theirs.
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
