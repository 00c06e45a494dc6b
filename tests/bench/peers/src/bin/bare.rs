//! tokio on one thread and httparse, in a loop by hand: what one writes who needs no server. It
//! knows length and close and nothing else of what a server has to know.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use barewire_bench_peers::{
    APPLICATION_JSON, JSON, OCTETS, PLAINTEXT, TEXT, announce, event, reset, stats,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let (mut input, mut output) = (Vec::with_capacity(16 << 10), Vec::new());
    let mut date = Date::default();
    loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        date.renew();
        let (mut start, mut closes) = (0, false);
        while let Some((length, close)) = answer(&input[start..], &mut output, &date.text)? {
            start += length;
            closes |= close;
        }
        input.drain(..start);
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
        if closes {
            return Ok(());
        }
    }
}

/// Answers the first request if it is there. Its length, and whether it is the last.
fn answer(bytes: &[u8], output: &mut Vec<u8>, date: &str) -> io::Result<Option<(usize, bool)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = status else {
        return Ok(None);
    };
    let (mut length, mut close) = (0, false);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let number = std::str::from_utf8(header.value).map_err(io::Error::other)?;
            length = number.parse().map_err(io::Error::other)?;
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let Some(body) = bytes.get(head..head + length) else {
        return Ok(None);
    };
    let method = request.method.unwrap_or_default();
    let path = request.path.unwrap_or_default();
    let text;
    let (status, kind, answer): (&str, &str, &[u8]) = match (method, path) {
        ("GET", "/plaintext") => ("200 OK", TEXT, PLAINTEXT.as_bytes()),
        ("GET", "/json") => ("200 OK", APPLICATION_JSON, JSON.as_bytes()),
        ("POST", "/echo") => ("200 OK", OCTETS, body),
        ("POST", "/event") if event(body) => ("200 OK", TEXT, b""),
        ("POST", "/event") => ("400 Bad Request", TEXT, b""),
        ("GET", "/stats") => {
            text = stats();
            ("200 OK", APPLICATION_JSON, text.as_bytes())
        }
        ("POST", "/reset") => {
            reset();
            ("200 OK", TEXT, b"")
        }
        _ => ("404 Not Found", TEXT, b""),
    };
    for part in [
        "HTTP/1.1 ",
        status,
        "\r\nDate: ",
        date,
        "\r\nContent-Type: ",
        kind,
    ] {
        output.extend_from_slice(part.as_bytes());
    }
    let mut digits = itoa::Buffer::new();
    output.extend_from_slice(b"\r\nContent-Length: ");
    output.extend_from_slice(digits.format(answer.len()).as_bytes());
    output.extend_from_slice(b"\r\n\r\n");
    output.extend_from_slice(answer);
    Ok(Some((head + length, close)))
}

/// The date, written anew when the second is another.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

impl Date {
    fn renew(&mut self) {
        let now = SystemTime::now();
        let second = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
    }
}
