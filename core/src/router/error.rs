//! Why a route was not taken into the table, in words that work at compile time too.

use core::fmt;

use super::pattern::{AFFIXED_MAX, PARAMS_MAX, PATTERN_BYTES_MAX, SEGMENTS_MAX, head};

/// A route that the table refuses. The table is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteError {
    /// The verb is already bound to a pattern that matches exactly the same paths.
    Conflict {
        /// The refused pattern.
        pattern: &'static str,
        /// The pattern of the route that was there first.
        with: &'static str,
    },
    /// The pattern has a param with text around it where another pattern has one with as much text, and
    /// both match some segments: neither goes before the other. The verb does not matter, as the path
    /// is chosen first.
    Ambiguous {
        /// The refused pattern.
        pattern: &'static str,
        /// A pattern that was there first.
        with: &'static str,
    },
    /// There are [`AFFIXED_MAX`] params with text around them at this place already.
    TooManyAffixed {
        /// The refused pattern.
        pattern: &'static str,
        /// A pattern with one of them.
        with: &'static str,
    },
    /// All `N` routes of the table are in use.
    TableFull {
        /// The refused pattern.
        pattern: &'static str,
        /// Routes that the table holds.
        capacity: usize,
    },
    /// The pattern breaks the grammar.
    BadPattern {
        /// The refused pattern.
        pattern: &'static str,
        /// What is wrong with it.
        reason: Reason,
        /// Where, in bytes from the start of the pattern.
        at: usize,
    },
    /// The pattern has more than [`PARAMS_MAX`] params.
    TooManyParams {
        /// The refused pattern.
        pattern: &'static str,
    },
    /// The pattern uses a param name twice.
    DuplicateParam {
        /// The refused pattern.
        pattern: &'static str,
        /// Where the name comes again, in bytes from the start of the pattern.
        at: usize,
    },
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// It does not start with `/`.
    NoLeadingSlash,
    /// It is longer than [`PATTERN_BYTES_MAX`].
    TooLong,
    /// It has more than [`SEGMENTS_MAX`] segments.
    TooManySegments,
    /// A byte that cannot stand in a path (RFC 3986 section 3.3): space, `?`, `#`, not ASCII, and so on.
    ForbiddenByte,
    /// A `%` without two capital hex digits behind it. Patterns are written in normal form, paths
    /// need not be.
    BadEscape,
    /// An escaped letter, digit, `-`, `.`, `_` or `~`: write the character itself, which matches both.
    NeedlessEscape,
    /// A segment `.` or `..`: a path that has one never matches.
    DotSegment,
    /// A `{` without `}`.
    Unclosed,
    /// A param name that is empty, starts with a digit, or has other than letters, digits and `_`.
    BadName,
    /// A second param in one segment: where the first ends would be a guess.
    TwoParams,
    /// A `}` without `{` (as a character, write `%7B`, `%7D`).
    StrayBrace,
    /// A `{*rest}` that is only a part of its segment.
    PartialRest,
    /// A `{*rest}` with more behind it.
    RestNotLast,
}

impl Reason {
    /// The reason as an English clause.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Reason::NoLeadingSlash => "it must start with '/'",
            Reason::TooLong => "it is too long",
            Reason::TooManySegments => "it has too many segments",
            Reason::ForbiddenByte => "this byte cannot stand in a path",
            Reason::BadEscape => "'%' must be followed by two capital hex digits",
            Reason::NeedlessEscape => "write this character without escape",
            Reason::DotSegment => "a '.' or '..' segment never matches",
            Reason::Unclosed => "'{' without '}'",
            Reason::BadName => "a param name has letters, digits and '_', no digit first",
            Reason::TwoParams => "a segment has one param at most",
            Reason::StrayBrace => "'}' without '{'",
            Reason::PartialRest => "'{*rest}' must be a whole segment",
            Reason::RestNotLast => "'{*rest}' must be the last segment",
        }
    }
}

impl RouteError {
    /// The whole message. Const, because a table in a `static` reports it as a compile error.
    pub(crate) const fn message(&self) -> Message {
        let m = Message::new();
        match *self {
            RouteError::Conflict { pattern, with } => m
                .push("route ")
                .push(pattern)
                .push(" conflicts with ")
                .push(with)
                .push(", which has the same method"),
            RouteError::Ambiguous { pattern, with } => m
                .push("route ")
                .push(pattern)
                .push(" and ")
                .push(with)
                .push(" match some paths equally well"),
            RouteError::TooManyAffixed { pattern, with } => m
                .push("route ")
                .push(pattern)
                .push(" is one too many beside ")
                .push(with)
                .push(": at most ")
                .push_number(AFFIXED_MAX)
                .push(" params with text around them at one place"),
            RouteError::TableFull { pattern, capacity } => m
                .push("no room for route ")
                .push(pattern)
                .push(": the table holds ")
                .push_number(capacity),
            RouteError::BadPattern {
                pattern,
                reason,
                at,
            } => {
                let m = m
                    .push("bad route ")
                    .push(pattern)
                    .push(" at byte ")
                    .push_number(at)
                    .push(": ")
                    .push(reason.text());
                match reason {
                    Reason::TooLong => m
                        .push(", at most ")
                        .push_number(PATTERN_BYTES_MAX)
                        .push(" bytes"),
                    Reason::TooManySegments => m.push(", at most ").push_number(SEGMENTS_MAX),
                    _ => m,
                }
            }
            RouteError::TooManyParams { pattern } => m
                .push("route ")
                .push(pattern)
                .push(" has more than ")
                .push_number(PARAMS_MAX)
                .push(" params"),
            RouteError::DuplicateParam { pattern, at } => m
                .push("route ")
                .push(pattern)
                .push(" uses the param name at byte ")
                .push_number(at)
                .push(" twice"),
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().as_str())
    }
}

impl core::error::Error for RouteError {}

/// Bytes of the longest message: two patterns and less than 256 bytes around them.
const MESSAGE_BYTES_MAX: usize = 2 * PATTERN_BYTES_MAX + 256;

/// Text built without `core::fmt`, which is not const.
pub(crate) struct Message {
    bytes: [u8; MESSAGE_BYTES_MAX],
    used: usize,
}

impl Message {
    const fn new() -> Self {
        Message {
            bytes: [0; MESSAGE_BYTES_MAX],
            used: 0,
        }
    }

    /// Appends whole strings only, so that the text stays UTF-8; what has no room becomes dots.
    const fn push(mut self, text: &str) -> Self {
        // A pattern that is refused for its length is the only text that can be this long.
        let text = if text.len() > PATTERN_BYTES_MAX {
            "(...)"
        } else {
            text
        };
        let mut i = 0;
        if text.len() <= MESSAGE_BYTES_MAX.saturating_sub(self.used) {
            while i < text.len() && self.used < MESSAGE_BYTES_MAX {
                self.bytes[self.used] = text.as_bytes()[i];
                self.used += 1;
                i += 1;
            }
        }
        self
    }

    const fn push_number(self, number: usize) -> Self {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let more = if number >= 10 {
            self.push_number(number / 10)
        } else {
            self
        };
        more.push(DIGITS[number % 10])
    }

    pub(crate) const fn as_str(&self) -> &str {
        match core::str::from_utf8(head(&self.bytes, self.used)) {
            Ok(text) => text,
            Err(_) => "bad route",
        }
    }
}
