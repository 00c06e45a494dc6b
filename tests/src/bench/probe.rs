//! The first question to a server: its answer is read and judged in full, however it spells its
//! field names. (The client of the conformance tests knows ours, and takes no other spelling.)

use std::io::Read;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::Answer;

/// How long an answer may take: a measurement that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an answer at most, a multiple of what any scenario's has: more is an error.
const ANSWER_BYTES_MAX: usize = 1 << 16;

/// Asks on a new connection, which comes back open.
///
/// # Panics
/// If no answer with a length comes.
pub(crate) fn ask(server: SocketAddr, request: &[u8]) -> (TcpStream, Answer) {
    let mut socket = TcpStream::connect_timeout(&server, PATIENCE).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("an option");
    socket.write_all(request).expect("the server takes bytes");
    let (mut bytes, mut piece) = (Vec::new(), [0; 1 << 13]);
    loop {
        let text = || bytes.escape_ascii();
        let count = socket.read(&mut piece);
        let count = count.unwrap_or_else(|error| panic!("{server}: {error}: {}", text()));
        assert!(
            count > 0 && bytes.len() < ANSWER_BYTES_MAX,
            "{server}: {}",
            text()
        );
        bytes.extend_from_slice(&piece[..count]);
        if let Some(answer) = whole(&bytes) {
            return (socket, answer);
        }
    }
}

/// The answer, if it is there and nothing is behind it.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let body = bytes[end..].to_vec();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    })?;
    (body.len() == length).then(|| Answer {
        status,
        head: head.to_owned(),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        for name in ["Content-Length", "content-length"] {
            let text = format!("HTTP/1.1 404 Not Found\r\nA: b\r\n{name}: 4\r\n\r\npong");
            for length in 0..text.len() {
                assert_eq!(whole(&text.as_bytes()[..length]), None, "{length}");
            }
            let answer = whole(text.as_bytes()).unwrap();
            assert_eq!((answer.status, answer.body), (404, b"pong".to_vec()));
            assert!(answer.head.ends_with("\r\n\r\n"));
            assert_eq!(whole(format!("{text}x").as_bytes()), None);
        }
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
