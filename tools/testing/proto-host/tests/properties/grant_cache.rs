// SPDX-License-Identifier: GPL-2.0

//! The grant cache against a model of it: a list of mappings, in the order in which they go.

use proptest::prelude::*;
use xenbus_proto::grant_cache::{
    Bucket,
    Entry,
    GrantCache,
    Held,
    Insertion, //
};
use xenbus_proto::number::GrantRef;

#[derive(Clone, Debug)]
enum Step {
    /// A request uses this page; its mapping is made if it is not here.
    Use(u32),
    /// A mapping is added even if it is here.
    Insert(u32),
    /// The use at this place ends.
    Release(usize),
    /// Time passes.
    Pass(u64),
    /// What has been idle for so long goes.
    Expire(u64),
    /// So many go.
    Shrink(usize),
    /// This many may stay.
    Budget(usize),
}

/// A kept mapping; its value says when it was made.
#[derive(Clone, Debug, PartialEq)]
struct Mapping {
    gref: u32,
    value: u64,
    users: usize,
    idle_since: u64,
}

/// All mappings, and those that are idle in the order in which they became so.
#[derive(Default)]
struct Model {
    mappings: Vec<Mapping>,
    budget: usize,
}

impl Model {
    fn find(&mut self, gref: u32) -> Option<&mut Mapping> {
        self.mappings
            .iter_mut()
            .find(|mapping| mapping.gref == gref)
    }

    /// The mapping that goes next: mappings are moved to the end when they become idle.
    fn evict(&mut self, before: u64) -> Option<u64> {
        let oldest = self
            .mappings
            .iter()
            .position(|mapping| mapping.users == 0)?;
        (self.mappings[oldest].idle_since < before).then(|| self.mappings.remove(oldest).value)
    }

    /// What is kept of a mapping: whether it is, and what had to go.
    fn insert(&mut self, gref: u32, value: u64) -> (bool, Option<u64>) {
        if self.find(gref).is_some() {
            return (false, None);
        }
        let mut gone = None;
        if self.mappings.len() >= self.budget {
            gone = self.evict(u64::MAX);
            if gone.is_none() {
                return (false, None);
            }
        }
        self.mappings.push(Mapping {
            gref,
            value,
            users: 1,
            idle_since: 0,
        });
        (true, gone)
    }

    fn release(&mut self, gref: u32, now: u64) {
        let place = self
            .mappings
            .iter()
            .position(|mapping| mapping.gref == gref);
        let mut mapping = self.mappings.remove(place.unwrap());
        mapping.users -= 1;
        mapping.idle_since = now;
        self.mappings.push(mapping);
    }
}

/// Pages of which there are more than are kept; some of them collide in the table.
fn gref() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => 0u32..24,
        1 => (0u32..8).prop_map(|number| (0xffff_ff00 + number).wrapping_mul(0x144c_bc89)),
        1 => any::<u32>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => gref().prop_map(Step::Use),
        2 => gref().prop_map(Step::Insert),
        8 => any::<usize>().prop_map(Step::Release),
        2 => (0u64..10).prop_map(Step::Pass),
        1 => (0u64..20).prop_map(Step::Expire),
        1 => (0usize..4).prop_map(Step::Shrink),
        1 => (0usize..40).prop_map(Step::Budget),
    ]
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn cache_and_model_agree(
        capacity in 0usize..32,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let entries: Vec<Entry<u64>> = (0..capacity).map(|_| Entry::new()).collect();
        let buckets = GrantCache::<Vec<Entry<u64>>, Vec<Bucket>>::buckets(capacity);
        let mut cache = GrantCache::new(entries, vec![Bucket::EMPTY; buckets]).unwrap();
        let mut model = Model { budget: capacity, ..Model::default() };
        let mut uses: Vec<(u32, Held)> = Vec::new();
        let mut now = 100;

        for (made, step) in (0u64..).zip(steps) {
            match step {
                Step::Use(gref) => {
                    let held = cache.acquire(GrantRef(gref));
                    let mapping = model.find(gref);
                    prop_assert_eq!(held.is_some(), mapping.is_some());
                    if let (Some(held), Some(mapping)) = (held, mapping) {
                        mapping.users += 1;
                        uses.push((gref, held));
                    } else {
                        let expected = model.insert(gref, made);
                        prop_assert_eq!(insert(&mut cache, gref, made, &mut uses), expected);
                    }
                }
                Step::Insert(gref) => {
                    let expected = model.insert(gref, made);
                    prop_assert_eq!(insert(&mut cache, gref, made, &mut uses), expected);
                }
                Step::Release(_) if uses.is_empty() => {}
                Step::Release(place) => {
                    let (gref, held) = uses.swap_remove(place % uses.len());
                    model.release(gref, now);
                    cache.release(held, now);
                }
                Step::Pass(time) => now += time,
                Step::Expire(age) => {
                    let gone: Vec<_> = cache.expire(now - age).collect();
                    let expected: Vec<_> = std::iter::from_fn(|| model.evict(now - age)).collect();
                    prop_assert_eq!(gone, expected);
                }
                Step::Shrink(count) => {
                    let gone: Vec<_> = cache.shrink(count).collect();
                    let expected: Vec<_> = (0..count).map_while(|_| model.evict(u64::MAX)).collect();
                    prop_assert_eq!(gone, expected);
                }
                Step::Budget(budget) => {
                    model.budget = budget.min(capacity);
                    cache.set_budget(budget);
                    prop_assert_eq!(cache.surplus(), model.mappings.len().saturating_sub(model.budget));
                }
            }
            let in_use = model.mappings.iter().filter(|mapping| mapping.users > 0);
            prop_assert_eq!(cache.in_use(), in_use.count());
            prop_assert_eq!(cache.len(), model.mappings.len());
            let oldest = model.mappings.iter().find(|mapping| mapping.users == 0);
            prop_assert_eq!(cache.idle_since(), oldest.map(|mapping| mapping.idle_since));
            for (gref, held) in &uses {
                prop_assert_eq!(cache.get(held), model.find(*gref).map(|mapping| &mapping.value));
            }
        }
    }
}

/// Adds a mapping; whether it is kept, and what had to go.
fn insert(
    cache: &mut GrantCache<Vec<Entry<u64>>, Vec<Bucket>>,
    gref: u32,
    value: u64,
    uses: &mut Vec<(u32, Held)>,
) -> (bool, Option<u64>) {
    let (held, gone) = match cache.insert(GrantRef(gref), value) {
        Insertion::Kept(held) => (held, None),
        Insertion::Replaced(held, gone) => (held, Some(gone)),
        Insertion::Refused(back) => {
            assert_eq!(back, value);
            return (false, None);
        }
    };
    uses.push((gref, held));
    (true, gone)
}
