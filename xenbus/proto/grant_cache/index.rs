// SPDX-License-Identifier: GPL-2.0

//! From grant references to entries: a hash table in which a reference that finds its place taken
//! goes to the next free one.
//!
//! At least half of the buckets are free, so it is not far, and a frontend that picks its
//! references to collide makes its own queue slow, no more than by the size of the cache.

use core::ops::DerefMut;

use crate::number::GrantRef;

/// A place of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    gref: GrantRef,
    /// The number of the entry, or [`FREE`].
    entry: u32,
}

/// The number that no entry has.
const FREE: u32 = u32::MAX;

impl Bucket {
    /// A place that is free.
    pub const EMPTY: Self = Self {
        gref: GrantRef(0),
        entry: FREE,
    };

    #[inline]
    const fn is_free(&self) -> bool {
        self.entry == FREE
    }
}

/// The table.
///
/// # Invariants
///
/// The number of buckets is a power of two, and at least half of them are free. Between the home
/// of a reference and its bucket, none is free.
#[derive(Debug)]
pub(super) struct Index<B> {
    buckets: B,
    /// Of a product, how many bits are not the bucket's number.
    shift: u32,
}

/// How many buckets so many entries need.
pub(super) const fn buckets(capacity: usize) -> usize {
    match capacity {
        // A table has two places at least, since a number cannot be shifted away as a whole.
        0 => 2,
        _ => capacity.saturating_mul(2).next_power_of_two(),
    }
}

impl<B> Index<B>
where
    B: DerefMut<Target = [Bucket]>,
{
    /// A table for this many entries, if there are enough buckets.
    pub(super) fn new(mut table: B, capacity: usize) -> Option<Self> {
        let len = table.len();
        if !len.is_power_of_two() || len < buckets(capacity) {
            return None;
        }
        table.fill(Bucket::EMPTY);
        // INVARIANT: All are free.
        Some(Self {
            buckets: table,
            shift: u32::BITS.checked_sub(len.ilog2())?,
        })
    }

    /// The entry of a reference.
    #[inline]
    pub(super) fn find(&self, gref: GrantRef) -> Option<u32> {
        let (_, bucket) = self.probe(gref)?;
        (!bucket.is_free()).then_some(bucket.entry)
    }

    /// Adds a reference that is not there.
    pub(super) fn insert(&mut self, gref: GrantRef, entry: u32) {
        if let Some((place, _)) = self.probe(gref) {
            self.set(place, Bucket { gref, entry });
        }
    }

    /// Removes a reference.
    pub(super) fn remove(&mut self, gref: GrantRef) {
        let Some((mut hole, _)) = self.probe(gref) else {
            return;
        };
        self.set(hole, Bucket::EMPTY);
        // INVARIANT: Whoever could not have its home, or a place nearer to it, for the sake of the
        // hole, moves into it and leaves another one.
        let mut place = hole;
        for _ in 0..self.buckets.len() {
            place = self.after(place);
            let bucket = self.bucket(place);
            if bucket.is_free() {
                return;
            }
            let from_home = self.distance(self.home(bucket.gref), place);
            if from_home >= self.distance(hole, place) {
                self.set(hole, bucket);
                self.set(place, Bucket::EMPTY);
                hole = place;
            }
        }
    }

    /// The bucket of a reference, or the free one where it would be.
    #[inline]
    fn probe(&self, gref: GrantRef) -> Option<(usize, Bucket)> {
        let mut place = self.home(gref);
        for _ in 0..self.buckets.len() {
            let bucket = self.bucket(place);
            if bucket.is_free() || bucket.gref == gref {
                return Some((place, bucket));
            }
            place = self.after(place);
        }
        None
    }

    /// Where a reference is if nobody else is there. References are often consecutive; the golden
    /// ratio spreads them evenly.
    #[inline]
    fn home(&self, gref: GrantRef) -> usize {
        // CAST: Widening.
        gref.0.wrapping_mul(0x9e37_79b9).wrapping_shr(self.shift) as usize
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        self.within(place.wrapping_add(1))
    }

    /// How many steps it is from one place to another.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        self.within(to.wrapping_sub(from))
    }

    /// A number modulo the number of places.
    #[inline]
    fn within(&self, place: usize) -> usize {
        place & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    fn bucket(&self, place: usize) -> Bucket {
        self.buckets.get(place).copied().unwrap_or(Bucket::EMPTY)
    }

    fn set(&mut self, place: usize, bucket: Bucket) {
        if let Some(there) = self.buckets.get_mut(place) {
            *there = bucket;
        }
    }
}
