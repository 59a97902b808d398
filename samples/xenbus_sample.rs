// SPDX-License-Identifier: GPL-2.0

//! The smallest backend driver on the `xenbus` crate: it says who the other end is, and answers it.
//!
//! It serves devices of the kind `xbdsample`, which no toolstack makes; `tools/testing/selftests/xen/sample.sh`
//! makes one by hand. A real driver would map a ring where this one only says Connected.

use kernel::{
    device,
    prelude::*, //
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
};
use xenbus_proto::blkif::XenbusState;

struct Sample;

impl Driver for Sample {
    const IDS: &'static dyn Ids = &IdTable::new([DeviceId::new(c"xbdsample")]);

    // What a driver keeps of each device. This one keeps nothing.
    type Data = ();

    fn probe(dev: &Device<device::Core<'_>>) -> impl PinInit<(), Error> {
        pr_info!(
            "{}: for domain {}, whose end is {}\n",
            dev.nodename(),
            dev.otherend_id().0,
            dev.otherend()
        );
        // Tells the other end to go ahead.
        dev.switch_state(XenbusState::InitWait)
    }

    fn otherend_changed(dev: &Device<device::Bound>, _data: Pin<&()>, state: u32) {
        use XenbusState::*;

        let domain = dev.otherend_id().0;
        let answer = match XenbusState::from_raw(state) {
            Some(Initialising) => InitWait,
            Some(Initialised | Connected) => Connected,
            Some(Closing | Closed) | None => Closed,
            // States that this end can be in, but not the other one.
            Some(InitWait | Reconfiguring | Reconfigured) => return,
        };
        match answer {
            Connected => pr_info!("{}: domain {domain} is there\n", dev.nodename()),
            Closed => pr_info!("{}: domain {domain} has left\n", dev.nodename()),
            _ => (),
        }
        if let Err(error) = dev.switch_state(answer) {
            pr_err!("{}: cannot answer: {error:?}\n", dev.nodename());
        }
    }

    fn unbind(dev: &Device<device::Core<'_>>, _data: Pin<&()>, _why: Unbinding) {
        pr_info!("{}: unbound\n", dev.nodename());
    }
}

xenbus::module_xenbus_backend! {
    type: Sample,
    name: "xenbus_sample",
    authors: ["The xbdback developers"],
    description: "Sample backend driver on the xenbus crate",
    license: "GPL",
    alias: ["xen-backend:xbdsample"],
}
