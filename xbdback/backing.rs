// SPDX-License-Identifier: GPL-2.0

//! The device or file that holds a disk's data.

use crate::{
    drain::Offered,
    identity::Identity,
    named::{
        Named,
        Unnamed,
        What, //
    },
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
        BlockDevice,
        Claim,
        Disk, //
    },
    file::{
        File,
        Refusal,
        Way, //
    },
    store, //
};
use xenbus_proto::{
    device::Mode,
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
    text::Escaped,
};

/// What is open, for those who only look.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) named: Arc<Named>,
    /// How data gets to it, if it is a file.
    pub(crate) way: Option<Way>,
}

/// A disk's device or file, open.
//
// TODO[IDENTITY]: the device that the toolstack saw, not another one of its number.
pub(crate) struct Backing {
    disk: Arc<Disk>,
    opened: Opened,
    /// The toolstack made the guest's disk a CD-ROM.
    cdrom: bool,
    /// The toolstack lets the guest discard.
    discard_enabled: bool,
    domain: DomainId,
}

impl Backing {
    /// Opens what the toolstack has named in the backend's directory; `None` when it has named nothing yet. What
    /// goes wrong is said in the log and in xenstore.
    pub(crate) fn open(id: &Identity) -> Result<Option<Self>> {
        let path = id.dev.nodename();
        let what = match What::read(path) {
            Ok(what) => what,
            Err(Unnamed::NotYet) => return Ok(None),
            Err(Unnamed::Failed { error: ENOMEM, .. }) => return Err(no_memory(id)),
            Err(Unnamed::Failed { node, error }) => {
                let (node, errno) = (node.to_bytes(), errno(error));
                report(id, error, &Problem::CannotRead { node, errno });
                return Err(error);
            }
            Err(Unnamed::Invalid(node)) => {
                report(id, EINVAL, &Problem::InvalidDevice { node: &node });
                return Err(EINVAL);
            }
            Err(Unnamed::UnknownFormat(node)) => {
                report(id, EINVAL, &Problem::UnknownFormat { node: &node });
                return Err(EINVAL);
            }
        };
        let mode = read_mode(id)?;
        let disk = open(&what, mode).map_err(|refusal| cannot_open(id, &what, &refusal))?;

        let opened = Opened {
            named: Arc::new(Named { what, mode }, GFP_KERNEL).map_err(|_| no_memory(id))?,
            way: disk.file().map(File::way),
        };
        let backing = Self {
            disk: Arc::new(disk, GFP_KERNEL).map_err(|_| no_memory(id))?,
            opened,
            cdrom: is_cdrom(&id.frontend),
            discard_enabled: is_discard_enabled(path),
            domain: id.domain,
        };
        let mut name = [0; 32];
        say(&Message::Attach {
            device: backing.disk.name(&mut name),
            size: backing.disk.sectors().saturating_mul(512),
            domain: backing.domain,
        });
        id.dev.clear_error();
        Ok(Some(backing))
    }

    /// Whether others may write to it at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.opened.named.mode == Mode::Shared
    }

    /// What is open, to be looked at.
    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// What is open.
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
            device: self.disk.name(&mut name),
            domain: self.domain,
        });
    }
}

/// Opens `what` so that the guest may do what `mode` says.
fn open(what: &What, mode: Mode) -> Result<Disk, Refusal> {
    let writable = mode.is_writable();
    let claim = match mode {
        Mode::ReadOnly => Claim::Readers,
        Mode::Exclusive => Claim::Exclusive,
        Mode::Shared => Claim::Shared,
    };
    match what {
        What::Device(number) => {
            let device = BlockDevice::open(*number, writable, claim)?;
            Ok(Disk::Device(device))
        }
        What::File(path) => Ok(Disk::File(File::open(path, writable, claim)?)),
        What::Image(_) if writable => Err(EROFS.into()),
        What::Image(path) => {
            let file = File::open(path, writable, claim)?;
            Ok(Disk::File(file.uncompressed()?))
        }
    }
}

/// Says why nothing could be tried, or kept, and returns the error number: nobody tries again by himself.
fn no_memory(id: &Identity) -> Error {
    report(id, ENOMEM, &Problem::OutOfMemory);
    ENOMEM
}

/// Says why, and returns the error number.
fn cannot_open(id: &Identity, what: &What, refusal: &Refusal) -> Error {
    let (path, error) = (id.dev.nodename(), refusal.errno());
    say(&Message::CannotOpen {
        path: path.to_bytes(),
        device: what.number(),
        errno: errno(error),
    });
    let read = |node| store::read(path, node).ok().flatten();
    let name = match what {
        What::Device(_) => read(c"params").or_else(|| read(c"physical-device")),
        What::File(_) | What::Image(_) => read(c"physical-device-path"),
    };
    let device = name.as_deref().unwrap_or(b"it");
    match refusal {
        Refusal::Image(problem) => report(
            id,
            error,
            &format_args!(
                "{} cannot be served as a compressed image: {problem}",
                Escaped(device)
            ),
        ),
        Refusal::File(_) => {
            let errno = errno(error);
            report(id, error, &Problem::CannotOpen { device, errno });
        }
    }
    error
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
