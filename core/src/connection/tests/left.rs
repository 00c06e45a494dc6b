//! What lies behind the bytes received, in a buffer that others had before, is looked at in
//! vectors and must not be believed.

use super::*;

/// What an earlier connection may have left just there: it would go on with a head, or end it.
const LEFT: [&[u8]; 6] = [
    b"?query HTTP/1.1\r\nHost: b\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"%41?%42 HTTP/1.1\r\nHost: b\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b" HTTP/1.1\r\nContent-Length: 5\r\nHost: b\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"\r\nContent-Length: 5\r\nHost: b\r\nConnection: close\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    &[0xff; 80],
];

/// What a handler sees of `input`, which comes in two pieces, with `left` behind the first.
fn seen(input: &[u8], cut: usize, left: &[u8]) -> Vec<String> {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 1024]>::new(),
        SendBuffer::<[u8; 1024]>::new(),
    );
    let mut connection = Connection::new();
    let (first, second) = input.split_at(cut);
    let mut pieces = [first, second].into_iter();
    let mut seen = vec![];
    loop {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                let Some(piece) = pieces.next() else {
                    return seen;
                };
                let (front, behind) = space.split_at_mut(piece.len());
                front.copy_from_slice(piece);
                let known = behind.len().min(left.len());
                behind[..known].copy_from_slice(&left[..known]);
                rx.filled(piece.len());
            }
            Step::Write(bytes) => {
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(Exchange {
                head, body, reply, ..
            }) => {
                let texts = [head.target(), head.path(), head.query().unwrap_or(b"none")];
                let texts = texts.map(|text| text.escape_ascii());
                let [target, path, query] = texts.map(|text| format!("{text}"));
                let (fields, framing) = (head.fields(), head.framing());
                seen.push(format!("{target} {path} {query} {fields:?} {framing:?}"));
                seen.push(format!("{}", body.escape_ascii()));
                let _ = reply.bare(Status::OK);
            }
            Step::Close => {
                seen.push(format!("{:?}", connection.fault()));
                return seen;
            }
            _ => {}
        }
    }
}

#[test]
fn what_an_earlier_connection_left_in_the_buffer_is_not_believed() {
    let inputs: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a/b?c=d HTTP/1.1\r\nHost: a:80\r\nAccept: text/html\r\n\r\n\
          GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /a/path/that/is/longer/than/a/vector/of/bytes HTTP/1.1\r\nHost: www.a.b\r\n\r\n",
    ];
    for input in inputs {
        let fresh = seen(input, input.len(), b"");
        assert!(fresh.len() >= 2, "a request is seen");
        for cut in 1..input.len() {
            for left in LEFT {
                let (at, behind) = (input[..cut].escape_ascii(), left.escape_ascii());
                assert_eq!(seen(input, cut, left), fresh, "{at} before {behind}");
            }
        }
    }
}
