//! The `barewire` command: everything is in [`barewire::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    barewire::cli::run(std::env::args_os().skip(1))
}
