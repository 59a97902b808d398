// SPDX-License-Identifier: GPL-2.0

//! Which frontends are understood, and what is wrong with the others.

use super::*;
use crate::abi::{
    Abi,
    Protocol, //
};
use crate::number::{
    GrantRef,
    NumberError,
    Port, //
};

/// A frontend's nodes: names and contents.
type Nodes<'a> = &'a [(&'a str, &'a str)];

/// The ports and pages of queues.
type Rings<'a> = &'a [(u32, &'a [u32])];

fn read(can: &Abilities, nodes: Nodes<'_>) -> Result<FrontendOffer, Unusable> {
    let offer = FrontendOffer::read(can, |key| {
        let found = nodes.iter().find(|(name, _)| key.to_str() == Ok(*name));
        Ok::<_, ()>(found.map(|(_, text)| text.as_bytes()))
    });
    offer.unwrap()
}

/// Each queue's port and pages.
fn queues(offer: &FrontendOffer) -> Vec<(u32, Vec<u32>)> {
    let pages = |queue: &Queue| queue.pages().iter().map(|page| page.0).collect();
    let queues = offer.queues().iter();
    queues.map(|queue| (queue.port().0, pages(queue))).collect()
}

const LINUX: Nodes<'_> = &[
    ("ring-ref", "8"),
    ("event-channel", "15"),
    ("protocol", "x86_64-abi"),
    ("feature-persistent", "1"),
];

/// Every way to name pages, with one queue and with more.
#[test]
fn every_way_to_name_rings_is_understood() {
    let table: [(Nodes<'_>, Rings<'_>); 10] = [
        (LINUX, &[(15, &[8])]),
        // A single queue has no directory.
        (
            &[
                ("multi-queue-num-queues", "1"),
                ("ring-ref", "8"),
                ("event-channel", "15"),
            ],
            &[(15, &[8])],
        ),
        (
            &[
                ("ring-page-order", "1"),
                ("ring-ref0", "8"),
                ("ring-ref1", "9"),
                ("event-channel", "15"),
            ],
            &[(15, &[8, 9])],
        ),
        // FreeBSD writes both sizes.
        (
            &[
                ("num-ring-pages", "2"),
                ("ring-page-order", "1"),
                ("ring-ref0", "8"),
                ("ring-ref1", "9"),
                ("event-channel", "15"),
            ],
            &[(15, &[8, 9])],
        ),
        (
            &[
                ("num-ring-pages", "4"),
                ("ring-ref0", "8"),
                ("ring-ref1", "9"),
                ("ring-ref2", "6"),
                ("ring-ref3", "7"),
                ("event-channel", "15"),
            ],
            &[(15, &[8, 9, 6, 7])],
        ),
        // One page with a size has a number, or has not.
        (
            &[
                ("ring-page-order", "0"),
                ("ring-ref0", "8"),
                ("event-channel", "15"),
            ],
            &[(15, &[8])],
        ),
        (
            &[
                ("ring-page-order", "0"),
                ("ring-ref", "8"),
                ("event-channel", "15"),
            ],
            &[(15, &[8])],
        ),
        (
            &[
                ("num-ring-pages", "1"),
                ("ring-ref", "8"),
                ("event-channel", "15"),
            ],
            &[(15, &[8])],
        ),
        (
            &[
                ("multi-queue-num-queues", "2"),
                ("queue-0/ring-ref", "8"),
                ("queue-0/event-channel", "15"),
                ("queue-1/ring-ref", "8"),
                ("queue-1/event-channel", "16"),
            ],
            &[(15, &[8]), (16, &[8])],
        ),
        (
            &[
                ("multi-queue-num-queues", "2"),
                ("ring-page-order", "1"),
                ("queue-0/ring-ref0", "8"),
                ("queue-0/ring-ref1", "9"),
                ("queue-0/event-channel", "15"),
                ("queue-1/ring-ref0", "0"),
                ("queue-1/ring-ref1", "4294967295"),
                ("queue-1/event-channel", "16"),
            ],
            &[(15, &[8, 9]), (16, &[0, u32::MAX])],
        ),
    ];
    for (nodes, expected) in table {
        let offer = read(&EVERYTHING, nodes).unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|(port, pages)| (*port, pages.to_vec()))
            .collect();
        assert_eq!(queues(&offer), expected);
        assert_eq!(offer.ring_size().pages(), expected[0].1.len());
    }
}

#[test]
fn the_largest_offer_is_read_whole() {
    let can = Abilities {
        queues: 16,
        ..EVERYTHING
    };
    let offer = FrontendOffer::read(&can, |key| {
        let text = match key.to_str().unwrap() {
            "multi-queue-num-queues" => Some("16".to_owned()),
            "ring-page-order" => Some("4".to_owned()),
            "protocol" | "feature-persistent" => None,
            name => {
                let (queue, node) = name["queue-".len()..].split_once('/').unwrap();
                let queue: u32 = queue.parse().unwrap();
                Some(match node.strip_prefix("ring-ref") {
                    Some(page) => (100 * queue + page.parse::<u32>().unwrap()).to_string(),
                    None => (1 + queue).to_string(),
                })
            }
        };
        Ok::<_, ()>(text.map(String::into_bytes))
    });
    let offer = offer.unwrap().unwrap();
    let expected: Vec<_> = (0..16)
        .map(|queue| (1 + queue, (100 * queue..100 * queue + 16).collect()))
        .collect();
    assert_eq!(queues(&offer), expected);
    assert_eq!(offer.ring_size().slots(), 512);
}

#[test]
fn layout_and_grants_are_as_the_frontend_says() {
    let with = |protocol, persistent| {
        read(
            &EVERYTHING,
            &[
                ("protocol", protocol),
                ("feature-persistent", persistent),
                ("ring-ref", "8"),
                ("event-channel", "15"),
            ],
        )
        .unwrap()
    };
    assert_eq!(with("x86_32-abi", "0").protocol().abi(), Abi::X86_32);
    assert!(!with("x86_32-abi", "0").persistent());
    assert!(with("x86_64-abi", "1").persistent());
    // A feature that can be done without is no reason to refuse the frontend.
    for text in ["yes please", "-1", "", "4294967296"] {
        assert!(!with("x86_64-abi", text).persistent());
    }

    let bare = &[("ring-ref", "8"), ("event-channel", "15")];
    let bare = read(&EVERYTHING, bare).unwrap();
    assert_eq!(bare.protocol(), Protocol::Unspecified);
    assert!(!bare.persistent());
}

/// Persistent grants that were not offered are not used, whatever the frontend says.
#[test]
fn grants_stay_only_when_it_was_offered() {
    let can = Abilities::SINGLE_RING;
    for text in ["1", "0", "-1", ""] {
        let nodes = [
            ("feature-persistent", text),
            ("ring-ref", "8"),
            ("event-channel", "15"),
        ];
        assert!(!read(&can, &nodes).unwrap().persistent());
    }
}

fn missing(key: &str) -> Unusable {
    Unusable::Missing(Key::new(key))
}

fn not_a_number(key: &str) -> Unusable {
    Unusable::Number(Key::new(key), NumberError::NotANumber)
}

fn out_of_range(key: &str) -> Unusable {
    Unusable::Number(Key::new(key), NumberError::OutOfRange)
}

fn too_much(key: &str, value: u32, max: u32) -> Unusable {
    let key = Key::new(key);
    Unusable::TooMuch { key, value, max }
}

/// A good frontend with two queues of two pages.
const GOOD: Nodes<'_> = &[
    ("multi-queue-num-queues", "2"),
    ("ring-page-order", "1"),
    ("queue-0/ring-ref0", "8"),
    ("queue-0/ring-ref1", "9"),
    ("queue-0/event-channel", "15"),
    ("queue-1/ring-ref0", "10"),
    ("queue-1/ring-ref1", "11"),
    ("queue-1/event-channel", "16"),
];

/// R28: every node that is not as it should be is named.
#[test]
fn one_bad_node_makes_an_offer_unusable() {
    let unknown = Protocol::parse(Some(b"ia64-abi")).unwrap_err();
    let port = Port(15);
    let table = [
        ("protocol", "ia64-abi", Unusable::Protocol(unknown)),
        (
            "multi-queue-num-queues",
            "0",
            out_of_range("multi-queue-num-queues"),
        ),
        (
            "multi-queue-num-queues",
            "-1",
            not_a_number("multi-queue-num-queues"),
        ),
        (
            "multi-queue-num-queues",
            "",
            not_a_number("multi-queue-num-queues"),
        ),
        (
            "multi-queue-num-queues",
            "9",
            too_much("multi-queue-num-queues", 9, 8),
        ),
        (
            "multi-queue-num-queues",
            "65536",
            too_much("multi-queue-num-queues", 65536, 8),
        ),
        (
            "multi-queue-num-queues",
            "4294967296",
            out_of_range("multi-queue-num-queues"),
        ),
        (
            "multi-queue-num-queues",
            "3",
            missing("queue-2/event-channel"),
        ),
        ("multi-queue-num-queues", "1", missing("event-channel")),
        ("ring-page-order", "2", missing("queue-0/ring-ref2")),
        ("ring-page-order", "5", too_much("ring-page-order", 5, 4)),
        ("ring-page-order", "31", too_much("ring-page-order", 31, 4)),
        ("ring-page-order", "32", too_much("ring-page-order", 32, 4)),
        (
            "ring-page-order",
            "4294967295",
            too_much("ring-page-order", u32::MAX, 4),
        ),
        (
            "ring-page-order",
            "4294967296",
            out_of_range("ring-page-order"),
        ),
        ("ring-page-order", "1 ", not_a_number("ring-page-order")),
        (
            "queue-0/ring-ref1",
            "0x9",
            not_a_number("queue-0/ring-ref1"),
        ),
        (
            "queue-1/ring-ref0",
            "4294967296",
            out_of_range("queue-1/ring-ref0"),
        ),
        (
            "queue-1/event-channel",
            "0",
            out_of_range("queue-1/event-channel"),
        ),
        (
            "queue-1/event-channel",
            "15",
            Unusable::SamePort(Key::new("queue-1/event-channel"), port),
        ),
    ];
    assert!(read(&EVERYTHING, GOOD).is_ok());
    for (key, text, unusable) in table {
        let mut nodes = GOOD.to_vec();
        nodes.retain(|(name, _)| *name != key);
        nodes.push((key, text));
        assert_eq!(read(&EVERYTHING, &nodes), Err(unusable), "{key} = {text}");
    }
}

#[test]
fn no_node_of_a_ring_may_be_missing() {
    for nodes in [GOOD, &LINUX[..2]] {
        for (key, _) in nodes
            .iter()
            .filter(|(key, _)| key.contains("ring-ref") || key.ends_with("channel"))
        {
            let mut nodes = nodes.to_vec();
            nodes.retain(|(name, _)| name != key);
            assert_eq!(read(&EVERYTHING, &nodes), Err(missing(key)));
        }
    }
}

/// R28: the older way to name a size.
#[test]
fn a_number_of_pages_is_a_power_of_two() {
    let key = "num-ring-pages";
    for (text, unusable) in [
        ("0", out_of_range(key)),
        ("3", out_of_range(key)),
        ("32", too_much(key, 32, 16)),
        ("2147483648", too_much(key, 1 << 31, 16)),
        ("two", not_a_number(key)),
        ("2", missing("ring-ref0")),
    ] {
        let nodes = [(key, text), ("ring-ref", "8"), ("event-channel", "15")];
        assert_eq!(read(&EVERYTHING, &nodes), Err(unusable), "{text}");
    }
}

/// What was not offered cannot be had.
#[test]
fn nothing_is_taken_that_was_not_offered() {
    let can = Abilities::SINGLE_RING;
    let table = [
        ("ring-page-order", "1", too_much("ring-page-order", 1, 0)),
        ("num-ring-pages", "2", too_much("num-ring-pages", 2, 1)),
        (
            "multi-queue-num-queues",
            "2",
            too_much("multi-queue-num-queues", 2, 1),
        ),
    ];
    for (key, text, unusable) in table {
        let nodes = [(key, text), ("ring-ref", "8"), ("event-channel", "15")];
        assert_eq!(read(&can, &nodes), Err(unusable));
    }
    assert!(read(&can, LINUX).is_ok());
}

#[test]
fn another_ring_is_another_offer() {
    let offer = read(&EVERYTHING, GOOD).unwrap();
    assert_eq!(offer, read(&EVERYTHING, GOOD).unwrap());
    for changed in 2..GOOD.len() {
        let mut nodes = GOOD.to_vec();
        nodes[changed].1 = "77";
        assert_ne!(
            Ok(&offer),
            read(&EVERYTHING, &nodes).as_ref(),
            "{:?}",
            nodes[changed]
        );
    }
}

#[test]
fn an_error_in_reading_is_not_the_frontends() {
    for good_reads in 0..10 {
        let mut reads = 0;
        let offer = FrontendOffer::read(&EVERYTHING, |key| {
            reads += 1;
            let found = GOOD.iter().find(|(name, _)| key.to_str() == Ok(*name));
            match reads <= good_reads {
                true => Ok(found.map(|(_, text)| text.as_bytes())),
                false => Err("no xenstore"),
            }
        });
        assert_eq!(offer.err(), Some("no xenstore"));
    }
}

/// It is read on a kernel's stack.
#[test]
fn an_offer_is_not_too_large() {
    assert!(size_of::<FrontendOffer>() <= 1536);
    let page = GrantRef(8);
    assert_eq!(
        read(&EVERYTHING, LINUX).unwrap().queues()[0].pages(),
        [page]
    );
}
