//! Every bound of the engine, with its unit and its reason.

/// Rows of a head index at most: field lines of a head and its trailers together. Browsers send
/// 10 to 30, gateways add a dozen; 100 is what most servers allow. A small buffer has fewer rows,
/// see [`RecvBuffer`](crate::buffer::RecvBuffer).
pub const FIELDS_MAX: usize = 100;

/// Bytes of a field name at most: the index keeps the length in 8 bits. Registered names have up
/// to 40.
pub const FIELD_NAME_BYTES_MAX: usize = 255;

/// Framing bytes of a chunked body beyond what its data justifies (16 for each chunk, and one for
/// each data byte): room for a few signatures in chunk extensions, but no free ride.
pub const CHUNK_EXCESS_BYTES_MAX: u32 = 8192;

/// Bytes of the body of a refusal at most. The longest that the engine writes has 138 (see the
/// tests in `connection/refusal.rs`); the rest is for an embedder's own form.
pub const REFUSAL_BODY_BYTES_MAX: usize = 256;

/// Bytes of the value of a `Server` field at most: it is sent with every answer, also where there
/// is little room. A name and a version take 20.
pub const SERVER_BYTES_MAX: usize = 64;

/// Bytes that an answer to a fault takes at most: the longest status line (46), the fields `Date`
/// (37), `Server` (10 and its value), `Connection` (19), `Content-Type` (41), `Vary` (14) and
/// `Content-Length` (21), the empty line (2), and the body of the refusal; see the tests in
/// `connection/refusal.rs`. As much as any answer is promised by default.
pub const FAULT_REPLY_BYTES: usize = 512;

/// Bytes of room below which a streamed body is not lent to its writer: a smaller piece would
/// cost more framing and system calls than it carries.
pub const STREAM_ROOM_BYTES_MIN: usize = 64;

/// What a deployment may set. [`Limits::DEFAULT`] suits a public server with 16 KiB slots.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request line and its field section, line ends included. More: 431, or 414 while
    /// still in the request line. The receive buffer bounds it too. Default 65,535: the buffer.
    pub head_bytes_max: u32,
    /// Bytes of a request target. More: 414. Default 8,000, the least that RFC 9112 section 3
    /// wants every server to support, bounded by the buffer.
    pub target_bytes_max: u32,
    /// Bytes of a trailer section. More: 431. Default 4,096: checksums and signatures.
    pub trailer_bytes_max: u32,
    /// Bytes of a body's content. More: 413. Default 64 MiB; what is gathered is bounded by the
    /// buffer as well.
    pub body_bytes_max: u64,
    /// Bytes of an answer (head and body): so much send room a request finds when it is lent, so an
    /// answer up to this size never fails, and a larger one always does, whatever else is pending.
    /// Larger answers stream, or are deferred, which frees the whole buffer. Default 512.
    pub reply_bytes_max: u32,
    /// Bytes of an unwanted body that are read and dropped to keep the connection usable. More:
    /// the connection closes after the answer. Default 65,536: cheaper than a new connection.
    pub drain_bytes_max: u32,
    /// Bytes that are read and dropped after an answer that ends the connection, so that the
    /// answer survives at the peer (RFC 9112 section 9.6). Default 1 MiB.
    pub linger_bytes_max: u32,

    /// Milliseconds from the accept to the first byte. Default 10,000.
    pub first_byte_ms: u32,
    /// Milliseconds from the first byte of a head to its last. Default 10,000.
    pub head_ms: u32,
    /// Milliseconds from the first byte of a request to its last, for requests that are lent as a
    /// whole. Streamed bodies know only the pace. Default 10,000.
    pub request_ms: u32,
    /// Milliseconds in which a body must bring `pace_ms * body_rate_min / 1000` bytes; then the
    /// next window begins. Default 5,000.
    pub pace_ms: u32,
    /// Bytes per second that a body must bring. Default 500, a slow modem.
    pub body_rate_min: u32,
    /// Milliseconds in which a peer must take one filling of the send buffer. Default 10,000, which
    /// is 800 bytes per second for 8 KiB.
    pub send_ms: u32,
    /// Milliseconds that an idle connection is kept. Default 30,000.
    pub idle_ms: u32,
    /// Milliseconds that a deferred exchange may take. Default 30,000.
    pub handler_ms: u32,
    /// Milliseconds of lingering before the close. Default 2,000.
    pub linger_ms: u32,
}

impl Limits {
    /// The defaults, each explained at its field.
    pub const DEFAULT: Limits = Limits {
        head_bytes_max: u16::MAX as u32,
        target_bytes_max: 8_000,
        trailer_bytes_max: 4_096,
        body_bytes_max: 64 << 20,
        reply_bytes_max: 512,
        drain_bytes_max: 1 << 16,
        linger_bytes_max: 1 << 20,
        first_byte_ms: 10_000,
        head_ms: 10_000,
        request_ms: 10_000,
        pace_ms: 5_000,
        body_rate_min: 500,
        send_ms: 10_000,
        idle_ms: 30_000,
        handler_ms: 30_000,
        linger_ms: 2_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}
