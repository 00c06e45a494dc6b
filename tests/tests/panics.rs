//! No panic can be reached in core: the program of `tests/nostd/src/bin/panics` names all of its
//! public functions, and links only without panics.

#[allow(dead_code)] // each test uses a part of it
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sources::{code, files, read};

/// What is not in the program under its own name, and why.
const EXCEPTIONS: [(&str, &str); 5] = [
    (
        "connection Prepared::new",
        "is made in a constant; panics on purpose, so that a wrong answer does not compile",
    ),
    (
        "json Pair::new",
        "is made in a constant; panics on purpose, so that wrong keys do not compile",
    ),
    (
        "router Router::with",
        "builds tables in constants; panics on purpose, so that a wrong route does not compile",
    ),
    (
        "router Router::fmt",
        "prints patterns by the standard library's Debug of texts, as derived Debug does",
    ),
    (
        "wire parse",
        "is exported as `parse_date`, and in the program so",
    ),
];

/// A public function of core: the module, and `Type::function` or `function`.
type Name = (String, String);

/// The words of a text that can be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// `Type<'a, [u8; N]>` without what is between angle brackets.
fn plain(text: &str) -> String {
    let mut depth = 0;
    let outside = text.chars().filter(|&c| {
        depth += i32::from(c == '<');
        let is_outside = depth == 0;
        depth -= i32::from(c == '>' && depth > 0);
        is_outside
    });
    outside.collect()
}

/// The public functions of a source, and those by which its public types have traits. (Whatever is
/// `pub` in core can be reached from outside: the lint `unreachable_pub` is on.)
fn functions(text: &str, module: &str, types: &BTreeSet<String>) -> Vec<Name> {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let (mut found, mut owner, mut of_trait) = (Vec::new(), String::new(), false);
    let mut header = String::new();
    for line in text.lines().map(code) {
        if !header.is_empty() || line.starts_with("impl") {
            header += line;
            header += " ";
            if !line.contains('{') {
                continue;
            }
            let head = header.split('{').next().unwrap().replace("->", "");
            let mut names = plain(head.split(" where ").next().unwrap());
            of_trait = names.contains(" for ");
            if let Some((_, to)) = names.split_once(" for ") {
                names = to.to_owned();
            }
            owner = words(&names).last().unwrap_or_default().to_owned();
            header.clear();
        }
        if line.starts_with('}') || (line.starts_with("impl") && line.ends_with("{}")) {
            owner.clear();
        }
        let item = line.trim_start();
        let of_trait = of_trait && !owner.is_empty() && types.contains(&owner);
        let public = item.strip_prefix("pub ").or(of_trait.then_some(item));
        let function = public.and_then(|item| {
            let item = item.strip_prefix("const ").unwrap_or(item);
            words(item.strip_prefix("fn ")?).next()
        });
        if let Some(function) = function {
            let is_free = !line.starts_with(' ');
            let name = match is_free {
                true => function.to_owned(),
                false => format!("{owner}::{function}"),
            };
            found.push((module.to_owned(), name));
        }
    }
    found
}

/// The public structs and enums of a source.
fn types(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let item = line.strip_prefix("pub ")?;
        let item = item
            .strip_prefix("struct ")
            .or(item.strip_prefix("enum "))?;
        words(item).next().map(str::to_owned)
    })
}

/// What is in front of the last angle brackets, and what is between them.
fn brackets(text: &str) -> (&str, &str) {
    let mut depth = 0;
    let at = text.rfind(|c| {
        depth += i32::from(c == '>') - i32::from(c == '<');
        depth == 0
    });
    let (before, inside) = text.split_at(at.unwrap_or(0));
    (before, inside.trim_start_matches('<').trim_end_matches('>'))
}

/// Each `Type::function` and each `<Type as Trait>::function` that a source names, aliases
/// resolved, and each word for the free functions.
fn named(text: &str) -> BTreeSet<String> {
    let text: Vec<&str> = text.lines().map(code).collect();
    let text = text.join("\n");
    let aliases: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once("type ")?.1.split_once(" = "))
        .filter_map(|(alias, of)| Some((alias, words(of).next()?)))
        .collect();
    let mut found: BTreeSet<String> = words(&text).map(str::to_owned).collect();
    for (at, _) in text.match_indices("::") {
        let Some(function) = words(&text[at..]).next() else {
            continue;
        };
        let mut owner = text[..at].to_owned();
        if owner.ends_with('>') {
            let (before, inside) = brackets(&owner);
            owner = match inside.split_once(" as ") {
                Some((owner, _)) => plain(owner),
                None => before.trim_end_matches(':').to_owned(),
            };
        }
        if let Some(owner) = words(&owner).last() {
            let owner = aliases.get(owner).unwrap_or(&owner);
            found.insert(format!("{owner}::{function}"));
        }
    }
    for (_, rest) in text
        .match_indices("drop::<")
        .map(|(at, m)| text.split_at(at + m.len()))
    {
        if let Some(owner) = words(rest).next() {
            found.insert(format!("{}::drop", aliases.get(owner).unwrap_or(&owner)));
        }
    }
    found
}

/// All public functions of core.
fn public() -> BTreeSet<Name> {
    let mut sources = files("rs");
    sources.retain(|path| path.starts_with("core/src"));
    let texts = sources.iter().map(|path| (path, read(path)));
    let texts: Vec<_> = texts.collect();
    let types: BTreeSet<String> = texts.iter().flat_map(|(_, text)| types(text)).collect();
    let mut found = BTreeSet::new();
    for (path, text) in &texts {
        let module = path.iter().nth(2).unwrap().to_string_lossy();
        found.extend(functions(text, module.trim_end_matches(".rs"), &types));
    }
    found
}

#[test]
fn the_program_names_every_public_function_of_core() {
    let program = |module: &str| {
        let path = format!("tests/nostd/src/bin/panics/{module}.rs");
        let path = Path::new(&path);
        match sources::root().join(path).exists() {
            true => read(path),
            false => String::new(),
        }
    };
    let public = public();
    let mut missing = Vec::new();
    let mut excused = Vec::new();
    for (module, name) in &public {
        // The bounds have no file of their own, and what is printed has one for all.
        let text = match module.as_str() {
            "limits" => program("connection"),
            module => program(module) + &program("print"),
        };
        let key = format!("{module} {name}");
        match EXCEPTIONS.iter().find(|(excuse, _)| *excuse == key) {
            Some(excuse) => excused.push(excuse.0),
            None if named(&text).contains(name) => {}
            None => missing.push(key),
        }
    }
    assert!(missing.is_empty(), "not in the program: {missing:#?}");
    assert_eq!(excused.len(), EXCEPTIONS.len(), "only {excused:?} exist");
    // As many as there are: a reader that finds nothing would find nothing missing.
    assert!(public.len() > 300, "only {} functions", public.len());
}

#[test]
fn a_function_that_is_missing_is_missed() {
    let core = "\
pub struct Wheel<'m> {
impl<'m> Wheel<'m> {
    pub const fn new(entries: &'m mut [Entry]) -> Self {
    pub fn pop(&mut self) -> Option<u32> {
    pub(crate) fn hidden(&self) {}
}
impl<T: Fn() -> u8> fmt::Debug
    for Wheel<'_>
where
    T: Copy,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
}
impl FusedIterator for Wheel<'_> {}
fn private(value: &[u8]) {
impl Iterator for Private<'_> {
    fn next(&mut self) -> Option<u8> {
}
// pub fn in_a_comment() {}
pub fn free(bytes: &[u8]) {}
";
    // Not in one text: a rule of the house would take it for the tests of this file.
    let core = &format!(
        "{core}#[cfg({})]\nmod tests {{\n    pub fn of_a_test() {{}}\n",
        "test"
    );
    let types = types(core).collect();
    let found = functions(core, "wheel", &types);
    let names: Vec<&str> = found.iter().map(|(_, name)| &**name).collect();
    assert_eq!(names, ["Wheel::new", "Wheel::pop", "Wheel::fmt", "free"]);

    let program = "\
type Timers = Wheel<'static>;
    entries!(2: Timers::new, Entry::<Of<u8>>::new, <Wheel<'_> as Debug>::fmt); // Wheel::pop
    entries!(1: <Rx as Deref>::deref);
    entries!(1: drop::<Recorder<'_>>, |items: &Items| exhaust(Items::iter(items)));
";
    let named = named(program);
    for name in [
        "Wheel::new",
        "Wheel::fmt",
        "Entry::new",
        "Rx::deref",
        "Recorder::drop",
        "Items::iter",
    ] {
        assert!(named.contains(name), "{name}: {named:?}");
    }
    assert!(!named.contains("Wheel::pop") && !named.contains("free"));
}
