// SPDX-License-Identifier: GPL-2.0

//! The device that holds a disk's data.

use crate::{
    drain::Offered,
    identity::Identity,
    say::{
        errno,
        report,
        say, //
    },
};
use kernel::{
    prelude::*,
    str::CStr,
    sync::Arc, //
};
use xenbus::{
    blk::{
        Claim,
        Disk, //
    },
    store, //
};
use xenbus_proto::{
    device::{
        DeviceNumber,
        Mode, //
    },
    message::Message,
    negotiation::{
        self,
        Abilities, //
    },
    number::DomainId,
    problem::Problem,
    request::{
        Discards,
        DiskLimits, //
    },
};

/// The device that the toolstack has named, and what the guest may do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) number: DeviceNumber,
    pub(crate) mode: Mode,
}

impl Named {
    /// Reads what the toolstack has written now; `None` when it is not there, or makes no sense.
    pub(crate) fn read(path: &CStr) -> Option<Self> {
        let number = store::read(path, c"physical-device").ok()??;
        let mode = store::read(path, c"mode").ok()??;
        Some(Self {
            number: DeviceNumber::parse(&number).ok()?,
            mode: Mode::parse(&mode),
        })
    }
}

/// A disk's device, open.
//
// TODO[FILE]: or a file. TODO[IDENTITY]: the device that the toolstack saw, not another one of its number.
pub(crate) struct Backing {
    disk: Arc<Disk>,
    /// What the toolstack has named.
    named: Named,
    /// The toolstack made the guest's disk a CD-ROM.
    cdrom: bool,
    /// The toolstack lets the guest discard.
    discard_enabled: bool,
    domain: DomainId,
}

impl Backing {
    /// Opens the device that the toolstack has named in the backend's directory; `None` when it has named
    /// none yet. What goes wrong is said in the log and in xenstore.
    pub(crate) fn open(id: &Identity) -> Result<Option<Self>> {
        let path = id.dev.nodename();
        let Some(node) = store::read(path, c"physical-device")? else {
            return Ok(None);
        };
        let number = DeviceNumber::parse(&node).map_err(|_| {
            report(id, EINVAL, &Problem::InvalidDevice { node: &node });
            EINVAL
        })?;
        let mode = read_mode(id)?;

        let claim = match mode {
            Mode::ReadOnly => Claim::Readers,
            Mode::Exclusive => Claim::Exclusive,
            Mode::Shared => Claim::Shared,
        };
        let disk = Disk::open(number, mode.is_writable(), claim).inspect_err(|&error| {
            say(&Message::CannotOpen {
                path: path.to_bytes(),
                device: number,
                errno: errno(error),
            });
            let params = store::read(path, c"params").ok().flatten();
            let problem = Problem::CannotOpen {
                device: params.as_deref().unwrap_or(&node),
                errno: errno(error),
            };
            report(id, error, &problem);
        })?;

        let backing = Self {
            disk: Arc::new(disk, GFP_KERNEL)?,
            named: Named { number, mode },
            cdrom: is_cdrom(&id.frontend),
            discard_enabled: is_discard_enabled(path),
            domain: id.domain,
        };
        let mut name = [0; 32];
        say(&Message::Attach {
            device: backing.disk.name(&mut name).as_bytes(),
            size: backing.disk.sectors().saturating_mul(512),
            domain: backing.domain,
        });
        id.dev.clear_error();
        Ok(Some(backing))
    }

    /// What the toolstack named when it was opened.
    pub(crate) fn named(&self) -> Named {
        self.named
    }

    /// Whether others may write to it at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.named.mode == Mode::Shared
    }

    /// The open device.
    pub(crate) fn disk(&self) -> Arc<Disk> {
        self.disk.clone()
    }

    /// The disk as it is described to the guest.
    pub(crate) fn description(&self) -> negotiation::Disk {
        negotiation::Disk {
            sectors: self.disk.sectors(),
            logical_block_size: self.disk.logical_block_size(),
            physical_block_size: self.disk.physical_block_size(),
            read_only: self.disk.read_only(),
            removable: self.disk.removable(),
            cdrom: self.cdrom || self.disk.cdrom(),
            write_cache: self.disk.write_cache(),
            discard: self.discard(),
        }
    }

    /// How the disk discards, if it can and the toolstack has not switched it off.
    fn discard(&self) -> Option<negotiation::Discard> {
        let offered = self.discard_enabled && self.disk.can_discard() && !self.disk.read_only();
        offered.then(|| negotiation::Discard {
            granularity: self.disk.discard_granularity(),
            alignment: self.disk.discard_alignment(),
            secure: self.disk.can_secure_erase(),
        })
    }

    /// Which discards are done for the guest.
    pub(crate) fn discards(&self, abilities: &Abilities) -> Discards {
        match self.discard().filter(|_| abilities.discard) {
            None => Discards::Refused,
            Some(discard) if discard.secure => Discards::Secure,
            Some(_) => Discards::Ordinary,
        }
    }
}

/// What requests to `disk` are held against: its size may have changed since the last ones.
pub(crate) fn limits(disk: &Disk, offered: Offered) -> DiskLimits {
    DiskLimits {
        sectors: disk.sectors(),
        read_only: disk.read_only(),
        logical_block_size: disk.logical_block_size(),
        partial_blocks: offered.partial_blocks,
        indirect_segments: offered.indirect_segments,
        discard: offered.discard,
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        let mut name = [0; 32];
        say(&Message::Detach {
            device: self.disk.name(&mut name).as_bytes(),
            domain: self.domain,
        });
    }
}

fn read_mode(id: &Identity) -> Result<Mode> {
    let path = id.dev.nodename();
    match store::read(path, c"mode").and_then(|node| node.ok_or(ENOENT)) {
        Ok(node) => Ok(Mode::parse(&node)),
        Err(error) => {
            let errno = errno(error);
            say(&Message::CannotReadMode {
                path: path.to_bytes(),
                errno,
            });
            report(id, error, &Problem::NoMode { errno });
            Err(error)
        }
    }
}

/// Whether the toolstack told the guest that the disk is a CD-ROM.
fn is_cdrom(frontend: &CStr) -> bool {
    matches!(store::read(frontend, c"device-type"), Ok(Some(node)) if &*node == b"cdrom")
}

/// Whether the toolstack lets the guest discard: it does unless it says otherwise.
fn is_discard_enabled(path: &CStr) -> bool {
    !matches!(store::read(path, c"discard-enable"), Ok(Some(node)) if &*node == b"0")
}
