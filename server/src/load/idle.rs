//! Connections that do nothing: opened from many addresses, kept, looked at, and closed.
//!
//! No event loop watches them: what the server does to one stays to be read, so two looks are
//! enough, and the system keeps nothing for them but their sockets. That is what is to be measured.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::descriptors::open_descriptors;
use super::job::out_of_descriptors;
use super::{LoadError, LoadOptions};
use crate::platform::{descriptors, dial};

/// Connections from one address. A system has 28,232 ports for each (by default), and keeps one
/// for a minute after its connection was closed here; so runs may follow one another.
const PER_ADDRESS: usize = 1_000;
/// Opened between two pauses: half the backlog of 128 that many servers ask for. What is beyond it
/// is tried again only a second later.
const BURST: usize = 64;
/// The pause, in which a server accepts what it was given.
const PAUSE: Duration = Duration::from_millis(1);
/// Refused connections after which no more are tried: they show that the server has had enough.
const REFUSED_MAX: u64 = 1_000;
/// So long a server may take after the last connection to accept what waits, or to refuse it.
const SETTLE: Duration = Duration::from_millis(100);
/// So long it may take until its descriptors are as many as they should be, where they are counted.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// What became of connections that did nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdleReport {
    /// So many were wanted.
    pub wanted: u64,
    /// Opened, and not refused.
    pub opened: u64,
    /// Told that there are too many, or closed before all were open.
    pub refused: u64,
    /// Closed by the server afterwards.
    pub closed: u64,
    /// Addresses that they came from.
    pub addresses: u64,
    /// From the first to the last.
    pub opening: Duration,
    /// How long all were open.
    pub held: Duration,
    /// What stopped the opening, if not all were opened.
    pub stopped: Option<String>,
    /// Of the server's process, if its number was given.
    pub server: Option<Growth>,
}

/// A process before the first connection, and when all were open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// Bytes that are in memory, page by page (`Rss` in `/proc/PID/smaps_rollup`).
    pub rss: [u64; 2],
    /// Open descriptors.
    pub descriptors: [u64; 2],
}

impl Growth {
    /// Bytes that it has grown by, for each connection.
    fn each(&self, connections: u64) -> f64 {
        let [before, with] = self.rss;
        (with as f64 - before as f64) / connections.max(1) as f64
    }
}

impl IdleReport {
    /// What was wrong, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.stopped {
            let (opened, wanted) = (self.opened, self.wanted);
            lines.push(format!(
                "only {opened} of {wanted} idle connections were opened: {why}"
            ));
        } else if self.refused > 0 {
            lines.push(format!(
                "{} of {} idle connections were refused",
                self.refused, self.wanted
            ));
        }
        if self.closed > 0 {
            lines.push(format!(
                "{} idle connections were closed by the server",
                self.closed
            ));
        }
        lines
    }

    /// The lines of the report for people.
    pub(crate) fn text(&self, grouped: fn(u64) -> String) -> Vec<String> {
        let mut lines = vec![format!(
            "idle         {} connections opened from {} addresses within {:.3} s, {} refused; \
             {} closed by the server within {:.1} s",
            grouped(self.opened),
            grouped(self.addresses),
            self.opening.as_secs_f64(),
            grouped(self.refused),
            grouped(self.closed),
            self.held.as_secs_f64(),
        )];
        if let Some(server) = &self.server {
            let [before, with] = server.rss;
            let more = server.descriptors[1].saturating_sub(server.descriptors[0]);
            lines.push(format!(
                "server       {} bytes of memory before, {} with them: {:.1} for each; \
                 {} descriptors more",
                grouped(before),
                grouped(with),
                server.each(self.opened),
                grouped(more),
            ));
        }
        lines
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> String {
        let server = self.server.map_or("null".to_owned(), |server| {
            let [[before, with], [few, many]] = [server.rss, server.descriptors];
            format!(
                "{{\"rss_before\":{before},\"rss\":{with},\
                 \"descriptors_before\":{few},\"descriptors\":{many}}}"
            )
        });
        format!(
            "{{\"wanted\":{},\"opened\":{},\"refused\":{},\"closed\":{},\"addresses\":{},\
             \"opening_ns\":{},\"held_ns\":{},\"server\":{server}}}",
            self.wanted,
            self.opened,
            self.refused,
            self.closed,
            self.addresses,
            self.opening.as_nanos(),
            self.held.as_nanos(),
        )
    }
}

/// The connections, while they are kept.
#[derive(Debug)]
pub(crate) struct Idle {
    streams: Vec<TcpStream>,
    report: IdleReport,
    /// Since when all are open.
    since: Instant,
}

impl Idle {
    /// Opens as many as are wanted, or as many as go, and says what stopped it.
    ///
    /// # Errors
    /// [`LoadError::Usage`] if the server's process is to be looked at and cannot be. That fewer
    /// connections were opened than wanted is no error here.
    pub(crate) fn open(address: SocketAddr, options: &LoadOptions) -> Result<Idle, LoadError> {
        let wanted = options.idle as usize;
        let timeout = Duration::from_millis(options.timeout_ms);
        let mut streams = Vec::with_capacity(wanted);
        let mut report = IdleReport {
            wanted: wanted as u64,
            ..IdleReport::default()
        };
        let mut several = sources(address.ip()) && wanted > 0;
        if several {
            // On some systems the other addresses of the loopback network are nobody's.
            let probe = dial(Some(source(process::id(), 0)), address, timeout);
            several = !matches!(&probe, Err(error) if is_no_address(error));
        }
        let mut before = None;
        if let Some(pid) = options.server_pid {
            // Who only asked whether the server is there is gone by then.
            thread::sleep(SETTLE);
            before = Some(look_at(pid)?);
        }
        let (began, mut looked) = (Instant::now(), 0);
        for at in 0..wanted {
            let from = several.then(|| source(process::id(), at));
            match dial(from, address, timeout) {
                Ok(stream) => streams.push(stream),
                Err(error) => {
                    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                    report.refused += u64::from(refused);
                    report.stopped = Some(told(&error, options.timeout_ms));
                    break;
                }
            }
            if at % BURST == BURST - 1 {
                thread::sleep(PAUSE);
            }
            if streams.len() >= looked + PER_ADDRESS {
                report.refused += look(&mut streams, looked).all();
                looked = streams.len();
            }
            if report.refused >= REFUSED_MAX {
                report.stopped = Some("the server refuses more".to_owned());
                break;
            }
        }
        report.opening = began.elapsed();
        let used = at_least_one(streams.len());
        report.addresses = match several {
            true => used.div_ceil(PER_ADDRESS) as u64,
            false => 1,
        };
        thread::sleep(SETTLE);
        report.refused += look(&mut streams, 0).all();
        report.opened = streams.len() as u64;
        if let (Some(pid), Some((rss, few))) = (options.server_pid, before) {
            let (with, many) = settled(pid, few + report.opened)?;
            report.server = Some(Growth {
                rss: [rss, with],
                descriptors: [few, many],
            });
        }
        Ok(Idle {
            streams,
            report,
            since: Instant::now(),
        })
    }

    /// Keeps them.
    pub(crate) fn hold(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Looks at all of them again, and closes them in good order.
    pub(crate) fn close(mut self) -> IdleReport {
        self.report.held = self.since.elapsed();
        // A server that was behind with accepting refuses late.
        let gone = look(&mut self.streams, 0);
        self.report.refused += gone.refused;
        self.report.opened -= gone.refused;
        self.report.closed = gone.closed;
        self.report
    }
}

fn at_least_one(count: usize) -> usize {
    count.max(1)
}

/// Connections that were found ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gone {
    /// Told 503.
    refused: u64,
    /// In silence, or with another answer that nobody asked for (408).
    closed: u64,
}

impl Gone {
    fn all(&self) -> u64 {
        self.refused + self.closed
    }
}

/// Lets those go that the server has ended or spoken to, from `first` on.
fn look(streams: &mut Vec<TcpStream>, first: usize) -> Gone {
    let (mut gone, mut at) = (Gone::default(), first);
    let mut begin = [0; b"HTTP/1.1 503".len()];
    while let Some(stream) = streams.get(at) {
        match stream.peek(&mut begin) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                at += 1;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(got) if begin[..got].ends_with(b" 503") => gone.refused += 1,
            _ => gone.closed += 1,
        }
        drop(streams.swap_remove(at));
    }
    gone
}

/// Whether connections to this address may come from any address of 127.0.0.0/8.
fn sources(server: IpAddr) -> bool {
    matches!(server, IpAddr::V4(ip) if ip.is_loopback())
}

/// The address of the connection with this number: 127.N.0.1, ... 127.N.0.254, 127.N.1.1, ... Each
/// process has its own N, by its number: where two share addresses, the system begins to search
/// long for a port when a quarter of them is in use (30 ms for each connection were seen).
fn source(process: u32, at: usize) -> IpAddr {
    let number = at / PER_ADDRESS;
    let (network, host) = (number / 254 % 256, number % 254 + 1);
    let own = process % 255 + 1; // 127.0.0.1 is everybody's
    IpAddr::V4(Ipv4Addr::new(127, own as u8, network as u8, host as u8))
}

fn is_no_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
}

/// The limit that stopped a connection.
fn told(error: &io::Error, timeout_ms: u64) -> String {
    let system = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    match error.kind() {
        _ if out_of_descriptors(error) && error.raw_os_error() == Some(ENFILE) => {
            let most = system("file-max").map_or(String::new(), |most| format!(" ({most})"));
            format!("the system has no descriptor left (fs.file-max{most})")
        }
        _ if out_of_descriptors(error) => {
            let (allowed, hard) = descriptors();
            let most = system("nr_open").map_or(String::new(), |most| {
                format!(", fs.nr_open for anybody {most}")
            });
            format!(
                "this process may open {allowed} files (RLIMIT_NOFILE: ulimit -n; \
                 its hard limit is {hard}{most})"
            )
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
            "no local port is left (net.ipv4.ip_local_port_range)".to_owned()
        }
        io::ErrorKind::OutOfMemory => {
            "the system has no memory for more sockets (ENOMEM)".to_owned()
        }
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => {
            format!("the server accepts no more (none within {timeout_ms} ms)")
        }
        _ => error.to_string(),
    }
}

/// "Too many open files in system", on every Unix.
const ENFILE: i32 = 23;

/// Bytes in memory of a process, and its descriptors.
fn look_at(pid: u32) -> Result<(u64, u64), LoadError> {
    let read = || -> io::Result<(u64, u64)> {
        let table = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = table.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let kilobytes = kilobytes.ok_or(io::ErrorKind::InvalidData)?;
        Ok((kilobytes * 1024, open_descriptors(pid)?))
    };
    read().map_err(|error| {
        LoadError::Usage(format!(
            "--server-pid {pid}: cannot read /proc/{pid}/smaps_rollup and fd: {error}"
        ))
    })
}

/// The same, when it has so many descriptors, or will not have them.
fn settled(pid: u32, descriptors: u64) -> Result<(u64, u64), LoadError> {
    let began = Instant::now();
    loop {
        let now = look_at(pid)?;
        if now.1 >= descriptors || began.elapsed() >= SETTLE_MAX {
            return Ok(now);
        }
        thread::sleep(SETTLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    #[test]
    fn a_million_connections_come_from_a_thousand_addresses() {
        let all: BTreeSet<IpAddr> = (0..1_000_000).map(|at| source(6, at)).collect();
        assert_eq!(all.len(), 1_000);
        let text = |process, at| source(process, at).to_string();
        assert_eq!([text(6, 0), text(6, 999)], ["127.7.0.1", "127.7.0.1"]);
        assert_eq!(
            [text(6, 1_000), text(6, 254_000)],
            ["127.7.0.2", "127.7.1.1"]
        );
        assert_eq!([text(0, 0), text(255, 0)], ["127.1.0.1", "127.1.0.1"]);
        let is_a_host = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_loopback() && !matches!(ip.octets()[3], 0 | 255),
            IpAddr::V6(_) => false,
        };
        assert!(all.iter().all(is_a_host));
        assert!(is_a_host(&source(u32::MAX, usize::MAX)));
    }

    #[test]
    fn who_was_ended_or_spoken_to_is_seen_and_the_others_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let (mut streams, mut theirs) = (Vec::new(), Vec::new());
        for at in 0..9 {
            streams.push(dial(None, to, Duration::from_secs(5)).unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            if at % 3 == 1 {
                io::Write::write_all(&mut stream, b"HTTP/1.1 503 Busy\r\n\r\n").unwrap();
            }
            if at % 3 != 2 {
                theirs.push(stream); // the others are closed here
            }
        }
        let gone = |refused, closed| Gone { refused, closed };
        assert_eq!(look(&mut streams, 7), gone(1, 1));
        assert_eq!(look(&mut streams, 0), gone(2, 2));
        assert_eq!((streams.len(), look(&mut streams, 0)), (3, gone(0, 0)));
    }

    #[test]
    fn each_limit_has_its_name() {
        for (number, name) in [
            (24, "RLIMIT_NOFILE"),
            (23, "fs.file-max"),
            (12, "no memory"),
        ] {
            let text = told(&io::Error::from_raw_os_error(number), 5);
            assert!(text.contains(name), "{number}: {text}");
        }
        for (kind, name) in [
            (io::ErrorKind::AddrInUse, "no local port"),
            (io::ErrorKind::AddrNotAvailable, "no local port"),
            (io::ErrorKind::TimedOut, "none within 5 ms"),
            (io::ErrorKind::ConnectionRefused, "connection refused"),
        ] {
            let text = told(&kind.into(), 5);
            assert!(text.contains(name), "{kind}: {text}");
        }
    }

    #[test]
    fn the_growth_of_a_process_is_shared_out() {
        let growth = Growth {
            rss: [1_000, 3_000],
            descriptors: [10, 20],
        };
        assert_eq!((growth.each(10), growth.each(0)), (200.0, 2_000.0));
        let (rss, open) = look_at(process::id()).unwrap();
        assert!(rss > 100_000 && open >= 3, "{rss} {open}");
        let error = look_at(u32::MAX).unwrap_err().to_string();
        assert!(error.starts_with("--server-pid 4294967295: "), "{error}");
    }
}
