//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use super::{Kind, SCENARIOS, Scenario, Side};

/// The peer that is built in a second.
const QUICK_PEER: &str = "net/http";

/// How to call it.
pub const USAGE: &str = "run [--quick] [--rounds N] [--slice MS] [--every N] \
[--only SCENARIO,...] [--sides NAME,...] [--side 'NAME=COMMAND ARGS']... [--base NAME] \
[--svg FILE] [--markdown FILE] [--sleep] [--wrk]";

/// A run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the servers that we build are.
    pub programs: PathBuf,
    /// Rounds of each scenario.
    pub rounds: usize,
    /// One slice of one server.
    pub slice: Duration,
    /// Peers take part in every so manieth round.
    pub every: usize,
    /// What is asked.
    pub scenarios: Vec<Scenario>,
    /// The names of the servers. `None`: all.
    pub sides: Option<Vec<String>>,
    /// Further servers.
    pub given: Vec<Side>,
    /// What ratios refer to.
    pub base: String,
    /// Where the plot goes.
    pub svg: Option<PathBuf>,
    /// Where the tables go, besides the terminal.
    pub markdown: Option<PathBuf>,
    /// Whether only ours and one peer are there, if nobody says else.
    pub quick: bool,
    /// Whether the client sleeps where it could look.
    pub sleeps: bool,
    /// Whether the command of the challenge is run too.
    pub wrk: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            programs: PathBuf::new(),
            rounds: 60,
            slice: Duration::from_millis(300),
            every: 3,
            scenarios: SCENARIOS.to_vec(),
            sides: None,
            given: Vec::new(),
            base: "floor".to_owned(),
            svg: None,
            markdown: None,
            quick: false,
            sleeps: false,
            wrk: false,
        }
    }
}

impl Options {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} takes a value"));
            match word.as_str() {
                "--quick" => {
                    options.quick = true;
                    (options.rounds, options.every) = (2, 1);
                    options.slice = Duration::from_millis(100);
                }
                "--programs" => options.programs = value()?.into(),
                "--rounds" => options.rounds = number(&word, &value()?)?,
                "--slice" => {
                    options.slice = Duration::from_millis(number(&word, &value()?)? as u64);
                }
                "--every" => options.every = number(&word, &value()?)?,
                "--only" => {
                    let ids = value()?;
                    let scenario = |id| Scenario::of(id).ok_or(format!("no scenario: {id}"));
                    options.scenarios = ids.split(',').map(scenario).collect::<Result<_, _>>()?;
                }
                "--sides" => {
                    options.sides = Some(value()?.split(',').map(str::to_owned).collect());
                }
                "--side" => {
                    let text = value()?;
                    let side = Side::given(&text).ok_or(format!("--side {text}: NAME=COMMAND"))?;
                    options.given.push(side);
                }
                "--base" => options.base = value()?,
                "--svg" => options.svg = Some(value()?.into()),
                "--markdown" => options.markdown = Some(value()?.into()),
                "--sleep" => options.sleeps = true,
                "--wrk" => options.wrk = true,
                "--bench" => {} // cargo says so
                _ => return Err(format!("{word}: unknown\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// The servers of this run among those that are known, with those that were given behind.
    ///
    /// # Errors
    /// A name that is nobody's, one that comes twice, or no base.
    pub fn choose(&self, known: Vec<Side>) -> Result<Vec<Side>, String> {
        let mut sides = known;
        let names: Vec<String> = sides.iter().map(|side| side.name.clone()).collect();
        if let Some(wanted) = &self.sides {
            if let Some(name) = wanted.iter().find(|name| !names.contains(name)) {
                return Err(format!("--sides: {name} is none of {names:?}"));
            }
            sides.retain(|side| wanted.contains(&side.name) || side.name == self.base);
        }
        if self.sides.is_none() && self.quick {
            sides.retain(|side| side.kind != Kind::Peer || side.name == QUICK_PEER);
        }
        for side in &self.given {
            if sides.iter().any(|other| other.name == side.name) {
                return Err(format!("--side: {} is there twice", side.name));
            }
            sides.push(side.clone());
        }
        match sides.iter().any(|side| side.name == self.base) {
            true => Ok(sides),
            false => Err(format!("--base: no {}", self.base)),
        }
    }
}

fn number(name: &str, text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or(format!("{name} {text}: a number from 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(text.split_terminator('|').map(str::to_owned))
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let options = parse("").unwrap();
        assert_eq!((options.rounds, options.every), (60, 3));
        assert_eq!(options.scenarios.len(), SCENARIOS.len());
        let options = parse(
            "--bench|--rounds|15|--slice|50|--every|1|--only|close,event|--sides|floor,Barewire|\
             --side|a=b {port}|--base|Barewire|--svg|x.svg|--markdown|x.md|--sleep|--wrk",
        )
        .unwrap();
        let ids: Vec<&str> = options
            .scenarios
            .iter()
            .map(|scenario| scenario.id)
            .collect();
        assert_eq!(ids, ["close", "event"]);
        assert_eq!((options.rounds, options.every), (15, 1));
        assert_eq!(options.slice, Duration::from_millis(50));
        assert_eq!(options.given, [Side::given("a=b {port}").unwrap()]);
        assert_eq!(options.base, "Barewire");
        assert!(options.sleeps && options.wrk);
        let quick = parse("--quick").unwrap();
        assert_eq!((quick.rounds, quick.every), (2, 1));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in [
            "--rounds",
            "--rounds|0",
            "--rounds|x",
            "--slice|-1",
            "--only|close,nothing",
            "--side|a",
            "--faster",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sides_are_chosen_by_name() {
        let known = || ["floor=f", "Barewire=b", "c=c"].map(|text| Side::given(text).unwrap());
        let names = |text: &str| -> Result<Vec<String>, String> {
            let sides = parse(text).unwrap().choose(known().to_vec())?;
            Ok(sides.into_iter().map(|side| side.name).collect())
        };
        assert_eq!(names("").unwrap(), ["floor", "Barewire", "c"]);
        assert_eq!(names("--sides|c|--side|d=e").unwrap(), ["floor", "c", "d"]);
        assert_eq!(names("--sides|c|--base|c").unwrap(), ["c"]);
        for bad in ["--sides|d", "--side|c=e", "--base|d"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
