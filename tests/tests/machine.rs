//! What the machine does between two steps of a handler, without a server.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Bodies, Connection, Site, Step};
use barewire_core::limits::Limits;
use barewire_core::wire::Status;

/// Takes what is sent; the connection has to want that.
fn sent(
    connection: &mut Connection,
    site: &Site<'_>,
    rx: &mut RecvBuffer,
    tx: &mut SendBuffer,
) -> String {
    let Step::Write(bytes) = connection.step(site, rx, tx) else {
        panic!("nothing is sent");
    };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    tx.sent(text.len());
    text
}

fn receive(rx: &mut RecvBuffer, bytes: &[u8]) {
    rx.space()[..bytes.len()].copy_from_slice(bytes);
    rx.filled(bytes.len());
}

#[test]
fn a_request_that_a_drain_overtakes_is_answered_with_close() {
    let limits = Limits::DEFAULT;
    for streamed in [false, true] {
        let (mut rx, mut tx) = (
            RecvBuffer::<[u8; 1024]>::new(),
            SendBuffer::<[u8; 1024]>::new(),
        );
        let mut connection = Connection::new();
        let mut site = Site {
            bodies: if streamed {
                Bodies::Ask
            } else {
                Bodies::Gather(100)
            },
            ..Site::new(&limits)
        };
        receive(
            &mut rx,
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab",
        );
        if let Step::Head(fork) = connection.step(&site, &mut rx, &mut tx) {
            let _ = fork.gather(100);
        }
        assert!(matches!(
            connection.step(&site, &mut rx, &mut tx),
            Step::Read(_)
        ));
        // The head was read in peace.
        site.draining = true;
        receive(&mut rx, b"cd");
        let Step::Request(exchange) = connection.step(&site, &mut rx, &mut tx) else {
            panic!("the body is complete");
        };
        assert_eq!(exchange.body, b"abcd");
        if streamed {
            let writer = exchange.reply.status(Status::OK).stream(Some(0)).unwrap();
            let _ = writer.finish();
        } else {
            let _ = exchange.reply.status(Status::OK).body(b"").unwrap();
        }
        let answer = sent(&mut connection, &site, &mut rx, &mut tx);
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn a_status_without_content_has_neither_body_nor_length() {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 1024]>::new(),
        SendBuffer::<[u8; 1024]>::new(),
    );
    let mut connection = Connection::new();
    for way in 0..4 {
        receive(&mut rx, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let Step::Request(exchange) = connection.step(&site, &mut rx, &mut tx) else {
            panic!("the request is complete");
        };
        let head = exchange.reply.status(Status::NO_CONTENT);
        let _ = match way {
            0 => head.body(b"x").unwrap(),
            1 => head.body_with(|out| out.write_str("xyz")).unwrap(),
            2 => head.stream(Some(0)).unwrap().finish(),
            _ => head.stream(None).unwrap().finish(),
        };
        let answer = sent(&mut connection, &site, &mut rx, &mut tx);
        assert_eq!(answer, "HTTP/1.1 204 No Content\r\n\r\n", "way {way}");
    }
}
