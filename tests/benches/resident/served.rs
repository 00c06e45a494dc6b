//! A server under measurement, in a process of its own that ends with this one.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use barewire_tests::drill::{Barewire, proc};

/// A server that has not come so far by then will not.
const PATIENCE: Duration = Duration::from_secs(30);
/// Words in front of a server: it dies with this process, however that ends.
const WITH_US: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];

/// How a server is told what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Barewire,
    /// By a file.
    Nginx,
    /// Not at all: it is started like Barewire, and takes what comes.
    Peer,
}

/// What a server is to have room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    connections: u64,
    slots: u64,
}

impl Room {
    /// For idle connections, or for as many `active` ones: an eighth of the slots has to be free,
    /// and 64 are a reserve, or the oldest of them would give way.
    pub(crate) fn new(connections: u64, active: bool) -> Room {
        let slots = match active {
            true => (connections + 64) * 8 / 7 + 16,
            false => 64,
        };
        Room {
            connections: connections + 16,
            slots,
        }
    }
}

/// It runs as long as this value lives.
pub(crate) enum Served {
    /// Everything that is started as Barewire is.
    Alike(Barewire),
    Nginx(Nginx),
}

/// Its process, and the folder of its file.
pub(crate) struct Nginx {
    child: Child,
    addr: SocketAddr,
    folder: PathBuf,
}

impl Served {
    pub(crate) fn start(kind: Kind, program: &str, room: Room) -> Served {
        let Room { connections, slots } = room;
        let deadlines = "--first-byte-ms 600000 --head-ms 600000 --request-ms 600000 \
                         --idle-ms 600000";
        let args = match kind {
            Kind::Nginx => return Served::start_nginx(program, connections),
            Kind::Peer => format!("--workers 1 --connections {connections}"),
            Kind::Barewire => format!(
                "--workers 1 --connections {connections} --slots {slots} --users 1024 \
                 --user-bytes 64k {deadlines}"
            ),
        };
        Served::Alike(Barewire::start_under(&WITH_US, Path::new(program), &args))
    }

    /// One process: its master does nothing but to start another.
    fn start_nginx(program: &str, connections: u64) -> Served {
        // Somebody could take the port meanwhile; then nginx says so and ends.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|any| any.local_addr());
        let addr = free.expect("a free port");
        let name = format!("barewire-nginx-{}-{}", std::process::id(), addr.port());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("nginx.conf");
        // Some are its own: listener, log, event loop. And it closes idle ones as soon as fewer
        // than a sixteenth are free.
        let most = (connections + 32) * 16 / 15 + 16;
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections {most}; }}\n\
             http {{ access_log off; keepalive_timeout 600s; client_header_timeout 600s;\n\
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
             server {{ listen {addr} backlog=4096;\n\
             location / {{ default_type text/plain; return 200 'Hello, World!'; }} }} }}\n"
        );
        fs::write(&file, text).expect("a file");
        let child = Command::new(WITH_US[0])
            .args(&WITH_US[1..])
            .arg(program)
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx");
        let served = Served::Nginx(Nginx {
            child,
            addr,
            folder,
        });
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(addr).is_err() {
            assert!(Instant::now() < end, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        // The connection of this question ends.
        std::thread::sleep(Duration::from_millis(100));
        served
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Served::Alike(server) => server.addr(),
            Served::Nginx(nginx) => nginx.addr,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Served::Alike(server) => server.pid(),
            Served::Nginx(nginx) => nginx.child.id(),
        }
    }

    /// Ends it in good order, and says how many connections it had; `None`: this one is not asked.
    pub(crate) fn stop(self) -> Option<u64> {
        match self {
            Served::Alike(server) => Some(server.stop().connections),
            Served::Nginx(_) => None,
        }
    }

    /// Waits until it has accepted what it was sent.
    pub(crate) fn wait_for_descriptors(&self, count: usize) {
        let end = Instant::now() + PATIENCE;
        while proc::descriptors(self.pid()) < count {
            assert!(Instant::now() < end, "connections are not accepted");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
