//! The other side: clients that say what is written here, byte for byte, and want exactly the
//! answers that are written here.

/// Who ends a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server closes: the client waits for it.
    Server,
    /// The client closes when it has all of its answers.
    Client,
}

/// What is said on one connection.
pub(crate) struct Talk {
    /// For whoever reads of its failure.
    pub(crate) name: &'static str,
    /// What is sent.
    pub(crate) send: &'static [u8],
    /// What has to come back.
    pub(crate) answer: &'static [u8],
    /// How often, one behind the other on the same connection.
    pub(crate) times: usize,
    /// Bytes that are sent at a time at most; the next ones are sent in a later turn.
    pub(crate) cut: usize,
    pub(crate) end: End,
}

/// How a conversation stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Going,
    Passed,
    /// Another byte, or another end, than was expected.
    Failed,
}

/// A conversation under way. The answers are compared as they come, so that they take no memory.
pub(crate) struct Client {
    pub(crate) talk: &'static Talk,
    sent: usize,
    got: usize,
    state: State,
}

impl Client {
    pub(crate) const fn new(talk: &'static Talk) -> Self {
        Client {
            talk,
            sent: 0,
            got: 0,
            state: State::Going,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Nothing was sent yet.
    pub(crate) fn is_new(&self) -> bool {
        self.sent == 0
    }

    /// Bytes of answers that came.
    pub(crate) fn got(&self) -> usize {
        self.got
    }

    /// What to send in this turn; then say [`sent`](Self::sent).
    pub(crate) fn to_send(&self) -> &'static [u8] {
        if self.sent >= self.talk.send.len() * self.talk.times {
            return &[];
        }
        let rest = &self.talk.send[self.sent % self.talk.send.len()..];
        &rest[..rest.len().min(self.talk.cut)]
    }

    pub(crate) fn sent(&mut self, n: usize) {
        self.sent += n;
    }

    /// Judges bytes that came.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        let answer = self.talk.answer;
        for &byte in bytes {
            if self.has_all() || answer[self.got % answer.len()] != byte {
                self.state = State::Failed;
                return;
            }
            self.got += 1;
        }
    }

    /// Whether it is on the client to close.
    pub(crate) fn may_close(&self) -> bool {
        self.has_all() && self.talk.end == End::Client
    }

    /// The server has closed, or the connection is gone.
    pub(crate) fn ended(&mut self) {
        if self.state == State::Going {
            self.state = match self.has_all() {
                true => State::Passed,
                false => State::Failed,
            };
        }
    }

    fn has_all(&self) -> bool {
        self.got >= self.talk.answer.len() * self.talk.times
    }
}
