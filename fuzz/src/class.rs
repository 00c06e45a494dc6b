//! What a target makes of an input, in words: the first half of the name of every kept input.
//!
//! `fault-length-twice--equal-values`: in front of the two dashes stands what the target says of
//! the bytes, behind them what a person says, or for what the fuzzer found its length and hash.
//! A test computes the first half anew, so no name can lie.

use std::fmt::Debug;

use super::cuts::seed_of;

/// A fuzz target: what it promises, and what it makes of an input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The folder of its inputs.
    pub name: &'static str,
    /// Panics if a promise does not hold for the bytes.
    pub check: fn(&[u8]),
    /// The first half of the name of an input.
    pub class: fn(&[u8]) -> String,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 8] = [
        Target::new("chunk", super::chunk, super::chunk::class),
        Target::new("connection", super::connection, super::connection::class),
        Target::new("head", super::head, super::head::class),
        Target::new("httparse", super::httparse, super::httparse::class),
        Target::new("json", super::json, super::json::class),
        Target::new("response", super::response, super::response::class),
        Target::new("router", super::router, super::router::class),
        Target::new("target_host", super::target_host, super::target_host::class),
    ];

    const fn new(name: &'static str, check: fn(&[u8]), class: fn(&[u8]) -> String) -> Self {
        Target { name, check, class }
    }

    /// The name of an input; without words for it, of one that was found.
    pub fn file_name(&self, data: &[u8], what: Option<&str>) -> String {
        let class = (self.class)(data);
        match what {
            Some(what) => format!("{class}--{what}"),
            // Short enough to read, long enough for some thousand inputs; a test finds two alike.
            None => {
                let hash = seed_of(data) as u32;
                format!("{class}--found-{}-bytes-{hash:08x}", data.len())
            }
        }
    }
}

/// `LengthTwice` as `length-twice`, and what a variant holds as `depth-3`.
pub(crate) fn kebab(value: impl Debug) -> String {
    let mut text = String::new();
    for c in format!("{value:?}").chars() {
        match c {
            'A'..='Z' => {
                // Two dashes would end the first half of a name.
                if !text.is_empty() && !text.ends_with('-') {
                    text.push('-');
                }
                text.push(c.to_ascii_lowercase());
            }
            _ if c.is_ascii_alphanumeric() => text.push(c),
            _ if !text.ends_with('-') => text.push('-'),
            _ => {}
        }
    }
    text.trim_end_matches('-').to_owned()
}
