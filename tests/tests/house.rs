//! The rules of the house for the sources. Each is a function over text, and is seen to fail on text
//! that breaks it.

#[allow(dead_code)] // each test uses a part of it
mod sources;

use std::cell::Cell;
use std::path::PathBuf;

use sources::{Found, all, files, has_word, judge, lines, product, read};

// --- the width of lines

/// Characters of a line. The formatter keeps code within it, but leaves comments and texts alone.
const WIDTH: usize = 100;

/// Characters of any line at all, but for tables: texts that are told to people and cases of tests
/// come near it.
const WIDTH_ALLOWED: usize = 160;

/// Where comments were written wider before there was this rule, and how many lines may still be so.
/// Numbers only go down.
const WIDE: [(&str, usize); 8] = [
    ("core/src/router/", 85),
    ("core/src/stats/", 20),
    ("core/src/wheel", 12),
    ("core/src/wire/", 0),
    ("core/", 13),
    ("server/src/load/", 60),
    ("server/", 3),
    ("tests/", 23),
];

/// Lines that are too wide. Rows of tables cannot be broken.
fn too_wide(text: &str, most: usize) -> Found {
    let is_row = |line: &str| {
        let line = line.trim_start().trim_start_matches(['/', '!']);
        line.trim_start().starts_with('|')
    };
    lines(text)
        .filter(|(_, line)| line.chars().count() > most && !is_row(line))
        .map(|(number, line)| (number, format!("{} wide", line.chars().count())))
        .collect()
}

#[test]
fn lines_are_no_wider_than_a_hundred() {
    judge(files("rs"), |_, text| too_wide(text, WIDTH_ALLOWED));
    let counts = [const { Cell::new(0) }; WIDE.len()];
    judge(files("rs"), |name, text| {
        let found = too_wide(text, WIDTH);
        let Some(at) = WIDE.iter().position(|(begin, _)| name.starts_with(begin)) else {
            return found;
        };
        counts[at].update(|count| count + found.len());
        Found::new()
    });
    for ((folder, most), count) in WIDE.iter().zip(counts) {
        let count = count.get();
        println!("{folder}: {count} lines are wider than {WIDTH}");
        assert!(
            count <= *most,
            "{folder}: {count} lines are wider than {WIDTH}, {most} were"
        );
    }
}

#[test]
fn a_line_that_is_too_wide_is_seen() {
    let wide = "x".repeat(101);
    let text = format!("{}\n// {wide}\n//! | {wide} |\n| {wide}\n", "ü".repeat(100));
    assert_eq!(too_wide(&text, 100), [(2, "104 wide".to_owned())]);
}

// --- the operating system

/// Files besides the platforms that may name a system, and why.
const OF_A_SYSTEM: [(&str, &str); 10] = [
    (
        "server/src/platform.rs",
        "chooses the platform, for all others",
    ),
    ("server/Cargo.toml", "links the platform in"),
    (
        "server/src/cli/args.rs",
        "a test makes an argument that is no text",
    ),
    (
        "server/src/load/job.rs",
        "the client loads from anywhere: numbers of errors are not the same",
    ),
    (
        "server/src/load/worker.rs",
        "and without a word from the system it asks the socket",
    ),
    ("server/tests/command.rs", "sends signals"),
    (
        "tests/tests/drills/main.rs",
        "they watch a process as one system shows it",
    ),
    (
        "server/tests/switches.rs",
        "they watch a process as one system shows it",
    ),
    (
        "server/tests/tables.rs",
        "one system has tables of a thread's own",
    ),
    ("tests/tests/house.rs", "this rule"),
];

fn names_a_system(text: &str) -> Found {
    let names = ["target_os", "target_family", "unix", "windows"];
    lines(text)
        .filter(|(_, line)| {
            let is_cfg = has_word(line, "cfg") || has_word(line, "cfg_attr");
            has_word(line, "target_os") || is_cfg && names.iter().any(|name| has_word(line, name))
        })
        .map(|(number, line)| (number, line.trim().to_owned()))
        .collect()
}

#[test]
fn only_platforms_and_listed_files_name_the_operating_system() {
    let paths: Vec<PathBuf> = files("rs").into_iter().chain(files("toml")).collect();
    judge(paths, |name, text| {
        let may =
            name.starts_with("platform-") || OF_A_SYSTEM.iter().any(|(file, _)| *file == name);
        if may {
            Found::new()
        } else {
            names_a_system(text)
        }
    });
    for (file, why) in OF_A_SYSTEM {
        assert!(!names_a_system(&read(file)).is_empty(), "{file}: {why}");
    }
}

#[test]
fn a_name_of_a_system_is_seen() {
    for bad in [
        "#[cfg(target_os = \"linux\")]",
        "[target.'cfg(unix)'.dependencies]",
        "#![cfg(windows)]",
        "    if cfg!(target_os = \"macos\") {",
        "#[cfg_attr(unix, ignore)]",
        "        not(target_os = \"linux\"),",
    ] {
        assert_eq!(names_a_system(bad), [(1, bad.trim().to_owned())]);
    }
    for good in [
        "use std::os::unix::ffi::OsStrExt;",
        "#[cfg(test)] // unix",
        "windows(2)",
    ] {
        assert_eq!(names_a_system(good), [], "{good}");
    }
}

// --- unsafe code

/// Lines with unsafe code that no comment justifies. That comment stands above the statement, the
/// documentation of a function that is unsafe itself under `# Safety`.
fn without_safety(text: &str) -> Found {
    let all: Vec<&str> = text.lines().map(str::trim).collect();
    let is_justified = |at: usize| {
        let mut above = all[..=at].iter().rev().enumerate();
        above
            .by_ref()
            .take_while(|(back, line)| {
                *back == 0 || !line.is_empty() && !matches!(**line, "}" | "};")
            })
            .any(|(_, line)| line.starts_with("// SAFETY: ") || *line == "/// # Safety")
    };
    lines(text)
        .filter(|(_, line)| !line.trim_start().starts_with('#') && !line.contains('"'))
        // Within a trait's implementation it is the trait that says what the caller owes.
        .filter(|(_, line)| !line.starts_with("    unsafe fn "))
        .filter(|(number, line)| has_word(line, "unsafe") && !is_justified(number - 1))
        .map(|(number, line)| (number, line.trim().to_owned()))
        .collect()
}

/// Where it may be at all is a rule of `workspace.rs`, and of the compiler.
#[test]
fn unsafe_code_says_why_it_is_sound() {
    judge(files("rs"), |_, text| without_safety(text));
}

#[test]
fn unsafe_code_without_a_reason_is_seen() {
    for bad in [
        "// it works\nunsafe { a() }",
        "// SAFETY: b\n\nunsafe { a() }",
        "// SAFETY: b\nunsafe { b() };\n}\nunsafe impl Send for A {}",
        "/// Does it.\nunsafe fn a() {",
    ] {
        assert_eq!(without_safety(bad).len(), 1, "{bad}");
    }
    for good in [
        "// SAFETY: b\n// and c\nlet x =\n    unsafe { a() };",
        "/// # Safety\n/// The caller knows.\nunsafe fn a() {",
        "#![forbid(unsafe_code)] // unsafe",
    ] {
        assert_eq!(without_safety(good), [], "{good}");
    }
}

// --- bounds

/// Nouns that say what a number counts.
const UNITS: [&str; 34] = [
    "bytes",
    "byte",
    "milliseconds",
    "nanoseconds",
    "seconds",
    "ticks",
    "tick",
    "rows",
    "levels",
    "digits",
    "slots",
    "places",
    "connections",
    "params",
    "segments",
    "workers",
    "threads",
    "requests",
    "users",
    "events",
    "tries",
    "looks",
    "letters",
    "faults",
    "buffers",
    "exponents",
    "contradictions",
    "turns",
    "pieces",
    "characters",
    "places",
    "number",
    "many",
    "lines",
];

/// Words that a bound needs at least to say what it counts and why it is what it is.
const WORDS_MIN: usize = 6;

fn is_bound(name: &str) -> bool {
    let ends = [
        "_MAX", "_MIN", "_BYTES", "_MS", "_NS", "_SECONDS", "_BUDGET", "BATCH", "RESERVE",
        "BACKLOG",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

/// Bounds whose documentation says no unit, or not why.
fn bare_bounds(text: &str) -> Found {
    let mut found = Found::new();
    let mut documentation = String::new();
    for (number, line) in lines(text) {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            documentation.push_str(&text.to_lowercase());
            continue;
        }
        if line.starts_with("#[") {
            continue;
        }
        let item = line.split_once("const ").filter(|(before, _)| {
            matches!(before.trim(), "" | "pub" | "pub(crate)" | "pub(super)")
        });
        let name = item
            .and_then(|(_, rest)| rest.split_once(':'))
            .map(|(name, _)| name);
        if let Some(name) = name.filter(|name| is_bound(name)) {
            let mut words = documentation.split(|c: char| !c.is_alphanumeric());
            let has_unit = words.any(|word| UNITS.contains(&word));
            if !has_unit {
                found.push((number, format!("{name} has no unit")));
            } else if documentation.split_whitespace().count() < WORDS_MIN {
                found.push((number, format!("{name} has no reason")));
            }
        }
        documentation.clear();
    }
    found
}

#[test]
fn every_bound_says_its_unit_and_its_reason() {
    let mut paths = files("rs");
    paths.retain(|path| path.iter().any(|part| part == "src" || part == "examples"));
    judge(paths, |_, text| bare_bounds(product(text)));
}

#[test]
fn a_bound_without_unit_or_reason_is_seen() {
    for (text, what) in [
        ("const A_MAX: u8 = 1;", "A_MAX has no unit"),
        (
            "/// Bytes.\n\npub const A_BYTES: u8 = 1;",
            "A_BYTES has no unit",
        ),
        (
            "/// Bytes of it.\n    #[doc(hidden)]\n    pub(crate) const A_BYTES: u8 = 1;",
            "A_BYTES has no reason",
        ),
        (
            "/// What there is of it, because so it is.\nconst A_MS: u8 = 1;",
            "A_MS has no unit",
        ),
    ] {
        let found = bare_bounds(text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].1, what);
    }
    let good = "/// Bytes of a thing: as many as fit in it.\npub const A_MAX: u8 = 1;\nconst B: u8 = A_MAX;";
    assert_eq!(bare_bounds(good), []);
}

// --- leftovers

/// Notes of work that was left, and places of the machine it was done on.
fn leftovers(text: &str) -> Found {
    // Put together here, so that this file is judged too.
    let notes = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|[a, b]| format!("{a}{b}"));
    let folders = ["home", "root", "work", "tmp", "mnt"].map(|name| format!("/{name}/"));
    let is_path = |line: &str, folder: &String| {
        // Of the system, and not of a folder of the repository.
        let at = line.match_indices(folder.as_str());
        at.map(|(at, _)| line[..at].chars().next_back())
            .any(|before| !before.is_some_and(|c| c.is_alphanumeric() || "./-_}>*".contains(c)))
    };
    let part = |c: char| c.is_alphanumeric();
    lines(text)
        .filter(|(_, line)| {
            line.split(|c| !part(c))
                .any(|word| notes.iter().any(|note| note == word))
                || folders.iter().any(|folder| is_path(line, folder))
        })
        .map(|(number, line)| (number, line.trim().to_owned()))
        .collect()
}

#[test]
fn nothing_is_left_over() {
    judge(all(), |_, text| leftovers(text));
}

#[test]
fn what_is_left_over_is_seen() {
    let [note, folder] = [["TO", "DO"], ["/ho", "me/"]].map(|[a, b]| format!("{a}{b}"));
    for bad in [
        format!("// {note}: later"),
        format!("cd {folder}someone"),
        format!("\"{folder}x\""),
    ] {
        assert_eq!(leftovers(&bad).len(), 1, "{bad}");
    }
    for good in [
        format!("{note}S"),
        format!("docs{folder}page"),
        "todo = \"deny\"".to_owned(),
    ] {
        assert_eq!(leftovers(&good), [], "{good}");
    }
}

/// Where packages come from, other than the one registry that everybody has.
fn other_registries(text: &str) -> Found {
    // As cargo writes it into every lock file.
    let is_public = |source: &str| {
        let index = source.strip_prefix("registry+https://github.com/rust-lang/");
        index.is_some_and(|name| name.ends_with(".io-index") && !name.contains('/'))
    };
    let is_other = |line: &str| {
        let source = line
            .strip_prefix("source = \"")
            .and_then(|rest| rest.strip_suffix('"'));
        let section = line.trim_start_matches('[');
        source.is_some_and(|source| !is_public(source))
            || section.starts_with("registries") && section != line
            || section.starts_with("source.")
            || line.contains("registry-index")
    };
    lines(text)
        .filter(|(_, line)| is_other(line))
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}

#[test]
fn no_registry_is_named_but_the_public_one() {
    judge(
        files("lock").into_iter().chain(files("toml")).collect(),
        |_, text| other_registries(text),
    );
}

#[test]
fn another_registry_is_seen() {
    for bad in [
        "source = \"registry+https://mirror.example/index\"",
        "source = \"git+https://example.org/a\"",
        "[source.crates-io]",
        "[registries.own]",
        "a = { version = \"1\", registry-index = \"sparse+https://mirror.example\" }",
    ] {
        assert_eq!(other_registries(bad).len(), 1, "{bad}");
    }
    assert_eq!(
        other_registries("[sources]\nunknown-registry = \"deny\""),
        []
    );
}
