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
    sync::{
        atomic::{
            ordering::Full,
            AtomicFlag, //
        },
        Arc, //
    },
};
use xenbus::watch::{
    Watch,
    Watcher, //
};
use xenbus_proto::message::Message;

/// The watches of one disk, until they are dropped.
pub(crate) struct Watches {
    _number: Pin<KBox<Watch<NumberWritten>>>,
    _path: Pin<KBox<Watch<PathWritten>>>,
    _state: Pin<KBox<Watch<StateWritten>>>,
}

impl Watches {
    /// Watches the nodes of `vbd`.
    pub(crate) fn new(vbd: &Arc<Vbd>) -> Result<Self> {
        Ok(Self {
            _number: watch(vbd, "physical-device", NumberWritten::new(vbd))?,
            _path: watch(vbd, "physical-device-path", PathWritten(vbd.clone()))?,
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

/// `physical-device` was written.
struct NumberWritten {
    vbd: Arc<Vbd>,
    begun: AtomicFlag,
}

impl NumberWritten {
    fn new(vbd: &Arc<Vbd>) -> Self {
        Self {
            vbd: vbd.clone(),
            begun: AtomicFlag::new(false),
        }
    }
}

impl Watcher for NumberWritten {
    fn changed(&self) {
        // The call for the beginning is left to the watch that is made next, whose own comes after this one: a device that
        // cannot be opened would be tried twice, and complained of twice.
        if self.begun.xchg(true, Full) {
            self.vbd.device_was_named();
        }
    }
}

/// `physical-device-path` was written.
struct PathWritten(Arc<Vbd>);

impl Watcher for PathWritten {
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
