//! Where an input is cut into reads.

/// Places to cut, from a seed: ascending, and each inside of the input.
///
/// Seed 0 cuts at every byte, an even seed mostly far apart, an odd one mostly close together.
pub(crate) fn cuts(len: usize, seed: u64) -> impl Iterator<Item = usize> {
    let far = if seed.is_multiple_of(2) { 64 } else { 4 };
    let mut state = seed;
    let mut at = 0;
    std::iter::from_fn(move || {
        // Any generator would do; this one is Knuth's for MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let step = if seed == 0 {
            1
        } else {
            1 + (state >> 33) as usize % far
        };
        at += step;
        (at < len).then_some(at)
    })
}

/// A seed from the bytes themselves, so that a corpus can hold plain requests (FNV-1a).
pub(crate) fn seed_of(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
