// SPDX-License-Identifier: GPL-2.0

//! The backend under test, as far as tests must know which one it is.

use std::path::Path;

use anyhow::{bail, Result};
use clap::ValueEnum;

/// A backend driver for the xenbus type `vbd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Linux's own backend, the reference.
    XenBlkback,
    /// The backend of this project.
    Xbdback,
}

impl Peer {
    /// Finds out which backend is loaded.
    pub fn loaded() -> Result<Self> {
        let loaded = |module: &str| Path::new("/sys/module").join(module).exists();
        match (loaded("xbdback"), loaded("xen_blkback")) {
            (true, _) => Ok(Self::Xbdback),
            (false, true) => Ok(Self::XenBlkback),
            (false, false) => bail!("no backend is loaded: modprobe xbdback or xen-blkback first"),
        }
    }
}
