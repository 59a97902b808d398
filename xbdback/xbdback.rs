// SPDX-License-Identifier: GPL-2.0

//! The Xen block backend: disks of this domain, served to guests.
//!
//! A *vbd* (virtual block device) is one disk of one guest. It is made of
//!
//! - a [`vbd::Vbd`], which follows the two ends' states in xenstore, in one work item at a time;
//! - a [`backing::Backing`], the open device or file that holds the data, from the time the toolstack names it;
//! - a [`connection::Connection`], from the time the guest's driver has published its ring until it closes
//!   it: the ring's thread, which owns everything on the data path.
//!
//! A request's way is in [`drain`]: from the ring, to the disk, and back.

// What a guest wrote is worked on here: nothing may panic.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use kernel::{
    device,
    prelude::*,
    sync::Mutex, //
};
use xenbus::{
    device::Device,
    driver::{
        DeviceId,
        Driver,
        IdTable,
        Ids,
        Unbinding, //
    },
    sysfs::Groups, //
};

mod attributes;
mod backing;
mod barrier;
mod budget;
mod connection;
mod discard;
mod drain;
mod identity;
mod job;
mod kept;
mod mover;
mod named;
mod pace;
mod params;
mod pool;
mod queue;
mod reporter;
mod say;
mod size;
mod statistics;
mod vbd;
mod waiting;
mod watches;

use vbd::Vbd;
use watches::Watches;

/// The driver.
struct Xbdback;

/// What the driver keeps of a device it is bound to.
#[pin_data]
struct Bound {
    vbd: kernel::sync::Arc<Vbd>,
    /// Until the device is unbound.
    #[pin]
    watches: Mutex<Option<Watches>>,
}

impl Driver for Xbdback {
    const IDS: &'static dyn Ids = &IdTable::new([DeviceId::new(c"vbd")]);

    type Data = Bound;

    const ATTRIBUTES: &'static Groups<Bound> = &attributes::ATTRIBUTES;

    fn probe(dev: &Device<device::Core<'_>>) -> impl PinInit<Bound, Error> {
        pin_init::pin_init_scope(move || {
            let vbd = Vbd::new(dev)?;
            vbd.announce()?;
            vbd.show()?;
            // From here on the disk may be opened.
            let watches = Watches::new(&vbd).inspect_err(|_| vbd.remove(Unbinding::Released))?;
            vbd.kick();
            Ok(try_pin_init!(Bound {
                vbd,
                watches <- kernel::new_mutex!(Some(watches)),
            }? Error))
        })
    }

    fn otherend_changed(_dev: &Device<device::Bound>, bound: Pin<&Bound>, state: u32) {
        bound.vbd.frontend_was_in(state);
    }

    fn unbind(_dev: &Device<device::Core<'_>>, bound: Pin<&Bound>, why: Unbinding) {
        let watches = bound.watches.lock().take();
        drop(watches);
        bound.vbd.statistics.hide();
        bound.vbd.remove(why);
    }
}

xenbus::module_xenbus_backend! {
    type: Xbdback,
    name: "xbdback",
    authors: ["The xbdback developers"],
    description: "Xen block backend, after NetBSD's xbdback(4)",
    license: "GPL",
    alias: ["xen-backend:vbd"],
}
