// SPDX-License-Identifier: GPL-2.0

//! A cache of blocks: which of a fixed number of slots has which block, and which is filled next.
//!
//! Whoever needs a block [finds](Cache::find) it. When no slot has it, the slot that was used least lately is
//! [taken](Cache::take), filled, and [put back](Cache::put_back); others that need the same block in the meantime wait
//! for that. The memory of a slot is owned by whoever fills it, so it can be filled with no lock held.

use core::ops::DerefMut;

/// The place of one block, with its memory `M`.
#[derive(Debug)]
pub struct Slot<M> {
    block: Option<u32>,
    /// When it was used last; the larger, the later.
    used: u64,
    /// `None` while somebody fills it.
    memory: Option<M>,
}

impl<M> Slot<M> {
    /// One with no block in it.
    pub const fn new(memory: M) -> Self {
        Self {
            block: None,
            used: 0,
            memory: Some(memory),
        }
    }
}

/// Where a block is, or may be put. It is good until the cache is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

/// What became of the search for a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a, M> {
    /// It is here.
    Here(&'a M),
    /// It is not, and can be put there.
    Missing(Place),
    /// Somebody fills a slot with it, or all slots with others: search again when one was put back.
    Wait,
}

/// Slots, and who was used when.
#[derive(Debug)]
pub struct Cache<S> {
    slots: S,
    now: u64,
}

impl<M, S: DerefMut<Target = [Slot<M>]>> Cache<S> {
    /// One of these slots.
    pub const fn new(slots: S) -> Self {
        Self { slots, now: 0 }
    }

    /// Searches for a block.
    pub fn find(&mut self, block: u32) -> Found<'_, M> {
        self.now = self.now.saturating_add(1);
        let oldest = self.oldest();
        let mut slots = self.slots.iter_mut();
        let Some(slot) = slots.find(|slot| slot.block == Some(block)) else {
            return oldest.map_or(Found::Wait, Found::Missing);
        };
        slot.used = self.now;
        slot.memory.as_ref().map_or(Found::Wait, Found::Here)
    }

    /// The slot that was used least lately, of those that nobody fills.
    fn oldest(&self) -> Option<Place> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.memory.is_some())
            .min_by_key(|(_, slot)| slot.used)
            .map(|(place, _)| Place(place))
    }

    /// Takes a slot's memory to fill it with a block; nothing if somebody else does that already.
    pub fn take(&mut self, Place(place): Place, block: u32) -> Option<M> {
        let slot = self.slots.get_mut(place)?;
        let memory = slot.memory.take()?;
        slot.block = Some(block);
        Some(memory)
    }

    /// Puts the memory back, with the block in it if that is `good`.
    pub fn put_back(&mut self, Place(place): Place, memory: M, good: bool) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        slot.memory = Some(memory);
        slot.used = self.now;
        if !good {
            (slot.block, slot.used) = (None, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(slots: usize) -> Cache<Vec<Slot<u32>>> {
        Cache::new((0..slots).map(|_| Slot::new(u32::MAX)).collect())
    }

    /// Searches for a block that is missing, and takes the slot.
    fn begin(cache: &mut Cache<Vec<Slot<u32>>>, block: u32) -> Place {
        let Found::Missing(place) = cache.find(block) else {
            panic!("block {block} is not missing");
        };
        assert!(cache.take(place, block).is_some());
        place
    }

    /// Fills a slot with a block, which is a number here.
    fn fill(cache: &mut Cache<Vec<Slot<u32>>>, block: u32) {
        let place = begin(cache, block);
        cache.put_back(place, block, true);
    }

    fn has(cache: &Cache<Vec<Slot<u32>>>, block: u32) -> bool {
        cache.slots.iter().any(|slot| slot.block == Some(block))
    }

    #[test]
    fn what_was_filled_is_found() {
        let mut cache = cache(2);
        fill(&mut cache, 7);
        fill(&mut cache, 8);
        assert_eq!(cache.find(7), Found::Here(&7));
        assert_eq!(cache.find(8), Found::Here(&8));
    }

    #[test]
    fn what_was_used_least_lately_is_given_up_first() {
        let mut cache = cache(3);
        for block in [1, 2, 3] {
            fill(&mut cache, block);
        }
        cache.find(1);
        fill(&mut cache, 4);
        assert!(has(&cache, 1) && !has(&cache, 2) && has(&cache, 3));
        fill(&mut cache, 5);
        assert!(has(&cache, 1) && !has(&cache, 3));
    }

    #[test]
    fn a_block_is_filled_by_one_and_waited_for_by_others() {
        let mut cache = cache(2);
        let place = begin(&mut cache, 1);
        assert_eq!(cache.find(1), Found::Wait);
        assert_eq!(cache.take(place, 1), None);
        cache.put_back(place, 1, true);
        assert_eq!(cache.find(1), Found::Here(&1));
    }

    #[test]
    fn a_slot_that_is_filled_is_not_given_to_another() {
        let mut cache = cache(2);
        let (first, second) = (begin(&mut cache, 1), begin(&mut cache, 2));
        assert_ne!(first, second);
        assert_eq!(cache.find(3), Found::Wait);
        cache.put_back(first, 1, true);
        assert_eq!(cache.find(3), Found::Missing(first));
    }

    #[test]
    fn a_block_that_could_not_be_filled_is_missing_and_its_slot_the_next() {
        let mut cache = cache(2);
        fill(&mut cache, 1);
        let place = begin(&mut cache, 2);
        cache.put_back(place, 0, false);
        assert_eq!(cache.find(2), Found::Missing(place));
        assert_eq!(cache.find(3), Found::Missing(place));
        assert_eq!(cache.find(1), Found::Here(&1));
    }

    #[test]
    fn no_slots_are_no_cache() {
        assert_eq!(cache(0).find(1), Found::Wait);
    }
}
