// SPDX-License-Identifier: GPL-2.0

//! How often values of which size occur, in steps of powers of two.

use core::array;
use core::fmt;

use crate::counter::Counter;

/// Counts values by their size. One thread records, any thread reads.
///
/// Bucket 0 counts zeroes, bucket `n` the values of `n` bits: from 2ⁿ⁻¹ to 2ⁿ−1. The last one also counts all
/// that are larger. Recording takes no lock and no loop, and the memory is all there from the start.
#[derive(Debug)]
pub struct Histogram<const BUCKETS: usize> {
    buckets: [Counter; BUCKETS],
    /// Of the values, not of their number.
    sum: Counter,
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self {
            buckets: array::from_fn(|_| Counter::new()),
            sum: Counter::new(),
        }
    }

    /// Counts `value`.
    #[inline]
    pub fn record(&self, value: u64) {
        // CAST: at most 64.
        let bits = (u64::BITS.wrapping_sub(value.leading_zeros())) as usize;
        let bucket = self.buckets.get(bits).or_else(|| self.buckets.last());
        if let Some(bucket) = bucket {
            bucket.add(1);
        }
        self.sum.add(value);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .map(Counter::get)
            .fold(0, u64::wrapping_add)
    }

    /// Their mean, rounded down; 0 when there are none.
    pub fn mean(&self) -> u64 {
        self.sum.get().checked_div(self.count()).unwrap_or(0)
    }

    /// The upper end of the bucket that has the value which `percent` of all do not exceed; `None` when there
    /// are none, or when there is no such end.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        let mut seen = 0_u64;
        for (bits, bucket) in (0_u32..).zip(&self.buckets) {
            seen = seen.saturating_add(bucket.get());
            if count > 0 && seen.saturating_mul(100) >= count.saturating_mul(percent) {
                return self.last_of(bits);
            }
        }
        None
    }

    /// The first value of a bucket.
    fn first_of(bits: u32) -> u64 {
        match bits.checked_sub(1) {
            None => 0,
            Some(shift) => 1_u64.checked_shl(shift).unwrap_or(u64::MAX),
        }
    }

    /// The last value of a bucket, `None` for the last bucket.
    fn last_of(&self, bits: u32) -> Option<u64> {
        let next = bits.saturating_add(1);
        // CAST: widening.
        ((next as usize) < BUCKETS).then(|| Self::first_of(next).wrapping_sub(1))
    }
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

/// One line for the whole, and one for each bucket that is not empty.
impl<const BUCKETS: usize> fmt::Display for Histogram<BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count {} mean {}", self.count(), self.mean())?;
        for percent in [50, 99] {
            if let Some(bound) = self.percentile(percent) {
                write!(f, " p{percent} {bound}")?;
            }
        }
        writeln!(f)?;
        for (bits, bucket) in (0_u32..).zip(&self.buckets) {
            let count = bucket.get();
            if count == 0 {
                continue;
            }
            match self.last_of(bits) {
                Some(last) => writeln!(f, "  {}..{last} {count}", Self::first_of(bits))?,
                None => writeln!(f, "  {}.. {count}", Self::first_of(bits))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded<const BUCKETS: usize>(values: &[u64]) -> Histogram<BUCKETS> {
        let histogram = Histogram::new();
        values.iter().for_each(|&value| histogram.record(value));
        histogram
    }

    #[test]
    fn a_value_is_counted_where_its_number_of_bits_is() {
        let cases = [
            (0, "0..0 1"),
            (1, "1..1 1"),
            (2, "2..3 1"),
            (3, "2..3 1"),
            (4, "4..7 1"),
            (7, "4..7 1"),
            (8, "8.. 1"),
            (u64::MAX, "8.. 1"),
        ];
        for (value, line) in cases {
            let text = recorded::<5>(&[value]).to_string();
            assert_eq!(text.lines().last().unwrap().trim(), line, "{value}");
        }
    }

    #[test]
    fn all_64_bits_have_a_bucket_when_there_is_room() {
        let histogram = recorded::<65>(&[u64::MAX, 1 << 63]);
        assert!(histogram
            .to_string()
            .ends_with("  9223372036854775808.. 2\n"));
        assert_eq!(histogram.count(), 2);
    }

    #[test]
    fn percentiles_are_upper_ends_of_buckets() {
        let mut values = [100; 100];
        values[99] = 5000;
        let histogram = recorded::<16>(&values);
        assert_eq!(histogram.percentile(50), Some(127));
        assert_eq!(histogram.percentile(99), Some(127));
        assert_eq!(histogram.percentile(100), Some(8191));
        assert_eq!(histogram.mean(), 149);
        assert_eq!(recorded::<16>(&[]).percentile(50), None);
        assert_eq!(recorded::<3>(&[9]).percentile(50), None);
    }

    #[test]
    fn an_empty_one_is_one_line() {
        assert_eq!(recorded::<4>(&[]).to_string(), "count 0 mean 0\n");
        assert_eq!(
            recorded::<4>(&[1, 3]).to_string(),
            "count 2 mean 2 p50 1 p99 3\n  1..1 1\n  2..3 1\n"
        );
    }
}
