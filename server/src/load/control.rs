//! One question at a time over a blocking connection: health, reset, statistics.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::answer::{Answers, BadAnswer, Step};
use super::plan::Target;

/// Answers to these questions are under 200 bytes; this only bounds a server gone wild.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Asks, over one kept connection, reconnecting when the server has closed it.
pub(crate) struct Control<'t> {
    target: &'t Target,
    timeout: Duration,
    stream: Option<TcpStream>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum ControlError {
    Connect(io::Error),
    Io(io::Error),
    Bad(BadAnswer),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> ControlError {
        ControlError::Io(error)
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::Connect(error) => write!(f, "cannot connect: {}", plain(error)),
            ControlError::Io(error) => write!(f, "{}", plain(error)),
            ControlError::Bad(bad) => write!(f, "malformed answer: {bad}"),
        }
    }
}

/// What an error of the system says, without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed without an answer".to_owned(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}

impl<'t> Control<'t> {
    pub(crate) fn new(target: &'t Target, timeout: Duration) -> Control<'t> {
        Control {
            target,
            timeout,
            stream: None,
        }
    }

    /// Sends `method path` without a body, gives the status and the body of the answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Result<(u16, Vec<u8>), ControlError> {
        let length = if method == "GET" {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let Target {
            authority, base, ..
        } = self.target;
        let request =
            format!("{method} {base}{path} HTTP/1.1\r\nHost: {authority}\r\n{length}\r\n");
        if let Some(stream) = self.stream.take() {
            // A server may close an idle connection at any time: then ask once more on a new one.
            match self.exchange(stream, request.as_bytes()) {
                Err(ControlError::Io(error)) if is_closed(&error) => {}
                other => return other,
            }
        }
        let stream = connect(self.target, self.timeout).map_err(ControlError::Connect)?;
        self.exchange(stream, request.as_bytes())
    }

    fn exchange(
        &mut self,
        mut stream: TcpStream,
        request: &[u8],
    ) -> Result<(u16, Vec<u8>), ControlError> {
        stream.write_all(request)?;
        let deadline = Instant::now() + self.timeout;
        let (mut answers, mut held, mut body) = (Answers::default(), Vec::new(), Vec::new());
        let mut buffer = [0; 4096];
        loop {
            let got = match stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            held.extend_from_slice(&buffer[..got]);
            loop {
                let (used, step) = answers.next(&held).map_err(ControlError::Bad)?;
                let more = step == Step::More;
                match step {
                    Step::More => {}
                    Step::Body(bytes) => body.extend_from_slice(bytes),
                    Step::Done(_) if used < held.len() => {
                        return Err(ControlError::Bad(BadAnswer("bytes after the answer")));
                    }
                    Step::Done(answer) => {
                        self.stream = Some(stream).filter(|_| !answer.close);
                        return Ok((answer.status, body));
                    }
                }
                held.drain(..used);
                if body.len() > BODY_BYTES_MAX {
                    return Err(ControlError::Bad(BadAnswer("the body does not end")));
                }
                if more {
                    break;
                }
            }
            if got == 0 {
                return match answers.end(held.len()).map_err(ControlError::Bad)? {
                    Some(answer) => Ok((answer.status, body)),
                    None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
            if Instant::now() > deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// A blocking connection to the first of the target's addresses that takes one.
pub(crate) fn connect(target: &Target, timeout: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in &target.addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
