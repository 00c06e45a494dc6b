//! What the params of a pattern matched: positions in the path, names in the pattern.

use super::pattern::{PARAMS_MAX, next_name};

/// Where one param lies in the path, in bytes. Paths of 64 KiB and more match nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

/// The positions that a lookup has found so far; cut back when it takes another way.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Captures {
    spans: Spans,
    pub(crate) len: usize,
}

/// The positions alone. Who counts them beside, and not behind a reference, counts in a register.
pub(crate) type Spans = [Span; PARAMS_MAX];

impl Captures {
    /// The first so many.
    #[inline(always)]
    pub(crate) fn of(spans: Spans, len: usize) -> Self {
        Captures { spans, len }
    }

    /// One more. A pattern has no more params than there are places.
    #[inline(always)]
    pub(crate) fn push(&mut self, start: usize, end: usize) {
        note(&mut self.spans, &mut self.len, start, end);
    }
}

/// Puts one more behind these.
#[inline(always)]
pub(crate) fn note(spans: &mut Spans, len: &mut usize, start: usize, end: usize) {
    if let Some(span) = spans.get_mut(*len) {
        // The path is shorter than 64 KiB.
        *span = Span {
            start: start as u16,
            end: end as u16,
        };
        *len = len.wrapping_add(1);
    }
}

/// The params of a matched path, in the order of the pattern.
///
/// Values are raw bytes of the path, still percent-encoded and borrowed from it: nothing is copied,
/// and who needs the decoded form decodes it. Of a segment with text around its param, the value is what
/// is between. No value is empty, and no value holds a `.` or `..`
/// segment, in any spelling, with `%2F`, `\` and `%5C` taken for separators as well. A decoded value
/// may still hold a `/` or a zero byte.
#[derive(Clone, Debug)]
pub struct Params<'p> {
    path: &'p [u8],
    pattern: &'static str,
    captures: Captures,
}

impl<'p> Params<'p> {
    pub(crate) fn new(path: &'p [u8], pattern: &'static str, captures: Captures) -> Self {
        Params {
            path,
            pattern,
            captures,
        }
    }

    /// The value of the param with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'p [u8]> {
        self.iter().find(|param| param.0 == name).map(|p| p.1)
    }

    /// The value of the n-th param of the pattern, from 0.
    #[must_use]
    pub fn nth(&self, n: usize) -> Option<&'p [u8]> {
        let span = self.captures.spans.get(..self.captures.len)?.get(n)?;
        self.path
            .get(usize::from(span.start)..usize::from(span.end))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'p [u8])> + use<'_, 'p> {
        let mut from = 0;
        let mut n = 0;
        core::iter::from_fn(move || {
            let (start, end) = next_name(self.pattern.as_bytes(), from)?;
            let param = (self.pattern.get(start..end)?, self.nth(n)?);
            from = end;
            n += 1;
            Some(param)
        })
    }

    /// How many there are; at most [`PARAMS_MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.captures.len
    }

    /// Whether the pattern has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.captures.len == 0
    }

    /// The pattern that matched: one name for all its paths, as counters and logs want it.
    #[must_use]
    pub fn pattern(&self) -> &'static str {
        self.pattern
    }
}
