// SPDX-License-Identifier: GPL-2.0

//! The subcommands, one file each, and the options they share.

pub mod attach;
pub mod die;
pub mod io;
pub mod run;
pub mod soak;
pub mod storm;

use anyhow::Result;
use blkif_client::backing::{Disk, LoopDisk};
use blkif_client::peer::Peer;
use blkif_client::scenario::Bed;
use clap::Args;

/// The size of the device that is made when none is named.
const DEFAULT_MIB: u64 = 64;

/// What is tested on what.
#[derive(Args)]
pub struct BedOptions {
    /// The backend whose answers are expected [default: the one that is loaded]
    #[arg(long)]
    peer: Option<Peer>,

    /// Block device to serve, a path or MAJOR:MINOR; its contents are lost [default: a temporary loop device]
    #[arg(long)]
    device: Option<Disk>,

    /// Ask the hypervisor now and then whether grants are still mapped
    #[arg(long)]
    check_grants: bool,
}

impl BedOptions {
    /// Calls `act` with a bed made from the options.
    fn with_bed(&self, act: impl FnOnce(&mut Bed) -> Result<bool>) -> Result<bool> {
        let peer = self.peer.map_or_else(Peer::loaded, Ok)?;
        // Lives until the bed is gone.
        let temporary;
        let disk = match &self.device {
            Some(disk) => disk.clone(),
            None => {
                temporary = LoopDisk::new(DEFAULT_MIB)?;
                temporary.disk.clone()
            }
        };
        act(&mut Bed::new(peer, disk, self.check_grants)?)
    }
}
