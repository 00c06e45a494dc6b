//! How a path is looked up in the tree.
//!
//! ```text
//! enter a node: its label must match at this place of the path, params are noted
//! path at its end:   done if the node ends a pattern
//! otherwise:         remember the children with a param as another way from here;
//!                    go on with the literal child for the next segment
//! no way on:         take the latest remembered way, and remember what comes behind it in its
//!                    chain; none left: no match
//! ```
//!
//! A node is reached by one way alone, so no lookup visits a node twice, and it visits only nodes whose
//! way from the root matches the path so far, and their children with a param. At one place those are ten
//! at most ([`AFFIXED_MAX`](super::AFFIXED_MAX), a `{param}`, a `{*rest}`), and one literal. Where no wrong
//! choice is possible, that is one node for a segment or less. Where choices go wrong, each costs what it
//! leads to: with `/a/b/x` and `/{p}/c/y` one node, and in the worst table all nodes whose patterns begin
//! like the path. That is a bound which the table sets: no path can go beyond it, however long it is.
//!
//! Before that goes `direct`, the same without ways back, for the paths that most requests have: it
//! keeps nothing but its place, and leaves the lookup to the walk where a wrong choice was possible
//! or a segment has text around its param. (Ten routes: 187 instead of 233 instructions, 130:
//! 323 instead of 391. Where ways back are taken, the first try comes on top.)
//!
//! There are two copies of the walk from one source: `PLAIN` paths are shorter than 64 bytes and have
//! nothing in them that needs a second look, so all questions about that fall away.

use super::matching::Matching;
use super::params::{Captures, Spans, note};
use super::path::{Cursor, Marks, between, climbs, ends, equal, hash, is_rooted, normal};
use super::pattern::{Kind, SEGMENTS_MAX, affixes, pieces, tail};
use super::tree::{NONE, Node, Tree, slot};

/// A way not taken yet: this child, from this place of the path, with so many params before it.
#[derive(Clone, Copy)]
struct Way {
    wild: u16,
    at: u16,
    params: u8,
}

/// One way for each segment of the pattern that is being followed.
type Ways = heapless::Vec<Way, SEGMENTS_MAX, u8>;

/// What comes of a walk without ways back.
pub(crate) enum Direct {
    /// The first route of the pattern, and how many params it has.
    Route(u16, usize),
    Nothing,
    /// Only the walk with ways back can tell.
    Unsure,
}

impl<const N: usize> Tree<N> {
    /// The first route of the pattern that matches the whole path best.
    pub(crate) fn find(
        &self,
        path: &[u8],
        rules: Matching,
        captures: &mut Captures,
    ) -> Option<u16> {
        // Positions are 16 bits wide; a path this long is refused before it is read.
        u16::try_from(path.len()).ok()?;
        if path.first() != Some(&b'/') {
            return None;
        }
        let marks = Marks::of(path);
        if marks.special || rules.ignore_case || !crate::VECTORS {
            return self.walk::<false>(&marks, rules, captures);
        }
        self.walk::<true>(&marks, rules, captures)
    }

    /// The walk of a plain path that remembers no way back. Where it goes wrong in a table that has
    /// any, or meets what is seldom, the whole walk has to be done again with [`find`](Self::find).
    #[inline(always)]
    pub(crate) fn direct(&self, path: &[u8], rules: Matching, spans: &mut Spans) -> Direct {
        if path.first() != Some(&b'/') {
            return Direct::Nothing;
        }
        let marks = Marks::of(path);
        if marks.special || rules.ignore_case {
            return Direct::Unsure;
        }
        let nodes = self.nodes.as_flattened();
        let mut here = self.root;
        let Some(mut node) = nodes.get(usize::from(here)) else {
            return Direct::Nothing;
        };
        let mut cursor = marks.begin();
        let mut params = 0;
        let (mut lengths, mut kinds, mut offset) = (node.lengths, node.kinds, 0usize);
        // (Whether there was a choice on this very way is not noted: that cost two instructions a
        // node, and a register.)
        let wrong = || match self.has_choices {
            false => Direct::Nothing,
            true => Direct::Unsure,
        };
        loop {
            while lengths != 0 {
                if cursor.is_end() {
                    return wrong();
                }
                let length = (lengths & 0xff) as usize;
                let Cursor { at, .. } = cursor;
                let start = at.wrapping_add(1);
                cursor = marks.near(cursor);
                // Only two kinds are usual; a choice among all four would become a table of jumps.
                if kinds & 1 == 0 && kinds & 2 != 0 {
                    if cursor.at <= start {
                        return wrong();
                    }
                    note(spans, &mut params, start, cursor.at);
                } else if kinds & 1 == 0 {
                    let piece = node.label.get(offset..offset.wrapping_add(length));
                    let text = path.get(at..cursor.at);
                    let (Some(piece), Some(text)) = (piece, text) else {
                        return wrong();
                    };
                    if !equal(piece, text) {
                        return wrong();
                    }
                } else if kinds & 3 == Kind::Rest as u8 {
                    let value = tail(marks.path, start);
                    if value.is_empty() || is_rooted(value) {
                        return wrong();
                    }
                    cursor = marks.end();
                    note(spans, &mut params, start, path.len());
                } else {
                    return Direct::Unsure;
                }
                offset = offset.wrapping_add(length);
                lengths >>= 8;
                kinds >>= 2;
            }
            if offset < node.label.len() {
                return Direct::Unsure;
            }
            if cursor.is_end() {
                return match node.route {
                    NONE => wrong(),
                    route => Direct::Route(route, params),
                };
            }
            let wild = node.wild;
            if node.forks {
                let behind = marks.near(cursor);
                if let Some(text) = path.get(cursor.at..behind.at)
                    && let Some((index, child)) = self.fork::<true>(here, text, Matching::STRICT)
                {
                    (here, node, cursor) = (index, child, behind);
                    offset = (node.lengths & 0xff) as usize;
                    (lengths, kinds) = (node.lengths >> 8, node.kinds >> 2);
                    continue;
                }
            }
            let Some(next) = nodes.get(usize::from(wild)) else {
                return wrong();
            };
            (here, node) = (wild, next);
            (lengths, kinds, offset) = (node.lengths, node.kinds, 0);
        }
    }

    #[inline(always)]
    fn walk<const PLAIN: bool>(
        &self,
        marks: &Marks<'_>,
        rules: Matching,
        captures: &mut Captures,
    ) -> Option<u16> {
        let nodes = self.nodes.as_flattened();
        let mut ways = Ways::new();
        let mut here = self.root;
        let mut node = nodes.get(usize::from(here))?;
        let mut cursor = marks.begin();
        // What is still to be matched of the node's label.
        let (mut lengths, mut kinds, mut offset) = (node.lengths, node.kinds, 0);
        'nodes: loop {
            let matched = 'label: loop {
                if lengths == 0 {
                    if offset >= node.label.len() {
                        break true;
                    }
                    (lengths, kinds) = pieces(tail(node.label, offset));
                }
                let start = cursor.at.wrapping_add(1);
                let Some((text, behind)) = marks.next::<PLAIN>(cursor) else {
                    break false;
                };
                cursor = behind;
                let length = (lengths & 0xff) as usize;
                if kinds & 3 == Kind::Param as u8 {
                    if text.len() <= 1 || !PLAIN && climbs(tail(text, 1)) {
                        break false;
                    }
                    captures.push(start, cursor.at);
                } else {
                    let Some(piece) = node.label.get(offset..offset.wrapping_add(length)) else {
                        break false;
                    };
                    if kinds & 3 == Kind::Literal as u8 {
                        if !equal(piece, text) && (PLAIN || !equal_again(piece, text, rules)) {
                            break false;
                        }
                    } else if kinds & 3 == Kind::Rest as u8 {
                        let value = tail(marks.path, start);
                        if value.is_empty() || is_rooted(value) || !PLAIN && climbs(value) {
                            break false;
                        }
                        cursor = marks.end();
                        captures.push(start, cursor.at);
                    } else {
                        let Some(value) = value_if::<PLAIN>(piece, text, rules) else {
                            break false;
                        };
                        let at = start.wrapping_sub(1);
                        captures.push(at.wrapping_add(value.start), at.wrapping_add(value.end));
                    }
                }
                offset = offset.wrapping_add(length);
                lengths >>= 8;
                kinds >>= 2;
                continue 'label;
            };
            let mut wild = NONE;
            if matched {
                if cursor.at >= marks.path.len() {
                    if node.route != NONE {
                        return Some(node.route);
                    }
                } else {
                    wild = node.wild;
                    if node.forks
                        && let Some((text, behind)) = marks.next::<PLAIN>(cursor)
                        && let Some((index, child)) = self.fork::<PLAIN>(here, text, rules)
                    {
                        if wild != NONE {
                            let (at, params) = (cursor.at as u16, captures.len as u8);
                            // A pattern has no more segments than there are places.
                            let _ = ways.push(Way { wild, at, params });
                        }
                        (here, node, cursor) = (index, child, behind);
                        offset = (node.lengths & 0xff) as usize;
                        (lengths, kinds) = (node.lengths >> 8, node.kinds >> 2);
                        continue 'nodes;
                    }
                }
            }
            if wild == NONE {
                let way = ways.pop()?;
                wild = way.wild;
                cursor = marks.cursor(usize::from(way.at));
                captures.len = usize::from(way.params);
            }
            here = wild;
            node = nodes.get(usize::from(here))?;
            if node.sibling != NONE {
                let _ = ways.push(Way {
                    wild: node.sibling,
                    at: cursor.at as u16,
                    params: captures.len as u8,
                });
            }
            (lengths, kinds, offset) = (node.lengths, node.kinds, 0);
        }
    }

    /// The literal child of a node that begins with this segment.
    #[inline(always)]
    fn fork<const PLAIN: bool>(
        &self,
        here: u16,
        text: &[u8],
        rules: Matching,
    ) -> Option<(u16, &Node)> {
        if !PLAIN {
            return self.fork_again(here, text, rules);
        }
        // One search for each way to compare: the choice is made once.
        match text.len() {
            0..=3 => self.literal(here, text, |label| equal(label, text)),
            4..=7 => self.literal(here, text, |label| ends::<4>(label, text)),
            8..=16 => self.literal(here, text, |label| ends::<8>(label, text)),
            _ => self.literal(here, text, |label| label == text),
        }
    }

    /// The same for a segment that may be escaped where the pattern is not, or in the other case.
    #[inline(never)]
    fn fork_again(&self, here: u16, text: &[u8], rules: Matching) -> Option<(u16, &Node)> {
        match self.literal_again(here, text, rules) {
            None if text.contains(&b'%') => self.fork_escaped(here, text, rules),
            child => child,
        }
    }

    #[inline(never)]
    fn literal_again(&self, here: u16, text: &[u8], rules: Matching) -> Option<(u16, &Node)> {
        self.literal(here, text, |label| rules.same_text(label, text))
    }

    /// Apart, for its copy of the text is a quarter of a KiB on the stack.
    #[cold]
    #[inline(never)]
    fn fork_escaped(&self, here: u16, text: &[u8], rules: Matching) -> Option<(u16, &Node)> {
        self.literal_again(here, &normal(text)?, rules)
    }

    #[inline(always)]
    fn literal(
        &self,
        parent: u16,
        text: &[u8],
        same: impl Fn(&[u8]) -> bool,
    ) -> Option<(u16, &Node)> {
        let (nodes, slots) = (self.nodes.as_flattened(), self.slots.as_flattened());
        let mut at = slot(parent, hash(text), slots.len());
        // At least half of the slots are free, so the search ends at one of them.
        loop {
            let index = *slots.get(at)?;
            let node: &Node = nodes.get(usize::from(index))?;
            if node.parent == parent
                && (node.lengths & 0xff) as usize == text.len()
                && node.label.get(..text.len()).is_some_and(&same)
            {
                return Some((index, node));
            }
            at = at.wrapping_add(1);
            if at >= slots.len() {
                at = 0;
            }
        }
    }
}

/// Whether this piece of a pattern is this piece of a path, which may be escaped or in the other case.
#[inline(never)]
fn equal_again(literal: &[u8], text: &[u8], rules: Matching) -> bool {
    rules.same_text(literal, text) || text.contains(&b'%') && equal_escaped(literal, text, rules)
}

/// Apart, as `fork_escaped` is.
#[cold]
#[inline(never)]
fn equal_escaped(literal: &[u8], text: &[u8], rules: Matching) -> bool {
    normal(text).is_some_and(|text| rules.same_text(literal, &text))
}

/// What the param in this piece of a pattern takes of this piece of a path.
#[inline(always)]
fn value_if<const PLAIN: bool>(
    piece: &[u8],
    text: &[u8],
    rules: Matching,
) -> Option<core::ops::Range<usize>> {
    // Most alternatives differ in the last character, which is a byte if it is not escaped. (That alone
    // made a choice among eight file types cost half.)
    let (want, have) = (piece.last(), text.last());
    let third = text.len().checked_sub(3).and_then(|at| text.get(at));
    if want != have && want != Some(&b'}') && third != Some(&b'%') && !rules.ignore_case {
        return None;
    }
    value::<PLAIN>(piece, text, rules)
}

#[inline(never)]
fn value<const PLAIN: bool>(
    piece: &[u8],
    text: &[u8],
    rules: Matching,
) -> Option<core::ops::Range<usize>> {
    let (before, behind) = affixes(piece);
    let value = if PLAIN || !rules.ignore_case && !text.contains(&b'%') {
        let value = text.strip_prefix(before)?.strip_suffix(behind)?;
        before.len()..before.len().checked_add(value.len())?
    } else {
        between(text, before, behind, rules)?
    };
    // Neither the value nor the segment may lead out of its place.
    let lost = !PLAIN && (climbs(tail(text, 1)) || climbs(text.get(value.clone())?));
    (!value.is_empty() && !lost).then_some(value)
}
