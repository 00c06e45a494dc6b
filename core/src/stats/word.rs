//! The one global word: which era and which phase events belong to.

/// An era and a phase in 64 bits.
///
/// ```text
///  63        48 47                              0
/// +------------+---------------------------------+
/// |  era tag   |              phase              |
/// +------------+---------------------------------+
/// ```
///
/// * The **phase** grows by one with every snapshot and every reset and is never used twice: 2^48
///   phases last 8.9 years at a million snapshots a second. (Behind the last one nothing is
///   promised: a later phase is a larger number everywhere, and that is not worth an instruction
///   more for each event.)
/// * The **era tag** changes with every reset and runs through 1 to 65,534 and again from 1. Zero is
///   no tag, so that fresh zeroed memory belongs to no era; the number of tags is even, so that the
///   parity of the tag alternates for ever and says which half of the user set the era uses.
///
/// Zero is no word; workers say [`Word::OFFLINE`] with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

pub(crate) const PHASE_BITS: u32 = 48;
/// Selects the phase of a word, or of a cell's head.
pub(crate) const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;
/// Tags before one comes again; even (see [`Word`]).
pub(crate) const TAGS: u64 = 65_534;
const _: () = assert!(TAGS.is_multiple_of(2) && TAGS < 1 << (64 - PHASE_BITS));

impl Word {
    /// Where everything begins.
    pub(crate) const FIRST: Self = Self((1 << PHASE_BITS) | 1);
    /// What a worker says that blocks, or that does not exist.
    pub(crate) const OFFLINE: u64 = 0;

    /// For tests of how words end: no era begins so by itself.
    #[cfg(test)]
    pub(crate) fn new(tag: u64, phase: u64) -> Self {
        Self((tag << PHASE_BITS) | (phase & PHASE_MASK))
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// 1 to [`TAGS`].
    #[inline]
    pub(crate) fn tag(self) -> u64 {
        self.0 >> PHASE_BITS
    }

    #[inline]
    pub(crate) const fn phase(self) -> u64 {
        self.0 & PHASE_MASK
    }

    /// The next phase of the same era.
    pub(crate) fn next_phase(self) -> Self {
        Self((self.tag() << PHASE_BITS) | (self.phase().wrapping_add(1) & PHASE_MASK))
    }

    /// The next phase, in the next era.
    pub(crate) fn next_era(self) -> Self {
        let tag = if self.tag() >= TAGS {
            1
        } else {
            self.tag().wrapping_add(1)
        };
        Self((tag << PHASE_BITS) | self.next_phase().phase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_alternate_in_parity_for_ever_and_are_never_zero() {
        let mut word = Word::FIRST;
        for round in 0..3 * TAGS {
            let next = word.next_era();
            assert_ne!(next.tag() & 1, word.tag() & 1, "{round}");
            assert!((1..=TAGS).contains(&next.tag()), "{round}");
            assert_eq!(next.phase(), word.phase() + 1);
            word = next;
        }
        assert_eq!(word.tag(), Word::FIRST.tag());
    }
}
