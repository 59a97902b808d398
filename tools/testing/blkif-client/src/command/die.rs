// SPDX-License-Identifier: GPL-2.0

//! `die-in-flight`: a frontend that is killed, started by the scenarios and by `soak`.

use anyhow::Result;
use blkif_client::traffic;
use clap::Args;

use super::attach::AttachOptions;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: AttachOptions,

    /// How many requests to leave behind
    #[arg(long, default_value_t = 32)]
    requests: u32,
}

impl Arguments {
    /// Attaches, posts, and never returns.
    pub fn run(&self) -> Result<bool> {
        let mut frontend = self.disk.attach()?;
        traffic::post(&mut frontend, self.requests)?;
        // SAFETY: Ends the process; no memory is touched.
        unsafe { libc::raise(libc::SIGKILL) };
        unreachable!("the process outlived SIGKILL")
    }
}
