//! Every kind of request over every route, in many spellings, with its answer.

use super::client::Step;
use super::later;
use super::script::{Body, Counted, Draft, Manner};

/// Bytes of an interim answer: the line of 100 and an empty one.
pub(crate) const CONTINUE_BYTES: usize = 25;

// Nobody here says what notation it prefers, so refusals are text.
const NOT_FOUND: &[u8] = b"404 Not Found: nothing is at this path\n";
const METHOD_NOT_ALLOWED: &[u8] = b"405 Method Not Allowed: this path does not take this method\n";
const NOT_IMPLEMENTED: &[u8] = b"501 Not Implemented: no such method is known here\n";

impl Draft<'_> {
    fn head(&mut self, method: &str, target: &str, manner: Manner, framing: &str) -> String {
        let version = if manner.old { "1.0" } else { "1.1" };
        let mut head = format!("{method} {target} HTTP/{version}\r\n");
        let host = ["Host: a\r\n", "host:example.org:80\r\n", "HOST: [::1]\r\n"];
        head.push_str(host[self.rng.below(3)]);
        if manner.closes && !(manner.old && self.rng.chance(128)) {
            head.push_str(["Connection: close\r\n", "connection: x, Close\r\n"][self.rng.below(2)]);
        } else if manner.keeps {
            head.push_str("Connection: keep-alive\r\n");
        }
        if manner.expects {
            head.push_str("Expect: 100-continue\r\n");
        }
        if self.rng.chance(60) {
            let n = self.rng.below(200);
            head.push_str(&format!("X-Some: {}\r\n", "x".repeat(n)));
        }
        head.push_str(framing);
        head.push_str("\r\n");
        head
    }

    /// One good request over any of the routes.
    pub(crate) fn request(&mut self, mut manner: Manner) {
        if self.rng.chance(20) {
            manner.old = true;
            manner.keeps = !manner.closes;
        }
        if self.rng.chance(10) {
            // Empty lines in front of a request.
            let lines = self.rng.one_to(2);
            self.send(&b"\r\n".repeat(lines));
        }
        match self.rng.below(21) {
            20 => {
                let target = format!("{}{}", later::PATH, [0, 1, 5][self.rng.below(3)]);
                self.get("GET", &target, 200, later::TEXT.as_bytes(), manner);
            }
            0..=1 => self.get("GET", "/plaintext", 200, b"Hello, World!", manner),
            2 => self.get(
                "GET",
                "/json",
                200,
                br#"{"message":"Hello, World!"}"#,
                manner,
            ),
            3 => self.get(
                "GET",
                "/health?a=%20&b",
                200,
                br#"{"status":"healthy"}"#,
                manner,
            ),
            4 => self.get("GET", "/ping", 200, b"pong", manner),
            5 => self.get("HEAD", "/plaintext", 200, b"Hello, World!", manner),
            6 => self.user(manner),
            7 => {
                let head = self.head("GET", "/stats", manner, "");
                self.send(head.as_bytes());
                self.expect("GET", 200, Body::Stats, manner);
            }
            8 => self.strange(manner),
            9 => self.unwanted(manner),
            10..=11 => self.bad_event(manner),
            12..=14 => {
                let most = [0, 30, 3000, self.terms.echo_bytes_max][self.rng.below(4)];
                let len = self.rng.below(most + 1);
                let bytes: Vec<u8> = (0..len).map(|_| self.rng.any() as u8).collect();
                let chunked = !manner.old && self.rng.chance(128);
                self.echo(bytes, chunked, manner);
            }
            _ => self.event(manner),
        }
    }

    fn get(
        &mut self,
        method: &'static str,
        target: &str,
        status: u16,
        body: &[u8],
        manner: Manner,
    ) {
        // A body that nobody looks at, now and then.
        if !manner.old && self.rng.chance(20) {
            let body = vec![b'x'; self.rng.below(50)];
            self.body(method, target, &body, false, manner);
        } else {
            let head = self.head(method, target, manner, "");
            self.send(head.as_bytes());
        }
        self.expect(method, status, Body::Exactly(body.to_vec()), manner);
    }

    /// An id that needs decoding; a long one has to wait for an empty send buffer.
    fn user(&mut self, manner: Manner) {
        let most = self.terms.send_bytes.min((self.terms.recv_bytes - 500) / 3);
        let most = [8, most][usize::from(self.rng.chance(60))];
        let len = self.rng.one_to(most);
        let (mut id, mut target) = (Vec::new(), "/users/".to_owned());
        for _ in 0..len {
            // A segment of dots alone is no name, encoded or not.
            let byte = match self.rng.any() as u8 {
                b'.' => b'z',
                byte => byte,
            };
            id.push(byte);
            match byte {
                b'a'..=b'z' | b'0'..=b'9' => target.push(byte.into()),
                _ => target.push_str(&format!("%{byte:02X}")),
            }
        }
        self.get("GET", &target, 200, &id, manner);
    }

    /// What there is not.
    fn strange(&mut self, manner: Manner) {
        match self.rng.below(7) {
            0 => self.get("GET", "/nothing/here", 404, NOT_FOUND, manner),
            1 => self.get("HEAD", "/nothing", 404, NOT_FOUND, manner),
            2 => self.get("DELETE", "/ping", 405, METHOD_NOT_ALLOWED, manner),
            3 => self.get("HEAD", "/echo", 405, METHOD_NOT_ALLOWED, manner),
            4 => self.get("BREW", "/ping", 501, NOT_IMPLEMENTED, manner),
            5 => self.get("OPTIONS", "/event", 204, b"", manner),
            _ => self.get("OPTIONS", "*", 204, b"", manner),
        }
    }

    /// A body where there should be none: it is read and dropped.
    fn unwanted(&mut self, mut manner: Manner) {
        let most = [100, 20_000][usize::from(self.rng.chance(60))];
        let body = vec![b'u'; self.rng.one_to(most)];
        let chunked = !manner.old && self.rng.chance(128);
        if manner.closes && !manner.old && self.rng.chance(128) {
            // Not asked for, so nobody knows whether it comes: the connection closes.
            let wait = Manner {
                expects: true,
                ..manner
            };
            self.body("POST", "/plaintext", &body, chunked, wait);
        } else {
            self.body("POST", "/plaintext", &body, chunked, manner);
        }
        manner.expects = false;
        self.expect(
            "POST",
            405,
            Body::Exactly(METHOD_NOT_ALLOWED.into()),
            manner,
        );
    }

    pub(crate) fn echo(&mut self, bytes: Vec<u8>, chunked: bool, mut manner: Manner) {
        // HTTP/1.0 knows no interim answers, and what is not there needs no invitation. Who takes
        // no answers cannot wait for one.
        let may = !manner.old && !bytes.is_empty() && self.steps.last() != Some(&Step::Deaf);
        manner.expects = may && self.rng.chance(40);
        self.body("POST", "/echo", &bytes, chunked, manner);
        self.expect("POST", 200, Body::Exactly(bytes), manner);
    }

    /// Head and body, framed one way or the other.
    fn body(&mut self, method: &str, target: &str, body: &[u8], chunked: bool, manner: Manner) {
        let framing = match chunked {
            true => "Transfer-Encoding: chunked\r\n".to_owned(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = self.head(method, target, manner, &framing);
        self.send(head.as_bytes());
        if manner.expects && self.rng.chance(128) {
            // This is what it is for; the rest of the manner is not polite, but allowed.
            self.steps.push(Step::Await(self.answers + CONTINUE_BYTES));
        }
        if manner.expects {
            self.answers += CONTINUE_BYTES;
        }
        if !chunked {
            return self.send(body);
        }
        let most = [1, 20, 1000, 30_000][self.rng.below(4)];
        let mut framed = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            // Few tiny chunks: their framing is bounded.
            let least = rest.len().div_ceil(200);
            let n = self.rng.one_to(most).max(least).min(rest.len());
            let (chunk, later) = rest.split_at(n);
            rest = later;
            let size = match self.rng.below(4) {
                0 => format!("{n:X}\r\n"),
                1 => format!("00{n:x}\r\n"),
                2 => format!("{n:x};a=b\r\n"),
                _ => format!("{n:x}\r\n"),
            };
            framed.extend_from_slice(size.as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        let end = ["0\r\n\r\n", "0\r\nX-Sum: 1\r\n\r\n", "000;x\r\n\r\n"];
        framed.extend_from_slice(end[self.rng.below(3)].as_bytes());
        self.send(&framed);
    }

    fn event(&mut self, mut manner: Manner) {
        let user = self.rng.below(40);
        // A few ids that are one id in several spellings.
        let names: [&[&str]; 4] = [
            &["anna", r"\u0061nna", r"an\u006E\u0061"],
            &["zoë", r"zo\u00eb"],
            &["😀", r"\ud83d\uDE00"],
            &[r"a\/\\\n", r"a/\u005c\u000A"],
        ];
        let plain = ["anna", "zoë", "😀", "a/\\\n"];
        let (name, id) = match (names.get(user), plain.get(user)) {
            (Some(spellings), Some(plain)) => {
                let spelling = spellings[self.rng.below(spellings.len())];
                (spelling.to_owned(), (*plain).to_owned())
            }
            _ => (format!("user-{user}"), format!("user-{user}")),
        };
        let thousandths = [0, 1, 2_000_000, 2_000_000_000][self.rng.below(4)];
        let mut thousandths = self.rng.below(thousandths + 1) as i64;
        if self.rng.chance(80) {
            thousandths = -thousandths;
        }
        let value = self.spell(thousandths);
        let ws = ["", " ", "\r\n\t"][self.rng.below(3)];
        let key = ["userId", r"user\u0049d"][self.rng.below(2)];
        let body = match self.rng.below(4) {
            0 => format!(r#"{ws}{{"value":{value},{ws}"{key}" : "{name}"}}{ws}"#),
            1 => {
                format!(r#"{{"more":[1,{{"value":3}}],"{key}":"{name}"{ws},"value":{ws}{value}}}"#)
            }
            _ => format!(r#"{{"{key}":"{name}",{ws}"value":{value}}}"#),
        };
        let chunked = !manner.old && self.rng.chance(50);
        manner.expects = !manner.old && self.rng.chance(20);
        self.body("POST", "/event", body.as_bytes(), chunked, manner);
        self.expect("POST", 200, Body::Exactly(Vec::new()), manner);
        if let Some(last) = self.expected.last_mut() {
            last.event = Some(Counted {
                user: id.into_bytes(),
                thousandths,
            });
        }
    }

    /// A number of thousandths in one of its many spellings.
    fn spell(&mut self, thousandths: i64) -> String {
        let sign = match (thousandths, self.rng.chance(20)) {
            (..0, _) | (0, true) => "-",
            _ => "",
        };
        let size = thousandths.unsigned_abs();
        let (whole, part) = (size / 1000, size % 1000);
        match self.rng.below(5) {
            0 => format!("{sign}{size}e-3"),
            1 => format!("{sign}{size}.000E-0003"),
            2 => format!("{sign}{whole}.{part:03}0"),
            3 => format!("{sign}0.{size:0>30}e27"),
            _ if part == 0 => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{part:03}"),
        }
    }

    /// A request in order, whose content is no event.
    fn bad_event(&mut self, manner: Manner) {
        const BAD: [(&str, u16); 16] = [
            ("", 400),
            ("{}", 400),
            ("[1]", 400),
            (r#"{"userId":"a","value":1"#, 400),
            (r#"{"userId":"a"}"#, 400),
            (r#"{"value":1}"#, 400),
            (r#"{"userId":"","value":1}"#, 400),
            (r#"{"userId":7,"value":1}"#, 400),
            (r#"{"userId":"a","value":"1"}"#, 400),
            (r#"{"userId":"a","value":01}"#, 400),
            (r#"{"userId":"a","userId":"b","value":1}"#, 400),
            (r#"{"userId":"a","value":1}}"#, 400),
            (r#"{"userId":"\ud800","value":1}"#, 400),
            (r#"{"userId":"a","value":1e999}"#, 422),
            (r#"{"userId":"a","value":1e-37}"#, 422),
            (r#"{"userId":"a","value":10000000000000000000}"#, 422),
        ];
        let (body, status) = BAD[self.rng.below(BAD.len())];
        let chunked = !manner.old && self.rng.chance(50);
        self.body("POST", "/event", body.as_bytes(), chunked, manner);
        self.expect("POST", status, Body::Words, manner);
    }

    /// A last request that breaks a rule of the protocol.
    pub(crate) fn bad(&mut self) {
        const BAD: [(&str, &str, u16); 17] = [
            ("GET", "GET / HTTP/1.1\r\n\r\n", 400),
            ("GET", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
            ("GET", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
            ("GET", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
            (
                "GET",
                "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n",
                417,
            ),
            ("GET", "\u{1}\u{2}", 400),
            (
                "POST",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
                400,
            ),
            (
                "POST",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
            ),
            (
                "POST",
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                501,
            ),
            (
                "POST",
                "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
            ),
            (
                "POST",
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\nabc",
                413,
            ),
            (
                "POST",
                "POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nabc",
                413,
            ),
            (
                "POST",
                "POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                400,
            ),
            (
                "POST",
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
                400,
            ),
        ];
        let pick = self.rng.below(BAD.len() + 4);
        let long = "x".repeat(20_000);
        if let Some((method, bytes, status)) = BAD.get(pick) {
            self.send(bytes.as_bytes());
            // Nobody knows what it is while the method is not read.
            self.refused(method, *status);
        } else if pick == BAD.len() {
            self.send(format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            self.refused("GET", 414);
        } else if pick == BAD.len() + 1 {
            self.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").as_bytes());
            self.refused("GET", 431);
        } else {
            // It stops in the middle.
            let head = b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{\"userId\"";
            let cut = self.rng.one_to(head.len() - 2);
            self.send(&head[..cut]);
            self.refused("POST", 400);
        }
    }
}
