//! What is linked in: the lists of `deny.toml`, and a core whose dependencies are four.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// The first quoted name of each line of a list in `deny.toml`.
fn list(section: &str, key: &str) -> Vec<String> {
    let lines = lines(section, key).into_iter();
    lines.map(|mut names| names.swap_remove(0)).collect()
}

/// The quoted names of each line of a list in `deny.toml`; comments are left out.
fn lines(section: &str, key: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(bounded::root().join("deny.toml")).unwrap();
    let section = text.split(&format!("\n[{section}]\n")).nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let list = section.split(&format!("\n{key} = [\n")).nth(1);
    let list = list.or_else(|| section.strip_prefix(&format!("{key} = [\n")));
    let list = list.unwrap().split("\n]").next().unwrap();
    let lines = list.lines().map(|line| line.split('#').next().unwrap());
    let names = |line: &str| {
        line.split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    lines
        .map(names)
        .filter(|names: &Vec<_>| !names.is_empty())
        .collect()
}

/// Every package of the lock file, as cargo describes it.
fn packages() -> Vec<Value> {
    metadata()["packages"].as_array().unwrap().clone()
}

fn metadata() -> Value {
    let mut metadata = bounded::cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked"]);
    let output = bounded::run(&mut metadata, Duration::from_secs(60));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'v>(package: &'v Value, key: &str) -> &'v str {
    package[key].as_str().unwrap_or_default()
}

/// Whether a licence expression can be met with the allowed ones. `/` is an old way to say OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ");
    let spaced = spaced.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    assert_eq!(words.next(), None, "{expression}");
    met
}

type Words<'w, 's> = &'w mut std::iter::Peekable<std::str::SplitWhitespace<'s>>;

fn any(words: Words<'_, '_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: Words<'_, '_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: Words<'_, '_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let met = any(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return met;
    }
    let mut name = words.next().unwrap().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap());
    }
    allowed.contains(&name)
}

#[test]
fn every_licence_is_one_that_we_allow() {
    let allowed = list("licenses", "allow");
    assert!(allowed.contains(&"MIT".to_owned()), "{allowed:?}");
    for package in packages() {
        let licence = text(&package, "license");
        assert!(
            is_met(licence, &allowed),
            "{} is under {licence:?}",
            text(&package, "name")
        );
    }
}

#[test]
fn licence_expressions_are_read_as_written() {
    let allowed = ["MIT".to_owned(), "B WITH X".to_owned()];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(A OR MIT) AND MIT", true),
        ("(A OR MIT) AND A", false),
        ("B", false),
        ("B WITH X", true),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}

#[test]
fn nothing_is_linked_in_that_is_banned_or_comes_twice_or_from_elsewhere() {
    let banned = lines("bans", "deny");
    assert!(banned.iter().any(|line| line[0] == "hyper"), "{banned:?}");
    let twice = list("bans", "skip");
    let mut versions = BTreeMap::new();
    for package in packages() {
        let name = text(&package, "name").to_owned();
        let source = text(&package, "source");
        let line = banned.iter().find(|line| line[0] == name);
        let users = line.map_or(&[] as &[String], |line| &line[1..]);
        assert!(
            line.is_none() || !users.is_empty(),
            "{name} is banned in deny.toml"
        );
        let ours = name == "barewire" || name.starts_with("barewire-");
        assert_eq!(source.is_empty(), ours, "{name} comes from {source:?}");
        assert!(ours || source.starts_with("registry+"), "{name}: {source}");
        let version = text(&package, "version").to_owned();
        if let Some(other) = versions.insert(name.clone(), version.clone())
            && !twice.contains(&name)
        {
            panic!("{name} is there twice: {other} and {version}");
        }
    }
}

/// `{ crate = "tokio", wrappers = ["barewire-core"] }`: banned but for the examples of the core.
#[test]
fn what_is_banned_but_for_examples_is_used_by_them_alone() {
    let mut exceptions = lines("bans", "deny");
    exceptions.retain(|line| line.len() > 1);
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let name_of = |id: &Value| {
        let package = packages.iter().find(|package| package["id"] == *id);
        text(package.unwrap(), "name")
    };
    let mut uses = 0;
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let user = name_of(&node["id"]);
        for dependency in node["deps"].as_array().unwrap() {
            let name = name_of(&dependency["pkg"]);
            let Some(line) = exceptions.iter().find(|line| line[0] == name) else {
                continue;
            };
            assert!(
                line[1..].iter().any(|may| may == user),
                "{user} uses {name}"
            );
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            assert!(
                kinds.iter().all(|kind| kind["kind"] == "dev"),
                "{user} links {name} in"
            );
            uses += 1;
        }
    }
    assert_eq!(uses, exceptions.len(), "an exception that nobody needs");
}

#[test]
fn the_core_depends_on_four_packages_without_their_default_features() {
    let packages = packages();
    let core = packages
        .iter()
        .find(|package| text(package, "name") == "barewire-core")
        .unwrap();
    let mut names = Vec::new();
    for dependency in core["dependencies"].as_array().unwrap() {
        if dependency["kind"].is_null() {
            names.push(text(dependency, "name"));
            // heapless has none that are on by default.
            let defaults = dependency["uses_default_features"] == Value::Bool(true);
            assert!(!defaults || text(dependency, "name") == "heapless");
        }
    }
    names.sort_unstable();
    assert_eq!(names, ["atomic", "heapless", "memchr", "wide"]);
}
