//! Programs that tests run: each is waited for with a bound, and none outlives its test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The folder of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The cargo that runs this test.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Where this test was built: `(target folder, profile's folder in it)`. The test itself lies in
/// `TARGET/PROFILE/deps`.
pub(crate) fn built_in() -> (PathBuf, PathBuf) {
    let exe = std::env::current_exe().unwrap();
    let profile = exe.parent().and_then(Path::parent).unwrap();
    (profile.parent().unwrap().to_owned(), profile.to_owned())
}

/// Ends with its test, however that ends.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends with its test, and what it has started does too: it leads a group of processes.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Who ended is left alone: the number may be somebody else's by now.
        if let Ok(None) = self.0.try_wait() {
            let pid = i32::try_from(self.0.id()).ok();
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Runs a program to its end and gives what it wrote.
///
/// # Panics
/// If it takes longer than `limit`, with all that it has started; or if it does not succeed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Output {
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut process = Group(child);
    // What it writes is taken meanwhile, so that it never waits for us.
    let (out, err) = (process.0.stdout.take(), process.0.stderr.take());
    let readers = [
        thread::spawn(move || all(out)),
        thread::spawn(move || all(err)),
    ];
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            break status;
        }
        assert!(
            Instant::now() < end,
            "{command:?} takes longer than {limit:?}"
        );
        thread::sleep(Duration::from_millis(20));
    };
    let [stdout, stderr] = readers.map(|reader| reader.join().unwrap());
    let output = Output {
        status,
        stdout,
        stderr,
    };
    assert!(
        status.success(),
        "{command:?}: {status}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn all(from: Option<impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _ = from.read_to_end(&mut bytes);
    }
    bytes
}
