//! What is sent: the server's address, the requests, and what their sum must be.

use std::net::{SocketAddr, ToSocketAddrs};

/// The values that the events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    /// `i mod 1000 + 0.5`, as the challenge's clients send.
    #[default]
    Half,
    /// `i mod 1000`, the other variant of the challenge.
    Integer,
}

impl Values {
    /// Twice the smallest and twice the largest value.
    pub(crate) fn halves_range(self) -> (u64, u64) {
        match self {
            Values::Half => (1, 2 * (CYCLE - 1) + 1),
            Values::Integer => (0, 2 * (CYCLE - 1)),
        }
    }

    /// How the report names them.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Values::Half => "i mod 1000 + 0.5",
            Values::Integer => "i mod 1000",
        }
    }
}

/// The values begin again after this many requests (fixed by the challenge).
const CYCLE: u64 = 1000;

/// The server: where it is and how requests name it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Host and port as in the URL; the `Host` field of every request.
    pub(crate) authority: String,
    /// Path in front of every route, without a slash at its end.
    pub(crate) base: String,
    /// Every address of the host, in the resolver's order. Never empty.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Target {
    /// Takes `http://host[:port][/base]` apart and looks the host up. The error is one line.
    pub(crate) fn parse(url: &str) -> Result<Target, String> {
        let (host, port, target) = Self::split(url)?;
        let found = (host.as_str(), port).to_socket_addrs();
        let addresses: Vec<_> = match found {
            Ok(found) => found.collect(),
            Err(error) => return Err(format!("{url}: the host was not found: {error}")),
        };
        if addresses.is_empty() {
            return Err(format!("{url}: the host has no address"));
        }
        Ok(Target {
            addresses,
            ..target
        })
    }

    fn split(url: &str) -> Result<(String, u16, Target), String> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => return Err(format!("{url}: only http is spoken, not {scheme}")),
            None => return Err(format!("{url}: a URL begins with http://")),
        };
        let plain = |b: u8| b.is_ascii_graphic() && !b"?#@\\\"<>".contains(&b);
        if !rest.bytes().all(plain) {
            return Err(format!("{url}: wanted http://host:port, nothing more"));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // The last colon outside brackets begins the port.
        let after_host = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[after_host..].find(':') {
            Some(at) => {
                let (host, port) = authority.split_at(after_host + at);
                let port = port[1..]
                    .parse()
                    .map_err(|_| format!("{url}: the port is not a port"))?;
                (host, port)
            }
            None => (authority, 80),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(format!("{url}: the host is missing"));
        }
        let target = Target {
            authority: authority.to_owned(),
            base: path.trim_end_matches('/').to_owned(),
            addresses: Vec::new(),
        };
        Ok((host.to_owned(), port, target))
    }
}

/// All requests of a run: request `i` is a function of `i` alone.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Requests to send, at least 1.
    pub(crate) requests: u64,
    /// Distinct users, at least 1.
    pub(crate) ids: u64,
    /// Which values.
    pub(crate) values: Values,
    /// Everything up to the digits of Content-Length, which stands last.
    head: Vec<u8>,
}

const BODY_USER: &[u8] = b"{\"userId\":\"user_";
const BODY_VALUE: &[u8] = b"\",\"value\":";
const BODY_END: &[u8] = b"}";

impl Plan {
    pub(crate) fn new(target: &Target, requests: u64, ids: u64, values: Values) -> Plan {
        let head = format!(
            "POST {}/event HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: ",
            target.base, target.authority
        );
        Plan {
            requests,
            ids,
            values,
            head: head.into_bytes(),
        }
    }

    /// Appends request `i`, head and body, to `out`. Allocates only if `out` has to grow.
    pub(crate) fn render(&self, i: u64, out: &mut Vec<u8>) {
        let (mut user, mut value) = (Digits::default(), Digits::default());
        let (user, value) = (user.write(i % self.ids), value.write(i % CYCLE));
        let fraction: &[u8] = match self.values {
            Values::Half => b".5",
            Values::Integer => b"",
        };
        // From 29 to 52 bytes, so the length always has two digits.
        let length = BODY_USER.len()
            + user.len()
            + BODY_VALUE.len()
            + value.len()
            + fraction.len()
            + BODY_END.len();
        let length = [b'0' + (length / 10) as u8, b'0' + (length % 10) as u8];
        for part in [
            &self.head[..],
            &length,
            b"\r\n\r\n",
            BODY_USER,
            user,
            BODY_VALUE,
            value,
            fraction,
            BODY_END,
        ] {
            out.extend_from_slice(part);
        }
    }

    /// No request is longer, in bytes.
    pub(crate) fn request_bytes_max(&self) -> usize {
        self.head.len() + 64
    }

    /// Twice the value of request `i`: whole numbers add exactly.
    pub(crate) fn halves(&self, i: u64) -> u64 {
        2 * (i % CYCLE) + u64::from(self.values == Values::Half)
    }

    /// Twice the sum of all values.
    pub(crate) fn sum_halves(&self) -> u128 {
        let (rounds, rest) = (
            u128::from(self.requests / CYCLE),
            u128::from(self.requests % CYCLE),
        );
        let below = |n: u128| n * n.saturating_sub(1); // 2 * (0 + 1 + ... + n-1)
        let halves = u128::from(self.requests) * u128::from(self.values == Values::Half);
        rounds * below(u128::from(CYCLE)) + below(rest) + halves
    }

    /// Distinct users among all requests.
    pub(crate) fn users(&self) -> u64 {
        self.ids.min(self.requests)
    }
}

/// Room for the decimal digits of any `u64`.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    fn write(&mut self, mut n: u64) -> &[u8] {
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                return &self.0[at..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(requests: u64, ids: u64, values: Values) -> Plan {
        let (_, _, target) = Target::split("http://h:1/").unwrap();
        Plan::new(&target, requests, ids, values)
    }

    #[test]
    fn a_request_is_rendered_with_its_exact_length() {
        for (i, values, body) in [
            (0, Values::Half, r#"{"userId":"user_0","value":0.5}"#),
            (
                75_999,
                Values::Half,
                r#"{"userId":"user_999","value":999.5}"#,
            ),
            (
                74_000,
                Values::Integer,
                r#"{"userId":"user_74000","value":0}"#,
            ),
        ] {
            let mut out = Vec::new();
            plan(1, 75_000, values).render(i, &mut out);
            let text = String::from_utf8(out).unwrap();
            let (head, found) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(found, body);
            assert!(head.starts_with("POST /event HTTP/1.1\r\nHost: h:1\r\n"));
            assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())));
        }
        let mut out = Vec::new();
        let plan = plan(1, u64::MAX, Values::Half);
        plan.render(u64::MAX - 1, &mut out);
        assert!(out.len() <= plan.request_bytes_max());
        assert!(out.windows(22).any(|w| w == b"Content-Length: 52\r\n\r\n"));
    }

    #[test]
    fn the_sum_in_closed_form_is_the_sum_of_the_values() {
        for values in [Values::Half, Values::Integer] {
            for requests in [1, 2, 3, 999, 1000, 1001, 2500] {
                let plan = plan(requests, 7, values);
                let sum: u64 = (0..requests).map(|i| plan.halves(i)).sum();
                assert_eq!(plan.sum_halves(), u128::from(sum), "{requests}");
            }
        }
        assert_eq!(
            plan(1_000_000, 75_000, Values::Half).sum_halves(),
            1_000_000_000
        );
        assert_eq!(
            plan(1_000_000, 75_000, Values::Integer).sum_halves(),
            999_000_000
        );
    }

    #[test]
    fn urls_are_taken_apart_and_odd_ones_refused() {
        for (url, host, port, authority, base) in [
            (
                "http://127.0.0.1:8080",
                "127.0.0.1",
                8080,
                "127.0.0.1:8080",
                "",
            ),
            ("HTTP://host/", "host", 80, "host", ""),
            ("http://[::1]:99/a/b/", "::1", 99, "[::1]:99", "/a/b"),
            ("http://[::1]", "::1", 80, "[::1]", ""),
        ] {
            let (h, p, target) = Target::split(url).unwrap();
            let found = (
                h.as_str(),
                p,
                target.authority.as_str(),
                target.base.as_str(),
            );
            assert_eq!(found, (host, port, authority, base));
        }
        for url in [
            "",
            "host:80",
            "https://h/",
            "http://",
            "http:///x",
            "http://h:x",
            "http://h:99999",
            "http://u@h/",
            "http://h/?q",
            "http://h /",
        ] {
            assert!(Target::split(url).is_err(), "{url}");
        }
    }
}
