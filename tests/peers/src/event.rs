//! The event of the inputs out of its JSON: user id and value.

use barewire_core::json::{Number, Object, Text, Value};
use barewire_core::stats::Amount;

/// What the two others fill: the id borrowed from the body, the value as the nearest `f64`.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[expect(missing_docs, reason = "the members have the names of the JSON")]
pub struct Event<'a> {
    #[serde(rename = "userId")]
    pub user_id: &'a str,
    pub value: f64,
}

/// As the server does it with any body: members in any order, others skipped, twice is wrong; the
/// id is taken where it lies, the value is the exact decimal. (Its short cut for the body as most
/// clients write it, `json::Pair`, is left out.)
#[inline(always)]
pub fn ours(body: &[u8]) -> Option<(&[u8], Amount)> {
    let (id, number) = fields(body)?;
    if id.has_escapes() {
        return None; // no input here is like that, and a borrowed str cannot be
    }
    Some((id.raw(), amount(number)?))
}

#[inline(always)]
fn fields(body: &[u8]) -> Option<(Text<'_>, Number<'_>)> {
    let mut object = Object::new(body).ok()?;
    let (mut id, mut value) = (None, None);
    let mut twice = false;
    while let Some((key, found)) = object.next().ok()? {
        if key.eq_str("userId") {
            twice |= id.replace(found).is_some();
        } else if key.eq_str("value") {
            twice |= value.replace(found).is_some();
        }
    }
    match (id, value) {
        (Some(Value::Text(id)), Some(Value::Number(value))) if !twice => Some((id, value)),
        _ => None,
    }
}

#[inline(always)]
fn amount(number: Number<'_>) -> Option<Amount> {
    let negative = number.negative();
    match number.small() {
        Some((units, places)) => Amount::from_small(negative, units, places).ok(),
        None => Amount::from_decimal(
            negative,
            number.integer(),
            number.fraction(),
            number.exponent(),
        )
        .ok(),
    }
}

/// By `serde_json`.
#[inline(always)]
pub fn serde_json(body: &[u8]) -> Option<Event<'_>> {
    serde_json::from_slice(body).ok()
}

/// By `serde-json-core`.
#[inline(always)]
pub fn serde_json_core(body: &[u8]) -> Option<Event<'_>> {
    let (event, len) = serde_json_core::from_slice(body).ok()?;
    (len == body.len()).then_some(event)
}
