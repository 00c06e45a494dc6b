//! JSON as small events need it: a strict pull scanner for flat objects, and a bounded writer.
//!
//! [`Object`] reads one object (RFC 8259) from one slice, front to back and once, and hands out its
//! members as they come. Nothing is copied: a key or a string is a [`Text`] that still lies in the
//! caller's bytes, a number is a [`Number`] that still is its digits, so that no value ever goes
//! through a float. Values that are objects or arrays themselves are checked in full and handed out
//! as raw bytes.
//!
//! [`Pair`] reads the most usual event in a little less than half of the instructions, and leaves
//! all others to it.
//!
//! [`Writer`] writes into a slice and sets commas and colons by itself.
//!
//! ```
//! use barewire_core::json::{Object, Value, Writer};
//!
//! let mut object = Object::new(br#"{"userId":"ann","value":-1.50,"tags":["a","b"]}"#)?;
//! let mut user = None;
//! let mut value = None;
//! while let Some((key, found)) = object.next()? {
//!     match found {
//!         Value::Text(text) if key.eq_str("userId") => user = text.as_plain(),
//!         Value::Number(number) if key.eq_str("value") => value = Some(number),
//!         _ => {}
//!     }
//! }
//! // Here the loop has ended without an error: every byte of the text was checked.
//! assert_eq!(user, Some("ann"));
//! assert!(value.is_some_and(|v| v.negative() && v.integer() == b"1" && v.fraction() == b"50"));
//!
//! let mut bytes = [0; 32];
//! let mut writer = Writer::new(&mut bytes);
//! writer.begin_object().key("status").string("ok").key("count").u64(3).end_object();
//! assert_eq!(writer.finish(), Ok(&br#"{"status":"ok","count":3}"#[..]));
//! # Ok::<(), barewire_core::json::Error>(())
//! ```
//!
//! What is refused although some parsers take it: a byte order mark, comments, trailing commas,
//! single quotes, `NaN` and `Infinity`, `+1`, `01`, `.5` and `1.`, control characters inside
//! strings, bytes that are not UTF-8, and `\u` escapes that name half of a surrogate pair.

mod cursor;
mod error;
mod levels;
mod number;
mod pair;
mod scan;
mod text;
mod write;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod reference;

pub use error::{Error, Kind};
pub use number::Number;
pub use pair::{PAIR_KEY_BYTES_MAX, Pair};
pub use scan::{Object, Value};
pub use text::{Short, Text};
pub use write::{Flaw, Writer};

/// How many objects and arrays may be open at once, in levels: inside one value of the flat object
/// when reading (the flat object itself is not counted), and altogether when writing.
///
/// 32, because one level is one bit and 32 bits are one register on every target; events that
/// people send stay below ten levels.
pub const DEPTH_MAX: u32 = 32;

#[cfg(test)]
mod tests;
