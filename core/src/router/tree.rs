//! A prefix tree over pattern text, in a fixed arena.
//!
//! A label is a piece of a registered pattern and may hold whole params, so a pattern adds at most
//! two nodes: its own end, and one where it leaves the way of another. That makes the arena's size
//! exact: two nodes for a route. A node's children differ in their first token; at most one of them
//! can be a `{param}` and one a `{*rest}`, and these two only where a segment starts.
//!
//! ```text
//! enter a node: its label must match at this place of the path, params are noted
//! path at its end:   done if the node ends a pattern
//! otherwise:         remember {param}, then {*rest}, as other ways from here;
//!                    go on with the literal child for the next character
//! no way on:         take the latest remembered way; none left: no match
//! ```
//!
//! A literal is decided by its first character, so ways fork at segments only. A node is reached by
//! one way alone, so no lookup visits a node twice: the cost depends on the path, the number of
//! different characters at a fork, and the forks that go wrong, not on how many routes there are.

use super::params::{Captures, Span};
use super::pattern::{Key, SEGMENTS_MAX, climbs, common, head, is_rooted, strip_literal, tail};
use super::verb::Verbs;

/// No node, no route.
pub(crate) const NONE: u16 = u16::MAX;

/// Where the path stays or parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Pattern text from the parent to here. Empty in free nodes only.
    label: &'static [u8],
    /// First token of the label.
    key: Key,
    /// First of the children with a literal key; they are chained by `sibling`.
    child: u16,
    /// The `{param}` child, chained to the `{*rest}` child; or the latter alone.
    wild: u16,
    /// Next child of the same parent and kind.
    sibling: u16,
    /// First of the routes that end here, one per verb.
    pub(crate) route: u16,
    /// Their verbs.
    pub(crate) verbs: Verbs,
}

impl Node {
    const FREE: Node = Node::new(&[]);

    const fn new(label: &'static [u8]) -> Node {
        Node {
            label,
            key: Key::of_pattern(label),
            child: NONE,
            wild: NONE,
            sibling: NONE,
            route: NONE,
            verbs: Verbs::NONE,
        }
    }
}

/// The arena: two nodes for each of `N` routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<const N: usize> {
    nodes: [[Node; 2]; N],
    used: u16,
}

/// A way not taken yet: this child, from this place of the path, with so many params before it.
#[derive(Clone, Copy)]
struct Way {
    child: u16,
    at: u16,
    params: u8,
}

impl<const N: usize> Tree<N> {
    pub(crate) const fn new() -> Self {
        Tree {
            nodes: [[Node::FREE; 2]; N],
            used: 0,
        }
    }

    /// A node by its index. Guarded, so that the access cannot panic.
    pub(crate) const fn node(&self, index: u16) -> &Node {
        let index = index as usize;
        if index / 2 < N {
            &self.nodes[index / 2][index % 2]
        } else {
            &Node::FREE
        }
    }

    pub(crate) const fn set(&mut self, index: u16, node: Node) {
        let index = index as usize;
        if index / 2 < N {
            self.nodes[index / 2][index % 2] = node;
        }
    }

    const fn add(&mut self, node: Node) -> u16 {
        let index = self.used;
        self.set(index, node);
        self.used += 1;
        index
    }

    /// The node where the checked pattern ends, made if need be. The caller keeps the number of
    /// different patterns at `N` or below. A pattern of known shape changes nothing.
    pub(crate) const fn insert(&mut self, pattern: &'static str) -> u16 {
        let mut text = pattern.as_bytes();
        if self.used == 0 {
            return self.add(Node::new(text));
        }
        let mut here = 0;
        loop {
            let node = *self.node(here);
            let (in_label, in_text) = common(node.label, text);
            text = tail(text, in_text);
            if in_label < node.label.len() {
                self.split(here, in_label);
            }
            if text.is_empty() {
                return here;
            }
            match self.child(here, Key::of_pattern(text)) {
                NONE => {
                    let new = self.add(Node::new(text));
                    self.hang(here, new);
                    return new;
                }
                child => here = child,
            }
        }
    }

    /// Cuts the label of a node in two; what hung on the node hangs on its new only child.
    const fn split(&mut self, index: u16, at: usize) {
        let upper = *self.node(index);
        let mut lower = upper;
        lower.label = tail(upper.label, at);
        lower.key = Key::of_pattern(lower.label);
        let lower = self.add(lower);
        let mut node = Node::new(head(upper.label, at));
        node.sibling = upper.sibling;
        self.set(index, node);
        self.hang(index, lower);
    }

    /// Makes `new` a child of `parent`.
    const fn hang(&mut self, parent: u16, new: u16) {
        let mut above = *self.node(parent);
        let mut below = *self.node(new);
        if below.key.is_literal() {
            below.sibling = above.child;
            above.child = new;
        } else if below.key.is(Key::REST) && above.wild != NONE {
            // Behind the param, which goes first.
            let mut param = *self.node(above.wild);
            param.sibling = new;
            self.set(above.wild, param);
        } else {
            below.sibling = above.wild;
            above.wild = new;
        }
        self.set(new, below);
        self.set(parent, above);
    }

    /// The child of a node that begins with this token.
    const fn child(&self, parent: u16, key: Key) -> u16 {
        let parent = self.node(parent);
        let mut index = if key.is_literal() {
            parent.child
        } else {
            parent.wild
        };
        // A chain has fewer nodes than the tree: no cycle can be built, but a bound costs nothing.
        let mut left = self.used;
        while index != NONE && left > 0 {
            let node = self.node(index);
            if node.key.is(key) {
                return index;
            }
            index = node.sibling;
            left -= 1;
        }
        NONE
    }

    /// The node whose pattern matches the whole path best.
    pub(crate) fn find(&self, path: &[u8], captures: &mut Captures) -> Option<&Node> {
        const NOWHERE: Way = Way {
            child: NONE,
            at: 0,
            params: 0,
        };
        // Positions are 16 bits wide; a path this long is refused before it is read.
        u16::try_from(path.len()).ok()?;
        if self.used == 0 {
            return None;
        }
        // One way for each segment of the pattern that is being followed.
        let mut ways = [NOWHERE; SEGMENTS_MAX];
        let mut open = 0usize;
        let mut here = 0;
        let mut rest = path;
        loop {
            let node = self.node(here);
            if let Some(after) = enter(node.label, path, rest, captures) {
                if after.is_empty() {
                    if node.route != NONE {
                        return Some(node);
                    }
                } else {
                    if node.wild != NONE
                        && let Some(free) = ways.get_mut(open)
                    {
                        *free = Way {
                            child: node.wild,
                            at: position(path, after),
                            params: captures.len() as u8,
                        };
                        open += 1;
                    }
                    let child = self.child(here, Key::of_path(after));
                    if child != NONE {
                        here = child;
                        rest = after;
                        continue;
                    }
                }
            }
            open = open.checked_sub(1)?;
            let way = ways.get_mut(open)?;
            here = way.child;
            rest = path.get(usize::from(way.at)..)?;
            captures.truncate(usize::from(way.params));
            way.child = self.node(here).sibling;
            if way.child != NONE {
                open += 1;
            }
        }
    }
}

/// What is left of the path behind this label; the label's params are noted.
#[inline]
fn enter<'p>(
    mut label: &[u8],
    path: &'p [u8],
    mut rest: &'p [u8],
    captures: &mut Captures,
) -> Option<&'p [u8]> {
    loop {
        let brace = label.iter().position(|&b| b == b'{');
        let (literal, param) = label.split_at_checked(brace.unwrap_or(label.len()))?;
        rest = strip_literal(rest, literal)?;
        if param.is_empty() {
            return Some(rest);
        }
        let to_end = param.get(1) == Some(&b'*');
        let len = match rest.iter().position(|&b| b == b'/') {
            Some(slash) if !to_end => slash,
            _ => rest.len(),
        };
        let (value, after) = rest.split_at_checked(len)?;
        if value.is_empty() || climbs(value) || to_end && is_rooted(value) {
            return None;
        }
        // A pattern has no more params than there are places.
        let _ = captures.push(Span {
            start: position(path, rest),
            end: position(path, after),
        });
        rest = after;
        let close = param.iter().position(|&b| b == b'}')?;
        label = param.get(close.checked_add(1)?..)?;
    }
}

/// Where this end of the path starts. `find` has checked that it fits.
fn position(path: &[u8], rest: &[u8]) -> u16 {
    path.len().wrapping_sub(rest.len()) as u16
}
