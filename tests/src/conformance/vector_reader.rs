//! Reads the text form of the vectors (`tests/vectors/README.md`). Anything it does not know is an
//! error with file and line: a condition that is skipped in silence is a test that never runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::outcome_reader::alternative;
use super::text::Text;
use super::vector::{FloodEnd, Run, Step, Strength, Vector};

/// A vector file that could not be read.
#[derive(Debug, Clone)]
pub struct ReadError {
    file: PathBuf,
    line: usize,
    what: String,
}

impl ReadError {
    pub(crate) fn new(file: &Path, line: usize, what: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

impl std::error::Error for ReadError {}

pub(crate) type Read<T> = Result<T, String>;

/// Reads one file of vectors.
pub(crate) fn read_file(file: &Path, source: &str) -> Result<Vec<Vector>, ReadError> {
    let category = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let category = category.unwrap_or_default();
    let mut vectors = Vec::new();
    let mut draft: Option<Draft> = None;
    for (number, line) in (1..).zip(source.lines()) {
        let fail = |what: String| ReadError::new(file, number, what);
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            if let Some(done) = draft.take() {
                vectors.push(done.finish().map_err(fail)?);
            }
            continue;
        }
        if line.ends_with(char::is_whitespace) {
            return Err(fail("white space at the end of a line".to_owned()));
        }
        match &mut draft {
            Some(draft) => draft.line(line).map_err(fail)?,
            None => draft = Some(Draft::begin(line, &category).map_err(fail)?),
        }
    }
    if let Some(done) = draft {
        let last = source.lines().count();
        vectors.push(
            done.finish()
                .map_err(|what| ReadError::new(file, last, what))?,
        );
    }
    Ok(vectors)
}

/// A case of which some lines were read.
struct Draft {
    vector: Vector,
    /// The last line was a step that takes a text, or a line of that text.
    wants_text: bool,
    /// How often the last step (a `send`) happens.
    turns: usize,
}

impl Draft {
    fn begin(line: &str, category: &str) -> Read<Self> {
        let head = line
            .strip_prefix("case ")
            .and_then(|rest| rest.split_once(": "));
        let (id, title) = head.ok_or_else(|| "a case begins `case ID: title`".to_owned())?;
        let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || !id.chars().all(good) || title.is_empty() {
            return Err(format!("`{id}` is no id, or there is no title"));
        }
        let vector = Vector {
            id: id.to_owned(),
            category: category.to_owned(),
            title: title.to_owned(),
            strength: Strength::Must,
            references: Vec::new(),
            methods: Vec::new(),
            steps: Vec::new(),
            pass: Vec::new(),
            warn: Vec::new(),
            run: Run::Parallel,
            splits: false,
            not_bytewise: false,
            limit: None,
            grace: None,
        };
        Ok(Self {
            vector,
            wants_text: false,
            turns: 1,
        })
    }

    fn line(&mut self, line: &str) -> Read<()> {
        if let Some(source) = line.strip_prefix("  |") {
            if !self.wants_text {
                return Err("a line of text, but no step before it takes one".to_owned());
            }
            let more = Text::read(source)?;
            let counts = matches!(self.vector.steps.last(), Some(Step::Count { .. }));
            if more.is_counted() && !counts {
                return Err("a placeholder outside `count`".to_owned());
            }
            if let Some(text) = self.vector.steps.last_mut().and_then(text_mut) {
                text.append(more);
            }
            return Ok(());
        }
        self.end_step()?;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "must" => self.strength(Strength::Must, rest),
            "should" => self.strength(Strength::Should, rest),
            "may" => self.strength(Strength::May, rest),
            _ if self.vector.references.is_empty() => {
                Err("the second line says must, should or may, and where".to_owned())
            }
            "pass" => {
                self.vector.pass.push(alternative(rest)?);
                Ok(())
            }
            "warn" => {
                self.vector.warn.push(alternative(rest)?);
                Ok(())
            }
            _ if !self.vector.pass.is_empty() => Err(format!("`{word}` behind the outcomes")),
            "methods" | "run" | "splits" | "not-bytewise" | "limit" | "grace" => {
                self.option(word, rest)
            }
            _ => self.step(word, rest),
        }
    }

    fn strength(&mut self, strength: Strength, references: &str) -> Read<()> {
        if !self.vector.references.is_empty() || references.is_empty() {
            return Err("one line says must, should or may, and where".to_owned());
        }
        self.vector.strength = strength;
        self.vector.references = references.split("; ").map(str::to_owned).collect();
        Ok(())
    }

    fn option(&mut self, word: &str, rest: &str) -> Read<()> {
        let vector = &mut self.vector;
        if !vector.steps.is_empty() {
            return Err(format!("the option `{word}` stands before the steps"));
        }
        let twice = match word {
            "methods" => !vector.methods.is_empty(),
            "run" => vector.run != Run::Parallel,
            "splits" => vector.splits,
            "not-bytewise" => vector.not_bytewise,
            "limit" => vector.limit.is_some(),
            _ => vector.grace.is_some(),
        };
        if twice {
            return Err(format!("`{word}` twice"));
        }
        match (word, rest) {
            ("methods", list) if !list.is_empty() => {
                vector.methods = list.split(' ').map(str::to_owned).collect();
            }
            ("run", "alone") => vector.run = Run::Alone,
            ("run", "app") => vector.run = Run::App,
            ("run", "slow") => vector.run = Run::Slow,
            ("splits", "") => vector.splits = true,
            ("not-bytewise", "") => vector.not_bytewise = true,
            ("limit", time) => vector.limit = Some(duration(time)?),
            ("grace", time) => vector.grace = Some(duration(time)?),
            _ => return Err(format!("`{word}` with `{rest}`")),
        }
        Ok(())
    }

    fn step(&mut self, word: &str, rest: &str) -> Read<()> {
        let text = Text::default();
        let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
        self.turns = 1;
        let step = match (word, words.as_slice()) {
            ("send", []) => Step::Send {
                text,
                unread: false,
            },
            ("send", ["unread"]) => Step::Send { text, unread: true },
            ("send", ["times", times]) => {
                self.turns = count(times)?;
                Step::Send {
                    text,
                    unread: false,
                }
            }
            ("repeat", [times]) => Step::Repeat {
                text,
                times: count(times)?,
                unread: false,
            },
            ("repeat", [times, "unread"]) => Step::Repeat {
                text,
                times: count(times)?,
                unread: true,
            },
            ("count", [times]) => Step::Count {
                text,
                times: count(times)?,
                unread: false,
            },
            ("count", [times, "unread"]) => Step::Count {
                text,
                times: count(times)?,
                unread: true,
            },
            ("chunks", [size, "times", times]) => Step::Chunks {
                text,
                size: count(size)?,
                times: count(times)?,
            },
            ("pause", [_, _]) => Step::Pause(duration(rest)?),
            ("await", [responses]) => Step::Await(count(responses)?),
            ("await-interim", [_, _]) => Step::AwaitInterim(duration(rest)?),
            ("shut", []) => Step::Shut,
            ("reset", []) => Step::Reset,
            ("drip", [_, _]) => Step::Drip {
                text,
                every: duration(rest)?,
            },
            ("idle", []) => Step::Idle,
            ("flood", [connections, end]) => {
                let connections = count(connections)?;
                let end = match *end {
                    "close" => FloodEnd::Close,
                    "reset" => FloodEnd::Reset,
                    "hold" => FloodEnd::Hold,
                    _ => return Err(format!("`{end}` is no end of a flood")),
                };
                Step::Flood {
                    connections,
                    text,
                    end,
                }
            }
            _ => return Err(format!("`{word} {rest}` is not known")),
        };
        self.wants_text = step.text().is_some();
        self.vector.steps.push(step);
        Ok(())
    }

    /// The text of the last step, if it takes one, is complete.
    fn end_step(&mut self) -> Read<()> {
        if std::mem::take(&mut self.wants_text)
            && let Some(step) = self.vector.steps.last()
        {
            let may_be_empty = matches!(step, Step::Flood { .. });
            if step.text().is_some_and(Text::is_empty) && !may_be_empty {
                return Err("the step before this line has no text".to_owned());
            }
            let again = vec![step.clone(); self.turns - 1];
            self.vector.steps.extend(again);
        }
        Ok(())
    }

    fn finish(mut self) -> Read<Vector> {
        self.end_step()?;
        let vector = self.vector;
        if vector.references.is_empty() || vector.steps.is_empty() || vector.pass.is_empty() {
            return Err(format!(
                "{} lacks a reference, a step or an outcome",
                vector.id
            ));
        }
        if vector.splits && !matches!(vector.steps.as_slice(), [Step::Send { .. }]) {
            return Err(format!(
                "{} is to be split, but is not a single `send`",
                vector.id
            ));
        }
        Ok(vector)
    }
}

fn text_mut(step: &mut Step) -> Option<&mut Text> {
    match step {
        Step::Send { text, .. }
        | Step::Repeat { text, .. }
        | Step::Count { text, .. }
        | Step::Chunks { text, .. }
        | Step::Drip { text, .. }
        | Step::Flood { text, .. } => Some(text),
        _ => None,
    }
}

pub(crate) fn whole(word: &str) -> Read<usize> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

pub(crate) fn count(word: &str) -> Read<usize> {
    match whole(word)? {
        0 => Err("zero times".to_owned()),
        number => Ok(number),
    }
}

/// Responses are counted from 1 in the files, from 0 inside.
pub(crate) fn response(word: &str) -> Read<usize> {
    count(word).map(|number| number - 1)
}

fn duration(rest: &str) -> Read<Duration> {
    let (number, unit) = rest
        .split_once(' ')
        .ok_or_else(|| format!("`{rest}` has no unit"))?;
    let number = u64::try_from(count(number)?).map_err(|error| error.to_string())?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        _ => Err(format!("`{unit}` is no unit of time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::vector::{Condition, FieldTest, StatusPattern};

    const GOOD: &str = "case A-1: a title\nmust RFC 9112 3; own rule\nmethods HEAD GET\nrun alone\n\
        limit 10 s\nsend times 2\n  |GET / HTTP/1.1\\r\\n\n  |\\r\\n\nawait 2\n\
        pass status 200 4xx/!501; field 1 date once; body 2 \"a; \\\"b\"; open\nwarn silent; closed\n";

    fn read(source: &str) -> Result<Vec<Vector>, ReadError> {
        read_file(Path::new("some/odd.txt"), source)
    }

    #[test]
    fn every_part_of_a_case_is_read() {
        let vector = read(GOOD).unwrap().remove(0);
        assert_eq!(
            (vector.id.as_str(), vector.category.as_str()),
            ("A-1", "odd")
        );
        assert_eq!(vector.references, ["RFC 9112 3", "own rule"]);
        assert_eq!(vector.methods, ["HEAD", "GET"]);
        assert_eq!(vector.run, Run::Alone);
        assert_eq!(vector.limit, Some(Duration::from_secs(10)));
        assert_eq!(vector.steps.len(), 3);
        assert_eq!(
            vector.requests_as_bytes(),
            b"GET / HTTP/1.1\r\n\r\n".repeat(2)
        );
        assert_eq!(
            vector.pass[0].conditions,
            [
                Condition::Status(vec![
                    vec![StatusPattern::Exactly(200)],
                    vec![StatusPattern::Class(4), StatusPattern::Not(501)]
                ]),
                Condition::Field(0, "date".to_owned(), FieldTest::Once),
                Condition::Body(1, b"a; \"b".to_vec()),
                Condition::Open,
            ]
        );
        assert_eq!(
            vector.warn[0].conditions,
            [Condition::Silent, Condition::Closed]
        );
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        let swap = |old: &str, new: &str| {
            assert!(GOOD.contains(old));
            read(&GOOD.replacen(old, new, 1)).unwrap_err().to_string()
        };
        assert!(swap("await 2", "wait 2").starts_with("some/odd.txt:9: "));
        swap("run alone", "run often");
        swap("run alone", "run alone\nrun app");
        swap("must ", "might ");
        swap("limit 10 s", "limit 10");
        swap("send times 2", "send twice");
        swap("send times 2\n", "");
        swap("; open", "; opened");
        swap("; open", ";open");
        swap("silent; closed", "silent; status 200");
        swap("4xx", "6xx");
        swap("\"b\"", "\"b");
        swap("date once", "date often");
        swap("date once", "Date once");
        swap("await 2", "await 2 ");
        swap("await 2", "drip 5 ms");
        swap("|\\r", "|\\(n)\\r");
        swap("pass ", "fail ");
        swap("case A-1: ", "case ");
        assert!(read("case A-1: t\nmust x\nidle\n").is_err());
    }
}
