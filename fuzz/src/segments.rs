//! Patterns and paths, segment by segment, one character after the other: what the router promises,
//! without its tree.

/// What a table may loosen.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) ignore_case: bool,
    pub(crate) ignore_slash: bool,
}

/// A character of a path; escaped ones that RFC 3986 section 6.2.2.2 takes for plain are that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token {
    Plain(u8),
    Escaped(u8),
}

/// A segment of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Literal(Vec<Token>),
    /// What stands before the param and behind it.
    Affixed(Vec<Token>, Vec<Token>),
    Param,
    Rest,
}

impl Piece {
    /// The lower goes first.
    pub(crate) fn rank(&self) -> usize {
        match self {
            Piece::Literal(_) => 0,
            // An escape counts as three, as it is written.
            Piece::Affixed(..) => 999 - self.text_len(),
            Piece::Param => 1000,
            Piece::Rest => 1001,
        }
    }

    fn text_len(&self) -> usize {
        let len = |tokens: &[Token]| tokens.iter().map(|token| token.len()).sum::<usize>();
        match self {
            Piece::Affixed(before, behind) => len(before) + len(behind),
            _ => 0,
        }
    }

    /// Both are params with as much text around them, and some segment matches both.
    pub(crate) fn rivals(&self, other: &Piece) -> bool {
        let (Piece::Affixed(before, behind), Piece::Affixed(b, e)) = (self, other) else {
            return false;
        };
        self.text_len() == other.text_len()
            && (before.starts_with(b) || b.starts_with(before))
            && (behind.ends_with(e) || e.ends_with(behind))
    }
}

impl Token {
    fn len(self) -> usize {
        match self {
            Token::Plain(_) => 1,
            Token::Escaped(_) => 3,
        }
    }

    fn folded(self, rules: Rules) -> Token {
        match self {
            Token::Plain(byte) if rules.ignore_case => Token::Plain(byte.to_ascii_lowercase()),
            other => other,
        }
    }
}

/// One slash at the end, unless it is all there is.
pub(crate) fn trim(text: &[u8], rules: Rules) -> &[u8] {
    match text {
        [rest @ .., b'/'] if rules.ignore_slash && !rest.is_empty() => rest,
        _ => text,
    }
}

/// The shape of a pattern; `None` if it is none.
pub(crate) fn pattern(text: &str, rules: Rules) -> Option<Vec<Piece>> {
    let untrimmed = text.strip_prefix('/')?;
    let names: Vec<_> = untrimmed.split('/').collect();
    let rest_at = names.iter().position(|name| name.starts_with("{*"));
    let wrong = |name: &&str| **name == *".." || **name == *"{";
    if names.iter().any(wrong) || rest_at.is_some_and(|at| at + 1 < names.len()) {
        return None;
    }
    let trimmed = trim(text.as_bytes(), rules).get(1..)?;
    let trimmed = std::str::from_utf8(trimmed).ok()?;
    let tokens = |text: &str| -> Vec<Token> {
        let all = tokens(text.as_bytes()).into_iter();
        all.map(|token| token.0.folded(rules)).collect()
    };
    let piece = |name: &str| match (name.split_once('{'), name.split_once('}')) {
        (Some(("", inner)), _) if inner.starts_with('*') => Piece::Rest,
        (Some(("", _)), Some((_, ""))) => Piece::Param,
        (Some((before, _)), Some((_, behind))) => Piece::Affixed(tokens(before), tokens(behind)),
        _ => Piece::Literal(tokens(name)),
    };
    Some(trimmed.split('/').map(piece).collect())
}

/// What the params of a pattern take of a (trimmed) path; `None` if it does not match.
pub(crate) fn values<'p>(shape: &[Piece], path: &'p [u8], rules: Rules) -> Option<Vec<&'p [u8]>> {
    let mut rest = Some(path.strip_prefix(b"/")?);
    let mut values = Vec::new();
    for piece in shape {
        let text = rest?;
        if *piece == Piece::Rest {
            let rooted = matches!(decoded(text).first(), Some(b'/' | b'\\'));
            if text.is_empty() || rooted || climbs(text) {
                return None;
            }
            values.push(text);
            rest = None;
            continue;
        }
        let slash = text.iter().position(|byte| *byte == b'/');
        let (segment, behind) = match slash {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = behind;
        let raw = tokens(segment);
        let folded: Vec<_> = raw.iter().map(|token| token.0.folded(rules)).collect();
        let value = match piece {
            Piece::Literal(literal) if folded == *literal => continue,
            Piece::Param => segment,
            Piece::Affixed(before, behind)
                if folded.len() > before.len() + behind.len()
                    && folded.starts_with(before)
                    && folded.ends_with(behind) =>
            {
                let bytes = |tokens: &[(Token, usize)]| tokens.iter().map(|t| t.1).sum::<usize>();
                let start = bytes(&raw[..before.len()]);
                let end = segment.len() - bytes(&raw[raw.len() - behind.len()..]);
                &segment[start..end]
            }
            _ => return None,
        };
        if value.is_empty() || climbs(value) || climbs(segment) {
            return None;
        }
        values.push(value);
    }
    rest.is_none().then_some(values)
}

/// The characters of a text, and how many bytes each takes. A percent sign without two digits is
/// itself.
fn tokens(mut text: &[u8]) -> Vec<(Token, usize)> {
    let mut all = Vec::new();
    while let Some((first, behind)) = text.split_first() {
        let escaped = behind.first_chunk::<2>().filter(|_| *first == b'%');
        let code = escaped.and_then(|[high, low]| Some(16 * digit(*high)? + digit(*low)?));
        let (token, len) = match code {
            Some(code) if code.is_ascii_alphanumeric() || b"-._~".contains(&code) => {
                (Token::Plain(code), 3)
            }
            Some(code) => (Token::Escaped(code), 3),
            None => (Token::Plain(*first), 1),
        };
        all.push((token, len));
        text = &text[len..];
    }
    all
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let code = |token: (Token, usize)| match token.0 {
        Token::Plain(byte) | Token::Escaped(byte) => byte,
    };
    tokens(text).into_iter().map(code).collect()
}

/// Whether a value would lead out of its place, once it is decoded.
fn climbs(value: &[u8]) -> bool {
    let text = decoded(value);
    let mut parts = text.split(|byte| *byte == b'/' || *byte == b'\\');
    parts.any(|part| part == b"." || part == b"..")
}
