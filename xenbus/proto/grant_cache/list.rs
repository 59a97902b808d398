// SPDX-License-Identifier: GPL-2.0

//! The order in which idle mappings go: a list through their entries.

use super::Entry;

/// The ends of the list.
///
/// # Invariants
///
/// From `first` to `last`, each entry's `next` is the one whose `previous` it is.
#[derive(Debug)]
pub(super) struct Idle {
    first: Option<u32>,
    last: Option<u32>,
}

impl Idle {
    pub(super) const fn new() -> Self {
        // INVARIANT: Nothing is in it.
        Self {
            first: None,
            last: None,
        }
    }

    /// The entry that goes next.
    #[inline]
    pub(super) const fn first(&self) -> Option<u32> {
        self.first
    }

    /// Adds an entry that is in no list; it goes after all others.
    #[inline]
    pub(super) fn append<V>(&mut self, entries: &mut [Entry<V>], number: u32) {
        if let Some(entry) = entries.get_mut(number as usize) {
            entry.previous = self.last;
            entry.next = None;
        }
        // INVARIANT: What was last is followed by the new one.
        *next_of(entries, self.last, &mut self.first) = Some(number);
        self.last = Some(number);
    }

    /// Removes an entry that is in the list.
    #[inline]
    pub(super) fn remove<V>(&mut self, entries: &mut [Entry<V>], number: u32) {
        let Some(entry) = entries.get_mut(number as usize) else {
            return;
        };
        let previous = entry.previous.take();
        let next = entry.next.take();
        // INVARIANT: Its neighbours are each other's now.
        *next_of(entries, previous, &mut self.first) = next;
        *previous_of(entries, next, &mut self.last) = previous;
    }
}

/// Where it is written what follows an entry; what follows none is the first.
#[inline]
fn next_of<'a, V>(
    entries: &'a mut [Entry<V>],
    number: Option<u32>,
    first: &'a mut Option<u32>,
) -> &'a mut Option<u32> {
    let entry = number.and_then(|number| entries.get_mut(number as usize));
    entry.map_or(first, |entry| &mut entry.next)
}

/// Where it is written what precedes an entry; what precedes none is the last.
#[inline]
fn previous_of<'a, V>(
    entries: &'a mut [Entry<V>],
    number: Option<u32>,
    last: &'a mut Option<u32>,
) -> &'a mut Option<u32> {
    let entry = number.and_then(|number| entries.get_mut(number as usize));
    entry.map_or(last, |entry| &mut entry.previous)
}
