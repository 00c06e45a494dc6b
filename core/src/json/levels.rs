//! The open brackets of a text, one bit each: nesting without recursion.

use super::DEPTH_MAX;

// One bit per level in `Levels::bits`.
const _: () = assert!(DEPTH_MAX <= u32::BITS);

/// What a bracket opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Object,
    Array,
}

/// A stack of at most [`DEPTH_MAX`] levels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Levels {
    /// Bit 0 is the innermost level; set: an object.
    bits: u32,
    depth: u32,
}

impl Levels {
    /// Opens a level. False, and nothing changes, if there is no room for it.
    pub(super) const fn push(&mut self, level: Level) -> bool {
        if self.depth >= DEPTH_MAX {
            return false;
        }
        self.bits = self.bits << 1 | matches!(level, Level::Object) as u32;
        self.depth = self.depth.wrapping_add(1);
        true
    }

    /// Closes the innermost level, if any is open.
    pub(super) const fn pop(&mut self) {
        self.bits >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    /// The innermost level, `None` if all are closed.
    pub(super) const fn top(&self) -> Option<Level> {
        match (self.depth, self.bits & 1) {
            (0, _) => None,
            (_, 0) => Some(Level::Array),
            _ => Some(Level::Object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back_in_reverse_and_the_last_one_fits() {
        let kind = |n: u32| {
            if n.is_multiple_of(3) {
                Level::Object
            } else {
                Level::Array
            }
        };
        let mut levels = Levels::default();
        assert_eq!(levels.top(), None);
        for n in 0..DEPTH_MAX {
            assert!(levels.push(kind(n)));
        }
        assert!(!levels.push(Level::Object));
        for n in (0..DEPTH_MAX).rev() {
            assert_eq!(levels.top(), Some(kind(n)));
            levels.pop();
        }
        levels.pop();
        assert_eq!(levels.top(), None);
    }
}
