//! A prefix tree over the segments of patterns, in a fixed arena.
//!
//! A label is a row of whole segments of a registered pattern, params too, so a pattern adds at most
//! two nodes: its own end, and one where it leaves the way of another. That makes the arena's size
//! exact: two nodes for a route. A node's children differ in their first segment; at most one of them
//! can be a `{param}` and one a `{*rest}`.
//!
//! ```text
//! enter a node: its label must match at this place of the path, params are noted
//! path at its end:   done if the node ends a pattern
//! otherwise:         remember {param}, then {*rest}, as other ways from here;
//!                    go on with the literal child for the next segment
//! no way on:         take the latest remembered way; none left: no match
//! ```
//!
//! A node is reached by one way alone, so no lookup visits a node twice: the cost depends on the path
//! and the forks that go wrong, not on how many routes there are. A literal child is found by a hash of
//! its parent and its first segment, in an open table with twice as many slots as there can be nodes.
//!
//! What was tried before: forks at single characters, with chains of siblings (2.9 times as many
//! instructions for 130 routes, and 1.8 times as many with a thousand as with ten) and with hashed
//! ones (1.7 times, and 1.2); a tree of characters has nearly twice as many forks on a path as there are
//! segments, and its cost grows with the table.

use super::params::{Captures, Span};
use super::path::{Marks, climbs, equal, equal_escaped, hash, is_rooted, normal};
use super::pattern::{Kind, SEGMENTS_MAX, common, head, same_text, segment_end, shape, tail};
use super::verb::Verbs;

/// No node, no route.
pub(crate) const NONE: u16 = u16::MAX;

/// Where the path stays or parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Pattern text from the parent to here: segments, each with the slash before it.
    label: &'static [u8],
    /// Lengths of the label's pieces (see [`shape`]).
    shape: u32,
    /// Parent and first segment of the label, and whether there are children with a literal key.
    edge: Edge,
    /// The `{param}` child, chained to the `{*rest}` child; or the latter alone.
    wild: u16,
    /// For a `{param}`: the `{*rest}` of the same parent.
    sibling: u16,
    /// First of the routes that end here, one per verb.
    pub(crate) route: u16,
    /// Their verbs.
    pub(crate) verbs: Verbs,
}

impl Node {
    const FREE: Node = Node::new(NONE, &[]);

    const fn new(parent: u16, label: &'static [u8]) -> Node {
        Node {
            label,
            shape: shape(label),
            edge: Edge::of_pattern(parent, label),
            wild: NONE,
            sibling: NONE,
            route: NONE,
            verbs: Verbs::NONE,
        }
    }

    /// Whether its label begins with this literal segment.
    #[inline(always)]
    fn begins(&self, segment: &[u8]) -> bool {
        match self.label.split_at_checked((self.shape & 0xff) as usize) {
            Some(([_, first @ ..], _)) => equal(first, segment),
            _ => false,
        }
    }
}

/// What leads to a node: its parent in the upper half; in the lower a part of the hash of its first
/// segment, or which kind of param it is, and above that one bit that belongs to the node itself.
#[derive(Clone, Copy, Debug)]
struct Edge(u32);

impl Edge {
    /// The node has children with a literal segment.
    const FORKS: u32 = 1 << 15;

    /// To the child that begins with the first segment of this pattern text.
    const fn of_pattern(parent: u16, text: &[u8]) -> Edge {
        let kind = Kind::of(text);
        if kind.is(Kind::Literal) {
            let first = tail(head(text, segment_end(text)), 1);
            Edge::of_hash(parent, hash(first))
        } else {
            Edge((parent as u32) << 16 | kind as u32)
        }
    }

    /// To the child with this literal segment.
    #[inline(always)]
    const fn of_hash(parent: u16, hash: u64) -> Edge {
        Edge((parent as u32) << 16 | (hash >> 49) as u32)
    }

    const fn parent(self) -> u16 {
        (self.0 >> 16) as u16
    }

    const fn is(self, other: Edge) -> bool {
        (self.0 ^ other.0) & !Edge::FORKS == 0
    }

    const fn forks(self) -> bool {
        self.0 & Edge::FORKS != 0
    }

    const fn with_forks(self) -> Edge {
        Edge(self.0 | Edge::FORKS)
    }

    const fn with_forks_of(self, other: Edge) -> Edge {
        Edge(self.0 | other.0 & Edge::FORKS)
    }

    /// Where the search for it begins among so many slots.
    #[inline(always)]
    const fn slot(self, slots: usize) -> usize {
        // 2^32 over the golden ratio: neighbouring numbers fall far from each other. The product's
        // lower half times the number of slots, over 2^32, is below that number.
        let spread = (self.0 & !Edge::FORKS).wrapping_mul(0x9e37_79b9);
        ((spread as u64).wrapping_mul(slots as u64) >> 32) as usize
    }
}

/// The arena: two nodes for each of `N` routes, and twice as many slots for their edges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<const N: usize> {
    nodes: [[Node; 2]; N],
    /// Nodes with a literal key, each at the slot of its edge or behind, without a gap.
    slots: [[u16; 4]; N],
    used: u16,
    root: u16,
}

/// A way not taken yet: this wild child, from this place of the path, with so many params before it.
#[derive(Clone, Copy)]
struct Way {
    wild: u16,
    at: u16,
    params: u8,
}

/// One way for each segment of the pattern that is being followed.
type Ways = heapless::Vec<Way, SEGMENTS_MAX, u8>;

impl<const N: usize> Tree<N> {
    const SLOTS: usize = 4 * N;

    pub(crate) const fn new() -> Self {
        Tree {
            nodes: [[Node::FREE; 2]; N],
            slots: [[NONE; 4]; N],
            used: 0,
            root: NONE,
        }
    }

    /// A node by its index. Guarded, so that the access cannot panic.
    #[inline]
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

    /// The node in a slot; there is none beyond the last.
    #[inline]
    const fn slot(&self, slot: usize) -> u16 {
        if slot / 4 < N {
            self.slots[slot / 4][slot % 4]
        } else {
            NONE
        }
    }

    const fn fill(&mut self, slot: usize, index: u16) {
        if slot / 4 < N {
            self.slots[slot / 4][slot % 4] = index;
        }
    }

    const fn next_slot(slot: usize) -> usize {
        if slot + 1 < Self::SLOTS { slot + 1 } else { 0 }
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
            self.root = self.add(Node::new(NONE, text));
            return self.root;
        }
        let mut here = self.root;
        loop {
            let node = *self.node(here);
            let (in_label, in_text) = common(node.label, text);
            text = tail(text, in_text);
            if in_label < node.label.len() {
                here = self.split(here, in_label);
            }
            if text.is_empty() {
                return here;
            }
            match self.child(here, text) {
                NONE => {
                    let new = self.add(Node::new(here, text));
                    self.hang(new);
                    return new;
                }
                child => here = child,
            }
        }
    }

    /// Cuts the label of a node in two. A new node takes its first part and its place; what is left
    /// of the node, with all that hangs on it, becomes the new node's only child.
    const fn split(&mut self, index: u16, at: usize) -> u16 {
        let mut lower = *self.node(index);
        let parent = lower.edge.parent();
        let mut upper = Node::new(parent, head(lower.label, at));
        upper.sibling = lower.sibling;
        let new = self.add(upper);
        self.replace(index, new);

        let rest = Node::new(new, tail(lower.label, at));
        lower.label = rest.label;
        lower.shape = rest.shape;
        lower.edge = rest.edge.with_forks_of(lower.edge);
        lower.sibling = NONE;
        self.set(index, lower);
        self.hang(index);
        new
    }

    /// Lets whatever leads to the node `old` lead to `new`.
    const fn replace(&mut self, old: u16, new: u16) {
        let edge = self.node(old).edge;
        if self.root == old {
            self.root = new;
            return;
        }
        let mut slot = edge.slot(Self::SLOTS);
        let mut left = Self::SLOTS;
        while left > 0 && self.slot(slot) != NONE {
            if self.slot(slot) == old {
                self.fill(slot, new);
                return;
            }
            slot = Self::next_slot(slot);
            left -= 1;
        }
        // Not literal, so it is the first wild child or the one behind.
        let mut above = *self.node(edge.parent());
        if above.wild == old {
            above.wild = new;
            self.set(edge.parent(), above);
        } else {
            let mut param = *self.node(above.wild);
            param.sibling = new;
            self.set(above.wild, param);
        }
    }

    /// Lets the parent of `new` lead to it.
    const fn hang(&mut self, new: u16) {
        let mut below = *self.node(new);
        let parent = below.edge.parent();
        let mut above = *self.node(parent);
        let kind = Kind::of(below.label);
        if kind.is(Kind::Literal) {
            above.edge = above.edge.with_forks();
            let mut slot = below.edge.slot(Self::SLOTS);
            let mut left = Self::SLOTS;
            while left > 0 && self.slot(slot) != NONE {
                slot = Self::next_slot(slot);
                left -= 1;
            }
            self.fill(slot, new);
        } else if kind.is(Kind::Rest) && above.wild != NONE {
            // Behind the param, which goes first.
            let mut param = *self.node(above.wild);
            param.sibling = new;
            self.set(above.wild, param);
        } else {
            below.sibling = above.wild;
            above.wild = new;
            self.set(new, below);
        }
        self.set(parent, above);
    }

    /// The child of a node that begins with the first segment of this pattern text.
    const fn child(&self, parent: u16, text: &'static [u8]) -> u16 {
        let edge = Edge::of_pattern(parent, text);
        if Kind::of(text).is(Kind::Literal) {
            let first = head(text, segment_end(text));
            let mut slot = edge.slot(Self::SLOTS);
            let mut left = Self::SLOTS;
            while left > 0 && self.slot(slot) != NONE {
                let node = self.node(self.slot(slot));
                let same = node.edge.parent() == parent
                    && same_text(head(node.label, segment_end(node.label)), first);
                if same {
                    return self.slot(slot);
                }
                slot = Self::next_slot(slot);
                left -= 1;
            }
            return NONE;
        }
        let first = self.node(parent).wild;
        if self.node(first).edge.is(edge) {
            return first;
        }
        let second = self.node(first).sibling;
        if self.node(second).edge.is(edge) {
            return second;
        }
        NONE
    }

    /// The child of a node that begins with this literal segment.
    #[inline(always)]
    fn literal_child(&self, edge: Edge, segment: &[u8]) -> Option<(u16, &Node)> {
        let (nodes, slots) = (self.nodes.as_flattened(), self.slots.as_flattened());
        let mut slot = edge.slot(Self::SLOTS);
        // At least half of the slots are free, so the search ends at one of them.
        loop {
            let index = *slots.get(slot)?;
            let node = nodes.get(usize::from(index))?;
            if node.edge.is(edge) && node.begins(segment) {
                return Some((index, node));
            }
            slot = Self::next_slot(slot);
        }
    }

    /// The same for a segment that may be escaped where the pattern is not.
    #[cold]
    #[inline(never)]
    fn escaped_child(&self, parent: u16, segment: &[u8]) -> Option<(u16, &Node)> {
        let text = normal(segment)?;
        self.literal_child(Edge::of_hash(parent, hash(&text)), &text)
    }

    /// The node whose pattern matches the whole path best.
    #[inline]
    pub(crate) fn find(&self, path: &[u8], captures: &mut Captures) -> Option<&Node> {
        // Positions are 16 bits wide; a path this long is refused before it is read.
        u16::try_from(path.len()).ok()?;
        if path.first() != Some(&b'/') {
            return None;
        }
        let marks = Marks::of(path);
        let nodes = self.nodes.as_flattened();
        let mut ways = Ways::new();
        let mut here = self.root;
        let mut node = nodes.get(usize::from(here))?;
        // What is still to be matched of the node's label, and from where on.
        let (mut label, mut pieces, mut at) = (node.label, node.shape, 0);
        loop {
            let mut wild = NONE;
            if let Some(place) = enter(label, pieces, at, &marks, captures) {
                at = place;
                if at >= path.len() {
                    if node.route != NONE {
                        return Some(node);
                    }
                } else {
                    wild = node.wild;
                    if node.edge.forks()
                        && let Some((index, child, end)) = self.fork(here, &marks, at)
                    {
                        if wild != NONE {
                            let params = captures.len() as u8;
                            let at = at as u16;
                            // A pattern has no more segments than there are places.
                            let _ = ways.push(Way { wild, at, params });
                        }
                        (here, node, at) = (index, child, end);
                        label = tail(node.label, (node.shape & 0xff) as usize);
                        pieces = node.shape >> 8;
                        continue;
                    }
                }
            }
            if wild == NONE {
                let way = ways.pop()?;
                wild = way.wild;
                at = usize::from(way.at);
                captures.truncate(usize::from(way.params));
            }
            here = wild;
            node = nodes.get(usize::from(here))?;
            if node.sibling != NONE {
                let _ = ways.push(Way {
                    wild: node.sibling,
                    at: at as u16,
                    params: captures.len() as u8,
                });
            }
            (label, pieces) = (node.label, node.shape);
        }
    }

    /// The literal child of a node for the segment behind `at`, and where that ends.
    #[inline(always)]
    fn fork(&self, here: u16, marks: &Marks<'_>, at: usize) -> Option<(u16, &Node, usize)> {
        let start = at.wrapping_add(1);
        let text = marks.segment(start)?;
        let child = match self.literal_child(Edge::of_hash(here, hash(text)), text) {
            None if marks.special => self.escaped_child(here, text),
            child => child,
        };
        child.map(|(index, child)| (index, child, start.wrapping_add(text.len())))
    }
}

/// Where the path goes on behind this label, which begins at `at`; its params are noted. `pieces` is
/// the label's [`shape`], or what is left of it.
#[inline(always)]
fn enter(
    mut label: &'static [u8],
    mut pieces: u32,
    mut at: usize,
    marks: &Marks<'_>,
    captures: &mut Captures,
) -> Option<usize> {
    while !label.is_empty() {
        if pieces == 0 {
            pieces = shape(label);
        }
        let (piece, behind) = label.split_at_checked((pieces & 0xff) as usize)?;
        label = behind;
        pieces >>= 8;
        let start = at.wrapping_add(1);
        let text = marks.segment(start)?;
        at = start.wrapping_add(text.len());
        match piece {
            [_, b'{', b'*', ..] => {
                let value = marks.path.get(start..)?;
                if value.is_empty() || climbs(value) || is_rooted(value) {
                    return None;
                }
                at = marks.path.len();
            }
            [_, b'{', ..] => {
                if text.is_empty() || marks.special && climbs(text) {
                    return None;
                }
            }
            [_, literal @ ..] => {
                if equal(literal, text) || marks.special && equal_escaped(text, literal) {
                    continue;
                }
                return None;
            }
            [] => return None,
        }
        // A pattern has no more params than there are places.
        let _ = captures.push(Span {
            start: start as u16,
            end: at as u16,
        });
    }
    Some(at)
}
