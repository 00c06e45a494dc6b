//! Keeps inputs of the fuzz targets under names that say what they show.
//!
//! ```sh
//! cargo run -p barewire-tests --example corpus -- add head found/*
//! cargo run -p barewire-tests --example corpus -- add head --as two-equal-lengths FILE
//! cargo run -p barewire-tests --example corpus -- name head found/*
//! cargo run -p barewire-tests --example corpus -- rename
//! ```
//!
//! `name` prints what each file would be called, for a choice among many. `add` copies files into
//! `fuzz/corpus/TARGET`, but for those that are there already. `rename` looks at every kept input
//! and gives it the name that is true now, as a changed rule changes outcomes.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, missing_docs, dead_code)] // it is a crate of its own otherwise
mod fuzz;

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fuzz::Target;

/// Bytes of an input: larger ones are not small, and a corpus of some thousand stays below a few
/// million bytes.
const INPUT_BYTES_MAX: usize = 2048;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["add", target, "--as", what, file] => add(find(target)?, Some(what), &[file]),
        ["add", target, ref files @ ..] => add(find(target)?, None, files),
        ["name", target, ref files @ ..] => name(find(target)?, files),
        ["rename"] => Target::ALL.iter().try_for_each(rename),
        _ => Err("add TARGET [--as WHAT] FILE..., name TARGET FILE..., or rename".into()),
    }
}

fn find(name: &str) -> Result<&'static Target, Box<dyn Error>> {
    let mut targets = const { &Target::ALL }.iter();
    let found = targets.find(|target| target.name == name);
    found.ok_or_else(|| format!("there is no target {name}").into())
}

fn folder(target: &Target) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    corpus.join(target.name)
}

fn kept(target: &Target) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder(target))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    paths.sort();
    Ok(paths)
}

fn add(target: &Target, what: Option<&str>, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut known = HashSet::new();
    for path in kept(target)? {
        known.insert(fs::read(path)?);
    }
    let mut added = 0;
    for file in files {
        let data = fs::read(file)?;
        if data.len() > INPUT_BYTES_MAX {
            println!("{file} has {} bytes: not kept", data.len());
            continue;
        }
        if !known.insert(data.clone()) {
            continue;
        }
        // It has to hold before it is kept; a panic here names the promise.
        (target.check)(&data);
        let path = folder(target).join(target.file_name(&data, what));
        if path.exists() {
            return Err(format!("{path:?} is another input: choose other words").into());
        }
        fs::write(path, data)?;
        added += 1;
    }
    println!("{}: {added} of {} added", target.name, files.len());
    Ok(())
}

fn name(target: &Target, files: &[&str]) -> Result<(), Box<dyn Error>> {
    for file in files {
        println!("{} {file}", target.file_name(&fs::read(file)?, None));
    }
    Ok(())
}

fn rename(target: &Target) -> Result<(), Box<dyn Error>> {
    for path in kept(target)? {
        let data = fs::read(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A name without the dashes is all words.
        let what = name.split_once("--").map_or(&*name, |(_, what)| what);
        let found = what.starts_with("found-");
        let now = target.file_name(&data, (!found).then_some(what));
        if now == *name {
            continue;
        }
        let to = path.with_file_name(&now);
        if to.exists() {
            return Err(format!("{path:?} would be {now}, which is another input").into());
        }
        println!("{}: {name} is {now}", target.name);
        fs::rename(path, to)?;
    }
    Ok(())
}
