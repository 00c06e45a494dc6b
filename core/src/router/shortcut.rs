//! From the whole path to its routes, for patterns without params: one hash, one comparison.
//!
//! A literal goes first in every segment, so a path that is such a pattern, byte for byte, has no
//! better match, and the walk can be spared. What is not found here may still be in the tree: escapes, and
//! the other case of letters.

use super::path::{hash_all, place};
use super::pattern::byte;
use super::tree::NONE;

/// Routes with literal patterns, at the slot of their hash or behind, without a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shortcut<const N: usize> {
    slots: [[u16; 2]; N],
    /// One bit for each length that such a pattern has, by the rest of its division by 64: most paths
    /// that are not here need no hash.
    lengths: u64,
}

impl<const N: usize> Shortcut<N> {
    const SLOTS: usize = 2 * N;

    pub(crate) const fn new() -> Self {
        Shortcut {
            slots: [[NONE; 2]; N],
            lengths: 0,
        }
    }

    /// Takes a pattern up that is not yet here, if it has no params, with its first route. The caller adds
    /// at most `N`.
    pub(crate) const fn add(&mut self, pattern: &[u8], route: u16) {
        let mut at = 0;
        while at < pattern.len() {
            if byte(pattern, at) == b'{' {
                return;
            }
            at += 1;
        }
        let mut slot = place(hash_all(pattern), Self::SLOTS);
        let mut left = Self::SLOTS;
        while left > 0 {
            if slot / 2 < N && self.slots[slot / 2][slot % 2] == NONE {
                self.slots[slot / 2][slot % 2] = route;
                self.lengths |= length_bit(pattern);
                return;
            }
            slot = if slot + 1 < Self::SLOTS { slot + 1 } else { 0 };
            left -= 1;
        }
    }

    /// Whether a pattern here is as long as this path.
    #[inline(always)]
    pub(crate) const fn may_have(&self, path: &[u8]) -> bool {
        self.lengths & length_bit(path) != 0
    }

    /// The first candidate for this path's route, perhaps [`NONE`].
    #[inline(always)]
    pub(crate) fn first(&self, path: &[u8]) -> Option<u16> {
        let slot = place(hash_all(path), Self::SLOTS);
        self.slots.as_flattened().get(slot).copied()
    }

    /// The first of the candidates that `is` takes for this path's.
    #[inline(always)]
    pub(crate) fn find<R>(&self, path: &[u8], is: impl Fn(u16) -> Option<R>) -> Option<R> {
        let slots = self.slots.as_flattened();
        let mut slot = place(hash_all(path), Self::SLOTS);
        // At least half of the slots are free, so the search ends at one of them.
        loop {
            let route = *slots.get(slot)?;
            if route == NONE {
                return None;
            }
            if let Some(route) = is(route) {
                return Some(route);
            }
            slot = slot.wrapping_add(1);
            if slot >= slots.len() {
                slot = 0;
            }
        }
    }
}

#[inline(always)]
const fn length_bit(text: &[u8]) -> u64 {
    1u64.wrapping_shl(text.len() as u32)
}
