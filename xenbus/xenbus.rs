// SPDX-License-Identifier: GPL-2.0

//! Safe building blocks for Xen backend drivers.
//!
//! A Xen device is two drivers, one in the guest (*frontend*) and one here (*backend*), that find each
//! other through xenstore, share memory by grant references, and wake each other by event channels. This
//! crate has a module for each of these, and for what a block backend needs of this kernel:
//!
//! - [`driver`] and [`device`]: being a driver on the xenbus.
//! - [`store`] and [`watch`]: xenstore.
//! - [`ring`], [`grant`], [`event`]: memory and interrupts shared with the other domain.
//! - [`blk`], [`file`], [`uevent`]: block devices of this kernel, and files; when they change.
//! - [`work`], [`thread`], [`doorbell`], [`alarm`]: where the work is done.
//! - [`shared`], [`shrinker`]: what is common to all devices, and what to do when memory is short.
//! - [`log`]: kernel messages word for word.
//! - [`params`], [`sysfs`], [`debugfs`]: what an administrator can set and see.
//! - [`clock`], [`trace`]: how long something takes, and what happens when.
//!
//! It is the only place with `unsafe` code and raw bindings. What Xen is told of (a mapping, a channel) is
//! owned by a value, and dropping the value is the only way to give it back.
//!
//! The module is called `xenbus-rs`, since the kernel has a `xenbus` of its own.

// A kernel with another set of lints may not know one that is expected here.
#![allow(unknown_lints)]
// What a guest wrote is worked on here: nothing may panic.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod alarm;
pub mod blk;
pub mod clock;
pub mod debugfs;
pub mod device;
pub mod doorbell;
pub mod driver;
pub mod event;
pub mod file;
pub mod grant;
pub mod log;
pub mod params;
pub mod ring;
pub mod shared;
pub mod shrinker;
pub mod store;
pub mod sysfs;
pub mod thread;
pub mod trace;
pub mod uevent;
pub mod watch;
pub mod work;

mod bindings;
mod zlib;

use kernel::prelude::*;

module! {
    type: XenbusModule,
    name: "xenbus_rs",
    authors: ["The xbdback developers"],
    description: "Rust building blocks for Xen backend drivers",
    license: "GPL",
}

/// The module: it owns what drivers share.
struct XenbusModule {
    _work: work::Owner,
}

impl kernel::Module for XenbusModule {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _work: work::Owner::new()?,
        })
    }
}
