//! The command line of `barewire`: `serve`, `load`, `help`, and the codes it exits with.
//!
//! `args` reads the command line into plain structs with the tables of `flags`, from which `help`
//! is written as well; `serve` runs a server, `banner` is what it says; `load` is a thin call.

mod args;
mod banner;
mod flags;
mod help;
mod serve;
mod suggest;
mod value;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::load::{self, LoadError, LoadOptions};
use crate::platform::raise_descriptors;
use args::Command;

/// What the process exits with. `barewire help` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// Everything was done.
    Done = 0,
    /// Anything that has no code of its own.
    Other = 1,
    /// A flag or a value that cannot be.
    Usage = 2,
    /// Another program has the address.
    Busy = 3,
    /// Too few descriptors, or too little memory.
    Resources = 4,
}

/// Why a command ended early: a code, and one line for standard error.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    code: Code,
    line: String,
}

impl Failure {
    fn new(code: Code, line: impl Into<String>) -> Failure {
        let line = line.into();
        Failure { code, line }
    }
}

/// Runs the command that the arguments (without the program's name) ask for.
pub fn run<I>(args: I) -> ExitCode
where
    I: IntoIterator<Item = OsString>,
{
    let done = match args::parse(args) {
        Ok(command) => execute(command),
        Err(line) => Err(Failure::new(Code::Usage, line)),
    };
    let code = done.unwrap_or_else(|failure| {
        complain(&failure.line);
        failure.code
    });
    ExitCode::from(code as u8)
}

fn execute(command: Command) -> Result<Code, Failure> {
    match command {
        Command::Help(topic) => tell(help::text(topic))?,
        Command::Version => tell(format_args!("barewire {VERSION}\n"))?,
        Command::Serve(choices) => return serve::serve(*choices),
        Command::Load(options) => return send(&options),
    }
    Ok(Code::Done)
}

/// Of this package.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes to standard output at once. Nobody listening is no reason to stop: a server whose
/// terminal or disk is gone goes on.
fn say(text: impl fmt::Display) {
    let _ = put(text);
}

/// The same where the text is all there is to do: what could not be written is a failure, but for a
/// reader that has seen enough, as in `barewire help | head -1`.
fn tell(text: impl fmt::Display) -> Result<(), Failure> {
    match put(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Code::Other,
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

fn put(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush())
}

/// One line on standard error.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "barewire: {line}");
}

/// Descriptors of a load client besides its connections: those of its threads, standard streams,
/// and a margin for what it was started with.
const LOAD_DESCRIPTORS_BESIDES: u64 = 64;

fn send(options: &LoadOptions) -> Result<Code, Failure> {
    let connections = [options.connections, options.abort, options.idle].map(u64::from);
    let wanted =
        connections.iter().sum::<u64>() + 3 * u64::from(options.threads) + LOAD_DESCRIPTORS_BESIDES;
    // Too few may still do; if not, the client says so.
    let _ = raise_descriptors(wanted);
    let failed = |error: LoadError| {
        let code = match error {
            LoadError::Usage(_) => Code::Usage,
            LoadError::Descriptors { .. } => Code::Resources,
            _ => Code::Other,
        };
        Failure::new(code, error.to_string())
    };
    load::run(options, &mut io::stdout()).map_err(failed)?;
    Ok(Code::Done)
}
