//! Bugs that are planted to see that they are found: `tests/planted.toml` lists them.
//!
//! ```text
//! cargo test -p barewire-tests --test planted -- --ignored --nocapture
//! ```
//!
//! copies the sources, plants one bug after the other, builds, and asserts that its finder fails
//! and says why. `BAREWIRE_PLANTED=slot` takes only those with that in their name. About half a
//! minute for each on two cores.

#[allow(dead_code)] // each test uses a part of it
mod bounded;
#[allow(dead_code)] // each test uses a part of it
mod sources;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bounded::Process;
use sources::{all, read, root};

/// Seeds within which the simulation has to find a bug.
const SEEDS: u64 = 10_000;

/// Time for a build and a search: some minutes on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(900);

/// Runs tests for ten minutes at most: one that spins with a bug in it shall not outlive us,
/// whether we give it up, are interrupted, or are killed. (Who ends cargo does not end what it
/// runs.)
const RUNNER: &str = r#"target."cfg(all())".runner = ["timeout", "-k", "1", "600"]"#;

struct Bug {
    name: String,
    file: String,
    old: String,
    new: String,
    finder: String,
    says: Vec<String>,
}

fn planted() -> Vec<Bug> {
    let list: toml::Table = toml::from_str(&read("tests/planted.toml")).unwrap();
    let list = list["bug"].as_array().unwrap();
    let text = |one: &toml::Value, key: &str| one[key].as_str().unwrap().to_owned();
    let bug = |one: &toml::Value| Bug {
        name: text(one, "name"),
        file: text(one, "file"),
        old: text(one, "old"),
        new: text(one, "new"),
        finder: text(one, "finder"),
        says: {
            let says = one["says"].as_array().unwrap();
            says.iter()
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        },
    };
    list.iter().map(bug).collect()
}

/// The text with the bug in it.
fn plant(bug: &Bug, text: &str) -> Result<String, String> {
    match text.matches(&bug.old).count() {
        1 => Ok(text.replace(&bug.old, &bug.new)),
        n => Err(format!("{}: {n} times in {}", bug.name, bug.file)),
    }
}

#[test]
fn every_bug_can_still_be_planted() {
    let all = planted();
    assert!(all.len() >= 10);
    for bug in &all {
        let text = read(&bug.file);
        assert_ne!(plant(bug, &text).unwrap(), text, "{}", bug.name);
        // A finder that looks for nothing would find everything.
        assert!(!bug.says.is_empty() && bug.says.iter().all(|word| word.len() > 3));
        // And that something has failed is no reason.
        assert!(!bug.says.iter().any(|word| word.contains("test result")));
    }
}

#[test]
fn a_bug_that_cannot_be_planted_any_more_is_seen() {
    let bug = &planted()[0];
    assert!(plant(bug, "something else").is_err());
    assert!(plant(bug, &bug.old.repeat(2)).is_err());
}

/// A copy of the sources, gone with it.
struct Garden(PathBuf);

impl Garden {
    fn new() -> Garden {
        let folder = format!("barewire-planted-{}", std::process::id());
        // First, so that half a copy goes as well.
        let garden = Garden(std::env::temp_dir().join(folder));
        for path in all() {
            // A workspace of its own, with thousands of files.
            if path.starts_with("fuzz") {
                continue;
            }
            let to = garden.0.join(&path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root().join(&path), to).unwrap();
        }
        garden
    }

    fn write(&self, file: impl AsRef<Path>, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    /// Runs cargo; says whether it succeeded, and everything that it said.
    fn cargo(&self, args: &[&str]) -> (bool, String) {
        let target = std::env::var("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|_| root().join("target"));
        let log = self.0.join("log");
        let file = File::create(&log).unwrap();
        let child = Command::new(env!("CARGO"))
            .args(["--config", RUNNER])
            .args(args)
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", target.join("planted"))
            .env("BAREWIRE_SEEDS", SEEDS.to_string())
            .env_remove("BAREWIRE_SEED")
            .stdin(Stdio::null())
            .stderr(file.try_clone().unwrap())
            .stdout(file)
            .spawn();
        let mut child = Process(child.unwrap());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.0.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "{args:?} does not end");
            std::thread::sleep(Duration::from_millis(50));
        };
        let said = fs::read(log).unwrap();
        (
            status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

impl Drop for Garden {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `finder` stands for.
fn arguments(finder: &str) -> Vec<&str> {
    match finder {
        "sim" => "test -p barewire-tests --test sim_worker every_answer_is_right",
        finder => finder,
    }
    .split(' ')
    .collect()
}

/// The seed that found it, if one did.
fn seed(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("BAREWIRE_SEED=")?;
    rest.split(':').next()?.parse().ok()
}

/// The shrunk test in what a finder said, if there is one, into the file where it belongs.
fn pasted(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("sim_found.rs:\n\n")?;
    let (test, _) = rest.split_once("\n}\n")?;
    Some(format!(
        "{}\n{test}\n}}\n",
        read("tests/tests/sim_found.rs")
    ))
}

#[test]
#[ignore = "builds the whole server a dozen times: minutes"]
fn every_planted_bug_is_found() {
    let garden = Garden::new();
    let only = std::env::var("BAREWIRE_PLANTED").unwrap_or_default();
    let chosen = planted().into_iter().filter(|one| one.name.contains(&only));
    let (mut table, mut survivors, mut pastes) = (String::new(), Vec::new(), 0);
    for bug in chosen {
        let began = Instant::now();
        let text = read(&bug.file);
        garden.write(&bug.file, &plant(&bug, &text).unwrap());
        let args = arguments(&bug.finder);
        let (built, said) = garden.cargo(&[&args[..], &["--no-run"]].concat());
        assert!(built, "{} does not compile: {said}", bug.name);
        let (passed, said) = garden.cargo(&args);
        let words = match bug.finder.as_str() {
            // The names of tests say a lot as well.
            "sim" => said.lines().find(|line| line.starts_with("BAREWIRE_SEED=")),
            _ => Some(&*said),
        };
        let words = words.unwrap_or_default();
        let reason = bug.says.iter().find(|word| words.contains(&***word));
        let found = seed(&said).map_or(bug.finder.clone(), |seed| format!("seed {seed}"));
        let row = format!(
            "{:<75} {found}, {:?}, {} s",
            bug.name,
            reason,
            began.elapsed().as_secs()
        );
        println!("{row}");
        table.push_str(&row);
        table.push('\n');
        if passed || reason.is_none() {
            survivors.push((bug.name.clone(), said));
        } else if let Some(found) = pasted(&said).filter(|_| pastes < 2) {
            // What is printed is a test, and it fails while the bug is there.
            pastes += 1;
            garden.write("tests/tests/sim_found.rs", &found);
            let test = [
                "test",
                "-p",
                "barewire-tests",
                "--test",
                "sim_found",
                "stays_found",
            ];
            let (passed, said) = garden.cargo(&test);
            assert!(!passed && said.contains("stays_found ... FAILED"), "{said}");
            garden.write(&bug.file, &text);
            let (passed, said) = garden.cargo(&test);
            assert!(passed && said.contains("1 passed"), "{said}");
            garden.write(
                "tests/tests/sim_found.rs",
                &read("tests/tests/sim_found.rs"),
            );
        }
        garden.write(&bug.file, &text);
    }
    assert!(!table.is_empty(), "no bug with {only:?} in its name");
    assert!(survivors.is_empty(), "survived: {survivors:?}\n{table}");
    assert!(pastes > 0 || !only.is_empty(), "nothing was pasted");
}
