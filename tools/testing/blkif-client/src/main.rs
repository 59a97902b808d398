// SPDX-License-Identifier: GPL-2.0

//! `blkif-client`: tests a blkif backend from domain 0, without a guest.

mod command;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Plays the frontend and the toolstack of Xen disks in domain 0, to test the backend driver that is loaded there.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the scenarios
    List,
    /// Run scenarios and report in KTAP
    Run(command::run::Arguments),
    /// Attach a disk, say so, and detach it when standard input ends
    Attach(command::attach::Arguments),
    /// Attach a disk, write or verify a pattern, detach
    Io(command::io::Arguments),
    /// Drive disks through random state sequences
    Storm(command::storm::Arguments),
    /// End disks in every way with requests in flight, many times
    Soak(command::soak::Arguments),
    /// Attach a disk and be killed with requests in flight
    #[command(hide = true)]
    DieInFlight(command::die::Arguments),
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("blkif-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; false when it ran and the backend failed it.
fn dispatch(command: Command) -> Result<bool> {
    match command {
        Command::List => command::run::list(),
        Command::Run(arguments) => arguments.run(),
        Command::Attach(arguments) => arguments.run(),
        Command::Io(arguments) => arguments.run(),
        Command::Storm(arguments) => arguments.run(),
        Command::Soak(arguments) => arguments.run(),
        Command::DieInFlight(arguments) => arguments.run(),
    }
}
