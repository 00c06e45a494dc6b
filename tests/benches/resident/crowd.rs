//! Connections from many addresses, each brought to the same state. They block, and no event loop
//! knows them: at this end the system keeps a socket for each and nothing else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, sockopt};

/// Connections from one address, as many again as ports rest after a run.
const PER_ADDRESS: u64 = 1_000;
/// Opened between two pauses: half the backlog of 128 that many servers ask for.
const BURST: u64 = 64;
/// The pause, in which a server accepts.
const PAUSE: Duration = Duration::from_millis(1);
/// An answer that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(20);

const WHOLE: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
const HALF: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nAccept: ";

/// What a connection did before it came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Silent,
    /// One request, which was answered.
    Answered,
    /// Half of a request, and the server has read it.
    Half,
}

/// They leave by reset, so that no ports rest behind them.
pub(crate) struct Crowd(Vec<TcpStream>);

impl Crowd {
    pub(crate) fn open(server: SocketAddr, count: u64, manner: Manner) -> Crowd {
        let mut all = Vec::with_capacity(count as usize);
        for at in 0..count {
            let mut stream = connect(server, at);
            match manner {
                Manner::Silent => {}
                Manner::Half => stream.write_all(HALF).expect("a request"),
                Manner::Answered => {
                    stream.write_all(WHOLE).expect("a request");
                    read_answer(&mut stream);
                }
            }
            all.push(stream);
            if at % BURST == BURST - 1 {
                std::thread::sleep(PAUSE);
            }
        }
        Crowd(all)
    }

    /// Connections that the server has ended or spoken to unasked.
    pub(crate) fn lost(&self) -> usize {
        let is_lost = |stream: &&TcpStream| {
            stream.set_nonblocking(true).expect("a socket");
            let error = stream.peek(&mut [0]).err();
            error.is_none_or(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        };
        self.0.iter().filter(is_lost).count()
    }
}

fn connect(server: SocketAddr, at: u64) -> TcpStream {
    // 254 in each network, from 127.1.0.1 on.
    let number = at / PER_ADDRESS;
    let from = Ipv4Addr::new(127, 1, (number / 254) as u8, (number % 254) as u8 + 1);
    let made = || -> std::io::Result<TcpStream> {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
        rustix::net::connect(&socket, &server)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    made().unwrap_or_else(|error| panic!("connection {at} from {from}: {error}"))
}

/// Reads one answer that says its length.
fn read_answer(stream: &mut TcpStream) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let got = stream.read(&mut piece).expect("an answer");
        assert_ne!(got, 0, "closed without an answer");
        bytes.extend_from_slice(&piece[..got]);
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let length = head.split("content-length:").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
        if body.len() >= length.expect("a length") {
            return;
        }
    }
}
