//! The loop behind httparse decides what we decide, or the difference stands here.

use barewire_peers::{ours, pairs, theirs};

/// Every kind of framing, and what a strict loop has to refuse.
const BOTH_TAKE: [(&str, u64, bool, bool); 14] = [
    // request, bytes of the body, keep-alive, expects
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, true, false),
    ("GET / HTTP/1.0\r\n\r\n", 0, false, false),
    (
        "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        0,
        true,
        false,
    ),
    (
        "GET / HTTP/1.1\r\nHOST: a\r\nconnection: x, CLOSE\r\n\r\n",
        0,
        false,
        false,
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        0,
        true,
        false,
    ),
    (
        "PUT /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        3,
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\ncOnTeNt-LeNgTh: 003\r\n\r\nabc",
        3,
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        0,
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
        1,
        true,
        true,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\
         \r\nA\r\n0123456789\r\n0\r\n\r\n",
        13,
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\na\
         \r\n0\r\nX: y\r\n\r\n",
        1,
        true,
        false,
    ),
    // Names that nearly mean something.
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nContent_Length: 3\r\nTransfer-Encodinh: chunked\r\n\r\n",
        0,
        true,
        false,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nConnectiom: close\r\nContent-LengtH-: 3\r\n\r\n",
        0,
        true,
        false,
    ),
    // Only 1.1 can expect.
    ("PUT / HTTP/1.0\r\nExpect: x\r\n\r\n", 0, false, false),
];

const BOTH_REFUSE: [&str; 24] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: \
     chunked\r\n\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n;\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
];

/// What they take, and the rule by which we do not.
const LOOSER: [(&str, &str); 9] = [
    (
        "GET / HTTP/1.1\nHost: a\n\n",
        "RFC 9112 section 2.2: LF alone",
    ),
    (
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9112 section 3.2: the form",
    ),
    (
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 3986 section 2.1: an escape",
    ),
    (
        "GET /\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 3986 section 3.3: a path",
    ),
    (
        "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9110 section 7.1: a fragment",
    ),
    (
        "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "RFC 9110 section 7.4",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "RFC 9112 section 3.2: a host",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n",
        "RFC 9112 section 3.2: a port",
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n0\r\n\r\n",
        "RFC 9112 section 7.1.1: an extension",
    ),
];

/// What we take and they do not.
const STRICTER: [(&str, &str); 3] = [
    (
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "RFC 9110 section 6.2: as 1.1",
    ),
    // Legal and never seen: no user of httparse takes lists apart for them.
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
        "RFC 9110 section 5.6.1.2: empty elements",
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue,\r\n\r\n",
        "RFC 9110 section 5.6.1.2: empty elements",
    ),
];

#[test]
fn both_take_the_same_requests_and_read_the_same_in_them() {
    for (request, body, keep_alive, expects) in BOTH_TAKE {
        let bytes = request.as_bytes();
        let said = ours::said(bytes).expect(request);
        assert_eq!(theirs::said(bytes).expect(request), said, "{request}");
        assert_eq!(said.taken.len, bytes.len(), "{request}");
        assert_eq!(said.taken.body, body, "{request}");
        assert_eq!(said.taken.keep_alive, keep_alive, "{request}");
        assert_eq!(said.taken.expects, expects, "{request}");
        for len in 0..bytes.len() {
            assert_eq!(ours::said(&bytes[..len]), None, "{len} of {request}");
            assert_eq!(theirs::said(&bytes[..len]), None, "{len} of {request}");
        }
    }
}

#[test]
fn both_refuse_what_two_parsers_could_read_differently() {
    for request in BOTH_REFUSE {
        assert_eq!(ours::said(request.as_bytes()), None, "{request}");
        assert_eq!(theirs::said(request.as_bytes()), None, "{request}");
    }
}

#[test]
fn each_takes_what_the_list_says_and_the_other_does_not() {
    for (request, rule) in LOOSER {
        assert_eq!(ours::said(request.as_bytes()), None, "{request} {rule}");
        assert!(
            theirs::said(request.as_bytes()).is_some(),
            "{request} {rule}"
        );
    }
    for (request, rule) in STRICTER {
        assert_eq!(theirs::said(request.as_bytes()), None, "{request} {rule}");
        assert!(ours::said(request.as_bytes()).is_some(), "{request} {rule}");
    }
}

/// What `run` measures is checked when it is put together.
#[test]
fn every_pair_gives_one_answer() {
    let mut pairs = pairs::all();
    assert_eq!(pairs.len(), 24);
    for pair in &mut pairs {
        (pair.ours)(2);
        (pair.theirs)(2);
    }
}
