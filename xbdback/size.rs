// SPDX-License-Identifier: GPL-2.0

//! The size of a disk, which may change while a guest uses it.
//!
//! The guest is told at once: `sectors` is written, and our state with it, which is what its driver watches.

use crate::vbd::Vbd;
use kernel::{
    prelude::*,
    str::CStr,
    sync::Arc, //
};
use xenbus::{
    store,
    uevent::{
        BlockChanges,
        Listener, //
    },
};
use xenbus_proto::{
    blkif::XenbusState,
    number::parse_u32, //
};

/// What a connected guest knows of its disk's size.
pub(crate) struct Size {
    changes: Pin<KBox<BlockChanges<Changed>>>,
    /// In sectors; `None` before the guest is told anything.
    told: Option<u64>,
}

impl Size {
    /// From here on, [`Vbd::size_may_have_changed`] is called when a device may have changed.
    pub(crate) fn new(vbd: &Arc<Vbd>) -> Result<Self> {
        Ok(Self {
            changes: BlockChanges::new(Changed(vbd.clone()))?,
            told: None,
        })
    }

    /// Whether a device may have changed since the last call.
    pub(crate) fn may_have_changed(&mut self) -> bool {
        self.changes.as_mut().take()
    }

    /// Whether the guest does not know that its disk has this size.
    pub(crate) fn is_news(&self, sectors: u64) -> bool {
        self.told != Some(sectors)
    }

    /// The guest was told.
    pub(crate) fn was_told(&mut self, sectors: u64) {
        self.told = Some(sectors);
    }
}

/// Hears that some device has changed.
struct Changed(Arc<Vbd>);

impl Listener for Changed {
    fn arrived(&self) {
        self.0.size_may_have_changed();
    }
}

/// Writes the size to the backend's directory, and Connected once more; nothing in any other state.
pub(crate) fn announce(path: &CStr, sectors: u64) -> Result {
    let connected = XenbusState::Connected.to_raw();
    store::transaction(|transaction| match transaction.read(path, c"state")? {
        Some(state) if parse_u32(&state) == Ok(connected) => {
            transaction.write(path, c"sectors", format_args!("{sectors}"))?;
            transaction.write(path, c"state", format_args!("{connected}"))
        }
        _ => Ok(()),
    })
}
