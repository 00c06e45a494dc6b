//! The files of this repository, for the tests that judge them.

use std::path::{Path, PathBuf};

/// The folder of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All files of the repository with this ending, but for what is built.
pub(crate) fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = all();
    found.retain(|path| path.extension().is_some_and(|end| end == ending));
    assert!(!found.is_empty());
    found
}

/// All files of the repository, but for what is built, in order.
pub(crate) fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_ours = matches!(&*name, ".ci" | ".github") || !name.starts_with('.');
            if !path.is_dir() && name != ".git" {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            } else if path.is_dir() && name != "target" && is_ours {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// A line without its comment. (A `//` within a string hides the rest of its line; nothing that is
/// looked for stands behind one.)
pub(crate) fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether `word` stands in the code of a line as a word of its own.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code(line).split(|c| !part(c)).any(|other| other == word)
}

/// What comes before the tests of a file.
pub(crate) fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// What a rule finds in one file: number of the line, and what is wrong with it.
pub(crate) type Found = Vec<(usize, String)>;

/// Judges the files by a rule, and fails with all that it finds.
pub(crate) fn judge(paths: Vec<PathBuf>, rule: impl Fn(&str, &str) -> Found) {
    let mut found = Vec::new();
    for path in paths {
        let name = path.to_string_lossy().into_owned();
        // What is no text has no lines to judge.
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        let lines = rule(&name, &text).into_iter();
        found.extend(lines.map(|(number, what)| format!("{name}:{number}: {what}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}
