// SPDX-License-Identifier: GPL-2.0

//! What is offered, what is not, and which answers are understood.

use super::*;

mod backend;
mod frontend;

const EVERYTHING: Abilities = Abilities {
    ring_page_order: 4,
    queues: 8,
    indirect_segments: 256,
    persistent_grants: true,
    discard: true,
};
