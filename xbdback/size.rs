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
    blk::Disk,
    file::{
        self,
        SizeWatch, //
    },
    store::{
        self,
        Transaction, //
    },
    uevent::{
        self,
        BlockChanges, //
    },
};
use xenbus_proto::{
    blkif::XenbusState,
    number::parse_u32, //
};

/// What a connected guest knows of its disk's size.
pub(crate) struct Size {
    changes: Changes,
    /// In sectors; `None` before the guest is told anything.
    told: Option<u64>,
}

/// How we hear of changes.
enum Changes {
    /// From the kernel's messages about all block devices.
    Devices(Pin<KBox<BlockChanges<Changed>>>),
    /// From the file's file system.
    File {
        _watch: Pin<KBox<SizeWatch<Changed>>>,
    },
}

impl Size {
    /// From here on, [`Vbd::size_may_have_changed`] is called when the disk may have changed.
    pub(crate) fn new(vbd: &Arc<Vbd>, disk: &Disk) -> Result<Self> {
        let changed = Changed(vbd.clone());
        Ok(Self {
            changes: match disk {
                Disk::Device(_) => Changes::Devices(BlockChanges::new(changed)?),
                Disk::File(file) => Changes::File {
                    _watch: SizeWatch::new(file, changed)?,
                },
            },
            told: None,
        })
    }

    /// Whether the disk may have changed since the last call.
    pub(crate) fn may_have_changed(&mut self) -> bool {
        match &mut self.changes {
            Changes::Devices(changes) => changes.as_mut().take(),
            // It is asked only when it was said.
            Changes::File { .. } => true,
        }
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

/// Hears that some device has changed, or the file.
struct Changed(Arc<Vbd>);

impl uevent::Listener for Changed {
    fn arrived(&self) {
        self.0.size_may_have_changed();
    }
}

impl file::Listener for Changed {
    fn resized(&self) {
        self.0.size_may_have_changed();
    }
}

/// Writes the size to the backend's directory, and Connected once more, if `allowed`; in any other state nothing, which is
/// `Ok(false)`.
pub(crate) fn announce(
    path: &CStr,
    sectors: u64,
    allowed: impl Fn(&Transaction) -> Result,
) -> Result<bool> {
    let connected = XenbusState::Connected.to_raw();
    let mut written = false;
    store::transaction(|transaction| {
        allowed(transaction)?;
        let state = transaction.read(path, c"state")?;
        written = state.is_some_and(|state| parse_u32(&state) == Ok(connected));
        if written {
            transaction.write(path, c"sectors", format_args!("{sectors}"))?;
            transaction.write(path, c"state", format_args!("{connected}"))?;
        }
        Ok(())
    })?;
    Ok(written)
}
