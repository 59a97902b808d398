// SPDX-License-Identifier: GPL-2.0

//! What an administrator can set: the module's parameters, with xen-blkback's names where it has them.
//!
//! What a guest is offered is read when its disk is made, what its rings are made of when it connects, and
//! the rest when it is needed. The ranges are kept by [`xenbus::params`].

use xenbus::{
    params::{
        Number,
        Switch, //
    },
    thread, //
};
use xenbus_proto::negotiation::Abilities;

/// Up to here, copying takes fewer instructions than mapping (`Documentation/benchmark.rst`).
const COPY_MAX_DEFAULT: u32 = 1 << 20;

xenbus::module_parameters! {
    max_queues: uint = Number::new(0, 0..=16), 0o644,
        "Maximum number of queues per virtual disk. Default is 0: as many as there are processors, but no more than 4.";
    max_ring_page_order: uint = Number::new(4, 0..=4), 0o444,
        "Maximum order of pages to be used for the shared ring. Default is 4.";
    max_indirect_segments: uint = Number::new(256, 0..=4096), 0o644,
        "Maximum number of segments of an indirect request, 0 for no such requests. Default is 256.";
    feature_persistent: bool = Switch::new(true), 0o644,
        "Enables the persistent grants feature. Default is Y.";
    max_persistent_grants: uint = Number::new(1056, 0..=65536), 0o644,
        "Maximum number of grants to map persistently, per queue. Default is 1056.";
    persistent_grant_unused_seconds: uint = Number::new(60, 0..=86400), 0o644,
        "Time in seconds an unused persistent grant is allowed to remain allocated. Default is 60, 0 means unlimited.";
    max_buffer_pages: uint = Number::new(4096, 0..=65536), 0o644,
        "Maximum number of free pages to keep for each queue. Default is 4096.";
    buffer_squeeze_duration_ms: uint = Number::new(10, 0..=60000), 0o644,
        "Time in milliseconds to keep no free pages after memory was short. Default is 10.";
    max_domain_pages: uint = Number::new(65536, 64..=1048576), 0o644,
        "Maximum number of pages for the data of one guest, mapped or our own, with all its disks. Default is 65536.";
    max_domain_queues: uint = Number::new(512, 1..=65536), 0o644,
        "Maximum number of queues of one guest, with all its disks. Default is 512.";
    max_domain_ring_pages: uint = Number::new(2048, 1..=1048576), 0o644,
        "Maximum number of pages of the rings of one guest, with all its disks. Default is 2048.";
    copy_max_bytes: uint = Number::new(0, 0..=1048576), 0o644,
        "Transfers of up to this many bytes are copied by Xen, larger ones are mapped. Default is 0: as measured to be best.";
    poll_window_us: uint = Number::new(200, 0..=1000), 0o644,
        "Time in microseconds to wait for the next request of a guest that sends them one soon after the other, before the thread sleeps. Default is 200, 0 for never.";
    discard: bool = Switch::new(true), 0o644,
        "Offers discard, when the disk can. Default is Y.";
    partial_blocks: bool = Switch::new(true), 0o644,
        "Takes requests for parts of the device's blocks, of 4096 bytes for example: reads the block, changes it and writes it. Not on shared disks. Default is Y, N refuses them.";
    measure_latency: bool = Switch::new(false), 0o644,
        "Measures how long requests take, for the histograms in debugfs. Default is N.";
}

/// What a guest is offered, as far as the administrator lets it.
pub(crate) fn abilities() -> Abilities {
    Abilities {
        ring_page_order: max_ring_page_order.value(),
        queues: match max_queues.value() {
            0 => thread::online_processors().clamp(1, 4),
            set => set,
        },
        // What does not fit is more than the protocol has.
        indirect_segments: u16::try_from(max_indirect_segments.value()).unwrap_or(u16::MAX),
        persistent_grants: feature_persistent.value(),
        discard: discard.value(),
    }
}

/// Up to how many bytes of a request are copied rather than mapped.
pub(crate) fn copy_max() -> u32 {
    match copy_max_bytes.value() {
        0 => COPY_MAX_DEFAULT,
        set => set,
    }
}
