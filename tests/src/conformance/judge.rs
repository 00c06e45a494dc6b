//! Holds an observation against the outcomes that a vector permits.

use super::lint::imf_seconds;
use super::response::{Observation, Response};
use super::vector::{Alternative, Condition, FieldTest, JsonWant, StatusPattern, Vector};

/// How far the Date may lie from the judge's clock, in seconds: a date is renewed once a second,
/// and the answer has to travel.
const DATE_TOLERANCE_S: u64 = 3;

/// How far a sum of decimals may lie beside the true one, as a share of it (of 1 below 1).
const ABOUT: f64 = 1e-6;

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The outcome that is asked for, or one of several equal ones.
    Pass,
    /// An outcome that the RFCs tolerate, where a better one exists.
    Warn,
    /// No permitted outcome.
    Fail,
}

/// A verdict, and why it is no better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What the first passing alternative lacked; empty for a pass.
    pub why: String,
}

/// Judges what was seen when a vector was played. `now_s` is the present time in seconds since
/// 1970, for the few conditions on Date.
pub fn judge(vector: &Vector, seen: &Observation, now_s: u64) -> Judgement {
    let mut why = String::new();
    for alternative in &vector.pass {
        match matches(alternative, seen, now_s) {
            Ok(()) => {
                return Judgement {
                    verdict: Verdict::Pass,
                    why: String::new(),
                };
            }
            Err(reason) if why.is_empty() => why = reason,
            Err(_) => {}
        }
    }
    let tolerated = vector
        .warn
        .iter()
        .any(|other| matches(other, seen, now_s).is_ok());
    Judgement {
        verdict: if tolerated {
            Verdict::Warn
        } else {
            Verdict::Fail
        },
        why,
    }
}

/// Whether all conditions of an alternative hold.
///
/// # Errors
/// Says which one does not. Responses are counted from 1 there.
pub fn matches(alternative: &Alternative, seen: &Observation, now_s: u64) -> Result<(), String> {
    let conditions = &alternative.conditions;
    if conditions.contains(&Condition::Garbage) {
        return seen
            .bad
            .as_ref()
            .map(|_| ())
            .ok_or_else(|| "all bytes are HTTP".to_owned());
    }
    if let Some(bad) = &seen.bad {
        return Err(bad.clone());
    }
    conditions
        .iter()
        .try_for_each(|condition| check(condition, seen, now_s))
}

fn check(condition: &Condition, seen: &Observation, now_s: u64) -> Result<(), String> {
    let finals = &seen.finals;
    let number = finals.len();
    let nth = |at: usize| {
        finals
            .get(at)
            .ok_or_else(|| format!("there is no response {}", at + 1))
    };
    match condition {
        Condition::Garbage => Err("not all bytes can be told".to_owned()),
        Condition::Silent => ensure(number == 0, || "there is a response".to_owned()),
        Condition::Open => ensure(!seen.is_closed(), || "the connection is closed".to_owned()),
        Condition::Closed => ensure(seen.is_closed(), || "the connection is open".to_owned()),
        Condition::Status(each) => {
            counted(number, each.len())?;
            (0..)
                .zip(finals.iter().zip(each))
                .try_for_each(|(at, (r, set))| status(at, r, set))
        }
        Condition::Every(wanted, set) => {
            counted(number, *wanted)?;
            (0..).zip(finals).try_for_each(|(at, r)| status(at, r, set))
        }
        Condition::AtLeast(least) => ensure(number >= *least, || {
            format!("{number} responses, not {least} or more")
        }),
        Condition::AtMost(most) => ensure(number <= *most, || {
            format!("{number} responses, not {most} or fewer")
        }),
        Condition::Interim(wanted) => ensure(seen.interims.is_empty() != *wanted, || {
            format!(
                "an interim response {}",
                if *wanted { "is missing" } else { "was sent" }
            )
        }),
        Condition::Body(at, text) => {
            let body = &nth(*at)?.body;
            ensure(body == text, || {
                format!("body {} is {}", at + 1, short(body))
            })
        }
        Condition::BodyHas(at, text) => {
            let has = contains(&nth(*at)?.body, text);
            ensure(has, || format!("body {} lacks {}", at + 1, short(text)))
        }
        Condition::BodyLacks(at, text) => {
            let has = finals.get(*at).is_some_and(|r| contains(&r.body, text));
            ensure(!has, || format!("body {} has {}", at + 1, short(text)))
        }
        Condition::BodyLength(at, wanted) => {
            let bytes = nth(*at)?.body.len();
            ensure(bytes == *wanted, || {
                format!("body {} has {bytes} bytes, not {wanted}", at + 1)
            })
        }
        Condition::BodyFill(at, text, wanted) => {
            let body = &nth(*at)?.body;
            let same = body.len() == *wanted
                && body
                    .iter()
                    .zip(text.iter().cycle())
                    .all(|(have, want)| have == want);
            ensure(same, || {
                format!("body {} is not the {wanted} bytes sent", at + 1)
            })
        }
        Condition::Counted(text) => (0..).zip(finals).try_for_each(|(at, r)| {
            ensure(r.body == text.numbered(at), || {
                format!("response {} is out of order: {}", at + 1, short(&r.body))
            })
        }),
        Condition::Field(at, name, test) => field(nth(*at)?, name, test),
        Condition::Same(a, b, name) => {
            let (a, b) = (values(nth(*a)?, name), values(nth(*b)?, name));
            let same = a.is_empty() || b.is_empty() || a == b;
            ensure(same, || format!("{name} differs: {a:?} and {b:?}"))
        }
        Condition::Differ(a, b, name) => {
            let (a, b) = (values(nth(*a)?, name), values(nth(*b)?, name));
            ensure(a != b, || format!("{name} is {a:?} twice"))
        }
        Condition::LengthIsBody => finals.iter().try_for_each(length_is_body),
        Condition::DateIsNow => {
            let date = nth(0)?.values("date").next();
            let off = date.and_then(imf_seconds).map(|date| date.abs_diff(now_s));
            let near = off.is_some_and(|off| off <= DATE_TOLERANCE_S);
            ensure(near, || format!("Date is {date:?}, {off:?} s off"))
        }
        Condition::Json(at, key, want) => json(*at, &nth(*at)?.body, key.as_deref(), want),
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn counted(number: usize, wanted: usize) -> Result<(), String> {
    ensure(number == wanted, || {
        format!("{number} responses, not {wanted}")
    })
}

fn status(at: usize, response: &Response, set: &[StatusPattern]) -> Result<(), String> {
    ensure(
        set.iter().any(|pattern| pattern.holds(response.status)),
        || format!("response {} is {}, not {set:?}", at + 1, response.status),
    )
}

fn values<'r>(response: &'r Response, name: &'r str) -> Vec<&'r str> {
    response.values(name).collect()
}

fn field(response: &Response, name: &str, test: &FieldTest) -> Result<(), String> {
    let values = values(response, name);
    let in_list = |token: &str| {
        let items = values.iter().flat_map(|value| value.split(','));
        items
            .into_iter()
            .any(|item| item.trim().to_lowercase() == token)
    };
    let holds = match test {
        FieldTest::Present => !values.is_empty(),
        FieldTest::Absent => values.is_empty(),
        FieldTest::Once => values.len() == 1,
        FieldTest::Equals(value) => values == [value.as_str()],
        FieldTest::If(value) => values.is_empty() || values == [value.as_str()],
        FieldTest::Starts(value) => values.first().is_some_and(|first| first.starts_with(value)),
        FieldTest::Token(token) => in_list(token),
        FieldTest::NoToken(token) => !in_list(token),
    };
    ensure(holds, || {
        format!("field {name} is {values:?}, not {test:?}")
    })
}

fn length_is_body(response: &Response) -> Result<(), String> {
    // HEAD, 304: the length of a body that is not sent. 204 may not have the field at all.
    if response.method == "HEAD" || matches!(response.status, 204 | 304) {
        return Ok(());
    }
    let bytes = response.body.len();
    match response.values("content-length").next() {
        Some(length) if length.parse() != Ok(bytes) => {
            Err(format!("Content-Length {length} for {bytes} bytes"))
        }
        _ => Ok(()),
    }
}

fn json(at: usize, body: &[u8], key: Option<&str>, want: &JsonWant) -> Result<(), String> {
    let document: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| format!("body {}: {error}", at + 1))?;
    let value = match key {
        None => &document,
        Some(key) => document
            .get(key)
            .ok_or_else(|| format!("body {} has no key {key}", at + 1))?,
    };
    let holds = match want {
        JsonWant::Any => true,
        // Equal as numbers: 500 and 500.0 are the same JSON number in two spellings.
        #[allow(clippy::float_cmp)]
        JsonWant::Exactly(number) => value.as_f64() == Some(*number),
        JsonWant::About(number) => value
            .as_f64()
            .is_some_and(|value| (value - number).abs() <= ABOUT * number.abs().max(1.0)),
        JsonWant::Text(text) => value.as_str() == Some(text),
    };
    ensure(holds, || {
        format!("{} is {value}, not {want:?}", key.unwrap_or("the document"))
    })
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

/// At most sixty bytes, readable.
fn short(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(60)].escape_ascii())
}
