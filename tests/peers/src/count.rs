//! Instructions, by callgrind: `(Ir(2N) - Ir(N)) / N`, so that what a loop costs around its turns
//! falls away.
//!
//! One run under valgrind counts everything: it collects within [`counted`] only, and writes a file
//! with the counts each time that [`written`] returns.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::pairs::{Pair, Run};

/// Turns: the first one finds out which vectors there are, all others are the same.
const TURNS: u64 = 100;

/// Instructions of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "one for each side")]
pub struct Counts {
    pub ours: f64,
    pub theirs: f64,
}

/// What valgrind is to run: every side twice, in the order of the pairs.
pub fn run_all(pairs: &mut [Pair]) {
    for pair in pairs {
        for run in [&mut pair.ours, &mut pair.theirs] {
            run(1);
            written(run, TURNS);
            written(run, 2 * TURNS);
        }
    }
}

/// Valgrind knows it by its name, as the next one. (They are two because valgrind 3.19 takes one
/// option for one name.)
#[inline(never)]
fn written(run: &mut Run, turns: u64) {
    counted(run, turns);
    // Not the last thing, or the call would become a jump.
    black_box(turns);
}

#[inline(never)]
fn counted(run: &mut Run, turns: u64) {
    run(black_box(turns));
    black_box(turns);
}

/// Counts all rows by running this program once more with the argument `count`. `None`: valgrind
/// does not know an instruction that this program was built for.
///
/// # Errors
/// What went wrong, if it was anything else.
pub fn measure(pairs: &[Pair], scratch: &Path) -> Result<Option<Vec<Counts>>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let file = scratch.join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .args([
            "--toggle-collect=*count::counted*",
            "--dump-after=*count::written*",
        ])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .arg("count")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let unknown = ["unhandled instruction", "Unrecognised instruction"];
        if unknown.iter().any(|text| said.contains(text)) {
            return Ok(None);
        }
        return Err(format!("valgrind: {}\n{said}", output.status));
    }
    let mut totals = (1..=4 * pairs.len()).map(|number| total(&part(&file, number)));
    let mut next = || totals.next().expect("four for each pair");
    let mut counts = Vec::new();
    for pair in pairs {
        let mut call = || {
            let (once, twice) = (next()?, next()?);
            let turn = twice.checked_sub(once).filter(|more| *more > 0);
            let turn = turn.ok_or_else(|| format!("{once} and {twice} instructions"))?;
            Ok::<_, String>(turn as f64 / TURNS as f64 / f64::from(pair.calls))
        };
        counts.push(Counts {
            ours: call()?,
            theirs: call()?,
        });
    }
    // One more would be of something else, and all behind it too.
    if part(&file, 4 * pairs.len() + 2).exists() {
        return Err("more was counted than there is".to_owned());
    }
    Ok(Some(counts))
}

/// The file of the `number`-th time, from 1.
fn part(file: &Path, number: usize) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn total(file: &Path) -> Result<u64, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = line.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| format!("{file:?} has no total"))
}
