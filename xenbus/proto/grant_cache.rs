// SPDX-License-Identifier: GPL-2.0

//! Mappings of a frontend's pages that are kept between its requests.
//!
//! A frontend with persistent grants uses the same pages again and again, so their mappings are
//! worth keeping. One cache belongs to one queue, and finds a mapping by its grant reference.
//!
//! A mapping in the cache is *in use* by any number of requests, or *idle*. Idle ones wait in the
//! order in which they became idle, and the one that has waited longest goes first: to make room
//! for another, because nobody has used it for long, or because memory is short. A mapping in use
//! never goes.
//!
//! Nothing is allocated and nothing is searched: memory for all mappings is there from the start, a
//! hash table leads from a reference to its mapping, and the order is a list through them. The
//! cache never unmaps; what it gives up it returns, so that the caller can unmap many at once.
//!
//! The word for a mapping is `V` here, since to the cache it can be anything.

use core::ops::DerefMut;

use crate::number::GrantRef;

mod entry;
mod index;
mod list;

pub use entry::Entry;
pub use index::Bucket;

use index::Index;
use list::Idle;

/// How long ago something was, in a unit of the caller's.
pub type Time = u64;

/// The kept mappings of a queue.
///
/// # Invariants
///
/// Every entry is exactly one of: free, and in the list of free ones; idle, in the index and in
/// the list of idle ones; in use, and in the index.
#[derive(Debug)]
pub struct GrantCache<E, B> {
    entries: E,
    index: Index<B>,
    idle: Idle,
    /// The first free entry; the others follow by their `next`.
    free: Option<u32>,
    len: usize,
    in_use: usize,
    budget: usize,
}

/// The use of a mapping by one request, to be given back by [`GrantCache::release`].
#[derive(Debug)]
#[must_use = "what is not released is in use for ever"]
pub struct Held(u32);

/// What became of a mapping that was to be kept.
#[derive(Debug)]
#[must_use]
pub enum Insertion<V> {
    /// It is kept, and in use.
    Kept(Held),
    /// It is kept, and in use; this idle one had to go.
    Replaced(Held, V),
    /// It is not kept: all that the cache may hold is in use, or its reference is there already.
    /// It serves this one request.
    Refused(V),
}

impl<V, E, B> GrantCache<E, B>
where
    E: DerefMut<Target = [Entry<V>]>,
    B: DerefMut<Target = [Bucket]>,
{
    /// A cache with room for as many mappings as there are entries, [`Self::buckets`] of which are
    /// needed. All are to be new. `None` when their numbers do not match.
    pub fn new(mut entries: E, buckets: B) -> Option<Self> {
        let capacity = u32::try_from(entries.len()).ok()?;
        let index = Index::new(buckets, entries.len())?;
        for (entry, next) in entries.iter_mut().zip(1u32..) {
            *entry = Entry::new();
            entry.next = (next < capacity).then_some(next);
        }
        // INVARIANT: All entries are free.
        Some(Self {
            budget: entries.len(),
            entries,
            index,
            idle: Idle::new(),
            free: (capacity > 0).then_some(0),
            len: 0,
            in_use: 0,
        })
    }

    /// How many buckets a cache of this many entries needs.
    pub const fn buckets(capacity: usize) -> usize {
        index::buckets(capacity)
    }

    /// How many mappings there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many mappings are in use.
    #[inline]
    pub const fn in_use(&self) -> usize {
        self.in_use
    }

    /// Sets how many mappings are kept at most. There can be more already: see [`Self::surplus`].
    pub fn set_budget(&mut self, budget: usize) {
        self.budget = budget.min(self.entries.len());
    }

    /// How many mappings there are beyond the budget.
    pub const fn surplus(&self) -> usize {
        self.len.saturating_sub(self.budget)
    }

    /// Takes up the mapping of a page, if it is here.
    #[inline]
    pub fn acquire(&mut self, gref: GrantRef) -> Option<Held> {
        let number = self.index.find(gref)?;
        let entry = self.entries.get_mut(number as usize)?;
        if entry.users == 0 {
            // INVARIANT: From idle to in use.
            self.idle.remove(&mut self.entries, number);
            self.in_use = self.in_use.saturating_add(1);
        }
        let entry = self.entries.get_mut(number as usize)?;
        // There are fewer requests than this could count.
        entry.users = entry.users.saturating_add(1);
        Some(Held(number))
    }

    /// A mapping that is in use.
    #[inline]
    pub fn get(&self, held: &Held) -> Option<&V> {
        self.entries.get(held.0 as usize)?.value.as_ref()
    }

    /// Keeps a new mapping of a page, for its first use.
    pub fn insert(&mut self, gref: GrantRef, value: V) -> Insertion<V> {
        if self.index.find(gref).is_some() {
            return Insertion::Refused(value);
        }
        let replaced = match self.len < self.budget {
            true => None,
            false => match self.evict() {
                Some(replaced) => Some(replaced),
                None => return Insertion::Refused(value),
            },
        };
        match self.place(gref, value) {
            Ok(held) => match replaced {
                None => Insertion::Kept(held),
                Some(replaced) => Insertion::Replaced(held, replaced),
            },
            // A free entry was there or was made, so this does not happen.
            Err(value) => Insertion::Refused(value),
        }
    }

    /// Gives a use back.
    #[inline]
    pub fn release(&mut self, held: Held, now: Time) {
        let Held(number) = held;
        let Some(entry) = self.entries.get_mut(number as usize) else {
            return;
        };
        if entry.users == 0 {
            // Only the use of a mapping in another cache can get here.
            return;
        }
        entry.users = entry.users.saturating_sub(1);
        if entry.users == 0 {
            entry.idle_since = now;
            // INVARIANT: From in use to idle.
            self.in_use = self.in_use.saturating_sub(1);
            self.idle.append(&mut self.entries, number);
        }
    }

    /// Gives up the mapping that has been idle longest.
    pub fn evict(&mut self) -> Option<V> {
        let number = self.idle.first()?;
        self.idle.remove(&mut self.entries, number);
        let entry = self.entries.get_mut(number as usize)?;
        let value = entry.value.take();
        entry.next = self.free;
        let gref = entry.gref;
        // INVARIANT: From idle to free.
        self.free = Some(number);
        self.index.remove(gref);
        self.len = self.len.saturating_sub(1);
        value
    }

    /// Gives up mappings that have been idle longest, at most so many.
    pub fn shrink(&mut self, count: usize) -> impl Iterator<Item = V> + '_ {
        (0..count).map_while(|_| self.evict())
    }

    /// Gives up the mappings that have been idle since before this time.
    pub fn expire(&mut self, before: Time) -> impl Iterator<Item = V> + '_ {
        core::iter::from_fn(move || match self.idle_since() {
            Some(since) if since < before => self.evict(),
            _ => None,
        })
    }

    /// Since when the mapping that goes next has been idle; `None` when none is.
    pub fn idle_since(&self) -> Option<Time> {
        let entry = self.entries.get(self.idle.first()? as usize)?;
        Some(entry.idle_since)
    }

    /// Puts a mapping into a free entry.
    fn place(&mut self, gref: GrantRef, value: V) -> Result<Held, V> {
        let Some(number) = self.free else {
            return Err(value);
        };
        let Some(entry) = self.entries.get_mut(number as usize) else {
            return Err(value);
        };
        // INVARIANT: From free to in use.
        self.free = entry.next.take();
        entry.gref = gref;
        entry.users = 1;
        entry.value = Some(value);
        self.index.insert(gref, number);
        self.len = self.len.saturating_add(1);
        self.in_use = self.in_use.saturating_add(1);
        Ok(Held(number))
    }
}

#[cfg(test)]
mod tests;
