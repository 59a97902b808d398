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
    /// The number that a module parameter of the backend has, if there is one.
    pub fn parameter(self, name: &str) -> Option<u64> {
        let module = match self {
            Self::XenBlkback => "xen_blkback",
            Self::Xbdback => "xbdback",
        };
        let path = format!("/sys/module/{module}/parameters/{name}");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    }

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
