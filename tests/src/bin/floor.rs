//! The floor: the least that a server on epoll can do to have an answer at the client. It parses
//! nothing. It is no server of HTTP, and nothing to use; it is there to be divided by.
//!
//! `floor --request-bytes N --answer TEXT [--port N] [--close]`
//!
//! One thread, edge-triggered epoll, one buffer. Of what comes it knows the length alone: every N
//! bytes are a request, and with N = 0 everything that one `recv` gives is one. It sends the
//! prepared answer as many times as there were requests, in one `send`; `--close` ends the
//! connection behind the first. What the system calls say is checked, nothing of the request is.
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, bind, getsockname,
    listen, recv, send, socket_with, sockopt,
};

/// Bytes of the one buffer: a batch of any scenario, so that one `recv` takes all there is.
const BUFFER_BYTES: usize = 1 << 16;
/// Events of one turn, as many as the connections of most scenarios and more.
const EVENTS: usize = 512;
/// Connections that wait to be accepted: those of any scenario, which come at once.
const BACKLOG: i32 = 4_096;
/// The listener among the events; no descriptor is so large.
const LISTENER: u64 = u64::MAX;

/// A connection: its socket, and the bytes of a request that has not come in full.
struct Peer {
    socket: OwnedFd,
    rest: usize,
}

/// What does not change.
struct Floor {
    epoll: OwnedFd,
    listener: OwnedFd,
    request_bytes: usize,
    /// The answer as often as it fits, so that a batch is one `send`.
    answers: Vec<u8>,
    answer_bytes: usize,
    closes: bool,
}

fn main() -> rustix::io::Result<()> {
    let (mut port, mut request_bytes, mut answer, mut closes) = (0, 0, String::new(), false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} VALUE"));
        match word.as_str() {
            "--port" => port = value().parse().expect("a port"),
            "--request-bytes" => request_bytes = value().parse().expect("bytes"),
            "--answer" => answer = value(),
            "--close" => closes = true,
            other => panic!("{other}: see the head of this file"),
        }
    }
    assert!(!answer.is_empty(), "--answer TEXT");
    let depth = if request_bytes == 0 {
        1
    } else {
        BUFFER_BYTES.div_ceil(request_bytes) + 1
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    // Those that it accepts inherit this.
    sockopt::set_tcp_nodelay(&listener, true)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&listener, BACKLOG)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)?;
    let addr = SocketAddr::try_from(getsockname(&listener)?)?;
    println!("listening http://{addr}\nstop SIGKILL");
    Floor {
        epoll,
        listener,
        request_bytes,
        answer_bytes: answer.len(),
        answers: answer.into_bytes().repeat(depth),
        closes,
    }
    .run()
}

impl Floor {
    fn run(&self) -> rustix::io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER_BYTES];
        // By descriptor.
        let mut peers: Vec<Option<Peer>> = Vec::new();
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept(&mut peers)?,
                    fd => {
                        let peer = &mut peers[fd as usize];
                        if !self.serve(peer.as_mut().expect("a connection"), &mut buffer) {
                            *peer = None;
                        }
                    }
                }
            }
        }
    }

    fn accept(&self, peers: &mut Vec<Option<Peer>>) -> rustix::io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        loop {
            let socket = match accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            };
            let fd = socket.as_raw_fd() as usize;
            let data = epoll::EventData::new_u64(fd as u64);
            epoll::add(&self.epoll, &socket, data, edges)?;
            if peers.len() <= fd {
                peers.resize_with(fd + 1, || None);
            }
            peers[fd] = Some(Peer { socket, rest: 0 });
        }
    }

    /// Answers what has come. Whether the connection goes on.
    fn serve(&self, peer: &mut Peer, buffer: &mut [u8]) -> bool {
        loop {
            let count = match recv(&peer.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return false,
                Ok((_, count)) => count,
                Err(Errno::AGAIN) => return true,
                Err(error) => panic!("recv: {error}"),
            };
            let requests = match self.request_bytes {
                0 => 1,
                bytes => {
                    let all = peer.rest + count;
                    peer.rest = all % bytes;
                    all / bytes
                }
            };
            if requests > 0 {
                let answers = &self.answers[..requests * self.answer_bytes];
                match send(&peer.socket, answers, SendFlags::NOSIGNAL) {
                    Ok(sent) => assert_eq!(sent, answers.len(), "the socket takes a batch"),
                    Err(Errno::CONNRESET | Errno::PIPE) => return false,
                    Err(error) => panic!("send: {error}"),
                }
                if self.closes {
                    return false;
                }
            }
            // Had there been more it would have come too; what comes from now on is a new edge.
            if count < buffer.len() {
                return true;
            }
        }
    }
}
