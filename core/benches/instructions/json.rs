//! An event out of its JSON, as the server's `POST /event` reads it.

use barewire_core::json::{Number, Object, Pair, Text, Value};
use barewire_core::stats::{Amount, Sum};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::budget::budget;
use crate::input;

const EVENT: Pair = Pair::new("userId", "value");

/// The two members in any order, others skipped, twice is wrong; the whole text is checked.
#[inline(always)]
fn fields(body: &[u8]) -> Option<(Text<'_>, Number<'_>)> {
    match EVENT.read(body) {
        Some(event) => Some(event),
        None => members(body),
    }
}

#[inline(never)]
fn members(body: &[u8]) -> Option<(Text<'_>, Number<'_>)> {
    let mut object = Object::new(body).ok()?;
    let mut found = [None; 2];
    let mut twice = false;
    while let Some((key, value)) = object.next().ok()? {
        let which = if key.eq_str("userId") {
            0
        } else if key.eq_str("value") {
            1
        } else {
            continue;
        };
        twice |= found[which].is_some();
        found[which] = Some(value);
    }
    match found {
        [Some(Value::Text(id)), Some(Value::Number(number))] if !twice => Some((id, number)),
        _ => None,
    }
}

#[inline(always)]
fn amount_of(number: Number<'_>) -> Option<Amount> {
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

/// User id and amount of an event.
#[inline]
pub(crate) fn parse(body: &[u8]) -> Option<(&[u8], Amount)> {
    let (id, number) = fields(body)?;
    let amount = amount_of(number)?;
    if id.has_escapes() || id.raw().is_empty() {
        return None; // no input here is like that
    }
    Some((id.raw(), amount))
}

/// The amount of the event in the inputs.
pub(crate) fn amount() -> Amount {
    Amount::from_decimal(false, b"499", b"5", 0).unwrap()
}

fn event(body: &'static [u8]) -> &'static [u8] {
    let body = input::lone(body);
    let (id, found) = parse(body).unwrap();
    assert_eq!(id, b"user_12345");
    assert_eq!(Sum::ZERO.plus(found), Sum::ZERO.plus(amount()));
    body
}

#[library_benchmark(setup = event)]
#[bench::bytes_37(args = (input::EVENT), config = budget("json/event_of/bytes_37"))]
#[bench::other_order(
    args = (br#"{"value":499.5,"userId":"user_12345"}"#),
    config = budget("json/event_of/other_order")
)]
#[bench::white_space(
    args = (br#"{ "userId": "user_12345", "value": 499.5 }"#),
    config = budget("json/event_of/white_space")
)]
fn event_of(body: &'static [u8]) -> Option<(&'static [u8], Amount)> {
    parse(body)
}

fn digits() -> Number<'static> {
    fields(event(input::EVENT)).unwrap().1
}

#[library_benchmark]
#[bench::value_499_5(args = (), setup = digits, config = budget("json/decimal/value_499_5"))]
fn decimal(number: Number<'static>) -> Option<Amount> {
    amount_of(number)
}

library_benchmark_group!(
    name = json_group;
    benchmarks = event_of, decimal
);
