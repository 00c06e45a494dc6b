//! Request targets and hosts: their parts lie inside of them, and both grammars agree.

use barewire_core::wire::{Form, HostKind, Method, Target, percent, validate_host};

use super::class::kebab;

/// The bytes are a request target; and a host; and something percent-encoded.
pub fn target_host(data: &[u8]) {
    for method in [Method::Get, Method::Options, Method::Connect, Method::Other] {
        if let Ok(target) = Target::parse(method, data) {
            parts(&target, data);
        }
    }
    hosts(data);
    decoding(data);
}

/// The form of a target, and the kind of host that the same bytes are.
pub(crate) fn class(data: &[u8]) -> String {
    let read = |method| Target::parse(method, data);
    let methods = [Method::Options, Method::Connect, Method::Get];
    // With the last one the asterisk and the authority are none, and its fault stands for all.
    let form = match methods.map(read) {
        [.., Ok(target)] | [Ok(target), ..] | [_, Ok(target), _] => kebab(target.form()),
        [.., Err(fault)] => format!("fault-{}", kebab(fault)),
    };
    match validate_host(data) {
        Ok(host) => format!("{form}-host-{}", kebab(host.kind())),
        Err(_) => format!("{form}-no-host"),
    }
}

fn parts(target: &Target, bytes: &[u8]) {
    let path = target.path(bytes);
    let query = target.query(bytes);
    let authority = target.authority(bytes);
    let mut again = Vec::new();
    match target.form() {
        Form::Origin => assert!(path.starts_with(b"/") && authority.is_none()),
        Form::Absolute => {
            let scheme = bytes
                .iter()
                .position(|byte| *byte == b':')
                .expect("a scheme");
            again.extend_from_slice(&bytes[..scheme]);
            again.extend_from_slice(b"://");
            again.extend_from_slice(authority.expect("a host"));
        }
        Form::Authority => {
            assert_eq!((authority, path, query), (Some(bytes), &b""[..], None));
            return;
        }
        Form::Asterisk => {
            assert_eq!((bytes, path), (&b"*"[..], &b"*"[..]));
            return;
        }
    }
    // The parts make up the whole again, but for a path that stands for nothing.
    let stands_for_nothing = !bytes[again.len()..].starts_with(b"/");
    if !stands_for_nothing {
        again.extend_from_slice(path);
    } else {
        assert!(path == b"/" || path == b"*", "{path:?}");
    }
    if let Some(query) = query {
        again.push(b'?');
        again.extend_from_slice(query);
    }
    assert_eq!(again, bytes);
    if let Some(authority) = authority {
        let host = validate_host(authority).expect("an authority is a host");
        assert_ne!(host.kind(), HostKind::Empty);
    }
}

/// `Host: x` and `http://x/` take the same hosts, but for the empty one.
fn hosts(data: &[u8]) {
    let valid = match validate_host(data) {
        Ok(host) => {
            assert!(data.starts_with(host.name(data)), "the name comes first");
            host.kind() != HostKind::Empty
        }
        Err(_) => false,
    };
    if data.iter().any(|byte| b"/?#".contains(byte)) {
        assert!(!valid, "the authority ends here");
        return;
    }
    let uri = [b"http://", data, b"/"].concat();
    if uri.len() <= 60_000 {
        assert_eq!(Target::parse(Method::Get, &uri).is_ok(), valid);
    }
}

/// Decoding agrees with a decoder that is written for clarity.
fn decoding(data: &[u8]) {
    let mut expected = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let digits = data
            .get(at + 1..at + 3)
            .and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if data[at] == b'%' => {
                expected.push(byte);
                at += 3;
            }
            _ => {
                expected.push(data[at]);
                at += 1;
            }
        }
    }
    let mut room = vec![0; data.len()];
    let len = percent::decode_into(data, &mut room).expect("there is room");
    assert_eq!(&room[..len], expected);
    assert!(percent::eq_decoded(data, &expected));
}
