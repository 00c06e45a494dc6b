//! For tests only: the same grammar written the obvious way, recursive and allocating, to judge the
//! scanner by.

extern crate std;
use super::DEPTH_MAX;
use std::{string::String, vec::Vec};

/// A value as the scanner reports it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Text(String),
    /// Negative, integer, fraction, text.
    Number(bool, String, String, String),
    Bool(bool),
    Null,
    Nested(String),
}

/// The members of the object that the bytes are, `None` if they are none.
pub(super) fn object(bytes: &[u8]) -> Option<Vec<(String, Json)>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { rest: text };
    reader.space();
    let members = reader.members(0)?;
    reader.space();
    reader.rest.is_empty().then_some(members)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes this text, or nothing.
    fn take(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn members(&mut self, depth: u32) -> Option<Vec<(String, Json)>> {
        let mut members = Vec::new();
        self.take("{")?;
        self.space();
        if self.take("}").is_some() {
            return Some(members);
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.take(":")?;
            members.push((key, self.value(depth)?));
            self.space();
            if self.take("}").is_some() {
                return Some(members);
            }
            self.take(",")?;
        }
    }

    fn elements(&mut self, depth: u32) -> Option<()> {
        self.take("[")?;
        self.space();
        if self.take("]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.space();
            if self.take("]").is_some() {
                return Some(());
            }
            self.take(",")?;
        }
    }

    /// A value inside of `depth` brackets, not counting the flat object's.
    fn value(&mut self, depth: u32) -> Option<Json> {
        self.space();
        let before = self.rest;
        match before.chars().next()? {
            '{' | '[' if depth == DEPTH_MAX => None,
            first @ ('{' | '[') => {
                if first == '{' {
                    self.members(depth + 1)?;
                } else {
                    self.elements(depth + 1)?;
                }
                Some(Json::Nested(self.since(before)))
            }
            '"' => self.string().map(Json::Text),
            't' => self.take("true").map(|()| Json::Bool(true)),
            'f' => self.take("false").map(|()| Json::Bool(false)),
            'n' => self.take("null").map(|()| Json::Null),
            _ => self.number(),
        }
    }

    fn since(&self, before: &str) -> String {
        String::from(&before[..before.len() - self.rest.len()])
    }

    /// Decodes to UTF-16 and lets the standard library judge the surrogates.
    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let mut chars = self.rest.chars();
            let char = chars.next()?;
            self.rest = chars.as_str();
            match char {
                '"' => return String::from_utf16(&units).ok(),
                '\0'..='\u{1f}' => return None,
                '\\' => {
                    let letter = chars.next()?;
                    self.rest = chars.as_str();
                    units.push(match letter {
                        '"' | '\\' | '/' => letter as u16,
                        'b' => 8,
                        't' => 9,
                        'n' => 10,
                        'f' => 12,
                        'r' => 13,
                        'u' => {
                            let hex = self.rest.get(..4)?;
                            self.rest = self.rest.get(4..)?;
                            // from_str_radix alone would take a plus sign.
                            hex.chars().all(|c| c.is_ascii_hexdigit()).then_some(())?;
                            u16::from_str_radix(hex, 16).ok()?
                        }
                        _ => return None,
                    });
                }
                plain => units.extend(plain.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let before = self.rest;
        let negative = self.take("-").is_some();
        let integer = self.digits()?;
        if integer.len() > 1 && integer.starts_with('0') {
            return None;
        }
        let mut fraction = "";
        if self.take(".").is_some() {
            fraction = self.digits()?;
        }
        if self.take("e").or_else(|| self.take("E")).is_some() {
            let _ = self.take("+").or_else(|| self.take("-"));
            self.digits()?;
        }
        Some(Json::Number(
            negative,
            integer.into(),
            fraction.into(),
            self.since(before),
        ))
    }

    fn digits(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }
}
