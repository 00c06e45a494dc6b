//! What a row of figures says: its median, and how far chance may have moved that.

/// Rows drawn for an interval: its ends move by less than a hundredth of its width with more.
const DRAWS: usize = 10_000;

/// A median, and the ends of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The middle of what was measured.
    pub median: f64,
    /// 2.5 % of the drawn medians are below.
    pub low: f64,
    /// 2.5 % of the drawn medians are above.
    pub high: f64,
}

impl Interval {
    /// Of values that are independent of each other: as many are drawn from them at random, each as
    /// often as it comes, and their median taken, again and again (the percentile bootstrap; Efron,
    /// "Bootstrap methods", 1979). The same values give the same interval.
    ///
    /// # Panics
    /// If there is no value.
    pub fn of(values: &[f64]) -> Interval {
        let mut random = Random(0x0fef_1a57);
        let mut drawn = vec![0.0; values.len()];
        let mut medians: Vec<f64> = (0..DRAWS)
            .map(|_| {
                drawn.fill_with(|| values[random.below(values.len())]);
                middle(&mut drawn)
            })
            .collect();
        medians.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| medians[(share * (DRAWS - 1) as f64).round() as usize];
        Interval {
            median: median(values.to_vec()),
            low: at(0.025),
            high: at(0.975),
        }
    }
}

/// The middle one; of an even number, the mean of both.
///
/// # Panics
/// If there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    middle(&mut values)
}

fn middle(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if values.len().is_multiple_of(2) => (lower + upper) / 2.0,
        _ => upper,
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014), for draws that are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`. (What a multiple of 2^64 leaves over is no matter for some
    /// hundreds.)
    fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_the_sorted_values() {
        assert_eq!(median(vec![7.0]), 7.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 4.0, 2.0, 2.0]), 2.0);
    }

    #[test]
    fn an_interval_is_as_wide_as_chance_makes_it() {
        // Of 0, 1 .. 100 the median is 50, and the binomial bounds of its order statistic are the
        // ranks 41 and 61 of 101: 40 and 60.
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let seen = Interval::of(&values);
        assert_eq!(seen.median, 50.0);
        assert!((39.0..=42.0).contains(&seen.low), "{seen:?}");
        assert!((58.0..=61.0).contains(&seen.high), "{seen:?}");
        assert_eq!(seen, Interval::of(&values));
        let one = Interval::of(&[3.0; 5]);
        assert_eq!((one.low, one.median, one.high), (3.0, 3.0, 3.0));
        // One that is far off does not move it.
        let mut values = vec![1.0; 20];
        values.push(1e9);
        assert_eq!(Interval::of(&values).high, 1.0);
    }

    /// Known numbers of the generator with seed 0, from its paper's reference code.
    #[test]
    fn draws_are_those_of_the_known_generator() {
        let mut random = Random(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
        let mut counts = [0; 10];
        (0..10_000).for_each(|_| counts[random.below(10)] += 1);
        assert!(
            counts.iter().all(|count| (900..1_100).contains(count)),
            "{counts:?}"
        );
    }
}
