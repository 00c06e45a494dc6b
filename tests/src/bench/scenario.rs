//! What is measured: the eight benchmarks of the design and a little more.

use crate::client::request;

/// Users of the events, as in the challenge.
const USERS: u64 = 75_000;
/// The values of the events begin again after so many, as in the challenge.
const CYCLE: u64 = 1_000;
/// Bytes of the body that is echoed.
const ECHO_BYTES: usize = 4_096;

/// One way to ask, the same for every server.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
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
}

const PLAINTEXT: Scenario = Scenario {
    name: "GET /plaintext, keep-alive",
    line: ("GET", "/plaintext"),
    connections: 64,
    depth: 1,
    close: false,
    idle: 0,
};

/// All of them.
#[rustfmt::skip]
pub const SCENARIOS: [Scenario; 10] = [
    PLAINTEXT,
    Scenario { name: "the same, a connection per request", close: true, ..PLAINTEXT },
    Scenario { name: "the same, 16 pipelined", depth: 16, ..PLAINTEXT },
    Scenario { name: "GET /json", line: ("GET", "/json"), ..PLAINTEXT },
    Scenario { name: "POST /event, 75,000 users", line: ("POST", "/event"), ..PLAINTEXT },
    Scenario { name: "POST /echo, 4 KiB", line: ("POST", "/echo"), ..PLAINTEXT },
    Scenario { name: "GET /plaintext, 1 connection", connections: 1, ..PLAINTEXT },
    Scenario { name: "the same, 256 connections", connections: 256, ..PLAINTEXT },
    Scenario { name: "the same, 1,000 connections", connections: 1_000, ..PLAINTEXT },
    Scenario { name: "1 connection beside 1,000 idle", connections: 1, idle: 1_000, ..PLAINTEXT },
];

impl Scenario {
    /// Whether it changes the statistics.
    pub fn counts(&self) -> bool {
        self.line.1 == "/event"
    }

    /// Request `i` of a server, and the body that its answer must have.
    pub fn exchange(&self, i: u64) -> (Vec<u8>, Vec<u8>) {
        let (method, target) = self.line;
        let (body, answer) = match target {
            "/plaintext" => (Vec::new(), b"Hello, World!".to_vec()),
            "/json" => (Vec::new(), br#"{"message":"Hello, World!"}"#.to_vec()),
            "/event" => (event(i), Vec::new()),
            "/echo" => {
                let body: Vec<u8> = (b'a'..=b'z').cycle().take(ECHO_BYTES).collect();
                (body.clone(), body)
            }
            other => panic!("no route: {other}"),
        };
        let mut bytes = request(method, target, &body);
        if self.close {
            let end = bytes.len() - body.len() - 2;
            bytes.splice(end..end, *b"Connection: close\r\n");
        }
        (bytes, answer)
    }
}

fn event(i: u64) -> Vec<u8> {
    let (user, value) = (i % USERS, i % CYCLE);
    format!(r#"{{"userId":"user_{user}","value":{value}.5}}"#).into_bytes()
}

/// The statistics after `count` events: requests, users, and the sum, exact in a float as it is a
/// multiple of a half.
pub fn statistics(count: u64) -> (u64, u64, f64) {
    let (cycles, rest) = (count / CYCLE, count % CYCLE);
    let whole = cycles * (CYCLE * (CYCLE - 1) / 2) + rest * rest.saturating_sub(1) / 2;
    (count, count.min(USERS), whole as f64 + count as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_well_formed() {
        for scenario in SCENARIOS {
            let (bytes, answer) = scenario.exchange(75_001);
            let text = String::from_utf8(bytes).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.contains("\r\nConnection: close"), scenario.close);
            match scenario.line.1 {
                "/event" => assert_eq!(body, r#"{"userId":"user_1","value":1.5}"#),
                "/echo" => assert_eq!(body.as_bytes(), answer),
                _ => assert!(body.is_empty() && !answer.is_empty()),
            }
        }
    }

    #[test]
    fn the_statistics_are_the_sum_of_the_events() {
        let mut sum = 0.0;
        for i in 0..2_500 {
            assert_eq!(statistics(i), (i, i, sum));
            sum += (i % 1_000) as f64 + 0.5;
        }
        assert_eq!(statistics(100_000).1, 75_000);
    }
}
