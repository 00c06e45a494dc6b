//! What is measured: how each server is started, and what it cannot do.

use std::path::Path;

use super::Scenario;

/// How a server is started, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its name in the tables.
    pub name: String,
    /// Program and arguments, separated by blanks, with words in braces: see [`words`](Self::words).
    pub command: String,
    /// What it is to us.
    pub kind: Kind,
    /// Files that it reads, with words in braces.
    files: &'static [(&'static str, &'static str)],
    /// Scenarios that it cannot be asked in, and why.
    lacks: &'static [(&'static str, &'static str)],
}

/// What a server is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has the line of the challenge at its end, which is held against what was asked.
    Barewire,
    /// It answers, and knows nothing.
    Floor,
    /// A server by somebody else, of which only some rounds are measured.
    Peer,
    /// Given on the command line, with Barewire's routes.
    Given,
}

/// What a command is told of the run.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// A port that was free, for servers that do not say where they listen.
    pub port: u16,
    /// A folder of its own.
    pub folder: &'a Path,
}

const NO_EVENTS: &str = "has no handlers that could count";
const BAREWIRE: &str =
    "{programs}/barewire serve --port 0 --workers 1 --connections {connections} --idle-ms 3600000";
const FLOOR: &str = "{programs}/floor --request-bytes {request-bytes} --answer {answer} {close}";
const NGINX: &[(&str, &str)] = &[("nginx.conf", include_str!("../../bench/peers/nginx.conf"))];
const H2O: &[(&str, &str)] = &[
    ("h2o.conf", include_str!("../../bench/peers/h2o.conf")),
    ("www/plaintext", "Hello, World!"),
    ("www/json", r#"{"message":"Hello, World!"}"#),
];
const STATIC_ONLY: &[(&str, &str)] = &[
    ("event", NO_EVENTS),
    ("event-million", NO_EVENTS),
    ("echo", NO_EVENTS),
];

/// Name, command, files and what is missing of every peer.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

#[rustfmt::skip]
const PEERS: [Row; 9] = [
    ("tokio + httparse", "{programs}/peers/bare", &[], &[]),
    ("hyper", "{programs}/peers/hyper", &[], &[]),
    ("axum", "{programs}/peers/axum", &[], &[]),
    ("actix-web", "{programs}/peers/actix", &[], &[]),
    ("ntex", "{programs}/peers/ntex", &[], &[]),
    ("may_minihttp", "{programs}/peers/minihttp {port}", &[], &[("close", "ignores `Connection: close`")]),
    ("nginx", "/usr/sbin/nginx -e stderr -p {folder} -c {folder}/nginx.conf {port}", NGINX, STATIC_ONLY),
    ("h2o", "/usr/bin/h2o -c {folder}/h2o.conf {port}", H2O, STATIC_ONLY),
    ("net/http", "{programs}/peers/net_http", &[], &[]),
];

/// The servers that we know, those that are there.
///
/// # Panics
/// If the folder of the programs has no readable name.
pub fn known(programs: &Path) -> Vec<Side> {
    let own = [
        ("floor", FLOOR, Kind::Floor),
        ("floor again", FLOOR, Kind::Floor),
        ("Barewire", BAREWIRE, Kind::Barewire),
        ("Barewire again", BAREWIRE, Kind::Barewire),
    ];
    let own = own.map(|(name, command, kind)| (name, command, kind, &[][..], &[][..]));
    let peers =
        PEERS.map(|(name, command, files, lacks)| (name, command, Kind::Peer, files, lacks));
    let folder = programs.to_str().expect("a readable path");
    let sides = own
        .into_iter()
        .chain(peers)
        .map(|(name, command, kind, files, lacks)| Side {
            name: name.to_owned(),
            command: command.replace("{programs}", folder),
            kind,
            files,
            lacks,
        });
    let is_there = |side: &Side| Path::new(side.program()).exists();
    sides.filter(is_there).collect()
}

impl Side {
    /// One that is given on the command line: `NAME=COMMAND ARGS`.
    pub fn given(text: &str) -> Option<Side> {
        let (name, command) = text.split_once('=')?;
        let is_whole = !name.is_empty() && !command.trim().is_empty();
        is_whole.then(|| Side {
            name: name.to_owned(),
            command: command.to_owned(),
            kind: Kind::Given,
            files: &[],
            lacks: &[],
        })
    }

    /// The same with other words for one in braces.
    pub fn with(&self, word: &str, other: &str) -> Side {
        Side {
            command: self.command.replace(word, other),
            ..self.clone()
        }
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.command.split_whitespace().next().unwrap_or_default()
    }

    /// Whether it is told its port, and so does not say where it listens.
    pub fn wants_port(&self) -> bool {
        self.command.contains("{port}")
    }

    /// Why it is not asked in this scenario. `None`: it is.
    pub fn lack(&self, scenario: &Scenario) -> Option<&'static str> {
        let mut lacks = self.lacks.iter();
        lacks.find_map(|(id, why)| (*id == scenario.id).then_some(*why))
    }

    /// Whether it has `GET /stats`.
    pub fn has_statistics(&self) -> bool {
        self.kind != Kind::Floor
    }

    /// The command for a scenario, word by word. `{port}` as a word of its own is left out, and only
    /// says that the server is told its port in a file.
    pub fn words(&self, scenario: &Scenario, place: Place<'_>) -> Vec<String> {
        let words = self.command.split_whitespace();
        let words = words.filter(|word| *word != "{port}" || self.files.is_empty());
        let words = words.map(|word| filled(word, scenario, place));
        words.filter(|word| !word.is_empty()).collect()
    }

    /// Writes the files that it reads.
    ///
    /// # Panics
    /// If that fails.
    pub fn write_files(&self, scenario: &Scenario, place: Place<'_>) {
        for (name, text) in self.files {
            let path = place.folder.join(name);
            let folder = path.parent().expect("a folder");
            std::fs::create_dir_all(folder).expect("a folder");
            std::fs::write(&path, filled(text, scenario, place)).expect("a file");
        }
    }
}

fn filled(text: &str, scenario: &Scenario, place: Place<'_>) -> String {
    let answer = || String::from_utf8(scenario.answer()).expect("text");
    let close = if scenario.close { "--close" } else { "" };
    text.replace("{port}", &place.port.to_string())
        .replace("{folder}", &place.folder.to_string_lossy())
        .replace("{connections}", &scenario.connections_most().to_string())
        .replace("{request-bytes}", &scenario.request_bytes().to_string())
        .replace("{close}", close)
        .replace("{answer}", &answer())
}

#[cfg(test)]
mod tests {
    use super::super::SCENARIOS;
    use super::*;

    #[test]
    fn words_in_braces_are_filled_in() {
        let place = Place {
            port: 4_711,
            folder: Path::new("folder"),
        };
        let side = Side::given("a=b=c serve {port} {close} --connections={connections}").unwrap();
        assert_eq!((side.name.as_str(), side.program()), ("a", "b=c"));
        let words = side.words(&SCENARIOS[0], place);
        assert_eq!(words, ["b=c", "serve", "4711", "--connections=80"]);
        let close = Scenario::of("close").unwrap();
        assert_eq!(side.words(&close, place)[3], "--close");
        for bad in ["", "a", "=b", "a= "] {
            assert_eq!(Side::given(bad), None, "{bad}");
        }
    }
}
