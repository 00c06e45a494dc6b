//! What the types of core say of themselves: to a log, to a person, and before anything happened.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Connection, Deadline, Site, Step};
use barewire_core::driver::Address;
use barewire_core::json::{Kind, Object};
use barewire_core::limits::Limits;
use barewire_core::router::{Lookup, PARAMS_MAX, Router, SEGMENTS_MAX, Verb, Verbs};
use barewire_core::stats::Capacity;
use barewire_core::wheel::{Entry, Wheel};
use barewire_core::wire::{ChunkDecoder, HeadState, Method, Status, percent};

const GET: &[u8] = b"GET /secret HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: b , C\r\n\r\n";

fn receive(rx: &mut RecvBuffer, bytes: &[u8]) {
    rx.space()[..bytes.len()].copy_from_slice(bytes);
    rx.filled(bytes.len());
}

/// Logs are read by more people than requests are.
#[test]
fn buffers_show_how_full_they_are_and_no_byte_of_a_peer() {
    let limits = Limits::DEFAULT;
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 512]>::new(),
        SendBuffer::<[u8; 512]>::new(),
    );
    receive(&mut rx, GET);
    let shown = format!("{:?}", &rx as &RecvBuffer);
    assert!(
        shown.starts_with("RecvBuffer {") && shown.contains("end: 49"),
        "{shown}"
    );
    let mut connection = Connection::new();
    let site = Site::new(&limits);
    let Step::Request(exchange) = connection.step(&site, &mut rx, &mut tx) else {
        panic!("a request");
    };
    let shown = format!("{:?}", exchange.reply);
    assert_eq!(shown, "Reply { limit: 512 }");
    let done = exchange.reply.status(Status::OK).body(b"secret");
    assert!(done.is_ok());
    let shown = format!("{:?}", &tx as &SendBuffer);
    assert!(
        shown.starts_with("SendBuffer {") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn a_wheel_shows_how_many_timers_run() {
    let mut entries = [Entry::EMPTY; 3];
    let mut wheel = Wheel::new(&mut entries, 100);
    wheel.arm(1, 5000);
    let shown = format!("{wheel:?}");
    assert!(
        shown.contains("timers: 3, armed: 1") && shown.contains("tick_ms: 100"),
        "{shown}"
    );
}

#[test]
fn an_address_comes_back_as_it_was() {
    for text in [
        "127.0.0.1:80",
        "[::1]:8080",
        "[2001:db8::5]:65535",
        "0.0.0.0:0",
    ] {
        let address = text.parse().unwrap();
        assert_eq!(Address::new(address).socket_addr(), address);
    }
    // A peer of one listener for both families: its address is the one that people know.
    let mapped = "[::ffff:192.0.2.7]:443".parse().unwrap();
    let plain = "192.0.2.7:443".parse().unwrap();
    assert_eq!(Address::new(mapped).socket_addr(), plain);
}

#[test]
fn what_is_new_is_what_is_there_by_default() {
    assert_eq!(
        format!("{:?}", Connection::default()),
        format!("{:?}", Connection::new())
    );
    assert_eq!(
        format!("{:?}", Deadline::default()),
        format!("{:?}", Deadline::new())
    );
    assert_eq!(
        format!("{:?}", Limits::default()),
        format!("{:?}", Limits::DEFAULT)
    );
    assert_eq!(
        format!("{:?}", Capacity::default()),
        format!("{:?}", Capacity::DEFAULT)
    );
    assert_eq!(
        format!("{:?}", ChunkDecoder::default()),
        format!("{:?}", ChunkDecoder::new())
    );
    assert_eq!(
        format!("{:?}", HeadState::default()),
        format!("{:?}", HeadState::new())
    );
    let fresh = format!("{:?}", barewire_core::driver::Entry::<u8>::default());
    assert_eq!(
        fresh,
        format!("{:?}", barewire_core::driver::Entry::<u8>::new())
    );
    assert!(
        fresh.starts_with("Entry { open: false, generation: 0, flags: 0b0"),
        "{fresh}"
    );
    let shard = format!("{:?}", barewire_core::stats::Shard::default());
    assert_eq!(shard, format!("{:?}", barewire_core::stats::Shard::new()));
}

#[test]
fn every_fault_of_a_text_has_a_reason_of_its_own() {
    let deep = format!("{{\"a\":{}", "[".repeat(40));
    let texts: [(&[u8], Kind); 13] = [
        (b"{", Kind::Early),
        (b"1", Kind::Object),
        (b"{1", Kind::Key),
        (b"{\"a\"1", Kind::Colon),
        (b"{\"a\":}", Kind::Value),
        (b"{\"a\":1 1", Kind::Comma),
        (b"{\"a\":\"\n", Kind::Control),
        (b"{\"a\":\"\\x", Kind::Escape),
        (b"{\"a\":\"\\udc00\"", Kind::Surrogate),
        (b"{\"a\":\"\xff\"", Kind::Utf8),
        (b"{\"a\":01}", Kind::Number),
        (deep.as_bytes(), Kind::Depth),
        (b"{}1", Kind::Trailing),
    ];
    let mut reasons = Vec::new();
    for (text, kind) in texts {
        let error = (|| {
            let mut object = Object::new(text)?;
            while object.next()?.is_some() {}
            Ok(())
        })();
        let error: barewire_core::json::Error = error.unwrap_err();
        assert_eq!(error.kind, kind, "{}", text.escape_ascii());
        assert!(!reasons.contains(&error.reason()), "{}", error.reason());
        reasons.push(error.reason());
    }
}

/// The first route of a table that is refused, as its builder reads it.
fn refusal(pattern: &'static str) -> String {
    let mut table = Router::<u8, 4>::new();
    table
        .try_route(Verb::Get, pattern, 0)
        .unwrap_err()
        .to_string()
}

#[test]
fn every_refusal_of_a_route_says_what_to_change() {
    for (pattern, reason) in [
        ("/a%41", "write this character without escape"),
        ("/..", "a '.' or '..' segment never matches"),
        ("/{a", "'{' without '}'"),
        ("/{a}{b}", "a segment has one param at most"),
        ("/a{*b}", "'{*rest}' must be a whole segment"),
        ("/{*b}/c", "'{*rest}' must be the last segment"),
    ] {
        let message = refusal(pattern);
        assert!(message.contains(reason), "{message}");
    }
    let many: &'static str = "/a".repeat(SEGMENTS_MAX + 1).leak();
    let message = refusal(many);
    let said = format!("it has too many segments, at most {SEGMENTS_MAX}");
    assert!(message.ends_with(&said), "{message}");
    let params = (0..=PARAMS_MAX).map(|n| format!("/{{p{n}}}"));
    let params: &'static str = params.collect::<String>().leak();
    let said = format!("has more than {PARAMS_MAX} params");
    assert!(refusal(params).ends_with(&said), "{}", refusal(params));
}

#[test]
fn a_table_lists_its_routes_and_their_methods() {
    let empty = Router::<u8, 2>::default();
    assert!(empty.is_empty());
    let table = Router::<u8, 2>::new()
        .with(Verb::Get, "/a", 0)
        .with(Verb::Post, "/{b}", 1);
    assert!(!table.is_empty());
    assert_eq!(format!("{table:?}"), "[(Get, \"/a\"), (Post, \"/{b}\")]");
    for (verb, path, count) in [(Verb::Get, &b"/a"[..], 0), (Verb::Post, b"/x", 1)] {
        let Lookup::Found { params, .. } = table.find(verb, path) else {
            panic!("it is there");
        };
        assert_eq!((params.len(), params.is_empty()), (count, count == 0));
    }
    let (get, post) = (Verbs::NONE.and(Verb::Get), Verbs::NONE.and(Verb::Post));
    let both = get.union(post);
    assert!(both.contains(Verb::Get) && both.contains(Verb::Post) && !both.contains(Verb::Put));
    assert_eq!(both.union(get), both);
}

#[test]
fn the_fields_of_a_head_are_counted_and_searched() {
    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; 8]);
    let len = state.advance(GET, &mut rows, &Limits::DEFAULT);
    assert_eq!(len, Ok(Some(GET.len())));
    let head = state.head(GET, &rows);
    assert_eq!(head.field(b"host"), Some(&b"a"[..]));
    assert_eq!(head.field(b"hos"), None);
    let fields = head.fields();
    assert_eq!((fields.len(), fields.is_empty()), (3, false));
    for (token, is) in [
        (&b"1"[..], true),
        (b"B", true),
        (b"c", true),
        (b"b , C", false),
    ] {
        assert_eq!(
            fields.has_token(b"x", token),
            is,
            "{}",
            token.escape_ascii()
        );
    }
    assert!(!fields.has_token(b"Y", b"1"));
    assert_eq!(Method::Other.as_str(), "");
    let short = percent::decode_into(b"%41%42", &mut [0]).unwrap_err();
    assert_eq!(short.to_string(), "too little room for the decoded bytes");
}

/// A node of the tree counts the lengths of eight pieces; a longer one is measured on the way.
#[test]
fn a_route_of_many_segments_is_found() {
    let table = Router::<u8, 2>::new()
        .with(Verb::Get, "/a/b/c/d/e/f/g/h/i/j/k/l", 0)
        .with(Verb::Get, "/a/b/c/d/e/f/g/h/i/j/k/{x}", 1);
    for (path, expected) in [
        (&b"/a/b/c/d/e/f/g/h/i/j/k/l"[..], 0),
        (b"/a/b/c/d/e/f/g/h/i/j/k/m", 1),
    ] {
        let Lookup::Found { handler, .. } = table.find(Verb::Get, path) else {
            panic!("{} is not found", path.escape_ascii());
        };
        assert_eq!(handler, expected);
    }
    let shorter = table.find(Verb::Get, b"/a/b/c/d/e/f/g/h/i/j");
    assert!(matches!(shorter, Lookup::NotFound), "{shorter:?}");
}
