//! How a table compares paths with its patterns, where there is a choice.

/// Two rules that a table may loosen, chosen when it is made: [`Router::matching`](super::Router::matching).
///
/// Both are off unless asked for: RFC 3986 section 6.2.2.1 says that paths have a case, and with two
/// spellings of one resource, caches and access rules have to know both.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Matching {
    pub(crate) ignore_case: bool,
    pub(crate) ignore_trailing_slash: bool,
}

impl Matching {
    /// `/a` and `/A` are different paths, and `/a` and `/a/` are too.
    pub const STRICT: Matching = Matching {
        ignore_case: false,
        ignore_trailing_slash: false,
    };

    /// ASCII letters in the literal text of patterns match in either case; values of params keep theirs,
    /// names of params have one. Two patterns that differ in the case of literal text only are a
    /// conflict.
    #[must_use]
    pub const fn ignore_case(self) -> Matching {
        Matching {
            ignore_case: true,
            ..self
        }
    }

    /// One slash at the end of a path, and of a pattern, does not count, unless it is all there is: `/a/`
    /// is the same as `/a`, and the two as patterns are a conflict. It is no part of a `{*rest}` either.
    /// Nobody is redirected: both paths are answered.
    #[must_use]
    pub const fn ignore_trailing_slash(self) -> Matching {
        Matching {
            ignore_trailing_slash: true,
            ..self
        }
    }

    /// `==` under these rules, for const functions.
    pub(crate) const fn same_text(self, a: &[u8], b: &[u8]) -> bool {
        if self.ignore_case {
            return a.eq_ignore_ascii_case(b);
        }
        let (mut rest_a, mut rest_b) = (a, b);
        while let ([first_a, behind_a @ ..], [first_b, behind_b @ ..]) = (rest_a, rest_b) {
            if *first_a != *first_b {
                return false;
            }
            (rest_a, rest_b) = (behind_a, behind_b);
        }
        a.len() == b.len()
    }

    /// What of a path or a pattern counts.
    #[inline(always)]
    pub(crate) const fn trim(self, text: &[u8]) -> &[u8] {
        if !self.ignore_trailing_slash {
            return text;
        }
        match text {
            [rest @ .., b'/'] if !rest.is_empty() => rest,
            _ => text,
        }
    }
}
