//! A plain client over a socket: it asks, and waits for each answer. It trusts the server's
//! framing, which the conformance vectors judge, and panics on anything that it does not expect.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a client waits for anything: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub struct Client {
    /// For what goes beyond requests and answers.
    pub socket: TcpStream,
    reader: BufReader<TcpStream>,
}

/// A final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and field lines as they came.
    pub head: String,
    /// The body, decoded.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether a field line is there, written so.
    pub fn has(&self, line: &str) -> bool {
        self.head.lines().any(|other| other == line)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request with a body of known length; none for GET.
pub fn request(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    if method != "GET" {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// `POST /event`.
pub fn event(user: &str, value: &str) -> Vec<u8> {
    let body = format!(r#"{{"userId":"{user}","value":{value}}}"#);
    request("POST", "/event", body.as_bytes())
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// If that fails.
    pub fn new(addr: SocketAddr) -> Client {
        Client::try_new(addr).expect("a connection")
    }

    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_new(addr: SocketAddr) -> io::Result<Client> {
        let socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let reader = BufReader::with_capacity(1 << 16, socket.try_clone()?);
        Ok(Client { socket, reader })
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// If the server does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket
            .write_all(bytes)
            .expect("the server takes bytes");
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Waits for a final response to anything but HEAD.
    ///
    /// # Panics
    /// If none comes.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer")
    }

    /// Waits for a final response to anything but HEAD.
    ///
    /// # Errors
    /// If the connection ends before, or is silent for too long.
    pub fn try_answer(&mut self) -> io::Result<Answer> {
        let (status, head) = self.head()?;
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let mut body = Vec::new();
        if let Some(length) = field("Content-Length:") {
            body.resize(length.parse().expect("a length"), 0);
            self.reader.read_exact(&mut body)?;
        } else if field("Transfer-Encoding:").is_some() {
            while self.chunk(&mut body)? > 0 {}
        }
        Ok(Answer { status, head, body })
    }

    /// Waits for the head of a final response.
    ///
    /// # Errors
    /// As [`try_answer`](Self::try_answer).
    pub fn head(&mut self) -> io::Result<(u16, String)> {
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if self.reader.read_line(&mut head)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let status = head.get(9..12).and_then(|code| code.parse().ok());
            match status.expect("a status line") {
                100..200 => {}
                status => return Ok((status, head)),
            }
        }
    }

    /// Reads one chunk to the end of `body` and tells its length; 0: it was the last one, and there
    /// were no trailers.
    ///
    /// # Errors
    /// As [`try_answer`](Self::try_answer).
    pub fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<usize> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim_end(), 16).expect("a chunk");
        let start = body.len();
        body.resize(start + length, 0);
        self.reader.read_exact(&mut body[start..])?;
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        assert_eq!(&end, b"\r\n");
        Ok(length)
    }

    /// Reads exactly so many bytes of a body.
    ///
    /// # Errors
    /// As [`try_answer`](Self::try_answer).
    pub fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(into)
    }

    /// Waits for the end of the connection; in order (true) or by a reset.
    ///
    /// # Panics
    /// If something else comes, or nothing.
    pub fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => {
                assert!(rest.is_empty(), "{}", rest.escape_ascii());
                true
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("the connection does not end: {error}"),
        }
    }
}
