// SPDX-License-Identifier: GPL-2.0

//! What a backend says: `NODES` is the whole table.

use core::ffi::CStr;

use super::frontend::MAX_QUEUES;
use crate::blkif::{
    INFO_CDROM,
    INFO_READONLY,
    INFO_REMOVABLE, //
};
use crate::request::Indirect;
use crate::ring::RingSize;

/// When a node is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before InitWait: what shapes the ring the frontend makes.
    BeforeRing,
    /// Before Connected: what describes the disk and its requests.
    BeforeUse,
}

/// The disk as it is described to the frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Capacity in sectors.
    pub sectors: u64,
    /// Bytes of the smallest unit the disk can read or write.
    pub logical_block_size: u32,
    /// Bytes of the smallest unit it writes without reading first.
    pub physical_block_size: u32,
    /// The guest cannot write.
    pub read_only: bool,
    /// The medium can be removed.
    pub removable: bool,
    /// It is a CD-ROM.
    pub cdrom: bool,
    /// Writes may sit in a volatile cache until flushed.
    pub write_cache: bool,
    /// How it discards, if it can and may.
    pub discard: Option<Discard>,
}

/// How a disk discards, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// The unit.
    pub granularity: u32,
    /// Where the first unit starts.
    pub alignment: u32,
    /// Whether it can erase for good.
    pub secure: bool,
}

/// What the driver can do, whatever the disk: as far as its administrator lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The largest ring, as an order of pages; what is more than [`RingSize::MAX_ORDER`] is not
    /// offered.
    pub ring_page_order: u32,
    /// The number of rings; 0 counts as 1, and what is more than [`MAX_QUEUES`] is not offered.
    pub queues: u32,
    /// Segments of an indirect request, 0 for none; what is more than [`Indirect::MAX_SEGMENTS`] is
    /// not offered.
    pub indirect_segments: u16,
    /// Whether mappings are kept between requests.
    pub persistent_grants: bool,
    /// Whether discard requests are done.
    pub discard: bool,
}

impl Abilities {
    /// One ring of one page, direct requests.
    pub const SINGLE_RING: Self = Self {
        ring_page_order: 0,
        queues: 1,
        indirect_segments: 0,
        persistent_grants: false,
        discard: false,
    };

    /// The largest order of a ring that is offered.
    pub(super) const fn max_order(&self) -> u32 {
        at_most(self.ring_page_order, RingSize::MAX_ORDER)
    }

    /// How many rings are offered; at least 1.
    pub(super) const fn max_queues(&self) -> u32 {
        match self.queues {
            0 => 1,
            // CAST: 16 fits.
            queues => at_most(queues, MAX_QUEUES as u32),
        }
    }
}

const fn at_most(value: u32, limit: u32) -> u32 {
    if value < limit {
        value
    } else {
        limit
    }
}

/// The value of a node, a decimal number; `None` when the node is not written.
type Value = fn(&Abilities, &Disk) -> Option<u64>;

/// A node of the backend's directory.
pub(super) struct Node {
    key: &'static CStr,
    phase: Phase,
    value: Value,
}

/// Every node a backend can write, in the order of `blkif.h`.
///
/// Flushes and barriers are offered when the disk has a volatile cache, as Linux's backend does:
/// without one they would cost the guest a round trip for nothing. They are done even when not
/// offered ([`parse`](crate::request::parse)), because Linux's frontend takes a single
/// refusal for ever.
///
/// Ring sizes are offered in both of the ways that frontends know, and must agree.
pub(super) static NODES: [Node; 15] = [
    node(c"max-ring-page-order", Phase::BeforeRing, ring_page_order),
    node(c"max-ring-pages", Phase::BeforeRing, |can, disk| {
        ring_page_order(can, disk).map(|_| 1u64.wrapping_shl(can.max_order()))
    }),
    node(c"multi-queue-max-queues", Phase::BeforeRing, queues),
    node(c"feature-barrier", Phase::BeforeUse, write_cache),
    node(c"feature-flush-cache", Phase::BeforeUse, write_cache),
    node(c"feature-discard", Phase::BeforeUse, |can, disk| {
        discard(can, disk).map(|_| 1)
    }),
    node(c"discard-granularity", Phase::BeforeUse, |can, disk| {
        Some(discard(can, disk)?.granularity.into())
    }),
    node(c"discard-alignment", Phase::BeforeUse, |can, disk| {
        Some(discard(can, disk)?.alignment.into())
    }),
    node(c"discard-secure", Phase::BeforeUse, |can, disk| {
        Some(discard(can, disk)?.secure.into())
    }),
    node(c"feature-persistent", Phase::BeforeUse, |can, _| {
        can.persistent_grants.then_some(1)
    }),
    node(c"feature-max-indirect-segments", Phase::BeforeUse, indirect),
    node(c"sectors", Phase::BeforeUse, |_, disk| Some(disk.sectors)),
    node(c"info", Phase::BeforeUse, |_, disk| Some(info(disk).into())),
    node(c"sector-size", Phase::BeforeUse, |_, disk| {
        Some(disk.logical_block_size.into())
    }),
    node(c"physical-sector-size", Phase::BeforeUse, |_, disk| {
        Some(disk.physical_block_size.into())
    }),
];

const fn node(key: &'static CStr, phase: Phase, value: Value) -> Node {
    Node { key, phase, value }
}

/// Rings of one page need no saying.
fn ring_page_order(can: &Abilities, _: &Disk) -> Option<u64> {
    (can.max_order() > 0).then_some(can.max_order().into())
}

/// Neither does a single ring.
fn queues(can: &Abilities, _: &Disk) -> Option<u64> {
    (can.max_queues() > 1).then_some(can.max_queues().into())
}

/// How many segments, if there are indirect requests at all.
fn indirect(can: &Abilities, _: &Disk) -> Option<u64> {
    let segments = usize::from(can.indirect_segments).min(Indirect::MAX_SEGMENTS);
    // CAST: Widening.
    (segments > 0).then_some(segments as u64)
}

/// Whether there is anything to flush.
fn write_cache(_: &Abilities, disk: &Disk) -> Option<u64> {
    Some(disk.write_cache.into())
}

/// How the disk discards, if the driver does too and the guest may write.
fn discard(can: &Abilities, disk: &Disk) -> Option<Discard> {
    disk.discard.filter(|_| can.discard && !disk.read_only)
}

/// The bits of the `info` node.
fn info(disk: &Disk) -> u32 {
    [
        (disk.cdrom, INFO_CDROM),
        (disk.removable, INFO_REMOVABLE),
        (disk.read_only, INFO_READONLY),
    ]
    .iter()
    .filter(|(is, _)| *is)
    .fold(0, |info, (_, bit)| info | bit)
}

/// The nodes to write in a phase before the ring, and their values.
pub fn before_ring(abilities: &Abilities) -> impl Iterator<Item = (&'static CStr, u64)> + '_ {
    // Nothing that shapes the ring depends on the disk, which need not be there yet.
    const NO_DISK: Disk = Disk {
        sectors: 0,
        logical_block_size: 512,
        physical_block_size: 512,
        read_only: true,
        removable: false,
        cdrom: false,
        write_cache: false,
        discard: None,
    };
    offered(Phase::BeforeRing, abilities, &NO_DISK)
}

/// The nodes that describe the disk, and their values.
pub fn before_use<'a>(
    abilities: &'a Abilities,
    disk: &'a Disk,
) -> impl Iterator<Item = (&'static CStr, u64)> + 'a {
    offered(Phase::BeforeUse, abilities, disk)
}

fn offered<'a>(
    phase: Phase,
    abilities: &'a Abilities,
    disk: &'a Disk,
) -> impl Iterator<Item = (&'static CStr, u64)> + 'a {
    NODES
        .iter()
        .filter(move |node| node.phase == phase)
        .filter_map(move |node| Some((node.key, (node.value)(abilities, disk)?)))
}
