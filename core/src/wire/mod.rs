//! The grammar of HTTP/1.1 over byte slices. Knows no connection and no buffer.
//!
//! Strict by default: what RFC 9112 says must be refused is refused, and where it leaves a choice
//! the choice is the one that two parsers cannot read differently (`manual` names them all).
//!
//! [`HeadState::advance`] parses a request head from any bytes into the caller's rows, one line
//! after the other, and comes out with the framing decision. [`ChunkDecoder`] takes chunked bodies
//! apart.

pub mod class;
pub mod percent;
pub mod value;

mod accept;
mod blocks;
mod chunk;
mod date;
mod fault;
mod field;
mod head;
mod host;
mod length;
mod method;
mod place;
mod scan;
pub(crate) use scan::is_field_value;
mod status;
mod target;
mod view;
mod walk;

pub use accept::Notation;
pub use chunk::{ChunkDecoder, ChunkStep};
pub(crate) use date::DATE_LINE_BYTES;
pub use date::{DATE_BYTES, Date, LAST_SECOND, parse as parse_date};
pub use fault::Fault;
pub use field::{FieldId, Fields};
pub use head::{HeadState, Version};
pub use host::{Host, HostFault, HostKind, validate_host};
pub use length::Framing;
pub use method::Method;
pub use place::{Place, Section};
pub(crate) use status::PADDED_LINE_BYTES;
pub use status::{BARE_LINE_BYTES, LINE_BYTES_MAX, Status};
pub use target::{Form, TARGET_BYTES_MAX, Target, TargetFault};
pub use view::Head;
