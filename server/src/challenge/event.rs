//! `POST /event`: from the bytes of a body to one recorded event.

use barewire_core::json::{self, Number, Object, Pair, Text, Value};
use barewire_core::stats::{Amount, AmountError, Refused};
use barewire_core::wire::{Place, Section, Status};

/// Bytes of a user id at most (the statistics' bound).
const ID_BYTES_MAX: usize = barewire_core::stats::ID_BYTES_MAX;

/// Why an event was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Json(json::Error),
    MissingUser,
    MissingValue,
    UserType,
    ValueType,
    EmptyUser,
    Twice,
    Amount(AmountError),
    Record(Refused),
}

impl Refusal {
    /// 400: not an event. 422: an event that cannot be counted exactly. 507: no room.
    pub(super) fn status(self) -> Status {
        match self {
            Refusal::Amount(_) | Refusal::Record(Refused::IdTooLong) => {
                Status::UNPROCESSABLE_CONTENT
            }
            Refusal::Record(_) => Status::INSUFFICIENT_STORAGE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// Where a body is no JSON.
    pub(super) fn place(self, body: &[u8]) -> Option<Place> {
        match self {
            Refusal::Json(error) => Place::behind(Section::Body, body.get(..error.at)?),
            _ => None,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Refusal::Json(error) => error.reason(),
            Refusal::MissingUser => "userId is missing",
            Refusal::MissingValue => "value is missing",
            Refusal::UserType => "userId must be a string",
            Refusal::ValueType => "value must be a number",
            Refusal::EmptyUser => "userId must not be empty",
            Refusal::Twice => "userId and value must be there once",
            Refusal::Amount(AmountError::TooLarge) => "value must be below 10^19 in size",
            Refusal::Amount(_) => "value must be a multiple of 10^-36",
            Refusal::Record(Refused::IdTooLong) => "userId must have at most 4096 bytes",
            Refusal::Record(_) => "no room for more users",
        }
    }
}

/// Reads one event and hands it to `record`, if all of it is right.
pub(super) fn parse(
    body: &[u8],
    record: impl FnOnce(&[u8], Amount) -> Result<(), Refused>,
) -> Result<(), Refusal> {
    let (id, value) = fields(body)?;
    let amount = amount(&value).map_err(Refusal::Amount)?;
    if !id.has_escapes() {
        return with_id(id.raw(), amount, record);
    }
    let mut room = [0; ID_BYTES_MAX];
    match id.unescape(&mut room) {
        Ok(id) => with_id(id, amount, record),
        Err(_) => Err(Refusal::Record(Refused::IdTooLong)),
    }
}

fn with_id(
    id: &[u8],
    amount: Amount,
    record: impl FnOnce(&[u8], Amount) -> Result<(), Refused>,
) -> Result<(), Refusal> {
    if id.is_empty() {
        return Err(Refusal::EmptyUser);
    }
    record(id, amount).map_err(Refusal::Record)
}

/// What the number says, exactly. Both ways say the same; nearly all numbers are short.
#[inline(always)]
fn amount(value: &Number<'_>) -> Result<Amount, AmountError> {
    let negative = value.negative();
    match value.small() {
        Some((units, places)) => Amount::from_small(negative, units, places),
        None => Amount::from_decimal(
            negative,
            value.integer(),
            value.fraction(),
            value.exponent(),
        ),
    }
}

/// As the challenge's clients write it.
const EVENT: Pair = Pair::new("userId", "value");

#[inline(always)] // with `amount`, saves 40 instructions of handing over results
fn fields(body: &[u8]) -> Result<(Text<'_>, Number<'_>), Refusal> {
    match EVENT.read(body) {
        Some(event) => Ok(event),
        None => members(body),
    }
}

/// The two members; others are skipped, whatever they are.
#[inline(never)]
fn members(body: &[u8]) -> Result<(Text<'_>, Number<'_>), Refusal> {
    let mut object = Object::new(body).map_err(Refusal::Json)?;
    // Behind an index, which keeps them in memory: two variables would take the registers that the
    // scanner needs, and be moved about at every turn (40 instructions per event).
    let mut found = [None; 2];
    let mut twice = false;
    while let Some((key, value)) = object.next().map_err(Refusal::Json)? {
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
    // What is wrong with a member counts only if the whole is JSON.
    match found {
        _ if twice => Err(Refusal::Twice),
        [Some(Value::Text(id)), Some(Value::Number(number))] => Ok((id, number)),
        [Some(Value::Text(_)), None] => Err(Refusal::MissingValue),
        [None, None | Some(Value::Number(_))] => Err(Refusal::MissingUser),
        [None | Some(Value::Text(_)), _] => Err(Refusal::ValueType),
        _ => Err(Refusal::UserType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(Vec<u8>, String), Refusal> {
        let mut out = None;
        parse(body.as_bytes(), |id, amount| {
            let mut text = [0; 128];
            let sum = barewire_core::stats::Sum::default().plus(amount);
            let len = sum.write_decimal(&mut text).unwrap();
            out = Some((
                id.to_vec(),
                String::from_utf8(text[..len].to_vec()).unwrap(),
            ));
            Ok(())
        })?;
        Ok(out.unwrap())
    }

    #[test]
    fn events_are_read_in_any_spelling() {
        let expected = Ok((b"a".to_vec(), "1.5".to_owned()));
        for body in [
            r#"{"userId":"a","value":1.5}"#,
            " { \"value\" : 15e-1 , \"userId\" : \"\\u0061\" } ",
            r#"{"x":[{"userId":"b"}],"userId":"a","value":1.500,"y":null}"#,
            r#"{"us\u0065rId":"a","value":0.15E+1}"#,
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
        assert_eq!(
            read(r#"{"userId":"\ud83d\ude00","value":-0}"#).unwrap().0,
            "😀".as_bytes()
        );
    }

    #[test]
    fn what_is_no_event_is_refused_with_its_reason() {
        let status = |body: &str| read(body).map_err(|refusal| refusal.status().code());
        for (body, code) in [
            ("", 400),
            ("[1]", 400),
            ("{}", 400),
            (r#"{"userId":"a"}"#, 400),
            (r#"{"value":1}"#, 400),
            (r#"{"userId":"","value":1}"#, 400),
            (r#"{"userId":1,"value":1}"#, 400),
            (r#"{"userId":"a","value":"1"}"#, 400),
            (r#"{"userId":"a","value":null}"#, 400),
            (r#"{"userId":"a","userId":"b","value":1}"#, 400),
            (r#"{"userId":"a","value":1,"value":1}"#, 400),
            (r#"{"userId":"a","value":1}}"#, 400),
            (r#"{"userId":"a","value":1e999}"#, 422),
            (r#"{"userId":"a","value":1e-37}"#, 422),
            (r#"{"userId":"a","value":10000000000000000000}"#, 422),
        ] {
            assert_eq!(status(body), Err(code), "{body}");
        }
        let long = format!(r#"{{"userId":"\u0061{}","value":1}}"#, "a".repeat(4096));
        assert_eq!(status(&long), Err(422));
    }
}
