// SPDX-License-Identifier: GPL-2.0

//! What is offered, what is not, and which answers are understood.

use super::*;
use crate::abi::Abi;

const DISK: Disk = Disk {
    sectors: 2048,
    logical_block_size: 512,
    physical_block_size: 4096,
    read_only: false,
    removable: false,
    cdrom: false,
    write_cache: true,
    discard: Some(Discard {
        granularity: 4096,
        alignment: 0,
        secure: false,
    }),
};

const EVERYTHING: Abilities = Abilities {
    ring_page_order: 4,
    queues: 8,
    indirect_segments: 256,
    persistent_grants: true,
    discard: true,
};

fn list(nodes: impl Iterator<Item = (&'static CStr, u64)>) -> Vec<(&'static str, u64)> {
    nodes
        .map(|(key, value)| (key.to_str().unwrap(), value))
        .collect()
}

#[test]
fn a_single_ring_offers_no_more_than_it_can() {
    let can = Abilities::SINGLE_RING;
    assert_eq!(list(before_ring(&can)), []);
    assert_eq!(
        list(before_use(&can, &DISK)),
        [
            ("feature-barrier", 1),
            ("feature-flush-cache", 1),
            ("sectors", 2048),
            ("info", 0),
            ("sector-size", 512),
            ("physical-sector-size", 4096),
        ]
    );
}

#[test]
fn later_features_have_their_place() {
    assert_eq!(
        list(before_ring(&EVERYTHING)),
        [("max-ring-page-order", 4), ("multi-queue-max-queues", 8)]
    );
    assert_eq!(
        before_ring(&EVERYTHING).count() + before_use(&EVERYTHING, &DISK).count(),
        NODES.len()
    );
    let read_only = Disk {
        read_only: true,
        ..DISK
    };
    assert!(
        before_use(&EVERYTHING, &read_only).all(|(key, _)| !key.to_bytes().starts_with(b"discard"))
    );
}

#[test]
fn the_disk_is_described_as_it_is() {
    let value = |disk: &Disk, wanted: &CStr| {
        let can = Abilities::SINGLE_RING;
        let found = before_use(&can, disk).find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value)
    };
    let no_cache = Disk {
        write_cache: false,
        ..DISK
    };
    assert_eq!(value(&no_cache, c"feature-flush-cache"), Some(0));
    assert_eq!(value(&no_cache, c"feature-barrier"), Some(0));
    let cdrom = Disk {
        cdrom: true,
        removable: true,
        read_only: true,
        ..DISK
    };
    assert_eq!(value(&cdrom, c"info"), Some(7));
    assert_eq!(
        value(
            &Disk {
                read_only: true,
                ..DISK
            },
            c"info"
        ),
        Some(4)
    );
    assert_eq!(
        value(
            &Disk {
                sectors: u64::MAX,
                ..DISK
            },
            c"sectors"
        ),
        Some(u64::MAX)
    );
}

#[test]
fn a_frontend_must_say_where_its_ring_is() {
    let good = FrontendRing::parse(Some(b"8"), Some(b"15"), Some(b"x86_32-abi")).unwrap();
    assert_eq!(
        (good.page, good.port, good.protocol.abi()),
        (GrantRef(8), Port(15), Abi::X86_32)
    );

    type Contents = Option<&'static [u8]>;
    let table: [(Contents, Contents, Contents, Unusable); 5] = [
        (None, Some(b"15"), None, Unusable::Missing(c"ring-ref")),
        (Some(b"8"), None, None, Unusable::Missing(c"event-channel")),
        (
            Some(b"-1"),
            Some(b"15"),
            None,
            Unusable::Number(c"ring-ref", NumberError::NotANumber),
        ),
        (
            Some(b"8"),
            Some(b"0"),
            None,
            Unusable::Number(c"event-channel", NumberError::OutOfRange),
        ),
        (
            Some(b"8"),
            Some(b"15"),
            Some(b"ia64-abi"),
            Unusable::Protocol(Protocol::parse(Some(b"ia64-abi")).unwrap_err()),
        ),
    ];
    for (ring_ref, event_channel, protocol, unusable) in table {
        assert_eq!(
            FrontendRing::parse(ring_ref, event_channel, protocol),
            Err(unusable)
        );
    }
}
