// SPDX-License-Identifier: GPL-2.0

//! Frontends and toolstacks as they are, event by event.

use super::world::World;
use super::Action::*;
use super::XenbusState::*;
use super::*;

/// What happens to a device. The worker runs after each event, except after [`Event::Busy`].
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The frontend writes its state.
    Front(u32),
    /// The frontend writes its state while the worker is busy.
    Busy(u32),
    /// The backing device changes.
    Disk(Backing),
    /// The toolstack detaches.
    Detach,
    /// The toolstack wants the frontend back, or not.
    Online(bool),
    /// Connecting works, or not.
    Broken(bool),
    /// The toolstack names another backing device.
    Rename,
    /// The frontend breaks its ring.
    Halt,
    /// Our directory disappears.
    Gone,
    /// The driver is unbound.
    Unbind,
}
use Event::*;

fn happen(world: &mut World, event: Event) {
    match event {
        Front(raw) | Busy(raw) => world.frontend(raw),
        Disk(backing) => world.now.backing = backing,
        Detach => world.detach(),
        Online(online) => world.now.online = online,
        Broken(broken) => world.broken = broken,
        Rename => world.renamed = true,
        Halt => world.halt(),
        Gone => world.now.own = None,
        Unbind => world.now.removing = true,
    }
    if !matches!(event, Busy(_)) {
        world.settle();
    }
}

/// Runs events from a fresh device and returns what the driver did after the first `skip` events.
fn run(before: &[Event], events: &[Event]) -> (World, Vec<Action>) {
    let mut world = World::new();
    world.settle();
    before.iter().for_each(|&event| happen(&mut world, event));
    world.log.clear();
    events.iter().for_each(|&event| happen(&mut world, event));
    let log = core::mem::take(&mut world.log);
    (world, log)
}

const USED: &[Event] = &[Front(3), Front(4)];

#[test]
fn a_new_device_waits_for_its_frontend() {
    let mut world = World::new();
    world.settle();
    assert_eq!(world.log, [SwitchState(InitWait)]);
}

/// What is expected, in pieces that recur.
type Pieces = &'static [&'static [Action]];

const CONNECT: &[Action] = &[Connect, SwitchState(Connected)];
/// The ring is given back, and its requests are answered first.
const ANSWER: Action = Disconnect(Answers::Wanted);
/// The ring is given back, and nobody waits for answers.
const FORGET: Action = Disconnect(Answers::Unwanted);
const TO_CLOSING: &[Action] = &[ANSWER, SwitchState(Closing)];
const TO_CLOSED: &[Action] = &[FORGET, SwitchState(Closed)];
const START_OVER: &[Action] = &[FORGET, SwitchState(InitWait)];
const CLOSED: &[Action] = &[SwitchState(Closed)];
const WAIT: &[Action] = &[SwitchState(InitWait)];
const END: &[Action] = &[CloseBacking, Finish];
const END_CLOSED: &[Action] = &[CloseBacking, Finish, SwitchState(Closed)];

const NO_DISK: &[Event] = &[Disk(Backing::Absent)];

/// Checks rows of: a name, what happened before, what happens, what is done then.
fn check(rows: &[(&str, &[Event], &[Event], Pieces)], finished: bool) {
    for (name, before, events, expected) in rows {
        let (world, log) = run(before, events);
        assert_eq!(log, expected.concat(), "{name}");
        assert_eq!(world.finished, finished, "{name}");
    }
}

#[test]
fn frontends_of_all_kinds_connect() {
    let rows: &[(&str, &[Event], &[Event], Pieces)] = &[
        ("textbook", &[], &[Front(3), Front(4)], &[CONNECT]),
        ("OVMF: straight to 4", &[], &[Front(4)], &[CONNECT]),
        (
            "disk comes last",
            NO_DISK,
            &[Front(3), Disk(Backing::Ready)],
            &[CONNECT],
        ),
        (
            "disk failed, then named anew",
            &[Disk(Backing::Failed), Front(3)],
            &[Disk(Backing::Ready)],
            &[CONNECT],
        ),
        (
            "same states again",
            USED,
            &[Front(4), Front(3), Front(4)],
            &[],
        ),
    ];
    check(rows, false);
}

#[test]
fn frontends_of_all_kinds_close_and_come_back() {
    let rows: &[(&str, &[Event], &[Event], Pieces)] = &[
        (
            "textbook",
            USED,
            &[Front(5), Front(6)],
            &[TO_CLOSING, CLOSED],
        ),
        (
            "OVMF: 5 6 1 4",
            USED,
            &[Front(5), Front(6), Front(1), Front(4)],
            &[TO_CLOSING, CLOSED, WAIT, CONNECT],
        ),
        (
            "GRUB: 6 1 3",
            USED,
            &[Front(6), Front(1), Front(3)],
            &[TO_CLOSED, WAIT, CONNECT],
        ),
        (
            "NetBSD: 6 at once",
            USED,
            &[Busy(5), Front(6)],
            &[TO_CLOSED],
        ),
        (
            "kexec: starts over without closing",
            USED,
            &[Front(1), Front(3)],
            &[START_OVER, CONNECT],
        ),
        (
            "all while busy",
            USED,
            &[Busy(5), Busy(6), Busy(1), Front(3)],
            &[START_OVER, CONNECT],
        ),
        (
            "Windows crash dump: no Closed",
            USED,
            &[Front(5), Front(3)],
            &[TO_CLOSING, CONNECT],
        ),
        (
            "from Closed straight to 4",
            USED,
            &[Front(6), Front(4)],
            &[TO_CLOSED, CONNECT],
        ),
        (
            "closed twice",
            USED,
            &[Front(6), Front(6), Front(5), Front(6)],
            &[TO_CLOSED],
        ),
    ];
    check(rows, false);
}

#[test]
fn a_ring_given_up_while_we_were_busy_is_not_taken_for_the_new_one() {
    for gave_up in [0, 1, 5, 6] {
        let (_, log) = run(USED, &[Busy(gave_up), Front(4)]);
        assert_eq!(log, [START_OVER, CONNECT].concat(), "{gave_up}");
    }
    for nonsense in [2, 3, 7, 8, 99] {
        let (_, log) = run(USED, &[Busy(nonsense), Front(4)]);
        assert_eq!(log, [], "{nonsense}");
    }
}

#[test]
fn a_frontend_that_closes_for_good_takes_the_device_along() {
    let rows: &[(&str, &[Event], &[Event], Pieces)] = &[
        (
            "xl block-detach",
            USED,
            &[Detach, Front(5), Front(6)],
            &[&[ANSWER], END_CLOSED],
        ),
        (
            "guest destroyed",
            USED,
            &[Detach, Front(0)],
            &[&[FORGET], END_CLOSED],
        ),
        (
            "closed at once, with another disk named",
            USED,
            &[Rename, Detach, Front(6)],
            &[&[FORGET], END_CLOSED],
        ),
        (
            "our directory too",
            USED,
            &[Gone, Online(false), Front(0)],
            &[&[FORGET], END],
        ),
        (
            "shut down, then detached",
            USED,
            &[Front(6), Detach],
            &[TO_CLOSED, END_CLOSED],
        ),
        (
            "offline only",
            USED,
            &[Front(6), Online(false)],
            &[TO_CLOSED, END],
        ),
        ("frontend never started", &[], &[Detach], &[END_CLOSED]),
        (
            "frontend never existed",
            &[Front(0)],
            &[Detach],
            &[END_CLOSED],
        ),
        ("frontend in 2", &[Front(2)], &[Detach], &[END_CLOSED]),
        ("no disk to close", NO_DISK, &[Detach], &[&[Finish], CLOSED]),
        (
            "disk never came",
            &[Disk(Backing::Absent), Front(3)],
            &[Detach, Front(6)],
            &[&[Finish], CLOSED],
        ),
    ];
    check(rows, true);
}

#[test]
fn the_frontend_closes_before_the_toolstack_is_obeyed() {
    let (world, log) = run(USED, &[Detach, Front(4), Front(3), Front(2)]);
    assert_eq!(log, [Complain(2)]);
    assert_eq!(world.now.ring, Ring::Live);
    assert_eq!(world.now.own, Some(Closing));
}

#[test]
fn a_missing_frontend_is_waited_for_while_online() {
    let (world, log) = run(USED, &[Front(0), Front(1), Front(3)]);
    let expected = [
        FORGET,
        SwitchState(Closed),
        SwitchState(InitWait),
        Connect,
        SwitchState(Connected),
    ];
    assert_eq!(log, expected);
    assert_eq!(world.now.ring, Ring::Live);
}

/// R16: states that mean nothing change nothing, and are reported once.
#[test]
fn nonsense_is_reported_once_per_change() {
    let nonsense = [7, 7, 99, u32::MAX, 4, 2, 2, 4, 2].map(Front);
    let (world, log) = run(USED, &nonsense);
    assert_eq!(log, [7, 99, u32::MAX, 2, 2].map(Complain));
    assert_eq!(world.now.ring, Ring::Live);
}

#[test]
fn a_failed_connect_is_not_repeated_until_the_frontend_moves() {
    let (mut world, log) = run(
        &[Broken(true)],
        &[
            Front(3),
            Front(3),
            Disk(Backing::Failed),
            Disk(Backing::Ready),
        ],
    );
    assert_eq!(log, [Connect, SwitchState(Closing)]);
    happen(&mut world, Broken(false));
    assert_eq!(world.log, []);
    for raw in [5, 6, 1, 3] {
        happen(&mut world, Front(raw));
    }
    assert_eq!(
        world.log,
        [
            SwitchState(Closed),
            SwitchState(InitWait),
            Connect,
            SwitchState(Connected)
        ]
    );
}

#[test]
fn a_failed_connect_is_repeated_for_a_frontend_that_moved_while_we_were_busy() {
    let (_, log) = run(
        &[Broken(true), Front(3), Broken(false)],
        &[Busy(1), Front(3)],
    );
    assert_eq!(log, [Connect, SwitchState(Connected)]);
}

#[test]
fn unbinding_gives_everything_back_and_tells_the_guest() {
    let (_, log) = run(USED, &[Unbind]);
    assert_eq!(
        log,
        [
            SwitchState(Closing),
            ANSWER,
            CloseBacking,
            Finish,
            SwitchState(Closed)
        ]
    );
    let (_, log) = run(&[Disk(Backing::Absent)], &[Unbind]);
    assert_eq!(log, [Finish]);
}

/// The old ring is given up, the device is looked at, and then there is a ring on it.
#[test]
fn a_frontend_that_starts_over_gets_the_disk_that_was_named_since() {
    let (world, log) = run(USED, &[Rename, Busy(6), Front(3)]);
    let expected = [
        FORGET,
        SwitchState(InitWait),
        Connect,
        Connect,
        SwitchState(Connected),
    ];
    assert_eq!(log, expected);
    assert!(!world.renamed);
}

/// The driver may be unable to do what it is asked: then it is not asked for ever.
#[test]
fn an_action_without_effect_is_not_asked_for_again() {
    let mut machine = Machine::new();
    let world = World::new();
    assert!(!machine.step(&world.now).is_empty());
    assert!(machine.step(&world.now).is_empty());
}

/// R3: a halted ring is held until the frontend lets go of it.
#[test]
fn a_halted_ring_makes_the_frontend_close() {
    let (_, log) = run(
        USED,
        &[Halt, Front(4), Front(5), Front(6), Front(1), Front(3)],
    );
    let expected = [
        SwitchState(Closing),
        ANSWER,
        SwitchState(Closed),
        SwitchState(InitWait),
        Connect,
        SwitchState(Connected),
    ];
    assert_eq!(log, expected);
}

/// A crash kernel, or the next system on a machine, has other things in the pages of the one before.
#[test]
fn requests_are_not_answered_to_a_frontend_that_has_forgotten_them() {
    for (events, expected) in [
        (&[Front(5)] as &[Event], ANSWER),
        (&[Unbind], ANSWER),
        (&[Front(6)], FORGET),
        (&[Front(1)], FORGET),
        (&[Front(0)], FORGET),
        (&[Busy(6), Front(5)], FORGET),
        (&[Busy(1), Front(3)], FORGET),
        (&[Busy(5), Front(3)], FORGET),
        (&[Busy(1), Unbind], FORGET),
    ] {
        let (_, log) = run(USED, events);
        let given_up: Vec<_> = log
            .iter()
            .filter(|action| matches!(action, Disconnect(_)))
            .collect();
        assert_eq!(given_up, [&expected], "{events:?}");
    }
}
