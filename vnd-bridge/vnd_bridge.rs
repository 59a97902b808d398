// SPDX-License-Identifier: GPL-2.0

//! vnd(4): regular files as disks, `/dev/vnd0`, `/dev/vnd1`, ….
//!
//! - A [`unit::Unit`] is one disk, with a file or without. Programs configure it by ioctls on its node.
//! - [`units`] are all of them, by their numbers. They are made when they are wanted, and go when they are not.
//! - [`control`] is the node `/dev/vnd-control`, by which programs make and remove units.
//!
//! What they are told is the header `uapi/vnd.h`. The way of data is in the crate [`xenbus`].

// What a program hands over is worked on here: nothing may panic.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod control;
mod program;
mod unit;
mod units;

use kernel::{
    miscdevice::{
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};
use xenbus::{
    blk::file_disk::Numbers,
    work::Drained, //
};

module! {
    type: VndBridge,
    name: "vnd_bridge",
    authors: ["The xbdback developers"],
    description: "Files as disks, after NetBSD's vnd(4)",
    license: "GPL",
}

/// The module.
#[pin_data]
struct VndBridge {
    // Dropped in this order: first nobody makes units, then there are none, then no work is left of them.
    #[pin]
    _control: MiscDeviceRegistration<control::Control>,
    _numbers: Numbers<unit::Unit>,
    _units: units::Gone,
    _work: Drained,
}

impl kernel::InPlaceModule for VndBridge {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _work: Drained::new(),
            _units: units::Gone::new(),
            _numbers: units::begin(module)?,
            _control <- MiscDeviceRegistration::register(MiscDeviceOptions {
                name: c"vnd-control",
            }),
        })
    }
}
