// SPDX-License-Identifier: GPL-2.0

//! Mappings that are kept between requests, for a guest that grants the same pages again and again.

use kernel::prelude::*;
use xenbus::grant::Mapping;
use xenbus_proto::{
    grant_cache::{
        GrantCache,
        Place, //
    },
    number::GrantRef, //
};

/// The mappings of one ring that no request uses now.
pub(crate) struct Kept {
    max: usize,
    /// Made when there is something to keep: a disk that is never used needs none.
    cache: Option<GrantCache<KVVec<Place<Mapping>>>>,
}

impl Kept {
    /// Room for at most `max` mappings.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, cache: None }
    }

    /// Takes the mapping of a page out, if there is one.
    #[inline]
    pub(crate) fn take(&mut self, gref: GrantRef) -> Option<Mapping> {
        self.cache.as_mut()?.take(gref)
    }

    /// Keeps a mapping. Returns one that is not kept: another, or this one.
    #[inline]
    pub(crate) fn put(&mut self, mapping: Mapping) -> Option<Mapping> {
        let gref = mapping.gref();
        if self.cache.is_none() {
            self.cache = self.new_cache().ok();
        }
        match &mut self.cache {
            Some(cache) => cache.put(gref, mapping),
            None => Some(mapping),
        }
    }

    #[cold]
    fn new_cache(&self) -> Result<GrantCache<KVVec<Place<Mapping>>>> {
        let count = GrantCache::<KVVec<Place<Mapping>>>::places(self.max);
        let mut places = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            places.push(Place::default(), GFP_KERNEL)?;
        }
        Ok(GrantCache::new(places, self.max))
    }

    /// Takes out a mapping that was not used since the last sweep; `None` ends the sweep.
    pub(crate) fn sweep(&mut self) -> Option<Mapping> {
        self.cache.as_mut()?.sweep()
    }

    /// Takes out a mapping, one that was not used for a while if there is one.
    pub(crate) fn evict(&mut self) -> Option<Mapping> {
        self.sweep().or_else(|| self.sweep())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.cache.as_ref().map_or(0, GrantCache::len)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.cache.as_ref().is_none_or(GrantCache::is_empty)
    }
}
