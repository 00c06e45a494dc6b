//! The `barewire` binary from outside: what it says, what it exits with, how it ends.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_barewire");

/// Everything here takes milliseconds; this is for machines that do much else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

fn command(args: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args.split_whitespace());
    command
}

/// The same with at most `files` descriptors, soft and hard.
fn confined(files: u32, args: &str) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -n {files}; exec \"$0\" {args}"),
        BINARY,
    ]);
    command
}

/// Runs a command that ends by itself.
fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    let status = child.end();
    let mut texts = [String::new(), String::new()];
    child
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut texts[0])
        .unwrap();
    child
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut texts[1])
        .unwrap();
    let [out, err] = texts;
    (status.code(), out, err)
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    /// Waits for its end, not for ever.
    fn end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if it has ended, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that listens.
struct Serving {
    child: Running,
    out: BufReader<ChildStdout>,
    banner: String,
    addr: SocketAddr,
}

impl Serving {
    fn start(args: &str) -> Serving {
        Serving::spawn(command(args))
    }

    fn spawn(mut command: Command) -> Serving {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let out = child.0.stdout.take().unwrap();
        let mut serving = Serving {
            child,
            out: BufReader::new(out),
            banner: String::new(),
            addr: ([0, 0, 0, 0], 0).into(),
        };
        serving.banner = serving.read_until("stop ");
        serving.addr = serving.fact("listening")["http://".len()..]
            .parse()
            .unwrap();
        serving
    }

    /// What it says, up to the line that begins so.
    fn read_until(&mut self, begin: &str) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.out.read_line(&mut line).unwrap(),
                0,
                "it ended: {text}"
            );
            text.push_str(&line);
            if line.starts_with(begin) {
                return text;
            }
        }
    }

    /// What the banner says after this word.
    fn fact(&self, name: &str) -> &str {
        let mut lines = self.banner.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .expect(name)
            .trim()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection with a request under way: its head is read, half of its body sent.
    fn half_a_request(&self) -> (TcpStream, &'static [u8]) {
        let mut stream = self.connect();
        let body = br#"{"userId":"ada","value":1.5}"#;
        let head = format!(
            "POST /event HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let (half, rest) = body.split_at(10);
        stream.write_all(half).unwrap();
        (stream, rest)
    }

    fn signal(&self, name: &str) {
        // A built-in of every shell; the program `kill` is not everywhere.
        let kill = format!("kill -{name} {}", self.child.0.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The code it exits with, and what it said last.
    fn end(&mut self) -> (Option<i32>, String) {
        let status = self.child.end();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (status.code(), rest)
    }
}

/// What comes until the end of the stream.
fn rest_of(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn help_and_version_are_printed_and_succeed() {
    for args in [
        "--help",
        "-h",
        "help",
        "help serve",
        "serve --help",
        "load -h",
    ] {
        let (code, out, err) = outcome(command(args));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args}");
        assert!(out.contains("Usage:"), "{args}: {out}");
    }
    let (code, out, _) = outcome(command("-V"));
    assert_eq!(
        (code, out.as_str()),
        (
            Some(0),
            concat!("barewire ", env!("CARGO_PKG_VERSION"), "\n")
        )
    );
}

#[test]
fn a_text_that_cannot_be_written_is_a_failure_unless_its_reader_left() {
    let to = |args: &str, out: Stdio| {
        let mut command = command(args);
        command.stdout(out).stderr(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let code = child.end().code();
        let mut err = String::new();
        let stderr = child.0.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        (code, err)
    };
    for args in ["help", "help serve", "-V"] {
        match std::fs::OpenOptions::new().write(true).open("/dev/full") {
            Ok(full) => {
                let (code, err) = to(args, full.into());
                assert_eq!(code, Some(1), "{args}");
                let begin = "barewire: cannot write to standard output: ";
                assert!(err.starts_with(begin) && err.lines().count() == 1, "{err}");
            }
            Err(error) => eprintln!("left out: no full device here ({error})"),
        }

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(to(args, writer.into()), (Some(0), String::new()), "{args}");
    }
}

#[test]
fn a_mistake_is_one_line_and_code_2() {
    for (args, line) in [
        (
            "--conections 5",
            "barewire: unknown flag --conections; did you mean --connections?\n",
        ),
        (
            "--port 99999",
            "barewire: --port 99999: expected a number from 0 to 65535\n",
        ),
        (
            "bogus",
            "barewire: unknown command 'bogus'; see 'barewire help'\n",
        ),
        (
            "-p 80",
            "barewire: unknown flag -p; see 'barewire help serve'\n",
        ),
        (
            "127.0.0.1:8081",
            "barewire: '127.0.0.1:8081' is no port; an address is given with --bind\n",
        ),
        (
            "0 --recv-bytes 16k",
            "barewire: --slot-bytes, --recv-bytes: both parts of a slot must be multiples of 64 bytes, 1024 to 65472 each\n",
        ),
        (
            "0 4 --slots 3",
            "barewire: --workers 4: expected at most 3, one for each connection and slot\n",
        ),
    ] {
        assert_eq!(
            outcome(command(args)),
            (Some(2), String::new(), line.to_owned()),
            "{args}"
        );
    }
}

#[test]
fn a_port_and_a_number_of_workers_are_enough() {
    let mut server = Serving::start("0 1");
    assert!(server.addr.ip().is_loopback() && server.addr.port() != 0);
    assert!(
        server.fact("workers").starts_with("1 ("),
        "{}",
        server.banner
    );
    let mut stream = server.connect();
    stream
        .write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert!(rest_of(stream).ends_with("\r\n\r\npong"));
    server.signal("INT");
    let (code, last) = server.end();
    assert_eq!(code, Some(0));
    let line = "stopped      1 connections, 1 requests, 0 faults, 0 panics, 0 refused, 0 gave way";
    assert_eq!(last.lines().last(), Some(line), "{last}");
}

#[test]
fn a_busy_port_is_one_line_and_code_3() {
    let first = Serving::start("0 2");
    let line = format!("barewire: {} is in use by another program\n", first.addr);
    let (code, out, err) = outcome(command(&format!("{} 2", first.addr.port())));
    assert_eq!((code, out, err), (Some(3), String::new(), line));
}

#[test]
fn an_address_of_another_machine_is_one_line_and_code_1() {
    // Of the block that is reserved for documents.
    let (code, _, err) = outcome(command("--bind 192.0.2.1:0"));
    let line = "barewire: 192.0.2.1:0 is no address of this machine\n";
    assert_eq!((code, err.as_str()), (Some(1), line));
}

#[test]
fn too_few_descriptors_for_what_was_asked_are_code_4() {
    // More than any kernel gives, whatever the privileges.
    let (code, out, err) = outcome(confined(64, "0 1 --connections 2000000000"));
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert!(
        err.starts_with("barewire: 2000000099 open files are needed, "),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1);
}

#[test]
fn the_default_number_of_connections_is_lowered_to_what_fits() {
    let mut server = Serving::spawn(confined(200, "0 1"));
    let said = server.fact("connections");
    // With the privilege to raise the limit there is nothing to lower.
    assert!(
        said == "101 (not 10,000: too few open files are allowed)" || said == "10,000",
        "{said}"
    );
    if said != "10,000" {
        let slots = "1,654,784 bytes in 101 slots (1.58 MiB)";
        assert_eq!(server.fact("reserved"), slots);
        // The sum goes by what fits as well.
        let memory = server.fact("memory");
        assert!(
            memory.starts_with("at most 23") && memory.contains(" bytes, touched"),
            "{memory}"
        );
    }
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_signal_closes_idle_connections_and_lets_requests_finish() {
    for name in ["TERM", "INT"] {
        let mut server = Serving::start("serve --port 0 --workers 1");
        let idle = server.connect();
        let mut used = server.connect();
        used.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut first = [0; 15];
        used.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        let (mut under_way, rest) = server.half_a_request();

        server.signal(name);
        server.read_until("stopping ");
        assert_eq!(rest_of(idle), "");
        assert!(rest_of(used).ends_with("pong"));
        // Those are closed, so the only worker knows; now the rest arrives.
        under_way.write_all(rest).unwrap();
        let answer = rest_of(under_way).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");

        let (code, last) = server.end();
        assert_eq!(code, Some(0), "{last}");
        let line = last.lines().last().unwrap();
        assert!(line.starts_with("stopped      3 connections, "), "{last}");
        assert!(
            line.ends_with(", 0 faults, 0 panics, 0 refused, 0 gave way"),
            "{last}"
        );
    }
}

#[test]
fn a_second_signal_cuts_off_what_is_left() {
    let mut server = Serving::start("0 2");
    let (mut under_way, _) = server.half_a_request();
    server.signal("TERM");
    server.read_until("stopping ");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    let (code, last) = server.end();
    assert_eq!(code, Some(1), "{last}");
    let line = last.lines().last().unwrap();
    assert!(line.starts_with("aborted      1 connections, "), "{last}");
    // Reset, or closed: in any case without an answer.
    assert_eq!(under_way.read(&mut [0; 64]).unwrap_or(0), 0);
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    // As `timeout` sends it: to the process, then to its group.
    let mut server = Serving::start("0 1");
    let (mut under_way, rest) = server.half_a_request();
    server.signal("TERM");
    server.read_until("stopping ");
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    under_way.write_all(rest).unwrap();
    assert!(rest_of(under_way).starts_with("HTTP/1.1 200 "));
    let (code, last) = server.end();
    assert_eq!(code, Some(0), "{last}");
}

#[test]
fn the_end_of_the_grace_cuts_off_what_is_left() {
    let mut server = Serving::start("serve --port 0 --shutdown-ms 100");
    assert_eq!(
        server.fact("stop"),
        "Ctrl-C (requests under way get 100 ms)"
    );
    let (_under_way, _) = server.half_a_request();
    server.signal("TERM");
    let (code, last) = server.end();
    assert_eq!(code, Some(1), "{last}");
    assert!(
        last.lines().last().unwrap().starts_with("aborted "),
        "{last}"
    );
}

#[test]
fn a_server_whose_output_nobody_reads_goes_on_and_ends_well() {
    let mut server = Serving::start("0 1");
    let addr = server.addr;
    let Serving { child, out, .. } = &mut server;
    let pipe = std::mem::replace(out, BufReader::new(silent()));
    drop(pipe);
    assert!(TcpStream::connect(addr).is_ok());
    let kill = format!("kill -TERM {}", child.0.id());
    Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert_eq!(child.end().code(), Some(0));
}

/// The output of a program that says nothing.
fn silent() -> ChildStdout {
    let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    child.stdout.take().unwrap()
}

#[test]
fn addresses_of_version_6_are_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("left out: no IPv6 here");
        return;
    }
    for bind in ["::1", "[::1]:0"] {
        let server = Serving::start(&format!("serve --port 0 --workers 1 --bind {bind}"));
        assert!(
            server.fact("listening").starts_with("http://[::1]:"),
            "{}",
            server.banner
        );
        drop(server.connect());
    }
}

#[test]
fn load_checks_a_server_of_its_own_kind() {
    let server = Serving::start("0 2");
    let load = |rest: &str| {
        let url = format!(
            "load --url http://{} --requests 2000 --connections 8",
            server.addr
        );
        outcome(command(&format!("{url} {rest}")))
    };
    let (code, out, err) = load("--ids 100 --pipeline 4");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("2,000 ok"), "{out}");
    let (code, out, err) = load("--json --values integer --threads 2");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with('{') && out.lines().count() == 1, "{out}");
}

#[test]
fn load_holds_idle_connections_and_says_what_they_take() {
    // Room for all of them at one worker, however the system spreads them.
    let flags = "--connections 5000 --slots 100 --first-byte-ms 60000";
    let server = Serving::start(&format!("serve --port 0 --workers 2 {flags}"));
    let load = |rest: &str| {
        let (url, pid) = (server.addr, server.child.0.id());
        let args = format!("load --url http://{url} --idle 2000 --server-pid {pid} {rest}");
        outcome(command(&args))
    };
    let (code, out, err) = load("--hold 0");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for part in [
        "idle         2,000 connections opened from 2 addresses",
        " 0 refused; 0 closed by the server",
        "; 2,000 descriptors more",
        "PASS         all idle connections were opened and kept\n",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    // The same beside a load.
    let (code, out, err) = load("--requests 500 --connections 20");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(
        out.contains("500 ok") && out.contains("idle         2,000"),
        "{out}"
    );
}

#[test]
fn load_says_which_limit_stopped_its_idle_connections() {
    let server = Serving::start("serve --port 0 --workers 1 --connections 200");
    let url = format!("load --url http://{} --hold 0", server.addr);
    let (code, _, err) = outcome(confined(90, &format!("{url} --idle 150")));
    assert_eq!(code, Some(1));
    assert!(err.contains("of 150 idle connections were opened"), "{err}");
    assert!(err.contains("may open 90 files (RLIMIT_NOFILE"), "{err}");
    // And how many are too many for the server.
    let (code, out, err) = outcome(command(&format!("{url} --idle 300 --hold 1")));
    assert_eq!(code, Some(1), "{out}");
    assert!(
        err.contains("100 of 300 idle connections were refused"),
        "{err}"
    );
}

#[test]
fn load_without_a_server_is_one_line_and_code_1() {
    // A port that no system gives out, and nothing listens on any more.
    let url = "http://127.0.0.1:1";
    let (code, out, err) = outcome(command(&format!("load --url {url}")));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let line =
        format!("barewire: cannot reach {url}: connection refused; is the server running?\n");
    assert_eq!(err, line);
}

#[test]
fn an_event_is_answered_as_configured() {
    let server = Serving::start("serve --port 0 --workers 1 --event-reply 201");
    let (mut stream, rest) = server.half_a_request();
    stream.write_all(rest).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = rest_of(stream);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
}
