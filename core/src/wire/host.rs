//! Host names with a port: the value of Host, and the authority of a target
//! (RFC 9110, 7.2; RFC 3986, 3.2.2 and 3.2.3).
//!
//! The grammar decides, in full: `uri-host [ ":" port ]`. No user, no zone, no white space. A comma
//! is part of a registered name by that grammar, and so `a,b` is one (odd) name, never a list.

use super::class::{self, DIGIT, HEX, NAME};
use super::percent;

/// A valid host with its port. Holds no reference: [`Host::name`] cuts it out of the bytes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    name_bytes: usize,
    kind: HostKind,
    port: Option<u16>,
}

/// What kind of name a host has. The first that fits (RFC 3986, 3.2.2): `1.2.3.4` is an address,
/// `1.2.3.400` a registered name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// No name, with or without a port. Valid in Host, where it says that the target has no
    /// authority; invalid in an `http` URI (RFC 9110, 4.2.1). Whether to serve it is the caller's
    /// choice.
    Empty,
    /// A registered name.
    Name,
    /// Four decimal octets.
    Ipv4,
    /// An IPv6 address in brackets.
    Ipv6,
    /// An address of a later version in brackets (`[v7.x]`).
    Future,
}

/// Why bytes are no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// A byte that may not stand in a name, or something between a literal and its port.
    Byte,
    /// A percent sign without two hexadecimal digits.
    Percent,
    /// Brackets without an address in them, or without an end.
    Literal,
    /// A port that is not made of digits, or above 65535.
    Port,
    /// A user before the host (RFC 9110, 4.2.4).
    User,
}

impl Host {
    /// What kind of name it is.
    #[must_use]
    pub const fn kind(&self) -> HostKind {
        self.kind
    }

    /// The name as a part of `value`, which must be the bytes that were validated; an IP literal
    /// with its brackets. Of shorter bytes: nothing.
    #[must_use]
    pub fn name<'a>(&self, value: &'a [u8]) -> &'a [u8] {
        value.get(..self.name_bytes).unwrap_or_default()
    }

    /// The port; None where there is none, and where there is a colon without digits, which means
    /// the same (RFC 3986, 3.2.3).
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Reads `uri-host [ ":" port ]`. An empty value is valid and of the kind [`HostKind::Empty`].
///
/// # Errors
///
/// The first [`HostFault`] from the left, but [`HostFault::User`] wherever there is an `@`.
pub fn validate_host(value: &[u8]) -> Result<Host, HostFault> {
    read(value).map_err(|fault| {
        // A user makes the colon before a password look like that of a port.
        // (Not `contains`: core's search of bytes slices with checks that stay in the binary.)
        if value.iter().any(|byte| matches!(byte, b'@')) {
            HostFault::User
        } else {
            fault
        }
    })
}

fn read(value: &[u8]) -> Result<Host, HostFault> {
    let (kind, rest) = match value {
        [b'[', inside @ ..] => literal(inside)?,
        _ => name(value)?,
    };
    let port = match rest {
        [] => None,
        [b':', digits @ ..] => port(digits)?,
        _ => return Err(HostFault::Byte),
    };
    Ok(Host {
        name_bytes: value.len().saturating_sub(rest.len()),
        kind,
        port,
    })
}

/// The kind of the name at the start of `value`, and what follows it.
fn name(value: &[u8]) -> Result<(HostKind, &[u8]), HostFault> {
    let (rest, _) = percent::skip(value, NAME).ok_or(HostFault::Percent)?;
    let name_bytes = value.len().saturating_sub(rest.len());
    let name = value.get(..name_bytes).unwrap_or_default();
    let kind = if name.is_empty() {
        HostKind::Empty
    } else if is_ipv4(name) {
        HostKind::Ipv4
    } else {
        HostKind::Name
    };
    Ok((kind, rest))
}

/// The kind of the literal whose inside starts here, and what follows its closing bracket.
fn literal(inside: &[u8]) -> Result<(HostKind, &[u8]), HostFault> {
    let end = inside.iter().position(|&byte| byte == b']');
    let Some((address, [_, rest @ ..])) = end.and_then(|at| inside.split_at_checked(at)) else {
        return Err(HostFault::Literal);
    };
    if is_ipv6(address) {
        Ok((HostKind::Ipv6, rest))
    } else if is_future(address) {
        Ok((HostKind::Future, rest))
    } else {
        Err(HostFault::Literal)
    }
}

/// `*DIGIT`, leading zeros allowed as the grammar has it.
fn port(digits: &[u8]) -> Result<Option<u16>, HostFault> {
    if digits.is_empty() {
        return Ok(None);
    }
    let mut port = 0u16;
    for &byte in digits {
        if !class::is(byte, DIGIT) {
            return Err(HostFault::Port);
        }
        port = port
            .checked_mul(10)
            .and_then(|port| port.checked_add(u16::from(byte & 0x0F)))
            .ok_or(HostFault::Port)?;
    }
    Ok(Some(port))
}

/// `dec-octet` four times. Octets have no leading zeros: some libraries read those as octal.
fn is_ipv4(text: &[u8]) -> bool {
    let mut octets = 0;
    for octet in text.split(|&byte| byte == b'.') {
        octets += 1;
        let valid = matches!(
            octet,
            [b'0'..=b'9']
                | [b'1'..=b'9', b'0'..=b'9']
                | [b'1', b'0'..=b'9', b'0'..=b'9']
                | [b'2', b'0'..=b'4', b'0'..=b'9']
                | [b'2', b'5', b'0'..=b'5']
        );
        if !valid || octets > 4 {
            return false;
        }
    }
    octets == 4
}

/// `IPv6address`: eight groups of up to four hexadecimal digits; the last two may be written as
/// IPv4; one `::` stands for one or more groups that are left out.
fn is_ipv6(text: &[u8]) -> bool {
    let mut gap = false;
    let mut rest = text;
    if let [b':', b':', tail @ ..] = text {
        gap = true;
        rest = tail;
        if tail.is_empty() {
            return true;
        }
    }
    // With a gap at most seven groups are written, without exactly eight.
    let fits = |groups: u8, gap: bool| if gap { groups <= 7 } else { groups == 8 };
    // Here a group begins; `groups` have been read.
    for groups in 1..=8u8 {
        let digits = rest
            .iter()
            .take(5)
            .take_while(|&&byte| class::is(byte, HEX))
            .count();
        let after = rest.get(digits..).unwrap_or_default();
        if let [b'.', ..] = after {
            return is_ipv4(rest) && fits(groups + 1, gap);
        }
        if digits == 0 || digits > 4 {
            return false;
        }
        rest = match after {
            [] => return fits(groups, gap),
            [b':', b':'] => return !gap && fits(groups, true),
            [b':', b':', tail @ ..] if !gap => {
                gap = true;
                tail
            }
            [b':', tail @ ..] => tail,
            _ => return false,
        };
    }
    false
}

/// `IPvFuture`: `v`, a hexadecimal version, a dot, and at least one byte of a name or colon.
fn is_future(text: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = text else {
        return false;
    };
    let mut parts = rest.splitn(2, |&byte| byte == b'.');
    let (Some(version), Some(address)) = (parts.next(), parts.next()) else {
        return false;
    };
    !version.is_empty()
        && class::all(version, HEX)
        && !address.is_empty()
        && address
            .iter()
            .all(|&byte| byte == b':' || class::is(byte, NAME))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn hosts_by_the_grammar_are_accepted() {
        use HostKind::*;
        let table: [(&str, HostKind, &str, Option<u16>); 38] = [
            ("", Empty, "", None),
            (":", Empty, "", None),
            (":80", Empty, "", Some(80)),
            ("localhost", Name, "localhost", None),
            ("LOCALHOST", Name, "LOCALHOST", None),
            ("localhost:", Name, "localhost", None),
            ("localhost:8080", Name, "localhost", Some(8080)),
            ("localhost:0", Name, "localhost", Some(0)),
            ("localhost:65535", Name, "localhost", Some(65535)),
            ("localhost:0000000080", Name, "localhost", Some(80)),
            ("a_b.example", Name, "a_b.example", None),
            ("a.example.", Name, "a.example.", None),
            ("xn--bcher-kva.example", Name, "xn--bcher-kva.example", None),
            ("a%41.example:1", Name, "a%41.example", Some(1)),
            ("a,b", Name, "a,b", None),
            ("!$&'()*+,;=", Name, "!$&'()*+,;=", None),
            ("-._~", Name, "-._~", None),
            ("127.0.0.1", Ipv4, "127.0.0.1", None),
            ("255.255.255.255:1", Ipv4, "255.255.255.255", Some(1)),
            ("0.0.0.0", Ipv4, "0.0.0.0", None),
            ("256.0.0.1", Name, "256.0.0.1", None),
            ("01.2.3.4", Name, "01.2.3.4", None),
            ("1.2.3", Name, "1.2.3", None),
            ("1.2.3.4.5", Name, "1.2.3.4.5", None),
            ("[::]", Ipv6, "[::]", None),
            ("[::1]:80", Ipv6, "[::1]", Some(80)),
            ("[::1]:", Ipv6, "[::1]", None),
            ("[1::]", Ipv6, "[1::]", None),
            ("[1:2:3:4:5:6:7:8]", Ipv6, "[1:2:3:4:5:6:7:8]", None),
            ("[1:2:3:4:5:6:7::]", Ipv6, "[1:2:3:4:5:6:7::]", None),
            ("[::2:3:4:5:6:7:8]", Ipv6, "[::2:3:4:5:6:7:8]", None),
            ("[1::3:4:5:6:7:8]", Ipv6, "[1::3:4:5:6:7:8]", None),
            ("[2001:DB8::abcd]", Ipv6, "[2001:DB8::abcd]", None),
            ("[::ffff:1.2.3.4]", Ipv6, "[::ffff:1.2.3.4]", None),
            ("[1:2:3:4:5:6:1.2.3.4]", Ipv6, "[1:2:3:4:5:6:1.2.3.4]", None),
            ("[1:2:3:4:5::1.2.3.4]", Ipv6, "[1:2:3:4:5::1.2.3.4]", None),
            ("[v7.a:b]", Future, "[v7.a:b]", None),
            ("[VaF.~]:9", Future, "[VaF.~]", Some(9)),
        ];
        for (value, kind, name, port) in table {
            let host = validate_host(value.as_bytes()).expect(value);
            assert_eq!(host.kind(), kind, "{value}");
            assert_eq!(host.name(value.as_bytes()), name.as_bytes(), "{value}");
            assert_eq!(host.port(), port, "{value}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        use HostFault::*;
        let table: [(&str, HostFault); 52] = [
            ("user@localhost", User),
            ("user:secret@localhost", User),
            ("@", User),
            ("@localhost:80", User),
            ("[::1]@localhost", User),
            ("localhost:abc", Port),
            ("localhost:-1", Port),
            ("localhost:+1", Port),
            ("localhost: 1", Port),
            ("localhost:1 ", Port),
            ("localhost:65536", Port),
            ("localhost:99999999999999999999", Port),
            ("localhost:80:80", Port),
            ("localhost:80/", Port),
            ("::1", Port),
            ("1:2:3:4:5:6:7:8", Port),
            ("[::1", Literal),
            ("[", Literal),
            ("[]", Literal),
            ("[]:80", Literal),
            ("[:]", Literal),
            ("[:1]", Literal),
            ("[1:]", Literal),
            ("[:::]", Literal),
            ("[1:::2]", Literal),
            ("[1::2::3]", Literal),
            ("[::1::]", Literal),
            ("[1:2:3:4:5:6:7]", Literal),
            ("[1:2:3:4:5:6:7:8:9]", Literal),
            ("[1:2:3:4:5:6:7:8::]", Literal),
            ("[::1:2:3:4:5:6:7:8]", Literal),
            ("[1::2:3:4:5:6:7:8]", Literal),
            ("[12345::]", Literal),
            ("[g::]", Literal),
            ("[fe80::1%25eth0]", Literal),
            ("[fe80::1%eth0]", Literal),
            ("[1.2.3.4]", Literal),
            ("[::1.2.3]", Literal),
            ("[::1.2.3.256]", Literal),
            ("[::01.2.3.4]", Literal),
            ("[::1.2.3.4:5]", Literal),
            ("[1:2:3:4:5:6::1.2.3.4]", Literal),
            ("[1:2:3:4:5:6:7:1.2.3.4]", Literal),
            ("[v.a]", Literal),
            ("[v7.]", Literal),
            ("[vg.a]", Literal),
            ("[localhost]", Literal),
            ("[::1]x", Byte),
            ("[::1]]", Byte),
            ("a%4", Percent),
            ("a%zz", Percent),
            ("%", Percent),
        ];
        for (value, fault) in table {
            assert_eq!(validate_host(value.as_bytes()), Err(fault), "{value}");
        }
    }

    #[test]
    fn bytes_outside_of_the_grammar_are_refused_wherever_they_stand() {
        for byte in 0..=255u8 {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
            for value in [[byte, b'a'], [b'a', byte]] {
                let expected = match byte {
                    b'%' => Err(HostFault::Percent),
                    b'@' => Err(HostFault::User),
                    // A port, or brackets without an end.
                    b':' if value == *b"a:" => Ok(()),
                    b':' => Err(HostFault::Port),
                    b'[' if value == *b"[a" => Err(HostFault::Literal),
                    _ if allowed => Ok(()),
                    _ => Err(HostFault::Byte),
                };
                assert_eq!(validate_host(&value).map(|_| ()), expected, "{byte:#x}");
            }
        }
        assert_eq!(validate_host(b"a b"), Err(HostFault::Byte));
        assert_eq!(validate_host(b"a, b"), Err(HostFault::Byte));
    }

    #[test]
    fn cutting_a_name_out_of_other_bytes_gives_nothing() {
        let host = validate_host(b"localhost").unwrap();
        assert_eq!(host.name(b"local"), b"");
    }

    fn literal_is_valid(address: &str) -> bool {
        validate_host(format!("[{address}]").as_bytes()).is_ok()
    }

    proptest! {
        #[test]
        fn ipv6_agrees_with_the_standard_library(
            // Few bytes, and groups in bulk, so that valid ones are common.
            address in prop_oneof![
                "[0-9a-f:.]{0,20}",
                "([0-9a-fA-F]{1,5}:){0,8}:?([0-9a-f]{1,4}:){0,8}[0-9a-f]{0,4}",
                "(::)?([0-9a-f]{1,2}:){0,7}(::)?([0-9a-f]:){0,4}([0-9]{1,3}\\.){2,4}[0-9]{1,3}",
            ]
        ) {
            prop_assert_eq!(literal_is_valid(&address), address.parse::<Ipv6Addr>().is_ok());
        }

        #[test]
        fn every_written_ipv6_address_is_valid(groups: [u16; 8], zeros: u8) {
            let mut groups = groups;
            for (at, group) in groups.iter_mut().enumerate() {
                if zeros >> at & 1 == 1 {
                    *group = 0;
                }
            }
            let address = format!("{}", Ipv6Addr::from(groups));
            prop_assert!(literal_is_valid(&address), "{}", address);
        }

        #[test]
        fn ipv4_agrees_with_the_standard_library(text in "[0-9]{0,3}(\\.[0-9]{0,3}){2,4}") {
            let host = validate_host(text.as_bytes()).unwrap();
            prop_assert_eq!(host.kind() == HostKind::Ipv4, text.parse::<Ipv4Addr>().is_ok());
        }

        #[test]
        fn no_bytes_panic_and_name_and_port_make_the_value(
            value: Vec<u8>,
            text in "[\\[\\]:0-9a-fv%.@]{0,24}",
        ) {
            for value in [&value[..], text.as_bytes()] {
                let Ok(host) = validate_host(value) else { continue };
                let name = host.name(value);
                prop_assert!(value.starts_with(name));
                let rest = String::from_utf8(value[name.len()..].to_vec()).unwrap();
                let port = rest.strip_prefix(':').unwrap_or("");
                prop_assert_eq!(port.parse::<u16>().ok(), host.port());
            }
        }
    }
}
