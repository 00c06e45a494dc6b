//! The only source of chance.

/// Numbers from a seed: splitmix64 (Steele, Lea, Flood 2014), a counter and a mixer. Quick to
/// start, so neighbouring seeds give unlike runs.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `bound`; 0 if that is 0. (The bias of the remainder is below 2^-32 here.)
    pub fn below(&mut self, bound: usize) -> usize {
        (self.any() % (bound.max(1) as u64)) as usize
    }

    /// A number from 1 to `most`; 1 if that is 0.
    pub fn one_to(&mut self, most: usize) -> usize {
        1 + self.below(most)
    }

    /// True `of_256` times of 256.
    pub fn chance(&mut self, of_256: u8) -> bool {
        self.below(256) < of_256 as usize
    }
}
