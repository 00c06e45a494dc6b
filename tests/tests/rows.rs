//! `tests/rows.toml`: what is done of the requirements, and what shows it. Here it is held to what
//! there is: a proof that was renamed or deleted is found out, and so is a row that was forgotten.
//!
//! Nothing is run: each command is a gate of `.ci/run`, or one of its tests alone, or a
//! measurement.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

/// The groups of rows in their order, each with its highest number.
const GROUPS: [(&str, u8); 18] = [
    ("BUF", 28),
    ("NET", 36),
    ("PAR", 30),
    ("RSP", 20),
    ("RTR", 18),
    ("STA", 20),
    ("API", 12),
    ("CON", 16),
    ("PIPE", 13),
    ("QUE", 7),
    ("POOL", 23),
    ("CFG", 7),
    ("SRV", 16),
    ("OBS", 10),
    ("PRF", 16),
    ("VAL", 6),
    ("CMP", 5),
    ("EXT", 8),
];

/// The rows of the issues that are finished, or almost: each needs an entry.
const FINISHED: [(&str, &[u8]); 10] = [
    (
        "BUF",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 22, 26, 27, 28,
        ],
    ),
    (
        "NET",
        &[
            1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 29, 30, 31, 32, 34, 35,
        ],
    ),
    (
        "PAR",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 30,
        ],
    ),
    (
        "RSP",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
        ],
    ),
    (
        "RTR",
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    ),
    (
        "STA",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ],
    ),
    ("API", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("CON", &[1, 2, 3, 4, 5, 8, 10, 12, 13, 14, 15, 16]),
    ("SRV", &[3, 4, 7, 10, 11, 12]),
    ("PRF", &[2, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
];
/// And one whose group has no other.
const FINISHED_TOO: &str = "CFG-04";

const KEYS: [&str; 6] = ["id", "shows", "proof", "tests", "settled", "open"];

fn finished() -> Vec<String> {
    let named = FINISHED
        .iter()
        .flat_map(|(group, rows)| rows.iter().map(move |row| format!("{group}-{row:02}")));
    named.chain([FINISHED_TOO.to_owned()]).collect()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(bounded::root().join(path)).ok()
}

/// The packages of the workspace: `name -> folder`.
fn packages() -> BTreeMap<String, String> {
    let manifest = |folder: &str| -> Table {
        let text = read(&format!("{folder}/Cargo.toml")).unwrap();
        text.parse().unwrap()
    };
    let members = manifest(".")["workspace"]["members"].clone();
    let folders = members.as_array().unwrap().iter();
    folders
        .map(|folder| folder.as_str().unwrap().to_owned())
        .map(|folder| {
            let name = manifest(&folder)["package"]["name"].clone();
            (name.as_str().unwrap().to_owned(), folder)
        })
        .collect()
}

/// The place of an id among all rows: its group, then its number. `None`: there is no such row.
fn place(id: &str) -> Option<(usize, u8)> {
    let (group, digits) = id.split_once('-')?;
    let at = GROUPS.iter().position(|(name, _)| *name == group)?;
    let number: u8 = digits.parse().ok()?;
    let is_written_so = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_written_so && (1..=GROUPS[at].1).contains(&number)).then_some((at, number))
}

/// One thing that stands behind a row.
#[derive(Debug)]
struct Evidence<'t> {
    file: &'t str,
    name: &'t str,
    /// A test that only runs if it is asked for.
    is_ignored: bool,
}

/// Finds a named test, assertion, benchmark row, case or gate in its file.
fn evidence<'t>(file: &'t str, name: &'t str) -> Result<Evidence<'t>, String> {
    let text = read(file).ok_or_else(|| format!("{file} is not there"))?;
    let mut is_ignored = false;
    let is_there = if file.ends_with("budgets.txt") {
        text.lines()
            .any(|line| line.split(' ').next() == Some(name))
    } else if file.ends_with(".txt") {
        text.contains(&format!("\ncase {name}: "))
    } else if file.starts_with(".ci/") {
        text.contains(&format!("\n{name}() {{\n"))
    } else if name.starts_with("compile_fail") {
        text.contains(&format!("//! ```{name}\n"))
    } else if name.starts_with("assert!") {
        let line = format!("const _: () = {name};");
        text.lines().any(|other| other.trim() == line)
    } else {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let begin = format!("fn {name}(");
        let at = lines.iter().position(|line| line.starts_with(&begin));
        // Its attributes stand between it and what comes before.
        let above = lines[..at.unwrap_or(0)].iter().rev();
        let above: Vec<_> = above
            .take_while(|line| !line.is_empty() && **line != "}" && !line.ends_with('{'))
            .collect();
        is_ignored = above.iter().any(|line| line.starts_with("#[ignore"));
        at.is_some() && above.iter().any(|line| **line == "#[test]")
    };
    if !is_there {
        return Err(format!("{file} has no {name}"));
    }
    Ok(Evidence {
        file,
        name,
        is_ignored,
    })
}

/// A command, taken apart.
#[derive(Debug, Default)]
struct Proof<'t> {
    package: Option<&'t str>,
    manifest: Option<&'t str>,
    lib: bool,
    doc: bool,
    targets: Vec<&'t str>,
    filter: Option<&'t str>,
    ignored: bool,
}

impl<'t> Proof<'t> {
    /// Understands `cargo test` with a package or manifest, targets, and one filter.
    fn parse(command: &'t str) -> Result<Proof<'t>, String> {
        let mut proof = Proof::default();
        let bad = |what: &str| Err(format!("{what} in {command:?}"));
        let mut words = command.split(' ').skip(2);
        while let Some(word) = words.next() {
            match word {
                "--release" | "--nocapture" | "--" => {}
                "--ignored" => proof.ignored = true,
                "--lib" => proof.lib = true,
                "--doc" => proof.doc = true,
                "-p" => proof.package = words.next(),
                "--manifest-path" => proof.manifest = words.next(),
                "--test" => proof.targets.extend(words.next()),
                _ if word.starts_with('-') => return bad(&format!("an unknown flag {word}")),
                _ if proof.filter.is_some() => return bad("a second filter"),
                _ => proof.filter = Some(word),
            }
        }
        match (proof.package, proof.manifest) {
            (None, None) => bad("neither package nor manifest"),
            _ => Ok(proof),
        }
    }

    /// The folder of what it tests, with a slash; an error if it or a target of it is not there.
    fn folder(&self) -> Result<String, String> {
        let folder = match (self.package, self.manifest) {
            (Some(package), _) => packages().remove(package),
            (_, Some(manifest)) if read(manifest).is_some() => {
                manifest.strip_suffix("/Cargo.toml").map(str::to_owned)
            }
            _ => None,
        };
        let folder = folder.ok_or_else(|| {
            let name = self.package.or(self.manifest).unwrap_or_default();
            format!("there is no {name}")
        })?;
        for target in &self.targets {
            let files = [format!("{target}.rs"), format!("{target}/main.rs")];
            let mut files = files.iter().map(|file| format!("{folder}/tests/{file}"));
            if !files.any(|file| Path::new(bounded::root()).join(file).exists()) {
                return Err(format!("{folder} has no test {target}"));
            }
        }
        Ok(folder + "/")
    }

    /// Whether the command runs this test. Names of modules are those of files, as nearly always.
    fn runs(&self, folder: &str, evidence: &Evidence<'_>) -> bool {
        let Some(within) = evidence.file.strip_prefix(folder) else {
            return false;
        };
        let of_lib = within.starts_with("src/");
        let target = within.strip_prefix("tests/").unwrap_or_default();
        let target = target.split(['/', '.']).next().unwrap_or_default();
        let of_doc = evidence.name.starts_with("compile_fail");
        let is_built = match (self.lib, self.doc, &self.targets[..]) {
            (false, false, []) => true,
            (_, true, _) if of_doc => of_lib,
            (lib, _, targets) => lib && of_lib && !of_doc || targets.contains(&target),
        };
        let stem = within.strip_suffix(".rs").unwrap_or(within);
        let path = format!("{}::{}", stem.replace('/', "::"), evidence.name);
        is_built
            && self.ignored == evidence.is_ignored
            && self.filter.is_none_or(|filter| path.contains(filter))
    }
}

/// What is wrong with one row.
fn check_row(row: &Table) -> Result<(), String> {
    let strange = row.keys().find(|key| !KEYS.contains(&key.as_str()));
    if let Some(key) = strange {
        return Err(format!("unknown key {key}"));
    }
    let text = |key: &str| -> Result<Option<&str>, String> {
        let Some(value) = row.get(key) else {
            return Ok(None);
        };
        let words = value.as_str().map(|text| text.split_whitespace().count());
        match words {
            Some(words) if words > 2 || key == "proof" && words > 0 => Ok(value.as_str()),
            _ => Err(format!("{key} says nothing")),
        }
    };
    let (proof, shows) = (text("proof")?, text("shows")?);
    let ways = [proof, text("settled")?, text("open")?];
    if ways.iter().flatten().count() != 1 {
        return Err("wants exactly one of proof, settled and open".to_owned());
    }
    let tests: Vec<&str> = match row.get("tests") {
        None => Vec::new(),
        Some(Value::Array(tests)) => tests.iter().filter_map(Value::as_str).collect(),
        Some(_) => return Err("tests is no list".to_owned()),
    };
    let mut behind = Vec::new();
    for entry in &tests {
        let (file, names) = entry
            .split_once(": ")
            .ok_or_else(|| format!("{entry:?} is not FILE: NAME"))?;
        for name in names.split(", ") {
            behind.push(evidence(file, name)?);
        }
    }
    let Some(proof) = proof else {
        return Ok(());
    };
    if shows.is_none() || behind.is_empty() {
        return Err("a proof wants shows and tests".to_owned());
    }
    if proof.starts_with("cargo test ") {
        let proof = Proof::parse(proof)?;
        let folder = proof.folder()?;
        if !behind.iter().any(|one| proof.runs(&folder, one)) {
            return Err("its command runs none of its tests".to_owned());
        }
        return Ok(());
    }
    match proof {
        ".ci/run" | ".ci/budgets" => Ok(()),
        _ => Err(format!("{proof:?} is no command that is known")),
    }
}

/// All that is wrong with a table of rows, a line for each.
fn complaints(text: &str, needed: &[String]) -> Vec<String> {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![error.to_string()],
    };
    let mut found = Vec::new();
    let mut last = None;
    let mut ids = Vec::new();
    for row in table
        .get("row")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(row) = row.as_table() else {
            found.push("a row is no table".to_owned());
            continue;
        };
        let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
        let place = place(id);
        match (last, place) {
            (_, None) => found.push(format!("{id:?} is no row")),
            (Some(last), Some(place)) if last == place => found.push(format!("{id} comes twice")),
            (Some(last), Some(place)) if last > place => {
                found.push(format!("{id} is out of order"));
            }
            _ => {}
        }
        last = place.or(last);
        ids.push(id);
        if let Err(what) = check_row(row) {
            found.push(format!("{id}: {what}"));
        }
    }
    if let Some(key) = table.keys().find(|key| *key != "row") {
        found.push(format!("unknown key {key}"));
    }
    let missing = needed.iter().filter(|id| !ids.contains(&id.as_str()));
    found.extend(missing.map(|id| format!("{id} is missing")));
    found
}

#[test]
fn every_row_that_is_done_names_a_proof_that_is_there() {
    let text = read("tests/rows.toml").unwrap();
    let found = complaints(&text, &finished());
    assert!(found.is_empty(), "{found:#?}");
    // What is open is said aloud.
    let table: Table = text.parse().unwrap();
    for row in table["row"].as_array().unwrap() {
        if let (Some(id), Some(open)) = (row.get("id"), row.get("open")) {
            println!("open: {id:?}: {open:?}");
        }
    }
}

#[test]
fn the_groups_have_291_rows_and_130_or_more_are_finished() {
    let all: u32 = GROUPS.iter().map(|(_, count)| u32::from(*count)).sum();
    assert_eq!(all, 291);
    let finished = finished();
    assert!(finished.iter().all(|id| place(id).is_some()));
    assert!(finished.len() >= 130, "{}", finished.len());
}

/// A row without fault, but for what is put in its place.
fn row(id: &str, rest: &str) -> String {
    format!("[[row]]\nid = {id:?}\n{rest}\n")
}

const GOOD: &str = r#"shows = "a word in its place"
proof = "cargo test -p barewire-core --lib wire::date"
tests = ["core/src/wire/date.rs: every_second_of_a_day_is_told"]"#;

fn wrong(text: &str) -> String {
    complaints(text, &[]).join("; ")
}

#[test]
fn a_good_table_has_no_fault() {
    let open = r#"open = "all of it is missing""#;
    let settled = r#"settled = "nobody wants it here""#;
    let table = row("BUF-01", GOOD) + &row("BUF-28", open) + &row("EXT-08", settled);
    assert_eq!(wrong(&table), "");
    let needed = ["BUF-01", "BUF-02"].map(str::to_owned);
    assert_eq!(complaints(&table, &needed), ["BUF-02 is missing"]);
}

#[test]
fn ids_are_those_of_the_requirements_once_and_in_order() {
    for id in [
        "", "BUF", "BUF-", "BUF-1", "BUF-001", "BUF-00", "BUF-29", "BUF-+1", "buf-01", "XYZ-01",
        "PIPE-14", "BUF-01 ",
    ] {
        assert!(wrong(&row(id, GOOD)).contains("is no row"), "{id:?}");
    }
    let twice = row("BUF-01", GOOD) + &row("BUF-01", GOOD);
    assert_eq!(wrong(&twice), "BUF-01 comes twice");
    let back = row("BUF-02", GOOD) + &row("BUF-01", GOOD);
    assert_eq!(wrong(&back), "BUF-01 is out of order");
    let back = row("NET-01", GOOD) + &row("BUF-01", GOOD);
    assert_eq!(wrong(&back), "BUF-01 is out of order");
}

#[test]
fn a_row_is_proven_settled_or_open_and_nothing_else() {
    let one = "wants exactly one of proof, settled and open";
    let tests = "tests = [\"core/src/wire/date.rs: every_second_of_a_day_is_told\"]";
    let run = "proof = \".ci/run\"";
    for (rest, what) in [
        (String::new(), one),
        (format!("{GOOD}\nopen = \"some of it is missing\""), one),
        (
            "settled = \"nobody wants it\"\nopen = \"it is all missing\"".into(),
            one,
        ),
        ("open = \"\"".into(), "open says nothing"),
        ("settled = true".into(), "settled says nothing"),
        (format!("{GOOD}\nwhy = \"so\""), "unknown key why"),
        (format!("{run}\n{tests}"), "a proof wants shows and tests"),
        (
            format!("{run}\nshows = \"it holds so\""),
            "a proof wants shows and tests",
        ),
        (
            format!("{run}\nshows = \"it holds so\"\ntests = 1"),
            "tests is no list",
        ),
        (
            format!("proof = \"make it\"\nshows = \"it holds so\"\n{tests}"),
            "\"make it\" is no command that is known",
        ),
    ] {
        assert_eq!(wrong(&row("BUF-01", &rest)), format!("BUF-01: {what}"));
    }
    assert!(wrong("[[row]\n").contains("expected"), "no TOML");
    assert_eq!(wrong("rows = 1"), "unknown key rows");
}

#[test]
fn what_stands_behind_a_row_is_there() {
    for (entry, what) in [
        ("core/src/nothing.rs: a", "core/src/nothing.rs is not there"),
        ("core/src/lib.rs", "\"core/src/lib.rs\" is not FILE: NAME"),
        (
            "core/src/wire/date.rs: every_second",
            "core/src/wire/date.rs has no every_second",
        ),
        // A function, but no test.
        (
            "tests/tests/bounded/mod.rs: built_in",
            "tests/tests/bounded/mod.rs has no built_in",
        ),
        (
            "server/src/peer.rs: assert!(size_of::<Peer>() <= 1)",
            "server/src/peer.rs has no assert!(size_of::<Peer>() <= 1)",
        ),
        (
            "core/benches/budgets.txt: router",
            "core/benches/budgets.txt has no router",
        ),
        (
            "tests/vectors/methods.txt: MET-000",
            "tests/vectors/methods.txt has no MET-000",
        ),
        (".ci/run: nothing", ".ci/run has no nothing"),
    ] {
        let rest = format!("shows = \"it holds so\"\nproof = \".ci/run\"\ntests = [{entry:?}]");
        assert_eq!(wrong(&row("BUF-01", &rest)), format!("BUF-01: {what}"));
    }
}

#[test]
fn a_command_runs_what_it_claims() {
    let none = "its command runs none of its tests";
    let command = "cargo test -p barewire-tests";
    for (proof, what) in [
        (
            "cargo test -p barewire-cor".to_owned(),
            "there is no barewire-cor",
        ),
        (
            "cargo test --manifest-path tests/Cargo.lock".into(),
            "there is no tests/Cargo.lock",
        ),
        (
            format!("{command} --test nothing"),
            "tests has no test nothing",
        ),
        (
            format!("{command} --all"),
            "an unknown flag --all in \"cargo test -p barewire-tests --all\"",
        ),
        (
            "cargo test x".into(),
            "neither package nor manifest in \"cargo test x\"",
        ),
        (
            format!("{command} x y"),
            "a second filter in \"cargo test -p barewire-tests x y\"",
        ),
        // Another target, another package, a filter that leaves all out, and those ignored.
        (format!("{command} --test cuts"), none),
        (format!("{command} --lib"), none),
        ("cargo test -p barewire".into(), none),
        (format!("{command} --test idle sleeping"), none),
        (format!("{command} --test idle -- --ignored"), none),
    ] {
        let rest = format!(
            "shows = \"it holds so\"\nproof = {proof:?}\n\
             tests = [\"tests/tests/idle.rs: an_idle_connection_holds_no_slot\"]"
        );
        assert_eq!(wrong(&row("BUF-01", &rest)), format!("BUF-01: {what}"));
    }
    let rest = "shows = \"it holds so\"\n\
                proof = \"cargo test -p barewire-tests --test stats_scaling\"\n\
                tests = [\"tests/tests/stats_scaling.rs: scaling_with_threads\"]";
    assert_eq!(wrong(&row("BUF-01", rest)), format!("BUF-01: {none}"));
}
