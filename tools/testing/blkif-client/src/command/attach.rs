// SPDX-License-Identifier: GPL-2.0

//! `attach`: a disk for scripts, there until standard input ends.

use std::io::Read;

use anyhow::{bail, ensure, Result};
use blkif_client::backing::Disk;
use blkif_client::features::Features;
use blkif_client::frontend::Frontend;
use blkif_client::peer::Peer;
use blkif_client::vbd::{Spec, Vbd};
use blkif_client::wire::Abi;
use blkif_client::xenstore::XenStore;
use clap::Args;

/// How to attach one disk.
#[derive(Args)]
pub struct AttachOptions {
    /// The disk's number
    #[arg(long, default_value_t = 51728)]
    handle: u32,

    /// Block device to serve, a path or MAJOR:MINOR
    #[arg(long)]
    device: Disk,

    /// Who may write: r, w or w!
    #[arg(long, default_value = "w", value_parser = ["r", "w", "w!"])]
    mode: String,

    /// The ring's layout
    #[arg(long, default_value = "x86_64")]
    abi: Abi,

    /// The backend, which decides the layout when none is specified [default: the one that is loaded]
    #[arg(long)]
    peer: Option<Peer>,

    #[command(flatten)]
    features: Features,
}

impl AttachOptions {
    /// Makes the disk and connects.
    pub fn attach(&self) -> Result<Frontend> {
        let mut frontend = self.frontend()?;
        frontend.connect()?;
        Ok(frontend)
    }

    /// Makes the disk.
    fn frontend(&self) -> Result<Frontend> {
        let peer = self.peer.map_or_else(Peer::loaded, Ok)?;
        let spec = Spec {
            handle: self.handle,
            device: Some(self.device.device),
            mode: match self.mode.as_str() {
                "r" => "r",
                "w!" => "w!",
                "w" => "w",
                other => bail!("there is no mode {other}"),
            },
            frontend_state: "1",
        };
        let vbd = Vbd::create(&XenStore::open()?.into(), &spec)?;
        Frontend::new(vbd, self.abi, self.abi.layout(peer), self.features)
    }
}

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: AttachOptions,
}

impl Arguments {
    /// Attaches, waits for the end of standard input, detaches. A disk that is refused stays as long.
    pub fn run(&self) -> Result<bool> {
        let mut frontend = self.disk.frontend()?;
        let connected = frontend.connect();
        match &connected {
            Ok(()) => println!(
                "attached {} sectors {} port {}",
                frontend.vbd.handle(),
                frontend.sectors()?,
                frontend.channel.port()
            ),
            Err(why) => println!("refused: {why:#}"),
        }
        std::io::stdin().read_to_end(&mut Vec::new())?;
        connected?;
        ensure!(
            frontend.vbd.backend_state()? != 0,
            "somebody else has taken disk {} away",
            frontend.vbd.handle()
        );
        frontend.detach()?;
        println!("detached");
        Ok(true)
    }
}
