//! Where the first design was left, and for what reason.
//!
//! * **Buffers are one unsized type, not a view with a lifetime.** The design had
//!   `RecvBuffer<'a>` over the caller's slice, with its positions beside it. As
//!   `RecvBuffer<[u8]>`, control words and bytes in one, a buffer moves as one pointer of 16 bytes
//!   (a driver and a worker keep three of them for each connection), the control words lie in the
//!   slot, and an owner still names its size: `RecvBuffer<[u8; 4096]>`.
//! * **The promise of room is one number for a site, not one for each route.** The machine lends a
//!   request before anybody has looked at its path. A route with larger answers streams, or defers:
//!   a deferred exchange comes back with an empty send buffer.
//! * **`Bodies::Ask` has a third way besides gather and stream: `stream_after`.** With plain
//!   streaming an echo has to begin its answer with the first byte, and a body that turns out to be
//!   malformed can then only be cut, not answered 400; whether it could depended on the cut.
//! * **`Chunk` lends the answer through `Inflow::outlet`**, which is a `Reply` while nothing is
//!   said and a `BodyWriter` afterwards, so that a streaming handler may begin its answer when it
//!   likes.
//! * **`Completion::Ended`** tells the end of an idle connection without taking a slot for it.
//! * **A body's least pace is judged in windows that start anew whenever enough has come.** An
//!   average since the start lets a sender bank a fast beginning and then hold a slot for hours.
//! * **A server with fewer than 64 slots is patient under pressure.** The rule was that the oldest
//!   incomplete head gives way at once. With few slots all of them are taken now and then in good
//!   times too, and clients whose heads come in two packets pushed each other out: there everybody
//!   is given a second first.
//! * **A head has 100 ms before it gives way, while there are slots.** Without that, long uploads
//!   that hold nearly all slots made every head that came in two packets go. When none is left, the
//!   oldest goes at once.
//! * **Peers that do not read give way too**, when nothing else frees a slot. The rule named heads
//!   and bodies only; but a client that asks and never takes the answer holds a slot for as long.
//! * **A path without params is found by one hash of all of it**, before any walk by segments. The
//!   walk cost as much for each segment of a literal path, and most paths of a table are literal.
//! * **Where a refusal broke is computed afterwards**, from the state at the fault, and not noted
//!   on the way: a good head pays nothing, and no structure grew.
//! * **Upgrades are not there yet**: no `Step::Upgraded`. They come with their first user.
