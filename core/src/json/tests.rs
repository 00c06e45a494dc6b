//! The scanner against tables of cases, against the recursive reference, and against the writer.

extern crate std;
use super::cases::{NO_OBJECTS, NO_VALUES, OBJECTS, VALUES};
use super::reference::{self, Json};
use super::{DEPTH_MAX, Error, Kind, Number, Object, Text, Value, Writer};
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};

fn decoded(text: Text<'_>) -> String {
    let mut bytes = vec![0; text.decoded_len()];
    let string = text
        .unescape(&mut bytes)
        .expect("the decoded length is enough");
    let string = String::from_utf8(string.to_vec()).expect("what was checked is UTF-8");
    assert!(text.eq_str(&string));
    string
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what was checked is UTF-8")
}

fn scan(text: &[u8]) -> Result<Vec<(String, Json)>, Error> {
    let mut object = Object::new(text)?;
    let mut members = Vec::new();
    while let Some((key, value)) = object.next()? {
        let value = match value {
            Value::Text(text) => Json::Text(decoded(text)),
            Value::Number(n) => {
                let [integer, fraction, text] = [n.integer(), n.fraction(), n.text()].map(string);
                Json::Number(n.negative(), integer, fraction, text)
            }
            Value::Bool(value) => Json::Bool(value),
            Value::Null => Json::Null,
            Value::Nested(bytes) => Json::Nested(string(bytes)),
        };
        members.push((decoded(key), value));
    }
    assert!(matches!(object.next(), Ok(None)));
    Ok(members)
}

/// Compares with the reference, checks what holds for every error, and returns whether it is one.
fn accepts(text: &[u8]) -> bool {
    let scanned = scan(text);
    let shown = String::from_utf8_lossy(text);
    assert_eq!(
        scanned.as_ref().ok(),
        reference::object(text).as_ref(),
        "{shown}"
    );
    if let Err(Error { at, kind }) = scanned {
        assert!(at <= text.len(), "{shown}");
        assert_eq!(at == text.len(), kind == Kind::Early, "{shown}");
    }
    scanned.is_ok()
}

#[test]
fn what_the_grammar_allows_is_accepted() {
    for value in VALUES {
        assert!(accepts(format!("{{\"a\":{value}}}").as_bytes()), "{value}");
        assert!(
            accepts(format!(" {{ \"a\" : {value} , \"b\" : {value} }} ").as_bytes()),
            "{value}"
        );
        assert!(
            accepts(format!("{{\"a\":[{value},{{\"b\":{value}}}]}}").as_bytes()),
            "{value}"
        );
    }
    for object in OBJECTS {
        assert!(accepts(object.as_bytes()), "{object}");
    }
}

#[test]
fn what_the_grammar_does_not_allow_is_refused() {
    for value in NO_VALUES {
        let shown = String::from_utf8_lossy(value);
        for [before, after] in [
            ["{\"a\":", "}"],
            ["{\"a\":[1,", "],\"b\":1}"],
            ["{\"a\":", ",\"b\":1}"],
        ] {
            let text = [before.as_bytes(), value, after.as_bytes()].concat();
            assert!(!accepts(&text), "{shown}");
        }
    }
    for object in NO_OBJECTS {
        assert!(!accepts(object), "{}", String::from_utf8_lossy(object));
    }
}

#[test]
fn every_beginning_of_a_valid_text_ends_too_soon() {
    let values = VALUES
        .iter()
        .map(|value| format!("{{\"a\":{value},\"b\":[{value}]}}"));
    for text in values.chain(OBJECTS.iter().map(|object| String::from(object.trim_end()))) {
        for end in 0..text.len() {
            let error = scan(&text.as_bytes()[..end]).expect_err(&text);
            assert_eq!(
                error,
                Error {
                    at: end,
                    kind: Kind::Early
                },
                "{text}"
            );
            assert!(!accepts(&text.as_bytes()[..end]));
        }
    }
}

#[test]
fn an_error_names_the_place_and_stays() {
    let cases: &[(&[u8], usize, Kind)] = &[
        (b"", 0, Kind::Early),
        (b" []", 1, Kind::Object),
        (b"{a:1}", 1, Kind::Key),
        (b"{\"a\":1,}", 7, Kind::Key),
        (b"{\"a\" 1}", 5, Kind::Colon),
        (b"{\"a\":}", 5, Kind::Value),
        (b"{\"a\":tree}", 5, Kind::Value),
        (b"{\"a\":1 \"b\"", 7, Kind::Comma),
        (b"{\"a\":[1;", 7, Kind::Comma),
        (b"{\"a\":[1}", 7, Kind::Comma),
        (b"{\"a\":\"x\n\"", 7, Kind::Control),
        (b"{\"a\":\"x\\y\"", 7, Kind::Escape),
        (b"{\"a\":\"x\\ud800y\"", 7, Kind::Surrogate),
        (b"{\"a\":\"x\xc3\xa9\xff\"", 9, Kind::Utf8),
        (b"{\"a\":-012}", 7, Kind::Number),
        (b"{\"a\":1.x", 7, Kind::Number),
        (b"{\"a\":1.", 7, Kind::Early),
        (b"{\"a\":nul", 8, Kind::Early),
        (b"{} x", 3, Kind::Trailing),
    ];
    for &(text, at, kind) in cases {
        let shown = String::from_utf8_lossy(text);
        let expected = Error { at, kind };
        assert_eq!(scan(text), Err(expected), "{shown}");
        let Ok(mut object) = Object::new(text) else {
            continue;
        };
        assert_eq!(object.clone().finish(), Err(expected), "{shown}");
        while let Ok(Some(_)) = object.next() {}
        assert_eq!(object.next().err(), Some(expected), "{shown}");
        assert_eq!(object.next().err(), Some(expected), "{shown}");
    }
}

#[test]
fn members_come_in_their_order_duplicates_and_strangers_too() {
    let text = br#"{"value":1,"x":{"userId":"no"},"userId":"a","value":2,"user\u0049d":"b"}"#;
    let keys: Vec<String> = scan(text)
        .expect("valid")
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, ["value", "x", "userId", "value", "userId"]);
    assert_eq!(Object::new(text).expect("valid").finish(), Ok(()));
}

#[test]
fn the_deepest_nested_value_is_read_and_one_deeper_is_refused() {
    for [open, close] in [["[", "]"], ["{\"a\":", "}"]] {
        let deep = |levels: usize| {
            let (open, close) = (open.repeat(levels), close.repeat(levels));
            format!("{{\"a\":{open}1{close}}}")
        };
        let most = DEPTH_MAX as usize;
        assert!(accepts(deep(most).as_bytes()));
        assert!(!accepts(deep(most + 1).as_bytes()));
        let at = 5 + open.len() * most;
        for levels in [most + 1, 100_000] {
            let error = scan(deep(levels).as_bytes()).expect_err("too deep");
            assert_eq!(
                error,
                Error {
                    at,
                    kind: Kind::Depth
                }
            );
        }
    }
    // The bound is on what is open at once, not on how much there is.
    let wide = format!("{{\"a\":[{}[]]}}", "[[]],".repeat(1000));
    assert!(accepts(wide.as_bytes()));
}

#[test]
fn every_byte_is_judged_alike_at_every_place_of_a_string() {
    // Places 0 to 16 lie in the first, the second and no whole block of eight.
    for len in 1..=17 {
        for place in 0..len {
            for byte in 0..=u8::MAX {
                let mut text = vec![b'x'; len];
                text[place] = byte;
                let text = [b"{\"", &text[..], b"\":1}"].concat();
                let plain = matches!(byte, 0x20..=0x7F) && byte != b'"' && byte != b'\\';
                assert_eq!(accepts(&text), plain, "{byte:#x} at {place} of {len}");
            }
        }
    }
}

#[test]
fn every_two_and_three_bytes_are_utf8_or_refused() {
    let mut text = *b"{\"a\":\"xxx\"}";
    for first in 0x80..=u8::MAX {
        for second in 0x70..=u8::MAX {
            for third in [b'x', 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] {
                text[6..9].copy_from_slice(&[first, second, third]);
                let valid = core::str::from_utf8(&text).is_ok();
                assert_eq!(scan(&text).is_ok(), valid, "{text:x?}");
            }
        }
    }
}

/// Pieces that texts are thrown together from, so that many come near to JSON.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"\"a\"",
    b"\"userId\"",
    b"\"a\":",
    b"{\"a\":",
    b" ",
    b"\n",
    b"0",
    b"-",
    b"1",
    b".5",
    b"e",
    b"E+",
    b"12.5e-3",
    b"true",
    b"false",
    b"null",
    b"\\",
    b"\\n",
    b"\\u0041",
    b"\\ud83d",
    b"\\ude00",
    b"\xc3\xa9",
    b"\xe8\xaa\x9e",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\xc3",
    b"\0",
    b"abcdefgh",
    b"[]",
    b"{}",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(TOKENS), 0..24).prop_map(|tokens| tokens.concat())
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,25})?"
}

/// What the writer is told to write.
#[derive(Debug, Clone)]
enum Told {
    Text(String),
    U64(u64),
    I64(i64),
    Number(String),
    Bool(bool),
    Null,
    Array(Vec<Told>),
    Object(Vec<(String, Told)>),
}

fn told() -> impl Strategy<Value = Told> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Told::Text),
        "[a-z\"\\\\\\x00-\\x1f]{0,20}".prop_map(Told::Text),
        any::<u64>().prop_map(Told::U64),
        any::<i64>().prop_map(Told::I64),
        number().prop_map(Told::Number),
        any::<bool>().prop_map(Told::Bool),
        Just(Told::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Told::Array),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(Told::Object),
        ]
    })
}

fn members() -> impl Strategy<Value = Vec<(String, Told)>> {
    prop::collection::vec((any::<String>(), told()), 0..6)
}

fn write(writer: &mut Writer<'_>, told: &Told) {
    match told {
        Told::Text(text) => writer.string(text),
        Told::U64(number) => writer.u64(*number),
        Told::I64(number) => writer.i64(*number),
        Told::Number(text) => writer.number(text.as_bytes()),
        Told::Bool(value) => writer.bool(*value),
        Told::Null => writer.null(),
        Told::Array(elements) => {
            writer.begin_array();
            elements.iter().for_each(|element| write(writer, element));
            writer.end_array()
        }
        Told::Object(members) => {
            writer.begin_object();
            members
                .iter()
                .for_each(|(key, value)| write(writer.key(key), value));
            writer.end_object()
        }
    };
}

fn text_of(told: &Told) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut writer = Writer::new(&mut bytes);
    write(&mut writer, told);
    writer.finish().expect("64 KiB are enough").to_vec()
}

fn json_of(told: &Told) -> Json {
    let number = |text: String| {
        let n = Number::new(text.as_bytes()).expect("a number");
        Json::Number(
            n.negative(),
            string(n.integer()),
            string(n.fraction()),
            text.clone(),
        )
    };
    match told {
        Told::Text(text) => Json::Text(text.clone()),
        Told::U64(value) => number(format!("{value}")),
        Told::I64(value) => number(format!("{value}")),
        Told::Number(text) => number(text.clone()),
        Told::Bool(value) => Json::Bool(*value),
        Told::Null => Json::Null,
        Told::Array(_) | Told::Object(_) => Json::Nested(string(&text_of(told))),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(members in members()) {
        let text = text_of(&Told::Object(members.clone()));
        let expected: Vec<_> =
            members.iter().map(|(key, told)| (key.clone(), json_of(told))).collect();
        prop_assert_eq!(scan(&text), Ok(expected));
        prop_assert!(accepts(&text));
    }

    #[test]
    fn a_valid_text_with_some_bytes_changed_is_judged_as_the_reference_does(
        members in members(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), soup(), 0usize..3), 1..3),
    ) {
        let mut text = text_of(&Told::Object(members));
        for (place, tokens, removed) in changes {
            let from = place.index(text.len() + 1);
            let to = text.len().min(from + removed);
            text.splice(from..to, tokens.into_iter().take(4));
        }
        accepts(&text);
    }

    #[test]
    fn token_soup_is_judged_as_the_reference_does(tokens in soup()) {
        accepts(&tokens);
        accepts(&[b"{\"a\":", &tokens[..], b"}"].concat());
        accepts(&[b"{\"a\":\"", &tokens[..], b"\"}"].concat());
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_the_reference_does(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        accepts(&bytes);
        accepts(&[b"{\"a\":\"", &bytes[..], b"\"}"].concat());
    }

    #[test]
    fn a_string_means_the_same_however_it_is_escaped(
        chars in prop::collection::vec((any::<char>(), any::<bool>()), 0..20),
    ) {
        let plain: String = chars.iter().map(|(char, _)| *char).collect();
        let mut written = String::new();
        for &(char, escape) in &chars {
            if escape || char < ' ' || char == '"' || char == '\\' {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    written += &format!("\\u{unit:04X}");
                }
            } else {
                written.push(char);
            }
        }
        let text = format!("{{\"{written}\":null}}");
        prop_assert_eq!(scan(text.as_bytes()), Ok(vec![(plain, Json::Null)]));
    }
}
