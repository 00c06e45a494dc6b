//! What the peers have in common: the bodies of their answers, and the statistics of the challenge,
//! kept as plainly as one thread may keep them.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::Deserialize;

/// Body of `GET /plaintext`.
pub const PLAINTEXT: &str = "Hello, World!";
/// Type of it.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Body of `GET /json`.
pub const JSON: &str = r#"{"message":"Hello, World!"}"#;
/// Type of it.
pub const APPLICATION_JSON: &str = "application/json";
/// Type of `POST /echo`.
pub const OCTETS: &str = "application/octet-stream";

#[derive(Deserialize)]
struct Event<'e> {
    #[serde(rename = "userId")]
    user_id: &'e str,
    value: f64,
}

#[derive(Default)]
struct Statistics {
    total: u64,
    /// Exact for the values that are sent: multiples of a half.
    sum: f64,
    users: HashSet<String>,
}

thread_local! {
    static STATISTICS: RefCell<Statistics> = RefCell::default();
}

/// Takes the body of `POST /event`. Whether it is one.
pub fn event(body: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Event<'_>>(body) else {
        return false;
    };
    STATISTICS.with_borrow_mut(|statistics| {
        statistics.total += 1;
        statistics.sum += event.value;
        if !statistics.users.contains(event.user_id) {
            statistics.users.insert(event.user_id.to_owned());
        }
    });
    true
}

/// Body of `GET /stats`.
pub fn stats() -> String {
    STATISTICS.with_borrow(|statistics| {
        let Statistics { total, sum, users } = statistics;
        let average = if *total == 0 {
            0.0
        } else {
            sum / *total as f64
        };
        serde_json::json!({
            "totalRequests": total,
            "uniqueUsers": users.len(),
            "sum": sum,
            "avg": average,
        })
        .to_string()
    })
}

/// Does `POST /reset`.
pub fn reset() {
    STATISTICS.with_borrow_mut(|statistics| *statistics = Statistics::default());
}

/// Says where a server listens, in the form that the rig reads.
pub fn announce(addr: std::net::SocketAddr) {
    println!("listening http://{addr}\nstop SIGKILL");
}
