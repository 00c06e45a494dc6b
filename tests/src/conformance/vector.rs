//! What a conformance vector is: steps of a client, and the outcomes that are permitted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::text::Text;
use super::vector_reader::{ReadError, read_file};

/// One case: what a client does, and what a server may do about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// Short name, unique in the corpus, such as `TE-033`.
    pub id: String,
    /// The file that it stands in, such as `transfer-encoding`.
    pub category: String,
    /// What is shown, in a line.
    pub title: String,
    /// What kind of requirement stands behind it.
    pub strength: Strength,
    /// The sections that say so.
    pub references: Vec<String>,
    /// Methods of the requests in order, where an answer's framing depends on them; GET beyond.
    pub methods: Vec<String>,
    /// What the client does, in order.
    pub steps: Vec<Step>,
    /// Outcomes that pass; one has to hold.
    pub pass: Vec<Alternative>,
    /// Outcomes that the RFCs tolerate.
    pub warn: Vec<Alternative>,
    /// Beside which other cases it may be played.
    pub run: Run,
    /// Played once per place at which its single step can be cut in two, instead of whole.
    pub splits: bool,
    /// Too long or too dependent on time to be sent one byte at a time.
    pub not_bytewise: bool,
    /// How long to wait for the answers, where the driver's own limit is too short.
    pub limit: Option<Duration>,
    /// How much longer to wait for a close or a late answer before the case fails.
    pub grace: Option<Duration>,
}

/// The key word of RFC 2119 behind a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// An absolute requirement.
    Must,
    /// A recommendation, "ought to" included.
    Should,
    /// One of several permitted ways.
    May,
}

/// Which cases may be played at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Beside any other of this kind.
    Parallel,
    /// Alone: it loads the server.
    Alone,
    /// Alone: it resets the application's statistics.
    App,
    /// Waits for deadlines of many seconds; beside others that wait.
    Slow,
}

/// One thing that the client does.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Sends a text; `unread` leaves answers unread meanwhile.
    Send {
        /// The bytes.
        text: Text,
        /// Whether answers are left in the socket while sending.
        unread: bool,
    },
    /// Sends a text many times in one go.
    Repeat {
        /// The bytes of one turn.
        text: Text,
        /// How often.
        times: usize,
        /// Whether answers are left in the socket while sending.
        unread: bool,
    },
    /// Sends a text once for each number from 0 on, in one go.
    Count {
        /// The text, with placeholders.
        text: Text,
        /// How many numbers.
        times: usize,
        /// Whether answers are left in the socket while sending.
        unread: bool,
    },
    /// Sends chunks of a chunked body (without the last one), filled with a text over and over.
    Chunks {
        /// What the chunks are filled with; each begins it anew.
        text: Text,
        /// Data bytes in each chunk.
        size: usize,
        /// How many chunks.
        times: usize,
    },
    /// Lets time pass, reading.
    Pause(Duration),
    /// Reads until so many final responses are here.
    Await(usize),
    /// Reads until a 1xx or a final response is here, or the time has passed.
    AwaitInterim(Duration),
    /// Closes the sending half.
    Shut,
    /// Resets the connection; nothing can be observed afterwards.
    Reset,
    /// Sends a text over and over, byte by byte, until dropped or the slow limit.
    Drip {
        /// The bytes.
        text: Text,
        /// Time between two bytes.
        every: Duration,
    },
    /// Does nothing until dropped or the slow limit.
    Idle,
    /// Opens many other connections, sends a text on each, and ends them.
    Flood {
        /// How many connections.
        connections: usize,
        /// What is sent on each; may be empty.
        text: Text,
        /// What becomes of them.
        end: FloodEnd,
    },
}

/// How the connections of a flood end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloodEnd {
    /// In order.
    Close,
    /// By a reset.
    Reset,
    /// Not before the case is over.
    Hold,
}

/// One permitted outcome: all of its conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// The conditions.
    pub conditions: Vec<Condition>,
}

/// Something that can be said about an observation. Responses are counted from 0 here, from 1 in
/// the text form.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No final response, and no bytes that are not HTTP.
    Silent,
    /// Bytes that are not HTTP/1.1 responses.
    Garbage,
    /// The server has not closed.
    Open,
    /// The server has closed or reset the connection.
    Closed,
    /// Exactly so many final responses, each with one of these statuses.
    Status(Vec<Vec<StatusPattern>>),
    /// Exactly so many final responses, all with one of these statuses.
    Every(usize, Vec<StatusPattern>),
    /// At least so many final responses.
    AtLeast(usize),
    /// At most so many final responses.
    AtMost(usize),
    /// A 1xx was sent (true), or none was (false).
    Interim(bool),
    /// The body of a response is this.
    Body(usize, Vec<u8>),
    /// The body of a response contains this.
    BodyHas(usize, Vec<u8>),
    /// The body of a response, if there is one, does not contain this.
    BodyLacks(usize, Vec<u8>),
    /// The body of a response has so many bytes.
    BodyLength(usize, usize),
    /// The body of a response is a text over and over, cut at so many bytes.
    BodyFill(usize, Vec<u8>, usize),
    /// Each body is the text with the response's number.
    Counted(Text),
    /// Something about a field of a response; the name is in lower case.
    Field(usize, String, FieldTest),
    /// Two responses do not differ in a field that both have.
    Same(usize, usize, String),
    /// Two responses differ in a field.
    Differ(usize, usize, String),
    /// Every Content-Length is the length of the body that came.
    LengthIsBody,
    /// The first response's Date is the present time, give or take three seconds.
    DateIsNow,
    /// The body of a response is JSON; with a key, an object whose value there is as wanted.
    Json(usize, Option<String>, JsonWant),
}

/// What is asked of the lines of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldTest {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// There is exactly one.
    Once,
    /// There is exactly one, with this value.
    Equals(String),
    /// There is none, or exactly one with this value.
    If(String),
    /// The first value begins so.
    Starts(String),
    /// This lower-case token is in the list that all lines make up.
    Token(String),
    /// This lower-case token is not in that list.
    NoToken(String),
}

/// What is wanted of a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonWant {
    /// That it is there.
    Any,
    /// That it is a number equal to this one.
    Exactly(f64),
    /// That it is a number at most a millionth off.
    About(f64),
    /// That it is this string.
    Text(String),
}

/// A set of status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// All of them.
    Any,
    /// One code.
    Exactly(u16),
    /// One class: its first digit.
    Class(u16),
    /// All but one code.
    Not(u16),
    /// All but one class.
    NotClass(u16),
}

impl StatusPattern {
    /// Whether the code is in the set.
    pub fn holds(self, status: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(code) => status == code,
            Self::Class(digit) => status / 100 == digit,
            Self::Not(code) => status != code,
            Self::NotClass(digit) => status / 100 != digit,
        }
    }
}

impl Step {
    /// What the step puts on the wire of its own connection. None for a step that sends nothing
    /// there, or (drip) no fixed number of bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Send { text, .. } => Some(text.bytes()),
            Self::Repeat { text, times, .. } => Some(text.bytes().repeat(*times)),
            Self::Count { text, times, .. } => Some(
                (0..*times)
                    .flat_map(|number| text.numbered(number))
                    .collect(),
            ),
            Self::Chunks { text, size, times } => {
                let mut chunk = format!("{size:x}\r\n").into_bytes();
                chunk.extend(text.bytes().into_iter().cycle().take(*size));
                chunk.extend_from_slice(b"\r\n");
                Some(chunk.repeat(*times))
            }
            _ => None,
        }
    }

    /// The text that the step is made of, where it has one.
    pub fn text(&self) -> Option<&Text> {
        match self {
            Self::Send { text, .. }
            | Self::Repeat { text, .. }
            | Self::Count { text, .. }
            | Self::Chunks { text, .. }
            | Self::Drip { text, .. }
            | Self::Flood { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl Vector {
    /// Reads vectors from a text; `category` is the name that a file of theirs would have.
    ///
    /// # Errors
    /// A line that is not understood.
    pub fn read_all(category: &str, source: &str) -> Result<Vec<Self>, ReadError> {
        read_file(&Path::new(category).with_extension("txt"), source)
    }

    /// All bytes that the client sends on its connection, in order. Where [`Vector::is_plain`],
    /// they are the whole of what it does, but for the half close that [`Vector::shuts`] tells.
    pub fn requests_as_bytes(&self) -> Vec<u8> {
        self.steps
            .iter()
            .filter_map(Step::bytes)
            .flatten()
            .collect()
    }

    /// Whether the case can be played without a socket and without time: it sends bytes and
    /// perhaps half-closes at the end. Pauses and awaits only wait, so they do not count; but a
    /// case with `await-interim` ends otherwise if the rest comes at once, and is not plain
    /// unless nothing follows it.
    pub fn is_plain(&self) -> bool {
        let last = self.steps.len().saturating_sub(1);
        self.run != Run::Slow
            && self.steps.iter().enumerate().all(|(at, step)| match step {
                Step::Send { .. } | Step::Repeat { .. } => true,
                Step::Count { .. } | Step::Chunks { .. } => true,
                Step::Pause(_) | Step::Await(_) => true,
                Step::Shut | Step::AwaitInterim(_) => at == last,
                Step::Reset | Step::Drip { .. } | Step::Idle | Step::Flood { .. } => false,
            })
    }

    /// Whether the client closes its sending half.
    pub fn shuts(&self) -> bool {
        self.steps.contains(&Step::Shut)
    }

    /// Whether HTTP/1.0 is written in the requests and HTTP/1.1 is not: then no answer may use
    /// what 1.0 does not know.
    pub fn speaks_only_http_1_0(&self) -> bool {
        let says = |version: &[u8]| {
            self.steps.iter().filter_map(Step::text).any(|text| {
                text.bytes()
                    .windows(version.len())
                    .any(|window| window == version)
            })
        };
        says(b"HTTP/1.0") && !says(b"HTTP/1.1")
    }

    /// The method of the request that the given final response (from 0) answers.
    pub fn method(&self, response: usize) -> &str {
        self.methods.get(response).map_or("GET", String::as_str)
    }
}

/// All vectors, in the order of their files' names.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The vectors.
    pub vectors: Vec<Vector>,
}

impl Corpus {
    /// Where the vectors of this repository lie.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
    }

    /// Reads the vectors of this repository.
    ///
    /// # Errors
    /// As [`Corpus::read`].
    pub fn load() -> Result<Self, ReadError> {
        Self::read(&Self::folder())
    }

    /// Reads all `*.txt` of a folder; the file's name without its end is the category.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not understood, an id that stands twice.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let at_folder = |error: std::io::Error| ReadError::new(folder, 0, error.to_string());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(at_folder)? {
            let path = entry.map_err(at_folder)?.path();
            if path.extension().is_some_and(|end| end == "txt") {
                files.push(path);
            }
        }
        files.sort();
        let mut vectors: Vec<Vector> = Vec::new();
        let mut ids = std::collections::HashSet::new();
        for file in files {
            let source = std::fs::read_to_string(&file)
                .map_err(|error| ReadError::new(&file, 0, error.to_string()))?;
            for vector in read_file(&file, &source)? {
                if !ids.insert(vector.id.clone()) {
                    let what = format!("the id {} stands twice", vector.id);
                    return Err(ReadError::new(&file, 0, what));
                }
                vectors.push(vector);
            }
        }
        Ok(Self { vectors })
    }
}
