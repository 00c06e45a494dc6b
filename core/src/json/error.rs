//! What is wrong with a text, and where.

use core::fmt;

/// The first fault of a text that is not one JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Offset of the fault in bytes from the start of the text; the length of the text if it ends
    /// too soon.
    pub at: usize,
    /// What is wrong there.
    pub kind: Kind,
}

/// The ways in which a text can fail to be JSON. Section numbers are those of RFC 8259.
// As wide as a word: a result of it and of something wider is then a row of whole words, which the
// compiler keeps in registers; a single byte in their place makes it take them apart and put them
// together again (40 instructions per member).
#[repr(usize)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The text is over before the object is (or before the number is).
    Early,
    /// The text does not begin with an object (section 4).
    Object,
    /// Something other than a key in quotes stands where a key must (section 4).
    Key,
    /// No colon after a key (section 4).
    Colon,
    /// No value where one must stand (section 3).
    Value,
    /// Neither a comma nor the end of the object or array after a value (sections 4 and 5).
    Comma,
    /// A character below U+0020 inside a string, not escaped (section 7).
    Control,
    /// A backslash that begins no escape of section 7.
    Escape,
    /// An escape that names half of a surrogate pair without the other half (section 8.2).
    Surrogate,
    /// Bytes inside a string that are not UTF-8 (section 8.1; RFC 3629).
    Utf8,
    /// Digits that do not make a number (section 6).
    Number,
    /// More than [`DEPTH_MAX`](super::DEPTH_MAX) levels of nested values (section 9 lets us choose).
    Depth,
    /// Anything but white space after the object (section 2).
    Trailing,
}

impl Error {
    /// A short sentence for people, the same for every error of a kind.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Early => "the JSON text ends too soon",
            Kind::Object => "a JSON object must come here",
            Kind::Key => "a key in quotes must come here",
            Kind::Colon => "a colon must follow the key",
            Kind::Value => "a JSON value must come here",
            Kind::Comma => "a comma or the closing bracket must follow the value",
            Kind::Control => "control characters in strings must be escaped",
            Kind::Escape => "JSON has no such escape",
            Kind::Surrogate => "half of a surrogate pair stands alone",
            Kind::Utf8 => "the string is not valid UTF-8",
            Kind::Number => "JSON numbers are not written like this",
            Kind::Depth => "values are nested too deep",
            Kind::Trailing => "only white space may follow the object",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.reason(), self.at)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_error_says_what_and_where() {
        let error = Error {
            at: 7,
            kind: Kind::Colon,
        };
        assert_eq!(error.to_string(), "a colon must follow the key (byte 7)");
    }
}
