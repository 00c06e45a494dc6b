//! What can be wrong with the bytes of a peer, and what it is answered.

use super::Status;

/// A fault in the bytes of a request. Each has one status and one reason; after most of them
/// nobody can say where the next request begins, so the connection closes (RFC 9112 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A line that ends with LF alone (RFC 9112 section 2.2).
    LineEnd,
    /// Not `method SP request-target SP HTTP-version` (RFC 9112 section 3).
    RequestLine,
    /// The method is no token (RFC 9110 section 9.1).
    Method,
    /// The target is in none of the four forms, or not in one that the method takes
    /// (RFC 9112 section 3.2).
    Target,
    /// An `https` target on a connection that is not secured (RFC 9110 section 7.4).
    Misdirected,
    /// The target, or the request line, is longer than the limit.
    TargetTooLong,
    /// Not `HTTP/` digit `.` digit (RFC 9112 section 2.3).
    Version,
    /// A major version other than 1 (RFC 9110 section 15.6.6).
    VersionUnsupported,
    /// White space before a field name: a folded line, or a smuggled one (RFC 9112 section 5.2).
    Fold,
    /// A field line without a colon directly behind a token (RFC 9112 section 5.1).
    FieldName,
    /// A control character in a field value (RFC 9110 section 5.5).
    FieldValue,
    /// A field name longer than [`FIELD_NAME_BYTES_MAX`](crate::limits::FIELD_NAME_BYTES_MAX).
    FieldNameTooLong,
    /// More field lines than the index has rows.
    TooManyFields,
    /// The head is longer than the limit or the buffer.
    HeadTooLarge,
    /// HTTP/1.1 without `Host` (RFC 9112 section 3.2).
    HostMissing,
    /// More than one `Host` line (RFC 9112 section 3.2).
    HostTwice,
    /// A `Host` value that is no host (RFC 9112 section 3.2).
    Host,
    /// A `Content-Length` that is no number (RFC 9112 section 6.3).
    Length,
    /// Several `Content-Length` lines, even equal ones: refused, as RFC 9110 section 8.6 allows.
    LengthTwice,
    /// A `Content-Length` beyond 64 bits.
    LengthTooLarge,
    /// Both `Transfer-Encoding` and `Content-Length` (RFC 9112 section 6.1).
    LengthAndCoding,
    /// `Transfer-Encoding` in a message of a version that has none (RFC 9112 section 6.1).
    CodingInOldVersion,
    /// `chunked` is not the last transfer coding, or not once (RFC 9112 section 6.3).
    CodingNotChunked,
    /// A transfer coding that we do not know, before `chunked` (RFC 9112 section 6.1).
    CodingUnknown,
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    Expectation,
    /// A chunk that does not follow the grammar (RFC 9112 section 7.1).
    Chunk,
    /// Chunk extensions beyond measure (RFC 9112 section 7.1.1).
    ChunkExcess,
    /// A trailer section longer than the limit or the buffer.
    TrailerTooLarge,
}

impl Fault {
    /// What the peer is answered.
    pub const fn status(self) -> Status {
        match self {
            Fault::TargetTooLong => Status::URI_TOO_LONG,
            Fault::Misdirected => Status::MISDIRECTED_REQUEST,
            Fault::VersionUnsupported => Status::HTTP_VERSION_NOT_SUPPORTED,
            Fault::FieldNameTooLong
            | Fault::TooManyFields
            | Fault::HeadTooLarge
            | Fault::TrailerTooLarge => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Fault::LengthTooLarge => Status::CONTENT_TOO_LARGE,
            Fault::CodingUnknown => Status::NOT_IMPLEMENTED,
            Fault::Expectation => Status::EXPECTATION_FAILED,
            _ => Status::BAD_REQUEST,
        }
    }

    /// Which rule was broken, in a few words for a person.
    pub const fn reason(self) -> &'static str {
        match self {
            Fault::LineEnd => "a line must end with CR LF",
            Fault::RequestLine => "the request line must be: method SP target SP version",
            Fault::Method => "the method must be a token",
            Fault::Target => "the request target is malformed, or not of a form for this method",
            Fault::Misdirected => "an https target needs a secured connection",
            Fault::TargetTooLong => "the request target is too long",
            Fault::Version => "the version must be: HTTP/ digit . digit",
            Fault::VersionUnsupported => "only HTTP/1.x is spoken here",
            Fault::Fold => "a field line must not begin with white space",
            Fault::FieldName => "a field line must be: token, colon, value",
            Fault::FieldValue => "a field value must not hold control characters",
            Fault::FieldNameTooLong => "a field name is too long",
            Fault::TooManyFields => "too many field lines",
            Fault::HeadTooLarge => "the request head is too large",
            Fault::HostMissing => "HTTP/1.1 needs a Host field",
            Fault::HostTwice => "there must be one Host field",
            Fault::Host => "the Host field must be: host [ : port ]",
            Fault::Length => "Content-Length must be a number",
            Fault::LengthTwice => "there must be one Content-Length",
            Fault::LengthTooLarge => "Content-Length is beyond any limit",
            Fault::LengthAndCoding => "Content-Length and Transfer-Encoding exclude each other",
            Fault::CodingInOldVersion => "HTTP/1.0 has no Transfer-Encoding",
            Fault::CodingNotChunked => "the last transfer coding must be chunked, once",
            Fault::CodingUnknown => "no transfer coding but chunked is known here",
            Fault::Expectation => "no expectation but 100-continue is known here",
            Fault::Chunk => "the chunked body is malformed",
            Fault::ChunkExcess => "the chunk extensions are too large",
            Fault::TrailerTooLarge => "the trailer section is too large",
        }
    }
}
