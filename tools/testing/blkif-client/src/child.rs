// SPDX-License-Identifier: GPL-2.0

//! A frontend that dies: this program again, killed while its requests are in flight.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::backing::Device;
use crate::features::Features;
use crate::wire::Abi;

/// The hidden subcommand that plays the frontend.
pub const SUBCOMMAND: &str = "die-in-flight";

/// Starts a frontend for the disk `handle` that posts `requests` requests and then kills itself.
pub fn die_in_flight(
    handle: u32,
    device: Device,
    abi: Abi,
    features: &Features,
    requests: u32,
) -> Result<()> {
    let program = std::env::current_exe()?;
    let status = Command::new(program)
        .arg(SUBCOMMAND)
        .args(["--handle", &handle.to_string()])
        .args(["--device", &format!("{}:{}", device.major, device.minor)])
        .args(["--abi", abi.name()])
        .args(features.options())
        .args(["--requests", &requests.to_string()])
        .status()
        .context("cannot start the frontend that is to die")?;
    ensure!(
        status.signal() == Some(libc::SIGKILL),
        "the frontend that was to be killed ended by itself: {status}"
    );
    Ok(())
}
