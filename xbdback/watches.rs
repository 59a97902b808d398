// SPDX-License-Identifier: GPL-2.0

//! The nodes of the backend that the toolstack writes while a disk exists.

use crate::{
    say::{
        errno,
        say, //
    },
    vbd::Vbd, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};
use xenbus::watch::{
    Watch,
    Watcher, //
};
use xenbus_proto::message::Message;

/// The watches of one disk, until they are dropped.
pub(crate) struct Watches {
    _device: Pin<KBox<Watch<DeviceNamed>>>,
    _path: Pin<KBox<Watch<DeviceNamed>>>,
    _state: Pin<KBox<Watch<StateWritten>>>,
}

impl Watches {
    /// Watches the nodes of `vbd`.
    pub(crate) fn new(vbd: &Arc<Vbd>) -> Result<Self> {
        Ok(Self {
            _device: watch(vbd, "physical-device", DeviceNamed(vbd.clone()))?,
            _path: watch(vbd, "physical-device-path", DeviceNamed(vbd.clone()))?,
            _state: watch(vbd, "state", StateWritten(vbd.clone()))?,
        })
    }
}

fn watch<W: Watcher>(vbd: &Vbd, node: &str, watcher: W) -> Result<Pin<KBox<Watch<W>>>> {
    let dir = vbd.id.dev.nodename();
    let path = CString::try_from_fmt(format_args!("{}/{node}", dir.to_str()?))?;
    Watch::new(&path, watcher).inspect_err(|&error| {
        say(&Message::CannotWatchDevice {
            path: dir.to_bytes(),
            errno: errno(error),
        });
    })
}

/// `physical-device` or `physical-device-path` was written.
struct DeviceNamed(Arc<Vbd>);

impl Watcher for DeviceNamed {
    fn changed(&self) {
        self.0.device_was_named();
    }
}

/// Our own `state` was written, by us or by the toolstack.
struct StateWritten(Arc<Vbd>);

impl Watcher for StateWritten {
    fn changed(&self) {
        self.0.state_was_written();
    }
}
