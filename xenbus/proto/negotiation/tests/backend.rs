// SPDX-License-Identifier: GPL-2.0

//! What is offered and what is not.

use core::ffi::CStr;

use super::super::backend::NODES;
use super::*;

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
fn everything_has_its_place() {
    assert_eq!(
        list(before_ring(&EVERYTHING)),
        [
            ("max-ring-page-order", 4),
            ("max-ring-pages", 16),
            ("multi-queue-max-queues", 8)
        ]
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

/// An administrator's settings do not go beyond what a frontend's offer is read to.
#[test]
fn no_more_is_offered_than_can_be_taken() {
    let greedy = Abilities {
        ring_page_order: 31,
        queues: 64,
        indirect_segments: u16::MAX,
        ..EVERYTHING
    };
    assert_eq!(
        list(before_ring(&greedy)),
        [
            ("max-ring-page-order", 4),
            ("max-ring-pages", 16),
            ("multi-queue-max-queues", 16)
        ]
    );
    assert!(list(before_use(&greedy, &DISK)).contains(&("feature-max-indirect-segments", 4096)));
}
