//! What is said to the server, and what it has to answer.

use crate::talk::{End, Talk};

/// Rounds one behind the other; the conversations of a round at the same time, as far as there is
/// room.
pub(crate) static ROUNDS: &[(&str, &[Talk])] = &[
    ("events", EVENTS),
    ("statistics", STATISTICS),
    ("manners", MANNERS),
    ("statistics again", AGAIN),
];

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

const fn once(name: &'static str, send: &'static [u8], answer: &'static [u8], end: End) -> Talk {
    Talk {
        name,
        send,
        answer,
        times: 1,
        cut: usize::MAX,
        end,
    }
}

/// 25 events of one user, kept alive; as many at a time as the buffers take.
const fn events(send: &'static [u8]) -> Talk {
    Talk {
        name: "25 events",
        send,
        answer: OK,
        times: 25,
        cut: usize::MAX,
        end: End::Client,
    }
}

macro_rules! event {
    ($user:literal, $value:literal) => {
        concat!(
            "POST /event HTTP/1.1\r\nHost: board\r\nContent-Length: 28\r\n\r\n",
            "{\"userId\":\"",
            $user,
            "\",\"value\":",
            $value,
            "}"
        )
        .as_bytes()
    };
}

const EVENTS: &[Talk] = &[
    events(event!("ann", "0.1")),
    events(event!("bob", "0.2")),
    events(event!("cid", "0.3")),
    events(event!("dan", "0.4")),
    events(event!("eva", "0.5")),
    events(event!("fay", "0.6")),
    events(event!("gus", "0.7")),
    events(event!("hal", "0.8")),
];

/// Every digit counts: a double has lost some of them by now.
const STATISTICS: &[Talk] = &[once(
    "exact",
    b"GET /stats HTTP/1.1\r\nHost: board\r\n\r\n",
    if cfg!(feature = "planted") {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 57\r\n\r\n\
          {\"totalRequests\":200,\"uniqueUsers\":8,\"sum\":91,\"avg\":0.45}"
    } else {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 57\r\n\r\n\
          {\"totalRequests\":200,\"uniqueUsers\":8,\"sum\":90,\"avg\":0.45}"
    },
    End::Client,
)];

const MANNERS: &[Talk] = &[
    Talk {
        name: "24 requests, pipelined",
        send: b"GET / HTTP/1.1\r\nHost: board\r\n\r\n\
            GET /none HTTP/1.1\r\nHost: board\r\n\r\n\
            HEAD / HTTP/1.1\r\nHost: board\r\n\r\n\
            GET /event HTTP/1.1\r\nHost: board\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: 14\r\n\r\nHello, board!\n\
            HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: 14\r\n\r\n\
            HTTP/1.1 405 Method Not Allowed\r\nAllow: POST, OPTIONS\r\n\
            Content-Length: 0\r\n\r\n",
        times: 6,
        cut: usize::MAX,
        end: End::Client,
    },
    Talk {
        cut: 1,
        ..once(
            "byte by byte, in chunks",
            b"POST /event HTTP/1.1\r\nHost: board\r\nTransfer-Encoding: chunked\r\n\r\n\
              9\r\n{\"userId\"\r\n13\r\n:\"ivy\",\"value\":1e-3\r\n2\r\n0}\r\n0\r\n\r\n",
            OK,
            End::Client,
        )
    },
    Talk {
        cut: 7,
        times: 2,
        ..once(
            "seven bytes at a time",
            b"POST /event HTTP/1.1\r\nHost: board\r\nContent-Length: 29\r\n\r\n\
              {\"userId\":\"lou\",\"value\":-0.5}",
            OK,
            End::Client,
        )
    },
    once(
        "malformed",
        b"GET / HTTP/1.1\r\nHost: board\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Vary: Accept\r\nConnection: close\r\nContent-Length: 83\r\n\r\n\
          400 Bad Request: a field line must be: token, colon, value (head, line 3, byte 32)\n",
        End::Server,
    ),
    once(
        "too late",
        b"GET / HT",
        b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Vary: Accept\r\nConnection: close\r\nContent-Length: 56\r\n\r\n\
          408 Request Timeout: the request did not arrive in time\n",
        End::Server,
    ),
    once(
        "too large",
        b"POST /event HTTP/1.1\r\nHost: board\r\nContent-Length: 9999\r\n\r\n",
        b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Vary: Accept\r\nConnection: close\r\nContent-Length: 69\r\n\r\n\
          413 Content Too Large: the body is too large (head, line 3, byte 51)\n",
        End::Server,
    ),
    once(
        "no event, and the last request",
        b"POST /event HTTP/1.1\r\nHost: board\r\nContent-Length: 9\r\n\r\n{\"value\":\
          GET / HTTP/1.1\r\nHost: board\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Connection: close\r\nContent-Length: 14\r\n\r\nHello, board!\n",
        End::Server,
    ),
    // The connection is kept, until nobody says anything for too long.
    once(
        "idle",
        b"GET /none HTTP/1.1\r\nHost: board\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        End::Server,
    ),
];

const AGAIN: &[Talk] = &[once(
    "exact to the last digit",
    b"GET /stats HTTP/1.1\r\nHost: board\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104\r\n\r\n\
      {\"totalRequests\":203,\"uniqueUsers\":10,\
      \"sum\":89.000000000000000000000000000001,\"avg\":0.43842364532019704}",
    End::Client,
)];
