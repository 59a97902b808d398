// SPDX-License-Identifier: GPL-2.0

//! What is kept of granted pages between requests, to be found by grant reference.
//!
//! It is made like the cache of a processor: a reference has a *set* of places where it can be, which are
//! few enough to be looked through. What is in use is not in it: its user has taken it out, so no two
//! users can have the same one, and when a reference is used twice at a time, there are two values.

use core::ops::DerefMut;

use crate::number::GrantRef;

/// Places of a set.
const WAYS: usize = 8;

/// A place in the cache.
#[derive(Debug)]
pub struct Place<V> {
    kept: Option<(GrantRef, V)>,
    /// It was put there since the last sweep.
    fresh: bool,
}

impl<V> Default for Place<V> {
    fn default() -> Self {
        Self {
            kept: None,
            fresh: false,
        }
    }
}

/// Values by grant reference, in places that the caller provides.
#[derive(Debug)]
pub struct GrantCache<P> {
    places: P,
    /// The number of sets less one; there is a power of two of them.
    last_set: usize,
    len: usize,
    max: usize,
    /// Where the sweep is.
    hand: usize,
}

impl<V, P: DerefMut<Target = [Place<V>]>> GrantCache<P> {
    /// How many places a cache of at most `max` values needs.
    pub const fn places(max: usize) -> usize {
        // A power of two that is not smaller.
        let sets = match max.div_ceil(WAYS).checked_next_power_of_two() {
            Some(sets) => sets,
            None => 1,
        };
        sets.saturating_mul(WAYS)
    }

    /// A cache of at most `max` values in [`Self::places`] places. With fewer, it keeps less.
    pub fn new(places: P, max: usize) -> Self {
        let sets = places.len() / WAYS;
        Self {
            places,
            last_set: match sets.is_power_of_two() {
                true => sets.wrapping_sub(1),
                false => 0,
            },
            len: 0,
            max,
            hand: 0,
        }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes out the value of `gref`, if there is one.
    #[inline]
    pub fn take(&mut self, gref: GrantRef) -> Option<V> {
        let place = self
            .set(gref)
            .iter_mut()
            .find(|place| matches!(place.kept, Some((kept, _)) if kept == gref))?;
        let (_, value) = place.kept.take()?;
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// Keeps the value of `gref`. Returns one that is not kept: an older one that had to make room, or this
    /// one when there is none to be had.
    #[inline]
    pub fn put(&mut self, gref: GrantRef, value: V) -> Option<V> {
        let full = self.len >= self.max;
        let set = self.set(gref);
        let free = set.iter().position(|place| place.kept.is_none());
        let chosen = match free {
            Some(way) if !full => Some(way),
            _ => replaceable(set),
        };
        let Some(place) = chosen.and_then(|way| set.get_mut(way)) else {
            return Some(value);
        };
        place.fresh = true;
        match place.kept.replace((gref, value)) {
            Some((_, value)) => Some(value),
            None => {
                self.len = self.len.saturating_add(1);
                None
            }
        }
    }

    /// Takes out a value that was not put there since the last sweep; `None` ends the sweep.
    pub fn sweep(&mut self) -> Option<V> {
        while let Some(place) = self.places.get_mut(self.hand) {
            self.hand = self.hand.wrapping_add(1);
            if core::mem::take(&mut place.fresh) {
                continue;
            }
            if let Some((_, value)) = place.kept.take() {
                self.len = self.len.saturating_sub(1);
                return Some(value);
            }
        }
        self.hand = 0;
        None
    }

    /// The places where `gref` can be.
    #[inline]
    fn set(&mut self, gref: GrantRef) -> &mut [Place<V>] {
        // References that are handed out one after the other spread over all sets.
        let first = (gref.0 as usize & self.last_set).wrapping_mul(WAYS);
        let places = self.places.get_mut(first..).unwrap_or_default();
        match places.len() {
            more if more > WAYS => places.split_at_mut(WAYS).0,
            _ => places,
        }
    }
}

/// The place of a set whose value can best be done without.
#[cold]
fn replaceable<V>(set: &[Place<V>]) -> Option<usize> {
    let taken = |place: &&Place<V>| place.kept.is_some();
    let unused = set.iter().position(|place| taken(&place) && !place.fresh);
    unused.or_else(|| set.iter().position(|place| taken(&place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(max: usize) -> GrantCache<Vec<Place<u32>>> {
        let places = GrantCache::<Vec<Place<u32>>>::places(max);
        let places = core::iter::repeat_with(Place::default).take(places);
        GrantCache::new(places.collect(), max)
    }

    #[test]
    fn what_is_taken_is_gone_until_it_is_put_back() {
        let mut cache = cache(100);
        assert_eq!(cache.put(GrantRef(7), 70), None);
        assert_eq!(cache.take(GrantRef(7)), Some(70));
        assert_eq!(cache.take(GrantRef(7)), None);
        assert_eq!(cache.put(GrantRef(7), 70), None);
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_reference_that_is_used_twice_at_a_time_has_two_values() {
        let mut cache = cache(100);
        assert_eq!(cache.put(GrantRef(7), 70), None);
        assert_eq!(cache.put(GrantRef(7), 71), None);
        assert_eq!(cache.take(GrantRef(7)), Some(70));
        assert_eq!(cache.take(GrantRef(7)), Some(71));
        assert_eq!(cache.take(GrantRef(7)), None);
    }

    #[test]
    fn consecutive_references_all_fit() {
        let mut cache = cache(1056);
        for gref in 4000..5056 {
            assert_eq!(cache.put(GrantRef(gref), gref), None);
        }
        assert_eq!(cache.len(), 1056);
        for gref in 4000..5056 {
            assert_eq!(cache.take(GrantRef(gref)), Some(gref));
        }
        assert!(cache.is_empty());
    }

    #[test]
    fn no_more_than_the_maximum_is_kept() {
        let mut cache = cache(10);
        let refused = (0..50).filter_map(|gref| cache.put(GrantRef(gref), gref));
        assert_eq!(refused.count(), 40);
        assert_eq!(cache.len(), 10);
        let mut none = self::cache(0);
        assert_eq!(none.put(GrantRef(1), 1), Some(1));
    }

    #[test]
    fn references_that_collide_drive_each_other_out_and_nothing_is_lost() {
        let mut cache = cache(64);
        let out: Vec<_> = (0..20)
            .filter_map(|n| cache.put(GrantRef(n * 8), n))
            .collect();
        assert_eq!(out.len() + cache.len(), 20);
        assert_eq!(cache.len(), WAYS);
    }

    #[test]
    fn a_sweep_takes_what_the_last_one_saw_unused() {
        let mut cache = cache(100);
        for gref in 0..10 {
            assert_eq!(cache.put(GrantRef(gref), gref), None);
        }
        assert_eq!(cache.sweep(), None);
        let used = cache.take(GrantRef(3)).unwrap();
        assert_eq!(cache.put(GrantRef(3), used), None);
        let mut swept: Vec<_> = core::iter::from_fn(|| cache.sweep()).collect();
        swept.sort();
        assert_eq!(swept, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
        assert_eq!(cache.sweep(), Some(3));
    }
}
