//! The rules of the house for the shape of the sources: no file is dead, tests come last, and the
//! modules of core use each other in one direction. Each rule is seen to fail as well.

#[allow(dead_code)] // each test uses a part of it
mod sources;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sources::{Found, all, code, files, judge, lines, product, read, root};

// --- dead files

/// The modules of a source that lie in files of their own: name, and path if it is told.
fn modules(text: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut path = None;
    for line in text.lines().map(|line| code(line).trim()) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            path = rest.split('"').next().map(str::to_owned);
            continue;
        }
        let item = ["pub(crate) ", "pub(super) ", "pub "]
            .iter()
            .find_map(|begin| line.strip_prefix(begin))
            .unwrap_or(line);
        if let Some(name) = item
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            found.push((name.to_owned(), path.take()));
        } else if !line.is_empty() && !line.starts_with("#[") {
            path = None;
        }
    }
    found
}

/// Whether Cargo finds this file by itself: a target, or a script of its build.
fn is_target(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let [.., folder, file] = &parts[..] else {
        return false;
    };
    let grand = parts.len().checked_sub(3).map_or("", |at| &parts[at]);
    let of_many = ["tests", "examples", "benches", "bin", "fuzz_targets"];
    let of_package = |folder: &str| {
        let at = path.ancestors().find(|path| path.ends_with(folder));
        // `bin` lies in `src`, the others beside it.
        let package = at.and_then(Path::parent).map(|at| {
            if at.ends_with("src") {
                at.parent().unwrap()
            } else {
                at
            }
        });
        package.is_some_and(|package| root().join(package).join("Cargo.toml").exists())
    };
    match &**file {
        "build.rs" => root().join(path).with_file_name("Cargo.toml").exists(),
        "lib.rs" | "main.rs" if folder == "src" => true,
        "main.rs" => of_many.contains(&grand) && of_package(grand),
        _ => of_many.contains(&&**folder) && of_package(folder),
    }
}

#[test]
fn every_source_is_a_target_or_a_module() {
    let sources = files("rs");
    let mut waiting: Vec<PathBuf> = sources
        .iter()
        .filter(|path| is_target(path))
        .cloned()
        .collect();
    assert!(waiting.len() > 30, "{waiting:?}");
    let mut reached = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let folder = path.parent().unwrap();
        let is_root = is_target(&path) || name == "mod.rs";
        let own = if is_root {
            folder.to_owned()
        } else {
            path.with_extension("")
        };
        for (module, told) in modules(&read(&path)) {
            let places = match told {
                Some(told) => vec![folder.join(told)],
                None => vec![
                    own.join(format!("{module}.rs")),
                    own.join(module).join("mod.rs"),
                ],
            };
            for place in places {
                let Ok(place) = root().join(place).canonicalize() else {
                    continue;
                };
                let place = place
                    .strip_prefix(root().canonicalize().unwrap())
                    .unwrap()
                    .to_owned();
                if !reached.contains(&place) {
                    waiting.push(place);
                }
            }
        }
        reached.insert(path);
    }
    let dead: Vec<_> = sources
        .iter()
        .filter(|path| !reached.contains(*path))
        .collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The tests that the workflow runs on macOS, and those that it says it does not.
fn on_macos(workflow: &str) -> (Vec<&str>, Vec<&str>) {
    let words = workflow.split_whitespace().collect::<Vec<_>>();
    let run = words.windows(2).filter(|two| two[0] == "--test");
    let (_, rest) = workflow.split_once("# Not here: ").unwrap_or_default();
    let not = rest.split(&[' ', ',', '#', '\n'][..]);
    let end = not.clone().take_while(|word| !word.ends_with('.')).count();
    let not = not.take(end + 1).map(|word| word.trim_end_matches('.'));
    (
        run.map(|two| two[1]).collect(),
        not.filter(|word| !word.is_empty()).collect(),
    )
}

#[test]
fn every_test_runs_on_macos_or_is_named_as_one_that_does_not() {
    let workflow = read(".github/workflows/ci.yml");
    let (run, not) = on_macos(&workflow);
    let mut named: Vec<&str> = run.into_iter().chain(not).collect();
    named.sort_unstable();
    let tests = files("rs").into_iter().filter(|path| is_target(path));
    let mut tests: Vec<String> = tests
        .filter_map(|path| {
            let path = path.strip_prefix("tests/tests").ok()?.to_owned();
            let file = path.iter().next()?.to_str()?;
            Some(file.trim_end_matches(".rs").to_owned())
        })
        .collect();
    tests.sort_unstable();
    assert_eq!(named, tests);
}

#[test]
fn what_the_workflow_names_is_read() {
    let text = "# Not here: one, two,\n  # three.\n run: a b\n  --test four \\\n --test five\n";
    let (run, not) = on_macos(text);
    assert_eq!(run, ["four", "five"]);
    assert_eq!(not, ["one", "two", "three"]);
    assert_eq!(on_macos("nothing"), (vec![], vec![]));
}

#[test]
fn modules_and_targets_are_told_from_other_files() {
    let text = "mod a;\npub mod b; // mod c;\n#[path = \"../d.rs\"]\n#[allow(dead_code)]\n\
                pub(crate) mod e;\nmod f {\n    mod g;\n}\n";
    let names: Vec<_> = modules(text)
        .into_iter()
        .map(|(name, path)| (name, path.is_some()))
        .collect();
    let expected = [("a", false), ("b", false), ("e", true), ("g", false)];
    assert_eq!(names, expected.map(|(name, told)| (name.to_owned(), told)));
    for target in [
        "core/src/lib.rs",
        "core/examples/std.rs",
        "tests/tests/drills/main.rs",
    ] {
        assert!(is_target(Path::new(target)), "{target}");
    }
    for other in [
        "core/src/wire/head.rs",
        "tests/tests/drills/churn.rs",
        "core/src/wire/tests/a.rs",
    ] {
        assert!(!is_target(Path::new(other)), "{other}");
    }
}

#[test]
fn every_input_is_read_by_a_test() {
    let corpus = read("tests/tests/corpus.rs");
    let benches =
        read("core/benches/instructions/input.rs") + &read("core/benches/instructions/budget.rs");
    let vectors =
        read("tests/src/conformance/vector.rs") + &read("tests/src/conformance/vector_reader.rs");
    let mut counted = 0;
    for path in all() {
        let name = path.to_string_lossy();
        let parts: Vec<&str> = name.split('/').collect();
        let is_read = match &parts[..] {
            // All files of the folder are played.
            ["fuzz", "corpus", target, _] => corpus.contains(&format!("replay(\"{target}\"")),
            ["tests", "vectors", "README.md"] | ["core", "benches", "inputs", "README.md"] => true,
            ["tests", "vectors", file] => vectors.contains("vectors") && file.ends_with(".txt"),
            ["core", "benches", .., file] if !file.ends_with(".rs") => benches.contains(file),
            _ => continue,
        };
        assert!(is_read, "{name} is read by nothing");
        counted += 1;
    }
    assert!(counted > 80, "{counted} inputs");
}

// --- order

/// What follows the module of the tests.
fn behind_the_tests(text: &str) -> Found {
    let all: Vec<&str> = text.lines().collect();
    let Some(at) = all.iter().position(|line| line.starts_with("mod tests")) else {
        return Found::new();
    };
    let end = match all[at].ends_with('{') {
        true => all[at..]
            .iter()
            .position(|line| *line == "}")
            .map_or(all.len(), |more| at + more),
        false => at,
    };
    let rest = lines(text)
        .skip(end + 1)
        .find(|(_, line)| !code(line).trim().is_empty());
    rest.map(|(number, line)| (number, format!("behind the tests: {line}")))
        .into_iter()
        .collect()
}

#[test]
fn tests_come_last() {
    judge(files("rs"), |_, text| behind_the_tests(text));
}

#[test]
fn what_follows_the_tests_is_seen() {
    let inner = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    for good in [inner, "#[cfg(test)]\nmod tests;\n// The end.\n", "mod a;\n"] {
        assert_eq!(behind_the_tests(good), [], "{good}");
    }
    assert_eq!(behind_the_tests(&format!("{inner}\nfn c() {{}}\n"))[0].0, 7);
    assert_eq!(behind_the_tests("mod tests;\nmod worker;\n")[0].0, 2);
}

// --- arrows

/// The modules of core, and which others each may use. The rest stands alone.
const ARROWS: [(&str, &[&str]); 9] = [
    // Every bound is a number there.
    ("wire", &["limits"]),
    ("buffer", &["wire", "limits"]),
    // Refusals are written as JSON where that is asked for.
    ("connection", &["wire", "buffer", "json", "limits"]),
    ("driver", &["buffer"]),
    ("router", &[]),
    ("stats", &[]),
    ("json", &[]),
    ("wheel", &[]),
    ("limits", &[]),
];

/// Uses of other modules that a module of core must not have.
fn wrong_arrows(module: &str, text: &str) -> Found {
    let row = ARROWS.iter().find(|(name, _)| *name == module);
    // Constants of the crate itself say how it is built, and are of no module.
    let is_constant = |name: &str| name.chars().all(|c| c.is_ascii_uppercase());
    let may = |other: &str| {
        other == module
            || is_constant(other)
            || row.is_some_and(|(_, others)| others.contains(&other))
    };
    let mut found = Found::new();
    for (number, line) in lines(text) {
        let uses = code(line).split("crate::").skip(1);
        for names in uses {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            // `crate::{wire, buffer::Slot}` names more than one.
            let names: Vec<&str> = match names.strip_prefix('{') {
                Some(list) => list.split([',', '}']).collect(),
                None => vec![names],
            };
            for name in names {
                let name = name.trim().split(|c| !part(c)).next().unwrap_or_default();
                if !name.is_empty() && !may(name) {
                    found.push((number, format!("{module} uses {name}")));
                }
            }
        }
    }
    found
}

#[test]
fn arrows_in_core_point_one_way() {
    let mut paths = files("rs");
    // The tests of a module may use all of them.
    let is_product = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.starts_with("core/src/")
            && !name.contains("/tests")
            && name != "core/src/lib.rs"
            && !name.starts_with("core/src/manual/")
    };
    paths.retain(is_product);
    let mut modules = BTreeSet::new();
    for path in &paths {
        let name = path.iter().nth(2).unwrap().to_string_lossy();
        modules.insert(name.trim_end_matches(".rs").to_owned());
    }
    let expected: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(modules, expected, "a module without a row");
    judge(paths, |name, text| {
        let module = name.split('/').nth(2).unwrap().trim_end_matches(".rs");
        wrong_arrows(module, product(text))
    });
}

#[test]
fn an_arrow_that_points_the_wrong_way_is_seen() {
    for (module, text, count) in [
        ("wire", "use crate::limits::Limits;", 0),
        ("wire", "use crate::buffer::Slot;", 1),
        ("buffer", "use crate::{wire, connection::Site};", 1),
        (
            "router",
            "fn a(b: crate::json::Writer, c: crate::wire::Method) {}",
            2,
        ),
        ("json", "// as crate::wire does", 0),
        ("driver", "use crate::driver::Entry;", 0),
        ("router", "if crate::VECTORS && crate::Json {}", 1),
    ] {
        assert_eq!(wrong_arrows(module, text).len(), count, "{text}");
    }
}
