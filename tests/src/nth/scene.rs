//! Who connects, and says what.

use super::line::{Move, Visit};

/// A handful of clients and what happens around them.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What it is about.
    pub name: &'static str,
    pub(super) visits: Vec<Visit>,
    /// Connections that are served at a time.
    pub(super) open_max: usize,
    /// When the server is told to stop.
    pub(super) stop_ms: Option<u64>,
    /// Until then another worker keeps snapshots waiting.
    pub(super) other_ms: Option<u64>,
}

impl Scene {
    fn new(name: &'static str, visits: Vec<Visit>) -> Scene {
        Scene {
            name,
            open_max: visits.len(),
            visits,
            stop_ms: None,
            other_ms: None,
        }
    }
}

/// So many bytes a client takes at a time, if nothing else is said: all.
const ALL: usize = 1 << 20;

/// What a client asks, in the words of this file.
#[derive(Clone)]
struct Client {
    number: usize,
    visit: Visit,
    asked: usize,
}

impl Client {
    fn new(number: usize) -> Client {
        let visit = Visit {
            moves: vec![Move::Connect],
            window: ALL,
            events: Vec::new(),
        };
        Client {
            number,
            visit,
            asked: 0,
        }
    }

    fn at(mut self, ms: u64) -> Client {
        // The first move is the connect.
        let place = if self.visit.moves.len() == 1 {
            0
        } else {
            self.visit.moves.len()
        };
        self.visit.moves.insert(place, Move::At(ms));
        self
    }

    fn window(mut self, bytes: usize) -> Client {
        self.visit.window = bytes;
        self
    }

    fn then(mut self, next: Move) -> Client {
        self.visit.moves.push(next);
        self
    }

    fn send(self, bytes: impl Into<Vec<u8>>) -> Client {
        self.then(Move::Send(bytes.into()))
    }

    /// Notes one request (that is sent somewhere) as an event, or as none.
    fn asks(mut self, event: bool) -> Client {
        self.visit.events.push(event);
        self.asked += 1;
        self
    }

    fn get(self, target: &str) -> Client {
        self.asks(false)
            .send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    /// The next event of this client: its users are its own, and so are the digits of its values.
    fn body(&self) -> String {
        let (client, event) = (self.number, self.asked);
        let value = 1000_u64.pow(client as u32);
        format!(r#"{{"userId":"{client}-{event}","value":{value}}}"#)
    }

    fn event(self) -> Client {
        let body = self.body();
        let head = format!(
            "POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.asks(true).send(head + &body)
    }

    fn answers(self) -> Client {
        let count = self.asked;
        self.then(Move::Answers(count))
    }

    fn fin(self) -> Visit {
        self.then(Move::Fin).visit
    }

    fn reset(self) -> Visit {
        self.then(Move::Reset).visit
    }

    /// Waits for the server to close.
    fn waits(self) -> Visit {
        self.visit
    }
}

/// A body of so many bytes that says where each of them belongs.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| b'a' + (at % 26) as u8).collect()
}

/// All scenes.
pub fn scenes() -> Vec<Scene> {
    let mut all = vec![
        keep_alive(),
        pipelines(),
        bodies(),
        echoes(),
        deferred(),
        ends(),
        burst(),
        crowd(),
        stop(),
    ];
    // The names are those of the lines that the test prints.
    all.iter_mut()
        .for_each(|scene| assert!(!scene.name.is_empty()));
    all
}

fn keep_alive() -> Scene {
    let client = |number| {
        let first = Client::new(number).get("/ping").answers();
        first.event().answers().get("/users/a%20b").answers().fin()
    };
    Scene::new("keep-alive", (0..3).map(client).collect())
}

fn pipelines() -> Scene {
    // The end of the stream comes with the last of the bytes, in one edge.
    let five = |number| {
        let one = Client::new(number).get("/ping").event();
        one.get("/json").event().get("/nowhere")
    };
    let cut = Client::new(1).asks(false).asks(true).asks(false);
    let event = r#"{"userId":"1-1","value":1000}"#;
    let text = format!(
        "GET /ping HTTP/1.1\r\nHost: a\r\n\r\nPOST /event HTTP/1.1\r\nHost: a\r\n\
         Content-Length: {}\r\n\r\n{event}GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n",
        event.len()
    );
    let (one, rest) = text.split_at(20);
    let (two, three) = rest.split_at(90);
    let cut = cut.send(one).at(3).send(two).at(6).send(three);
    // Answers of a pipeline that its client takes in small bits.
    let slow = five(2).window(37);
    Scene::new(
        "pipelines",
        vec![five(0).fin(), cut.fin(), slow.answers().fin()],
    )
}

fn bodies() -> Scene {
    let one = Client::new(0);
    let body = one.body();
    let (first, second) = body.split_at(10);
    let head = format!(
        "POST /event HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let one = one
        .asks(true)
        .send(head)
        .at(5)
        .send(first)
        .at(10)
        .send(second);
    let two = Client::new(1);
    let body = two.body();
    let (first, second) = body.split_at(7);
    let chunked = format!(
        "POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         7\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nX: y\r\n\r\n",
        second.len()
    );
    let (first, second) = chunked.split_at(chunked.len() - 9);
    let two = two.asks(true).send(first).at(8).send(second).get("/ping");
    let bad = Client::new(2)
        .event()
        .asks(false)
        .send("POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{}}");
    Scene::new(
        "bodies",
        vec![
            one.answers().fin(),
            two.answers().event().answers().fin(),
            bad.event().answers().fin(),
        ],
    )
}

fn echoes() -> Scene {
    let echo = |client: Client, bytes: usize| {
        let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        client.asks(false).send(head).send(pattern(bytes))
    };
    let long = echo(Client::new(0).window(700), 5_000).get("/ping");
    let mut chunks =
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in pattern(1_500).chunks(500) {
        chunks.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        chunks.extend(piece);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    let chunked = Client::new(1).window(400).asks(false).send(chunks);
    let event = Client::new(2).event().answers();
    Scene::new(
        "echoes",
        vec![
            long.answers().fin(),
            chunked.fin(),
            echo(event, 300).answers().fin(),
        ],
    )
}

fn deferred() -> Scene {
    // No event is counted before the snapshots, so their texts are always the same; half a second
    // is longer than accepting rests after an error.
    let asks = Client::new(0).get("/ping").get("/stats").get("/json");
    let asks = asks.answers().at(500).event().answers();
    let leaves = Client::new(1).get("/stats").at(2);
    let ends = Client::new(2).get("/stats");
    let other = Client::new(3).get("/ping").answers().get("/plaintext");
    Scene {
        other_ms: Some(4),
        ..Scene::new(
            "deferred",
            vec![
                asks.fin(),
                leaves.reset(),
                ends.fin(),
                other.answers().fin(),
            ],
        )
    }
}

fn ends() -> Scene {
    let close = Client::new(0)
        .event()
        .asks(false)
        .send("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let old = Client::new(1)
        .asks(false)
        .send("GET /ping HTTP/1.0\r\n\r\n");
    let bad = Client::new(2)
        .event()
        .asks(false)
        .send("GET /ping HTTP/1.1\r\nHo st: a\r\n\r\nmore of it");
    let half = Client::new(3).send("GET /ping HT").at(5);
    let silent = Client::new(4);
    // 408, after ten seconds of the clock.
    let slow = Client::new(5).asks(false).send("GET /ping HTTP/1.1\r\nHo");
    Scene::new(
        "ends",
        vec![
            close.waits(),
            old.waits(),
            bad.waits(),
            half.reset(),
            silent.at(1).fin(),
            slow.waits(),
        ],
    )
}

fn burst() -> Scene {
    // More than a turn accepts.
    let one = |number| Client::new(number).get("/ping").answers().fin();
    Scene::new("burst of 66", (0..66).map(|_| one(0)).collect())
}

fn crowd() -> Scene {
    let inside = |number| {
        Client::new(number)
            .event()
            .answers()
            .at(20)
            .get("/ping")
            .answers()
    };
    let late = |number| Client::new(number).at(5).event().answers();
    Scene {
        open_max: 2,
        ..Scene::new(
            "one too many",
            vec![
                inside(0).fin(),
                inside(1).fin(),
                late(2).fin(),
                late(3).fin(),
            ],
        )
    }
}

fn stop() -> Scene {
    let idle = Client::new(0).event().answers().get("/ping").answers();
    let half = Client::new(1);
    let body = half.body();
    let head = format!(
        "POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let half = half.asks(true).send(head).at(1_500).send(body);
    let silent = Client::new(2);
    let late = Client::new(3).at(2_000).get("/ping");
    Scene {
        stop_ms: Some(1_000),
        ..Scene::new(
            "stop",
            vec![idle.waits(), half.waits(), silent.waits(), late.waits()],
        )
    }
}
