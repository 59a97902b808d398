// SPDX-License-Identifier: GPL-2.0

//! What the two ends tell each other in xenstore before a ring is used.
//!
//! `NODES` is the whole table of what a backend can offer. What is not there yet is in it too,
//! and off: [`Abilities::SINGLE_RING`] offers one ring of one page, and a frontend never sees the
//! node of a feature it could not use.

use core::ffi::CStr;

use crate::abi::{
    Protocol,
    UnknownProtocol, //
};
use crate::blkif::{
    INFO_CDROM,
    INFO_READONLY,
    INFO_REMOVABLE, //
};
use crate::number::{
    GrantRef,
    NumberError,
    Port, //
};

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

/// What the driver can do, whatever the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The largest ring, as an order of pages.
    pub ring_page_order: u32,
    /// The number of rings.
    pub queues: u32,
    /// Segments of an indirect request; 0 for none.
    pub indirect_segments: u32,
    /// Whether mappings are kept between requests.
    pub persistent_grants: bool,
    /// Whether discard requests are done.
    pub discard: bool,
}

impl Abilities {
    /// One ring of one page, direct requests.
    ///
    /// The other features are in `Documentation/todo.rst`, under the tags that stand in this crate.
    pub const SINGLE_RING: Self = Self {
        ring_page_order: 0,
        queues: 1,
        indirect_segments: 0,
        persistent_grants: false,
        discard: false,
    };
}

/// The value of a node, a decimal number; `None` when the node is not written.
type Value = fn(&Abilities, &Disk) -> Option<u64>;

/// A node of the backend's directory.
struct Node {
    key: &'static CStr,
    phase: Phase,
    value: Value,
}

/// Every node a backend can write, in the order of `blkif.h`.
///
/// Flushes and barriers are offered when the disk has a volatile cache, as Linux's backend does:
/// without one they would cost the guest a round trip for nothing. They are done even when not
/// offered ([`request::parse`](crate::request::parse)), because Linux's frontend takes a single
/// refusal for ever.
static NODES: [Node; 14] = [
    node(c"max-ring-page-order", Phase::BeforeRing, ring_page_order),
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
    (can.ring_page_order > 0).then_some(can.ring_page_order.into())
}

/// Neither does a single ring.
fn queues(can: &Abilities, _: &Disk) -> Option<u64> {
    (can.queues > 1).then_some(can.queues.into())
}

/// How many segments, if there are indirect requests at all.
fn indirect(can: &Abilities, _: &Disk) -> Option<u64> {
    (can.indirect_segments > 0).then_some(can.indirect_segments.into())
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

/// The frontend's nodes: where its ring is.
//
// TODO[RING]: `ring-page-order` with `ring-ref%u`. TODO[QUEUE]: `multi-queue-num-queues` with
// `queue-%u/`. TODO[PERSISTENT]: `feature-persistent`.
pub mod frontend_key {
    use core::ffi::CStr;

    /// The page of the ring.
    pub const RING_REF: &CStr = c"ring-ref";
    /// The port of the frontend.
    pub const EVENT_CHANNEL: &CStr = c"event-channel";
    /// The layout of entries; may be missing.
    pub const PROTOCOL: &CStr = c"protocol";
}

/// The ring of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontendRing {
    /// Its page.
    pub page: GrantRef,
    /// The frontend's port.
    pub port: Port,
    /// The layout of its entries.
    pub protocol: Protocol,
}

/// Why a frontend's nodes describe no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A node that must be there is not.
    Missing(&'static CStr),
    /// A node is not the number it should be.
    Number(&'static CStr, NumberError),
    /// The layout is unknown.
    Protocol(UnknownProtocol),
}

impl FrontendRing {
    /// Reads the contents of the nodes of [`frontend_key`]; `None` for one that is not there.
    pub fn parse(
        ring_ref: Option<&[u8]>,
        event_channel: Option<&[u8]>,
        protocol: Option<&[u8]>,
    ) -> Result<Self, Unusable> {
        use frontend_key::*;

        Ok(Self {
            page: required(RING_REF, ring_ref, GrantRef::parse)?,
            port: required(EVENT_CHANNEL, event_channel, Port::parse)?,
            protocol: Protocol::parse(protocol).map_err(Unusable::Protocol)?,
        })
    }
}

/// A number that must be there.
fn required<T>(
    key: &'static CStr,
    node: Option<&[u8]>,
    parse: fn(&[u8]) -> Result<T, NumberError>,
) -> Result<T, Unusable> {
    let text = node.ok_or(Unusable::Missing(key))?;
    parse(text).map_err(|error| Unusable::Number(key, error))
}

#[cfg(test)]
mod tests;
