// SPDX-License-Identifier: GPL-2.0

//! A number that one thread counts, and any thread reads.

use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};

/// Counts events.
///
/// There is one writer at a time. A second one would lose counts, and nothing worse: that is what makes
/// counting as cheap as adding to a plain number, two moves and an addition. It is an atomic all the same,
/// since it is read while it is written; no order between two counters is promised.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Relaxed);
    }

    /// What was counted so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn what_is_added_is_read() {
        let counter = Counter::new();
        counter.add(2);
        counter.add(u64::from(u32::MAX));
        assert_eq!(counter.get(), u64::from(u32::MAX) + 2);
    }

    #[test]
    fn a_reader_never_sees_it_go_back() {
        let counter = Arc::new(Counter::new());
        let writer = Arc::clone(&counter);
        let thread = thread::spawn(move || (0..100_000).for_each(|_| writer.add(1)));
        let mut last = 0;
        while last < 100_000 {
            let now = counter.get();
            assert!(now >= last);
            last = now;
            thread::yield_now();
        }
        thread.join().unwrap();
    }
}
