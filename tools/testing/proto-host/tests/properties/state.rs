// SPDX-License-Identifier: GPL-2.0

//! Whatever frontend and toolstack do, in whatever order: nothing is connected twice, closed under
//! a ring or done after the end, and the device can still be attached, and detached. What makes
//! sense at each action is checked by the test double.

use proptest::prelude::*;
use xenbus_proto::blkif::XenbusState;
use xenbus_proto::state::{
    Action,
    Backing,
    Frontend,
    Machine,
    Ring,
    Seen,
    Snapshot, //
};

#[path = "../../../../../xenbus/proto/state/world.rs"]
mod world;

use world::World;

#[derive(Clone, Debug)]
enum Event {
    Frontend(u32),
    Disk(Backing),
    Own(Option<u32>),
    Online(bool),
    Broken(bool),
    Rename,
    Halt,
    Detach,
    Work,
}

fn event() -> impl Strategy<Value = Event> {
    let disk = prop_oneof![Just(Backing::Ready), Just(Backing::Failed)];
    prop_oneof![
        8 => (0u32..10).prop_map(Event::Frontend),
        1 => any::<u32>().prop_map(Event::Frontend),
        2 => disk.prop_map(Event::Disk),
        1 => proptest::option::of(1u32..9).prop_map(Event::Own),
        1 => any::<bool>().prop_map(Event::Online),
        1 => any::<bool>().prop_map(Event::Broken),
        1 => Just(Event::Rename),
        1 => Just(Event::Halt),
        1 => Just(Event::Detach),
        8 => Just(Event::Work),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..60)
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Frontend(raw) => world.frontend(raw),
        // The disk under a ring does not go away without the ring.
        Event::Disk(backing) if world.now.ring == Ring::None => world.now.backing = backing,
        Event::Disk(_) => {}
        Event::Own(raw) => world.now.own = raw.and_then(XenbusState::from_raw),
        Event::Online(online) => world.now.online = online,
        Event::Broken(broken) => world.broken = broken,
        Event::Rename => world.renamed = true,
        Event::Halt => world.halt(),
        Event::Detach => world.detach(),
        Event::Work => world.settle(),
    }
    if world.finished {
        // The toolstack makes another.
        *world = World::new();
    }
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    /// R16.
    #[test]
    fn a_device_stays_attachable_until_it_is_finished(events in events()) {
        let mut world = World::new();
        for event in events {
            happen(&mut world, event);
        }

        world.now.online = true;
        world.now.own.get_or_insert(XenbusState::InitWait);
        world.broken = false;
        for raw in [1, 3] {
            world.frontend(raw);
            world.now.backing = Backing::Ready;
            world.settle();
        }
        prop_assert_eq!(world.now.ring, Ring::Live);
        prop_assert_eq!(world.now.own, Some(XenbusState::Connected));

        world.detach();
        world.settle();
        for raw in [5, 6] {
            world.frontend(raw);
            world.settle();
        }
        prop_assert!(world.finished);
        prop_assert_eq!(world.now.own, Some(XenbusState::Closed));
    }

    #[test]
    fn unbinding_finishes_from_anywhere(events in events()) {
        let mut world = World::new();
        for event in events {
            happen(&mut world, event);
        }
        world.now.removing = true;
        world.settle();
        prop_assert!(world.finished);
        prop_assert_eq!(world.now.ring, Ring::None);
        prop_assert_eq!(world.now.backing, Backing::Absent);
        // Nothing follows.
        world.frontend(3);
        world.settle();
    }
}
