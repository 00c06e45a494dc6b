//! What each worker did of the whole, and how evenly that was.

use std::time::Duration;

use crate::worker::Tally;

/// What one worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What it counted.
    pub tally: Tally,
    /// The processor time that its thread took, in user and kernel mode. Zero where the system does
    /// not say.
    pub cpu: Duration,
}

/// The sum of all shares.
pub(crate) fn sum(shares: &[Share]) -> Tally {
    let mut sum = Tally::default();
    shares.iter().for_each(|share| sum.add(&share.tally));
    sum
}

/// How much more than the mean the largest part is: 0.0 if all are equal, 1.0 if it is twice the
/// mean. 0.0 of nothing.
pub fn skew(parts: &[u64]) -> f64 {
    let most = parts.iter().max().copied().unwrap_or(0) as f64;
    let mean = parts.iter().map(|&part| part as f64).sum::<f64>() / parts.len().max(1) as f64;
    if mean > 0.0 { most / mean - 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_is_what_the_busiest_does_beyond_the_mean() {
        for (parts, expected) in [
            (&[][..], 0.0),
            (&[0, 0], 0.0),
            (&[5], 0.0),
            (&[7, 7, 7], 0.0),
            (&[3, 1], 0.5),
            (&[4, 0, 0, 0], 3.0),
        ] {
            assert_eq!(skew(parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn shares_add_up() {
        let one = |requests, connections| Share {
            tally: Tally {
                requests,
                connections,
                ..Tally::default()
            },
            cpu: Duration::ZERO,
        };
        let all = sum(&[one(5, 1), one(7, 2)]);
        assert_eq!((all.requests, all.connections), (12, 3));
    }
}
