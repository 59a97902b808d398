// SPDX-License-Identifier: GPL-2.0

//! The grant cache against what it promises: no value is lost, none is there twice, and there are never too
//! many.

use std::collections::BTreeSet;

use proptest::prelude::*;
use xenbus_proto::grant_cache::{
    GrantCache,
    Place, //
};
use xenbus_proto::number::GrantRef;

#[derive(Clone, Debug)]
enum Step {
    /// A request uses this page; its mapping is made if it is not here.
    Use(u32),
    /// The use at this place ends.
    End(usize),
    /// What was not used since the last time goes.
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![0u32..40, any::<u32>()].prop_map(Step::Use),
        4 => any::<usize>().prop_map(Step::End),
        1 => Just(Step::Sweep),
    ]
}

/// A mapping: of which page, and a number that no other has.
type Mapping = (u32, u64);

/// Everything that exists, in the cache or out of it.
struct World {
    cache: GrantCache<Vec<Place<Mapping>>>,
    used: Vec<Mapping>,
    all: BTreeSet<u64>,
    made: u64,
}

impl World {
    fn new(places: usize, max: usize) -> Self {
        let places = core::iter::repeat_with(Place::default).take(places);
        Self {
            cache: GrantCache::new(places.collect(), max),
            used: Vec::new(),
            all: BTreeSet::new(),
            made: 0,
        }
    }

    fn take(&mut self, gref: u32) {
        let mapping = self.cache.take(GrantRef(gref)).unwrap_or_else(|| {
            self.made += 1;
            self.all.insert(self.made);
            (gref, self.made)
        });
        assert_eq!(
            mapping.0, gref,
            "a mapping is of the page that was asked for"
        );
        assert!(
            self.all.contains(&mapping.1),
            "a mapping that was given up is not used"
        );
        assert!(!self.used.contains(&mapping), "a mapping has one user");
        self.used.push(mapping);
    }

    fn end(&mut self, place: usize) {
        if self.used.is_empty() {
            return;
        }
        let mapping = self.used.swap_remove(place % self.used.len());
        if let Some((_, given_up)) = self.cache.put(GrantRef(mapping.0), mapping) {
            assert!(self.all.remove(&given_up), "a mapping is given up once");
        }
    }

    fn sweep(&mut self) {
        while let Some((_, given_up)) = self.cache.sweep() {
            assert!(self.all.remove(&given_up), "a mapping is given up once");
        }
    }
}

proptest! {
    #[test]
    fn no_mapping_is_lost_nor_used_twice(
        max in 0usize..30,
        fewer in 0usize..20,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let places = GrantCache::<Vec<Place<Mapping>>>::places(max).saturating_sub(fewer);
        let mut world = World::new(places, max);
        for step in steps {
            match step {
                Step::Use(gref) => world.take(gref),
                Step::End(place) => world.end(place),
                Step::Sweep => world.sweep(),
            }
            prop_assert!(world.cache.len() <= max);
            prop_assert_eq!(world.cache.len() + world.used.len(), world.all.len());
        }
        // Two sweeps without a use between them leave nothing.
        world.sweep();
        world.sweep();
        prop_assert!(world.cache.is_empty());
        prop_assert_eq!(world.used.len(), world.all.len());
    }
}
