// SPDX-License-Identifier: GPL-2.0

//! `io`: a load for scripts.

use std::time::Instant;

use anyhow::Result;
use blkif_client::load::{Direction, Load};
use blkif_client::wire::MAX_SEGMENTS;
use clap::{Args, ValueEnum};

use super::attach::AttachOptions;

/// What to do with the sectors.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Write the pattern
    Write,
    /// Read and compare with the pattern of an earlier write with the same options
    Verify,
    /// Write, then verify
    Both,
}

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    disk: AttachOptions,

    /// What to do
    #[arg(value_enum)]
    work: Work,

    /// How many requests
    #[arg(long, default_value_t = 256)]
    requests: u32,

    /// How many of them in flight at once
    #[arg(long, default_value_t = 16)]
    depth: u32,

    /// Segments of a request, each a page
    #[arg(long, default_value_t = MAX_SEGMENTS)]
    segments: usize,

    /// The first sector
    #[arg(long, default_value_t = 0)]
    start: u64,

    /// Decides the pattern
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Requests of any length, segments that begin and end anywhere in their pages
    #[arg(long)]
    ragged: bool,
}

impl Arguments {
    /// Attaches, moves the data, detaches.
    pub fn run(&self) -> Result<bool> {
        let load = Load {
            seed: self.seed,
            start: self.start,
            requests: self.requests,
            depth: self.depth,
            segments: self.segments,
            ragged: self.ragged,
        };
        let mut frontend = self.disk.attach()?;
        let directions: &[Direction] = match self.work {
            Work::Write => &[Direction::Write],
            Work::Verify => &[Direction::Verify],
            Work::Both => &[Direction::Write, Direction::Verify],
        };
        for direction in directions {
            let start = Instant::now();
            let sectors = load.run(&mut frontend, *direction)?;
            println!(
                "{direction:?}: {} requests, {sectors} sectors, {} ms, no error",
                self.requests,
                start.elapsed().as_millis()
            );
        }
        frontend.detach()?;
        Ok(true)
    }
}
