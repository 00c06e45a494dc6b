//! `barewire-peers measure default|v3|native SCRATCH [--quick]`: one section of the table. `run`
//! builds this for each of them. `barewire-peers count` is what valgrind runs.

use std::process::ExitCode;

use barewire_peers::table::Section;
use barewire_peers::time::Effort;
use barewire_peers::{count, pairs, time};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["count"] => {
            count::run_all(&mut pairs::all());
            ExitCode::SUCCESS
        }
        ["measure", cpu, scratch] => measure(cpu, scratch, Effort::FULL),
        ["measure", cpu, scratch, "--quick"] => measure(cpu, scratch, Effort::QUICK),
        _ => {
            eprintln!("peers: measure default|v3|native SCRATCH [--quick], or count");
            ExitCode::FAILURE
        }
    }
}

fn measure(cpu: &str, scratch: &str, effort: Effort) -> ExitCode {
    let mut pairs = pairs::all();
    let counts = match count::measure(&pairs, scratch.as_ref()) {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("peers: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A processor may know what valgrind does not, but what every one of its kind knows is counted.
    if counts.is_none() && cpu != "native" {
        eprintln!("peers: nothing was counted: valgrind does not know this program's instructions");
        return ExitCode::FAILURE;
    }
    let times = time::measure(&mut pairs, effort);
    let section = Section::new(cpu.to_owned(), &pairs, times, counts);
    print!("{section}");
    let lost = section.lost();
    if lost.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("peers: httparse with a framing loop needs fewer instructions: {lost:?}");
    ExitCode::from(2)
}
