//! Our scanner takes exactly the flat objects that serde_json takes.

use std::collections::HashMap;

use barewire_core::json::{Kind, Object, Value};
use serde_json::Map;
use serde_json::de::from_slice;

use super::class::kebab;

/// The bytes are a JSON text, mostly not.
pub fn json(data: &[u8]) {
    let ours = scan(data);
    if ours == Err(Kind::Depth) {
        return; // serde_json goes down further: 128 levels, not 32
    }
    match from_slice::<Map<String, serde_json::Value>>(data) {
        Ok(theirs) => {
            let ours = ours.unwrap_or_else(|kind| panic!("only we refuse it: {kind:?}"));
            // They keep the last of members with the same key.
            let ours: HashMap<String, String> = ours.into_iter().collect();
            assert_eq!(ours.len(), theirs.len());
            for (key, value) in theirs {
                let found = ours.get(&key).unwrap_or_else(|| panic!("no key {key:?}"));
                if let serde_json::Value::String(text) = value {
                    assert_eq!(found, &text);
                }
            }
        }
        // They compute floats, and refuse those that are too large.
        Err(error) if error.to_string().starts_with("number out of range") => {}
        Err(error) => assert!(ours.is_err(), "only we take it: {error}"),
    }
}

/// How many members a text has, or why it is refused.
pub(crate) fn class(data: &[u8]) -> String {
    match scan(data) {
        Ok(members) => format!("takes-{}-members", members.len()),
        Err(kind) => format!("refuses-{}", kebab(kind)),
    }
}

/// Keys and string values, decoded; nothing for other values.
fn scan(data: &[u8]) -> Result<Vec<(String, String)>, Kind> {
    let mut members = Vec::new();
    let mut object = Object::new(data).map_err(|error| error.kind)?;
    loop {
        match object.next() {
            Err(error) => {
                assert!(error.at <= data.len(), "the fault is in the text");
                return Err(error.kind);
            }
            Ok(None) => return Ok(members),
            Ok(Some((key, value))) => {
                let decoded = |text: &barewire_core::json::Text<'_>| {
                    let mut room = vec![0; text.decoded_len()];
                    let decoded = text.unescape(&mut room).expect("it says how much room");
                    String::from_utf8(decoded.to_vec()).expect("strings are UTF-8")
                };
                let value = match value {
                    Value::Text(text) => decoded(&text),
                    _ => String::new(),
                };
                members.push((decoded(&key), value));
            }
        }
    }
}
