//! A prefix tree over the segments of patterns, in a fixed arena: how it is built. `walk.rs` looks paths
//! up in it.
//!
//! A label is a row of whole segments of a registered pattern, params too, so a pattern adds at most
//! two nodes: its own end, and one where it leaves the way of another. That makes the arena's size
//! exact: two nodes for a route. A node's children differ in their first segment. A literal child is found
//! by a hash of its parent and its first segment, in an open table with twice as many slots as there can
//! be nodes. The others hang on their parent in a chain, in the order in which they are tried: params
//! with text around them, most of it first, then at most one `{param}`, then at most one `{*rest}`.
//!
//! What was tried instead:
//!
//! * Forks at single characters, with chains of siblings (2.9 times as many instructions for 130 routes,
//!   and 1.8 times as many with a thousand as with ten) and with hashed ones (1.7 times, and 1.2); a tree
//!   of characters has nearly twice as many forks on a path as there are segments, and its cost grows
//!   with the table.
//! * No tree, but one probe of a hash table for each shape (which segments are params) that the patterns
//!   of so many segments have: two thirds of the memory and no way back ever, but 1.4 times as many
//!   instructions for 130 routes, as most probes miss.

use super::matching::Matching;
use super::path::{hash, place};
use super::pattern::{AFFIXED_MAX, Kind, common, head, pieces, rank, rivals, same_segment};
use super::pattern::{segment_end, tail};

/// No node, no route.
pub(crate) const NONE: u16 = u16::MAX;

/// Where the path stays or parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Pattern text from the parent to here: segments, each with the slash before it.
    pub(crate) label: &'static [u8],
    /// Lengths of the label's first pieces (see [`pieces`]),
    pub(crate) lengths: u32,
    /// and what they are.
    pub(crate) kinds: u8,
    /// There are children with a literal segment.
    pub(crate) forks: bool,
    pub(crate) parent: u16,
    /// The first of the children with a param.
    pub(crate) wild: u16,
    /// Of the children of the same parent, the next one with a param.
    pub(crate) sibling: u16,
    /// First of the routes that end here, one per verb.
    pub(crate) route: u16,
}

impl Node {
    const FREE: Node = Node::new(NONE, &[]);

    const fn new(parent: u16, label: &'static [u8]) -> Node {
        let (lengths, kinds) = pieces(label);
        Node {
            label,
            lengths,
            kinds,
            forks: false,
            parent,
            wild: NONE,
            sibling: NONE,
            route: NONE,
        }
    }

    const fn is(&self, kind: Kind) -> bool {
        Kind::of(self.label).is(kind)
    }
}

/// Where the search for a segment with this hash, behind this node, begins among so many slots.
#[inline(always)]
pub(crate) const fn slot(parent: u16, hash: u64, slots: usize) -> usize {
    // A prime that is not near the other factor: neighbouring numbers fall far from each other.
    let parent = (parent as u64).wrapping_mul(0x5bd1_e995);
    place(hash.wrapping_add(parent), slots)
}

/// Why a pattern cannot be where another is, with a node on that one's way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// Both match some segments, and neither goes before the other.
    Rival(u16),
    /// Too many alternatives.
    Crowd(u16),
}

/// The arena: two nodes for each of `N` routes, and twice as many slots for their edges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<const N: usize> {
    pub(crate) nodes: [[Node; 2]; N],
    /// Nodes with a literal first segment, each at the slot of its edge or behind, without a gap.
    pub(crate) slots: [[u16; 4]; N],
    used: u16,
    pub(crate) root: u16,
    /// Some node has several children of which more than one may begin a segment.
    pub(crate) has_choices: bool,
}

impl<const N: usize> Tree<N> {
    const SLOTS: usize = 4 * N;

    pub(crate) const fn new() -> Self {
        Tree {
            nodes: [[Node::FREE; 2]; N],
            slots: [[NONE; 4]; N],
            used: 0,
            root: NONE,
            has_choices: false,
        }
    }

    /// The node where the checked pattern ends, made if need be. The caller keeps the number of
    /// different patterns at `N` or below. A pattern of known shape changes nothing, and a refused one
    /// neither.
    pub(crate) const fn insert(
        &mut self,
        pattern: &'static [u8],
        rules: Matching,
    ) -> Result<u16, Refusal> {
        let mut text = pattern;
        if self.used == 0 {
            self.root = self.add(Node::new(NONE, text));
            return Ok(self.root);
        }
        let mut here = self.root;
        loop {
            let node = *self.node(here);
            let (in_label, in_text) = common(node.label, text, rules);
            text = tail(text, in_text);
            if in_label < node.label.len() {
                if rivals(tail(node.label, in_label), text, rules) {
                    return Err(Refusal::Rival(here));
                }
                here = self.split(here, in_label);
            }
            if text.is_empty() {
                return Ok(here);
            }
            match self.child(here, text, rules) {
                NONE => {
                    if let Some(refusal) = self.refusal(here, text, rules) {
                        return Err(refusal);
                    }
                    let new = self.add(Node::new(here, text));
                    self.hang(new);
                    return Ok(new);
                }
                child => here = child,
            }
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

    /// A route whose pattern goes through this node.
    pub(crate) const fn route_through(&self, node: u16) -> u16 {
        let mut end = 0;
        while end < self.used {
            let mut up = end;
            while up != NONE && up != node {
                up = self.node(up).parent;
            }
            if up == node && self.node(end).route != NONE {
                return self.node(end).route;
            }
            end += 1;
        }
        NONE
    }

    /// Why a node must not get another child that begins so, if that is so.
    const fn refusal(&self, parent: u16, text: &[u8], rules: Matching) -> Option<Refusal> {
        if !Kind::of(text).is(Kind::Affixed) {
            return None;
        }
        let first = self.node(parent).wild;
        let mut next = first;
        let mut affixed = 0;
        while next != NONE && self.node(next).is(Kind::Affixed) {
            if rivals(self.node(next).label, text, rules) {
                return Some(Refusal::Rival(next));
            }
            affixed += 1;
            next = self.node(next).sibling;
        }
        if affixed >= AFFIXED_MAX {
            return Some(Refusal::Crowd(first));
        }
        None
    }

    /// The node in a slot; there is none beyond the last.
    const fn in_slot(&self, slot: usize) -> u16 {
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

    /// Where the search for the literal child that begins with this text starts.
    const fn first_slot(parent: u16, text: &[u8]) -> usize {
        slot(parent, hash(head(text, segment_end(text))), Self::SLOTS)
    }

    const fn add(&mut self, node: Node) -> u16 {
        let index = self.used;
        self.set(index, node);
        self.used += 1;
        index
    }

    /// Cuts the label of a node in two. A new node takes its first part and its place; what is left
    /// of the node, with all that hangs on it, becomes the new node's only child.
    const fn split(&mut self, index: u16, at: usize) -> u16 {
        let mut lower = *self.node(index);
        let mut upper = Node::new(lower.parent, head(lower.label, at));
        upper.sibling = lower.sibling;
        let new = self.add(upper);
        self.replace(index, new);

        let rest = Node::new(new, tail(lower.label, at));
        lower.label = rest.label;
        lower.lengths = rest.lengths;
        lower.kinds = rest.kinds;
        lower.parent = new;
        lower.sibling = NONE;
        self.set(index, lower);
        self.hang(index);
        new
    }

    /// Lets whatever leads to the node `old` lead to `new`.
    const fn replace(&mut self, old: u16, new: u16) {
        let Node { parent, label, .. } = *self.node(old);
        if self.root == old {
            self.root = new;
        } else if Kind::of(label).is(Kind::Literal) {
            let mut slot = Self::first_slot(parent, label);
            let mut left = Self::SLOTS;
            while left > 0 && self.in_slot(slot) != old {
                slot = Self::next_slot(slot);
                left -= 1;
            }
            self.fill(slot, new);
        } else {
            self.link(parent, old, new);
        }
    }

    /// Lets the link of a node's chain that leads to `old` lead to `new`.
    const fn link(&mut self, parent: u16, old: u16, new: u16) {
        let mut above = *self.node(parent);
        if above.wild == old {
            above.wild = new;
            self.set(parent, above);
            return;
        }
        let mut at = above.wild;
        while at != NONE && self.node(at).sibling != old {
            at = self.node(at).sibling;
        }
        let mut before = *self.node(at);
        before.sibling = new;
        self.set(at, before);
    }

    /// Lets the parent of `new` lead to it.
    const fn hang(&mut self, new: u16) {
        let mut below = *self.node(new);
        let parent = below.parent;
        let mut above = *self.node(parent);
        // Literal children differ, all others may begin what another one begins.
        self.has_choices |= above.wild != NONE || above.forks && !below.is(Kind::Literal);
        if below.is(Kind::Literal) {
            above.forks = true;
            self.set(parent, above);
            let mut slot = Self::first_slot(parent, below.label);
            let mut left = Self::SLOTS;
            while left > 0 && self.in_slot(slot) != NONE {
                slot = Self::next_slot(slot);
                left -= 1;
            }
            self.fill(slot, new);
            return;
        }
        let mut next = above.wild;
        while next != NONE && rank(self.node(next).label) <= rank(below.label) {
            next = self.node(next).sibling;
        }
        below.sibling = next;
        self.link(parent, next, new);
        self.set(new, below);
    }

    /// The child of a node that begins with the first segment of this pattern text.
    const fn child(&self, parent: u16, text: &[u8], rules: Matching) -> u16 {
        if Kind::of(text).is(Kind::Literal) {
            let mut slot = Self::first_slot(parent, text);
            let mut left = Self::SLOTS;
            while left > 0 && self.in_slot(slot) != NONE {
                let node = self.node(self.in_slot(slot));
                if node.parent == parent && same_segment(node.label, text, rules) {
                    return self.in_slot(slot);
                }
                slot = Self::next_slot(slot);
                left -= 1;
            }
            return NONE;
        }
        let mut next = self.node(parent).wild;
        while next != NONE && !same_segment(self.node(next).label, text, rules) {
            next = self.node(next).sibling;
        }
        next
    }
}
