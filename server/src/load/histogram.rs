//! A histogram of durations: log-linear, of fixed size, off by less than one part in 128.

/// Bits of a value that are kept below its highest one: 128 buckets for every power of two.
const SUB_BITS: u32 = 7;
const SUB: usize = 1 << SUB_BITS;
/// Values from 2^42 ns (73 minutes) on share the last bucket; a run gives up on an answer long before.
const VALUE_BITS: u32 = 42;
const BUCKETS: usize = (VALUE_BITS - SUB_BITS + 1) as usize * SUB;

/// Counts nanoseconds. About 37 KB, allocated once.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            count: 0,
            max: 0,
        }
    }

    /// Counts a value `times` times.
    pub(crate) fn record(&mut self, ns: u64, times: u64) {
        self.counts[bucket(ns)] += times;
        self.count += times;
        self.max = self.max.max(ns);
    }

    pub(crate) fn merge(&mut self, other: &Histogram) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// At least `per_mille` of 1,000 values are not above this: the upper end of a bucket, never above the maximum.
    pub(crate) fn quantile(&self, per_mille: u64) -> u64 {
        let wanted = (u128::from(self.count) * u128::from(per_mille))
            .div_ceil(1000)
            .max(1);
        let mut seen = 0u128;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted {
                return upper_end(index).min(self.max);
            }
        }
        self.max
    }

    /// The largest value, exactly.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

/// Values below 2^7 have buckets of their own; above, the seven bits after the highest one choose.
fn bucket(ns: u64) -> usize {
    let ns = ns.min((1 << VALUE_BITS) - 1);
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(SUB_BITS + 1);
    // The highest bit, still in `ns >> shift`, carries over into the row's number.
    shift as usize * SUB + (ns >> shift) as usize
}

/// The largest value that falls into a bucket.
fn upper_end(index: usize) -> u64 {
    if index < 2 * SUB {
        return index as u64;
    }
    let shift = index / SUB - 1;
    let top = (index % SUB + SUB) as u64;
    ((top + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap() {
        let mut last = 0;
        for index in 1..BUCKETS {
            let end = upper_end(index);
            assert!(end > last);
            assert_eq!(bucket(end), index);
            assert_eq!(bucket(last + 1), index);
            assert!((end - last - 1) * 128 <= end, "bucket {index} is too wide");
            last = end;
        }
        assert_eq!(last, (1 << VALUE_BITS) - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_near_those_of_the_sorted_values() {
        let mut histogram = Histogram::new();
        let mut halves = [Histogram::new(), Histogram::new()];
        let mut values = Vec::new();
        let mut x = 1u64;
        for i in 0..10_000usize {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = x >> (24 + x % 20);
            values.push(value);
            histogram.record(value, 1);
            halves[i % 2].record(value, 1);
        }
        values.sort_unstable();
        for per_mille in [1, 500, 900, 990, 999, 1000] {
            let exact =
                values[(10_000 * per_mille as usize).div_ceil(1000) - 1].min((1 << VALUE_BITS) - 1);
            let found = histogram.quantile(per_mille);
            assert!(
                found >= exact && found - exact <= exact / 127 + 1,
                "{per_mille}: {found} {exact}"
            );
        }
        assert_eq!(histogram.max(), values[9_999]);
        let [mut a, b] = halves;
        a.merge(&b);
        assert_eq!(a.quantile(500), histogram.quantile(500));
        assert_eq!(a.max(), histogram.max());
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        assert_eq!(
            (Histogram::new().quantile(500), Histogram::new().max()),
            (0, 0)
        );
    }
}
