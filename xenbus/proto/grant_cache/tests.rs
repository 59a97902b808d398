// SPDX-License-Identifier: GPL-2.0

//! What is kept, and in which order it goes.

use super::*;

type Cache = GrantCache<Vec<Entry<u32>>, Vec<Bucket>>;

fn cache(capacity: usize) -> Cache {
    let entries = (0..capacity).map(|_| Entry::new()).collect();
    Cache::new(entries, vec![Bucket::EMPTY; Cache::buckets(capacity)]).unwrap()
}

fn insert(cache: &mut Cache, gref: u32, value: u32) -> Held {
    match cache.insert(GrantRef(gref), value) {
        Insertion::Kept(held) => held,
        other => panic!("{other:?}"),
    }
}

/// A cache of four mappings, idle since 10, 20, 30 and 40; the value of each is its reference.
fn four() -> Cache {
    let mut cache = cache(4);
    for gref in 1..=4 {
        let held = insert(&mut cache, gref, gref);
        cache.release(held, 10 * u64::from(gref));
    }
    cache
}

#[test]
fn a_mapping_is_found_again() {
    let mut cache = cache(4);
    assert!(cache.acquire(GrantRef(8)).is_none());
    let first = insert(&mut cache, 8, 80);
    let second = cache.acquire(GrantRef(8)).unwrap();
    assert_eq!(
        (cache.get(&first), cache.get(&second)),
        (Some(&80), Some(&80))
    );
    assert_eq!((cache.len(), cache.in_use()), (1, 1));
    cache.release(first, 5);
    assert_eq!((cache.in_use(), cache.idle_since()), (1, None));
    cache.release(second, 6);
    assert_eq!(
        (cache.len(), cache.in_use(), cache.idle_since()),
        (1, 0, Some(6))
    );
    let third = cache.acquire(GrantRef(8)).unwrap();
    assert_eq!(cache.get(&third), Some(&80));
}

#[test]
fn what_is_idle_longest_makes_room() {
    let mut cache = four();
    let held = cache.acquire(GrantRef(1)).unwrap();
    cache.release(held, 50);
    match cache.insert(GrantRef(5), 5) {
        Insertion::Replaced(_, 2) => {}
        other => panic!("{other:?}"),
    }
    assert!(cache.acquire(GrantRef(2)).is_none());
    assert_eq!((cache.len(), cache.in_use()), (4, 1));
}

#[test]
fn a_cache_in_use_takes_no_more() {
    let mut cache = four();
    let held: Vec<_> = (1..=4)
        .map(|gref| cache.acquire(GrantRef(gref)).unwrap())
        .collect();
    assert!(matches!(
        cache.insert(GrantRef(5), 55),
        Insertion::Refused(55)
    ));
    assert_eq!(cache.evict(), None);
    for held in held {
        cache.release(held, 100);
    }
    assert!(matches!(
        cache.insert(GrantRef(5), 55),
        Insertion::Replaced(_, 1)
    ));
}

/// Two requests of one drain can both find a page missing, and both map it.
#[test]
fn a_reference_is_kept_once() {
    let mut cache = four();
    assert!(matches!(
        cache.insert(GrantRef(3), 33),
        Insertion::Refused(33)
    ));
    let held = cache.acquire(GrantRef(3)).unwrap();
    assert_eq!(cache.get(&held), Some(&3));
    assert_eq!(cache.len(), 4);
}

#[test]
fn what_nobody_uses_expires() {
    let mut cache = four();
    let held = cache.acquire(GrantRef(2)).unwrap();
    assert_eq!(cache.expire(10).count(), 0);
    assert_eq!(cache.expire(31).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((cache.len(), cache.idle_since()), (2, Some(40)));
    cache.release(held, 60);
    assert_eq!(cache.expire(u64::MAX).collect::<Vec<_>>(), [4, 2]);
    assert!(cache.is_empty());
    assert_eq!(cache.idle_since(), None);
}

#[test]
fn memory_is_given_back_on_demand() {
    let mut cache = four();
    let held = cache.acquire(GrantRef(1)).unwrap();
    assert_eq!(cache.shrink(2).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(cache.shrink(100).collect::<Vec<_>>(), [4]);
    assert_eq!((cache.len(), cache.in_use()), (1, 1));
    cache.release(held, 0);
}

#[test]
fn a_budget_can_be_changed() {
    let mut cache = four();
    cache.set_budget(2);
    assert_eq!(cache.surplus(), 2);
    assert!(matches!(
        cache.insert(GrantRef(5), 5),
        Insertion::Replaced(_, 1)
    ));
    let surplus = cache.surplus();
    assert_eq!(cache.shrink(surplus).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((cache.surplus(), cache.len()), (0, 2));
    cache.set_budget(1000);
    let _held = [insert(&mut cache, 6, 6), insert(&mut cache, 7, 7)];
    assert!(matches!(
        cache.insert(GrantRef(8), 8),
        Insertion::Replaced(_, 4)
    ));
    cache.set_budget(0);
    assert!(matches!(
        cache.insert(GrantRef(9), 9),
        Insertion::Refused(9)
    ));
}

#[test]
fn without_room_nothing_is_kept() {
    let mut cache = cache(0);
    assert!(matches!(
        cache.insert(GrantRef(1), 1),
        Insertion::Refused(1)
    ));
    assert!(cache.acquire(GrantRef(1)).is_none());
}

/// References whose homes are all the same push each other on, around the end of the table.
#[test]
fn colliding_references_are_all_found() {
    // The inverse of the golden ratio makes a reference of any product.
    let colliding = |number: u32| (0xffff_ff00 + number).wrapping_mul(0x144c_bc89);
    assert_eq!(0x144c_bc89u32.wrapping_mul(0x9e37_79b9), 1);
    for gone in 0..16 {
        let mut cache = cache(16);
        for number in 0..16 {
            let held = insert(&mut cache, colliding(number), number);
            if number == gone {
                cache.release(held, 0);
            }
        }
        assert_eq!(cache.evict(), Some(gone));
        for number in 0..16 {
            let held = cache.acquire(GrantRef(colliding(number)));
            assert_eq!(held.is_some(), number != gone, "{number} without {gone}");
            if let Some(held) = held {
                assert_eq!(cache.get(&held), Some(&number));
            }
        }
    }
}

#[test]
fn tables_of_the_wrong_size_are_refused() {
    let entries = || (0..4).map(|_| Entry::new()).collect::<Vec<Entry<u32>>>();
    for len in [0, 1, 4, 7, 9] {
        assert!(
            GrantCache::new(entries(), vec![Bucket::EMPTY; len]).is_none(),
            "{len}"
        );
    }
    for len in [8, 64] {
        assert!(
            GrantCache::new(entries(), vec![Bucket::EMPTY; len]).is_some(),
            "{len}"
        );
    }
}

/// The use of another cache's mapping harms nothing.
#[test]
fn a_stray_use_is_ignored() {
    let mut small = cache(1);
    let mut large = four();
    let stray = large.acquire(GrantRef(4)).unwrap();
    assert_eq!(small.get(&stray), None);
    small.release(stray, 0);
    assert_eq!((small.len(), small.in_use()), (0, 0));
    let _held = insert(&mut small, 1, 1);
}
