//! Thousands of connections in one thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::answers::Answers;

/// Bytes that are read or written with one call, by one thread for thousands of peers.
const PIECE_BYTES: usize = 1 << 16;
/// Pieces of that size that one peer gets in a turn: others wait meanwhile.
const PIECES_MAX: usize = 16;

/// How a peer behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Its address, one of 127.0.0.0/8.
    pub from: Ipv4Addr,
    /// Its receive buffer in the system, if not the usual one.
    pub recv_bytes: Option<usize>,
    /// Its send buffer in the system, if not the usual one.
    pub send_bytes: Option<usize>,
    /// Whether it takes what it is sent.
    pub reads: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            from: Ipv4Addr::LOCALHOST,
            recv_bytes: None,
            send_bytes: None,
            reads: true,
        }
    }
}

impl Manner {
    /// A peer at one of 250 addresses, `127.0.net.(at % 250 + 1)`: to each of them belong 28,000
    /// ports.
    pub fn at(net: u8, at: usize) -> Manner {
        Manner {
            from: Ipv4Addr::new(127, 0, net, (at % 250) as u8 + 1),
            ..Manner::default()
        }
    }
}

/// How a peer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// In good order.
    Fin,
    /// With a reset: nothing stays behind on this side.
    Reset,
}

/// What happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A final answer is there.
    Answer {
        /// Whose.
        peer: usize,
        /// Its status.
        status: u16,
        /// Since the last `send`.
        took: Duration,
    },
    /// The server has ended the connection; the peer is gone, and its number is given to another.
    Closed {
        /// Which.
        peer: usize,
        /// By a reset.
        reset: bool,
        /// Bytes that the system had taken from it.
        sent: u64,
    },
}

#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    reads: bool,
    /// What is being sent, from where on, and how often again.
    out: Arc<[u8]>,
    at: usize,
    again: u64,
    asked: Instant,
    answers: Answers,
    sent: u64,
    /// A write has failed. It takes the error away from the reads, which see an end in good order.
    broken: bool,
}

/// Connections to one server, numbered.
#[derive(Debug)]
pub struct Swarm {
    server: SocketAddr,
    poll: Poll,
    events: Events,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    /// Those that were left with something to do when their share of a turn was over.
    busy: Vec<usize>,
    piece: Box<[u8]>,
}

impl Swarm {
    /// Without connections.
    ///
    /// # Panics
    /// If the system has no descriptor left.
    pub fn new(server: SocketAddr) -> Swarm {
        Swarm {
            server,
            poll: Poll::new().expect("a poll"),
            events: Events::with_capacity(1024),
            peers: Vec::new(),
            free: Vec::new(),
            busy: Vec::new(),
            piece: vec![0; PIECE_BYTES].into(),
        }
    }

    /// Begins to connect. What is sent waits until that is done.
    ///
    /// # Errors
    /// If this side has no descriptors, ports or memory for it.
    pub fn open(&mut self, manner: Manner) -> io::Result<usize> {
        let socket = socket(manner)?;
        match rustix::net::connect(&socket, &self.server) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let index = self.free.pop().unwrap_or(self.peers.len());
        let mut stream = TcpStream::from_std(StdStream::from(socket));
        let interest = match manner.reads {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::WRITABLE,
        };
        let registry = self.poll.registry();
        registry.register(&mut stream, Token(index), interest)?;
        let peer = Peer {
            stream,
            reads: manner.reads,
            out: Arc::new([]),
            at: 0,
            again: 0,
            asked: Instant::now(),
            answers: Answers::default(),
            sent: 0,
            broken: false,
        };
        match self.peers.get_mut(index) {
            Some(place) => *place = Some(peer),
            None => self.peers.push(Some(peer)),
        }
        Ok(index)
    }

    /// Sends bytes `times` over, instead of what was being sent. `None`: the peer is gone.
    pub fn send(&mut self, peer: usize, bytes: &Arc<[u8]>, times: u64) -> Option<()> {
        let one = self.peers.get_mut(peer)?.as_mut()?;
        one.out = bytes.clone();
        one.at = 0;
        one.again = times.saturating_sub(1);
        one.asked = Instant::now();
        // An error is news of the next turn.
        if !one.flush() {
            self.busy.push(peer);
        }
        Some(())
    }

    /// From now on it takes what it is sent.
    pub fn start_to_read(&mut self, peer: usize) {
        if let Some(one) = self.peers.get_mut(peer).and_then(Option::as_mut) {
            one.reads = true;
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            let _ = registry.reregister(&mut one.stream, Token(peer), interest);
            self.busy.push(peer);
        }
    }

    /// Bytes that the system took of what a peer was told to send.
    pub fn sent(&self, peer: usize) -> u64 {
        let one = self.peers.get(peer).and_then(Option::as_ref);
        one.map_or(0, |one| one.sent)
    }

    /// Leaves.
    pub fn close(&mut self, peer: usize, how: Close) {
        if let Some(one) = self.peers.get_mut(peer).and_then(Option::take) {
            if how == Close::Reset {
                let _ = sockopt::set_socket_linger(&one.stream, Some(Duration::ZERO));
            }
            self.free.push(peer);
        }
    }

    /// All leave.
    pub fn close_all(&mut self, how: Close) {
        (0..self.peers.len()).for_each(|peer| self.close(peer, how));
    }

    /// The numbers of those that are there.
    pub fn peers(&self) -> Vec<usize> {
        let numbered = self.peers.iter().enumerate();
        numbered
            .filter_map(|(at, peer)| peer.as_ref().map(|_| at))
            .collect()
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.peers.len() - self.free.len()
    }

    /// Whether none is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for something to happen, at most so long, and says what did.
    ///
    /// # Panics
    /// If the system cannot wait.
    pub fn turn(&mut self, longest: Duration) -> Vec<News> {
        let longest = match self.busy.is_empty() {
            true => longest,
            false => Duration::ZERO,
        };
        match self.poll.poll(&mut self.events, Some(longest)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            Err(error) => panic!("{error}"),
        }
        let mut due = std::mem::take(&mut self.busy);
        due.extend(self.events.iter().map(|event| event.token().0));
        due.sort_unstable();
        due.dedup();
        let mut news = Vec::new();
        for index in due {
            self.serve(index, &mut news);
        }
        news
    }

    /// Turns for so long, or until `enough` says so of the news.
    pub fn run(&mut self, longest: Duration, mut enough: impl FnMut(&mut Swarm, News) -> bool) {
        let end = Instant::now() + longest;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut over = left.is_zero();
            for news in self.turn(left) {
                over |= enough(self, news);
            }
            if over {
                return;
            }
        }
    }

    fn serve(&mut self, index: usize, news: &mut Vec<News>) {
        let Some(Some(peer)) = self.peers.get_mut(index) else {
            return;
        };
        let mut left_over = !peer.flush();
        if peer.reads {
            let asked = peer.asked;
            for turn in 0.. {
                if turn == PIECES_MAX {
                    left_over = true;
                    break;
                }
                match peer.stream.read(&mut self.piece) {
                    Ok(0) => {
                        let reset = peer.broken;
                        return self.gone(index, reset, news);
                    }
                    Ok(count) => peer.answers.push(&self.piece[..count], |status| {
                        news.push(News::Answer {
                            peer: index,
                            status,
                            took: asked.elapsed(),
                        });
                    }),
                    Err(error) if is_no_news(&error) => break,
                    Err(_) => return self.gone(index, true, news),
                }
            }
        } else if peer.broken || peer.is_cut() {
            return self.gone(index, true, news);
        }
        if left_over {
            self.busy.push(index);
        }
    }

    fn gone(&mut self, index: usize, reset: bool, news: &mut Vec<News>) {
        let sent = self.sent(index);
        self.close(index, Close::Fin);
        news.push(News::Closed {
            peer: index,
            reset,
            sent,
        });
    }
}

impl Peer {
    /// Sends as much as goes. `false`: more would go, but its share of the turn is over. Errors are
    /// left to the read behind.
    fn flush(&mut self) -> bool {
        for _ in 0..PIECES_MAX {
            let end = self.out.len().min(self.at + PIECE_BYTES);
            if self.at == end {
                if self.again == 0 || self.out.is_empty() {
                    return true;
                }
                self.again -= 1;
                self.at = 0;
                continue;
            }
            match self.stream.write(&self.out[self.at..end]) {
                Ok(count) => {
                    self.at += count;
                    self.sent += count as u64;
                }
                Err(error) => {
                    self.broken |= !is_no_news(&error);
                    return true;
                }
            }
        }
        false
    }

    /// Whether it was ended, for one that would never read that.
    fn is_cut(&mut self) -> bool {
        if let Ok(Some(_)) | Err(_) = self.stream.take_error() {
            return true;
        }
        let mut byte = [0];
        match self.stream.peek(&mut byte) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !is_no_news(&error),
        }
    }
}

fn is_no_news(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, NotConnected, WouldBlock};
    // The second one: not yet.
    matches!(error.kind(), WouldBlock | NotConnected | Interrupted)
}

fn socket(manner: Manner) -> io::Result<std::os::fd::OwnedFd> {
    // In three calls, as not every system has the flags that make it one.
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(bytes) = manner.recv_bytes {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    if let Some(bytes) = manner.send_bytes {
        sockopt::set_socket_send_buffer_size(&socket, bytes)?;
    }
    if manner.from != Ipv4Addr::LOCALHOST {
        // Ports that linger after a close do not hinder.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(manner.from), 0))?;
    }
    Ok(socket)
}
