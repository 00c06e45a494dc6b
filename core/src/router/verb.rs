//! The method of a route, as the router knows it, and sets of them.

use core::fmt;

/// A request method that a route can be bound to (RFC 9110 section 9.3, RFC 5789 for PATCH).
///
/// The router stands alone and therefore has a method type of its own; whoever parses requests maps
/// theirs to this one. A method without a name here cannot be routed: RFC 9110 section 9.1 wants 501
/// for it, which is decided before any table is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Verb {
    /// GET; its routes also answer HEAD where HEAD has no route of its own.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// CONNECT; its target is an authority, so it never arrives with a path of its own.
    Connect,
    /// OPTIONS; implied for every path that has a route.
    Options,
    /// TRACE.
    Trace,
    /// PATCH.
    Patch,
}

impl Verb {
    /// Every verb, in the order in which `Allow` lists them.
    pub const ALL: [Verb; 9] = [
        Verb::Get,
        Verb::Head,
        Verb::Post,
        Verb::Put,
        Verb::Delete,
        Verb::Connect,
        Verb::Options,
        Verb::Trace,
        Verb::Patch,
    ];

    /// The method token as it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Head => "HEAD",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
            Verb::Connect => "CONNECT",
            Verb::Options => "OPTIONS",
            Verb::Trace => "TRACE",
            Verb::Patch => "PATCH",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

/// Bytes of the longest `Allow` value: all nine names with ", " between them.
pub const ALLOW_BYTES_MAX: usize = {
    let mut bytes = 0;
    let mut i = 0;
    while i < Verb::ALL.len() {
        bytes += Verb::ALL[i].name().len();
        i += 1;
    }
    bytes + 2 * (Verb::ALL.len() - 1)
};

/// A set of verbs: what a path allows. [`fmt::Display`] and [`Verbs::write`] give the value of an
/// `Allow` field (RFC 9110 section 10.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Verbs(u16);

impl Verbs {
    /// No verb.
    pub const NONE: Verbs = Verbs(0);

    /// This set and one more verb.
    #[must_use]
    pub const fn and(self, verb: Verb) -> Verbs {
        Verbs(self.0 | verb.bit())
    }

    /// Everything that is in one of the two.
    #[must_use]
    pub const fn union(self, other: Verbs) -> Verbs {
        Verbs(self.0 | other.0)
    }

    /// Whether the verb is in the set.
    #[must_use]
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The verbs of the set, in the order of [`Verb::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL
            .into_iter()
            .filter(move |&verb| self.contains(verb))
    }

    /// Writes the list as `Allow` wants it, `GET, HEAD, OPTIONS`, and returns the written part. The
    /// buffer has room for every set, so nothing can be cut off.
    pub fn write(self, out: &mut [u8; ALLOW_BYTES_MAX]) -> &[u8] {
        let mut used = 0;
        for verb in self.iter() {
            let comma = if used == 0 { "" } else { ", " };
            for part in [comma, verb.name()] {
                if let Some(room) = out.get_mut(used..).and_then(|o| o.get_mut(..part.len())) {
                    room.copy_from_slice(part.as_bytes());
                    used += part.len();
                }
            }
        }
        out.get(..used).unwrap_or_default()
    }

    /// What a path with these routes answers to: GET brings HEAD, and any route brings OPTIONS.
    pub(crate) const fn with_implied(self) -> Verbs {
        let set = if self.contains(Verb::Get) {
            self.and(Verb::Head)
        } else {
            self
        };
        set.and(Verb::Options)
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for verb in self.iter() {
            f.write_str(comma)?;
            f.write_str(verb.name())?;
            comma = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_set_of_verbs_writes_the_same_list_twice() {
        for bits in 0..1 << Verb::ALL.len() {
            let set = Verbs(bits);
            let mut out = [0; ALLOW_BYTES_MAX];
            assert_eq!(set.write(&mut out), set.to_string().as_bytes());
            assert_eq!(set.iter().count(), bits.count_ones() as usize);
        }
    }

    #[test]
    fn the_longest_list_fills_the_buffer() {
        let all = Verb::ALL.iter().fold(Verbs::NONE, |set, &v| set.and(v));
        let mut out = [0; ALLOW_BYTES_MAX];
        assert_eq!(all.write(&mut out).len(), ALLOW_BYTES_MAX);
        assert_eq!(ALLOW_BYTES_MAX, 60);
    }

    #[test]
    fn get_brings_head_and_every_route_brings_options() {
        let set = Verbs::NONE.and(Verb::Post).and(Verb::Get);
        assert_eq!(set.with_implied().to_string(), "GET, HEAD, POST, OPTIONS");
        let set = Verbs::NONE.and(Verb::Post);
        assert_eq!(set.with_implied().to_string(), "POST, OPTIONS");
    }
}
