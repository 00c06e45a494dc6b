//! What is measured: one way to ask for each row of the tables.

use super::Requests;

/// Users of the events, as in the challenge.
const USERS: u64 = 75_000;
/// Users where most of them are not in a cache.
const USERS_MANY: u64 = 1_000_000;
/// The values of the events begin again after so many, as in the challenge.
const CYCLE: u64 = 1_000;
/// Bytes of the body that is echoed.
const ECHO_BYTES: usize = 4_096;

/// One way to ask, the same for every server.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub id: &'static str,
    /// Its name in the tables.
    pub title: &'static str,
    /// Method and target.
    pub line: (&'static str, &'static str),
    /// Connections that ask, each as soon as it has its answers.
    pub connections: usize,
    /// Requests on their way per connection.
    pub depth: u64,
    /// Whether each request has a connection of its own.
    pub close: bool,
    /// Connections besides that have asked once and then are silent.
    pub idle: usize,
    /// Users that the events name in turns.
    pub users: u64,
}

const PLAINTEXT: Scenario = Scenario {
    id: "plaintext",
    title: "plaintext, 64 connections",
    line: ("GET", "/plaintext"),
    connections: 64,
    depth: 1,
    close: false,
    idle: 0,
    users: USERS,
};
const EVENT: Scenario = Scenario {
    id: "event",
    title: "POST /event, 75,000 users",
    line: ("POST", "/event"),
    ..PLAINTEXT
};

const EVENT_MANY: Scenario = Scenario {
    id: "event-million",
    title: "POST /event, 1,000,000 users",
    users: USERS_MANY,
    ..EVENT
};

/// All of them.
#[rustfmt::skip]
pub const SCENARIOS: [Scenario; 12] = [
    PLAINTEXT,
    Scenario { id: "pipelined-4", title: "4 pipelined", depth: 4, ..PLAINTEXT },
    Scenario { id: "pipelined-16", title: "16 pipelined", depth: 16, ..PLAINTEXT },
    Scenario { id: "pipelined-64", title: "64 pipelined", depth: 64, ..PLAINTEXT },
    Scenario { id: "json", title: "JSON", line: ("GET", "/json"), ..PLAINTEXT },
    EVENT,
    EVENT_MANY,
    Scenario { id: "echo", title: "POST /echo, 4 KiB", line: ("POST", "/echo"), ..PLAINTEXT },
    Scenario { id: "close", title: "a connection per request", close: true, ..PLAINTEXT },
    Scenario { id: "one", title: "one connection", connections: 1, ..PLAINTEXT },
    Scenario { id: "many", title: "4,096 connections", connections: 4_096, ..PLAINTEXT },
    Scenario { id: "idle", title: "64 connections beside 10,000 idle", idle: 10_000, ..PLAINTEXT },
];

impl Scenario {
    /// The scenario of this name.
    pub fn of(id: &str) -> Option<Scenario> {
        SCENARIOS.into_iter().find(|scenario| scenario.id == id)
    }

    /// Whether it changes the statistics.
    pub fn counts(&self) -> bool {
        self.line.1 == "/event"
    }

    /// Connections of both kinds, and a few to ask for the statistics. Where each request has one
    /// of its own, the one before may still be open at the server: it waits for the client's end
    /// (RFC 9112, 9.6), and one that was not given the processor finds it behind all new ones.
    pub fn connections_most(&self) -> usize {
        let each = if self.close { 2 } else { 1 };
        self.connections * each + self.idle + 16
    }

    /// Bytes of every request, if all of them have as many; else 0.
    pub fn request_bytes(&self) -> usize {
        if self.counts() {
            0
        } else {
            self.request(0).len()
        }
    }

    /// All requests, in the order in which they are sent.
    pub fn requests(&self) -> Requests {
        let different = if self.counts() { self.users } else { 1 };
        let mut requests = Requests::default();
        for i in 0..different {
            requests.push(&self.request(i), self.depth);
        }
        requests
    }

    /// The body that every answer must have.
    pub fn body(&self) -> Vec<u8> {
        match self.line.1 {
            "/plaintext" => b"Hello, World!".to_vec(),
            "/json" => br#"{"message":"Hello, World!"}"#.to_vec(),
            "/event" => Vec::new(),
            "/echo" => echo(),
            other => panic!("no route: {other}"),
        }
    }

    /// An answer of the very form that Barewire's has, with a date of the past.
    pub fn answer(&self) -> Vec<u8> {
        let (body, kind) = (
            self.body(),
            match self.line.1 {
                "/plaintext" => "Content-Type: text/plain; charset=utf-8\r\n",
                "/json" => "Content-Type: application/json\r\n",
                "/echo" => "Content-Type: application/octet-stream\r\n",
                _ => "",
            },
        );
        let close = if self.close {
            "Connection: close\r\n"
        } else {
            ""
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n{kind}{close}\
             Content-Length: {length}\r\n\r\n"
        );
        [head.into_bytes(), body].concat()
    }

    /// Request `i` of a server.
    pub fn request(&self, i: u64) -> Vec<u8> {
        let (method, target) = self.line;
        let body = match target {
            "/event" => self.event(i),
            "/echo" => echo(),
            _ => Vec::new(),
        };
        let mut bytes = crate::client::request(method, target, &body);
        if self.close {
            let end = bytes.len() - body.len() - 2;
            bytes.splice(end..end, *b"Connection: close\r\n");
        }
        bytes
    }

    fn event(&self, i: u64) -> Vec<u8> {
        let (user, value) = (i % self.users, i % CYCLE);
        format!(r#"{{"userId":"user_{user}","value":{value}.5}}"#).into_bytes()
    }

    /// The statistics after `count` events: requests, users, and the sum, exact in a float as it is
    /// a multiple of a half.
    pub fn statistics(&self, count: u64) -> (u64, u64, f64) {
        let (cycles, rest) = (count / CYCLE, count % CYCLE);
        let whole = cycles * (CYCLE * (CYCLE - 1) / 2) + rest * rest.saturating_sub(1) / 2;
        (
            count,
            count.min(self.users),
            whole as f64 + count as f64 / 2.0,
        )
    }
}

fn echo() -> Vec<u8> {
    (b'a'..=b'z').cycle().take(ECHO_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_well_formed() {
        for scenario in SCENARIOS {
            let text = String::from_utf8(scenario.request(scenario.users + 1)).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.contains("\r\nConnection: close"), scenario.close);
            match scenario.line.1 {
                "/event" => assert_eq!(body, r#"{"userId":"user_1","value":1.5}"#),
                "/echo" => assert_eq!(body.as_bytes(), scenario.body()),
                _ => assert!(body.is_empty() && !scenario.body().is_empty()),
            }
            let answer = String::from_utf8(scenario.answer()).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())));
            assert_eq!(body.as_bytes(), scenario.body());
            assert_eq!(Scenario::of(scenario.id).unwrap().title, scenario.title);
        }
        assert!(Scenario::of("nothing").is_none());
    }

    /// The client sends the prepared ones over and over again.
    #[test]
    fn events_begin_again_after_the_last_user() {
        for scenario in SCENARIOS.into_iter().filter(Scenario::counts) {
            for i in [0, 1, 999, 1_000, 74_999] {
                assert_eq!(scenario.request(i), scenario.request(scenario.users + i));
            }
            assert_eq!(scenario.request_bytes(), 0);
        }
        assert_eq!(PLAINTEXT.request_bytes(), PLAINTEXT.request(7).len());
    }

    #[test]
    fn the_statistics_are_the_sum_of_the_events() {
        let mut sum = 0.0;
        for i in 0..2_500 {
            assert_eq!(EVENT.statistics(i), (i, i, sum));
            sum += (i % 1_000) as f64 + 0.5;
        }
        assert_eq!(EVENT.statistics(100_000).1, 75_000);
        let many = Scenario::of("event-million").unwrap();
        assert_eq!(many.statistics(2_000_000).1, 1_000_000);
    }
}
