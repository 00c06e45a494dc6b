//! Request methods (RFC 9110, 9; PATCH is RFC 5789).

/// What a request asks for. Names are case-sensitive (RFC 9110, 9.1): `get` is [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Method {
    /// Transfer a representation.
    Get,
    /// As GET, without the content.
    Head,
    /// Process the content.
    Post,
    /// Replace the target by the content.
    Put,
    /// Remove the target.
    Delete,
    /// Make the connection a tunnel; no job of an origin server.
    Connect,
    /// Ask how one may communicate with the target.
    Options,
    /// Echo the request head.
    Trace,
    /// Change the target as the content says.
    Patch,
    /// Any other token. Its spelling stays in the head that was received.
    Other,
}

impl Method {
    /// The methods that have a name here: all but [`Method::Other`], in the order of their numbers.
    pub const KNOWN: [Method; 9] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Connect,
        Method::Options,
        Method::Trace,
        Method::Patch,
    ];

    /// Names the method that `token` spells, [`Method::Other`] where none fits.
    ///
    /// Whether `token` is a token at all is for the caller to check
    /// ([`is_token`](super::value::is_token)): the scanner sees those bytes anyway.
    #[must_use]
    #[inline]
    pub const fn from_token(token: &[u8]) -> Method {
        // The length picks the arm, then one word is compared: no call, no loop.
        match *token {
            [a, b, c] => match u32::from_ne_bytes([a, b, c, 0]) {
                GET => Method::Get,
                PUT => Method::Put,
                _ => Method::Other,
            },
            [a, b, c, d] => match u32::from_ne_bytes([a, b, c, d]) {
                POST => Method::Post,
                HEAD => Method::Head,
                _ => Method::Other,
            },
            [a, b, c, d, e] => match u64::from_ne_bytes([a, b, c, d, e, 0, 0, 0]) {
                PATCH => Method::Patch,
                TRACE => Method::Trace,
                _ => Method::Other,
            },
            [a, b, c, d, e, f] => match u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]) {
                DELETE => Method::Delete,
                _ => Method::Other,
            },
            [a, b, c, d, e, f, g] => match u64::from_ne_bytes([a, b, c, d, e, f, g, 0]) {
                OPTIONS => Method::Options,
                CONNECT => Method::Connect,
                _ => Method::Other,
            },
            _ => Method::Other,
        }
    }

    /// The name as it stands in a request line; empty for [`Method::Other`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            Method::Other => "",
        }
    }

    /// The number of this method, 0 to 9: a bit in a set, or a row of a table of ten.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Says whether the method only reads (RFC 9110, 9.2.1). Unknown methods are taken as unsafe.
    #[must_use]
    pub const fn is_safe(self) -> bool {
        matches!(
            self,
            Method::Get | Method::Head | Method::Options | Method::Trace
        )
    }

    /// Says whether asking twice does no more than asking once (RFC 9110, 9.2.2), so that a client
    /// may repeat the request by itself. Unknown methods are taken as not idempotent.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Method::Put | Method::Delete)
    }

    /// Says whether answers to this method never carry content, whatever their fields say
    /// (RFC 9112, 6.3, rule 1).
    #[must_use]
    #[inline]
    pub const fn hides_content(self) -> bool {
        matches!(self, Method::Head)
    }
}

// Native byte order on both sides: the words are compared, never stored.
const GET: u32 = u32::from_ne_bytes(*b"GET\0");
const PUT: u32 = u32::from_ne_bytes(*b"PUT\0");
const POST: u32 = u32::from_ne_bytes(*b"POST");
const HEAD: u32 = u32::from_ne_bytes(*b"HEAD");
const PATCH: u64 = u64::from_ne_bytes(*b"PATCH\0\0\0");
const TRACE: u64 = u64::from_ne_bytes(*b"TRACE\0\0\0");
const DELETE: u64 = u64::from_ne_bytes(*b"DELETE\0\0");
const OPTIONS: u64 = u64::from_ne_bytes(*b"OPTIONS\0");
const CONNECT: u64 = u64::from_ne_bytes(*b"CONNECT\0");

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn every_known_method_reads_back_from_its_name() {
        for (index, method) in Method::KNOWN.into_iter().enumerate() {
            assert_eq!(Method::from_token(method.as_str().as_bytes()), method);
            assert_eq!(method.index(), index);
        }
        assert_eq!(Method::Other.index(), 9);
        assert_eq!(size_of::<Method>(), 1);
    }

    #[test]
    fn anything_else_is_other() {
        let others: [&[u8]; 12] = [
            b"",
            b"G",
            b"get",
            b"Get",
            b"GET ",
            b"GET\0",
            b"GE",
            b"GETS",
            b"PATCH\0",
            b"PURGE",
            b"OPTION",
            b"PROPFIND",
        ];
        for token in others {
            assert_eq!(Method::from_token(token), Method::Other, "{token:?}");
        }
    }

    #[test]
    fn safe_and_idempotent_are_as_the_registry_says() {
        let table = [
            (Method::Get, true, true),
            (Method::Head, true, true),
            (Method::Post, false, false),
            (Method::Put, false, true),
            (Method::Delete, false, true),
            (Method::Connect, false, false),
            (Method::Options, true, true),
            (Method::Trace, true, true),
            (Method::Patch, false, false),
            (Method::Other, false, false),
        ];
        for (method, safe, idempotent) in table {
            assert_eq!(method.is_safe(), safe, "{method:?}");
            assert_eq!(method.is_idempotent(), idempotent, "{method:?}");
            assert_eq!(method.hides_content(), method == Method::Head);
        }
    }

    proptest! {
        #[test]
        fn words_decide_as_comparing_names_does(
            token: Vec<u8>,
            pick in 0usize..9,
            at in 0usize..8,
            byte: u8,
        ) {
            let naive = |token: &[u8]| {
                Method::KNOWN
                    .into_iter()
                    .find(|method| method.as_str().as_bytes() == token)
                    .unwrap_or(Method::Other)
            };
            prop_assert_eq!(Method::from_token(&token), naive(&token));
            let mut near = Method::KNOWN[pick].as_str().as_bytes().to_vec();
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            prop_assert_eq!(Method::from_token(&near), naive(&near));
        }
    }
}
