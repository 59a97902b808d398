// SPDX-License-Identifier: GPL-2.0

//! `soak`: the ends of a disk, many times, with requests in flight on a disk that answers late.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use blkif_client::child;
use blkif_client::features::Features;
use blkif_client::ktap::Report;
use blkif_client::nullblk::SlowDisk;
use blkif_client::random::Random;
use blkif_client::scenario::Bed;
use blkif_client::traffic;
use blkif_client::vbd::Spec;
use blkif_client::wire::{state, Abi};
use clap::{Args, ValueEnum};

use super::BedOptions;

/// How often to say how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// The requests' delay: longer than any of the random pauses.
const DELAY: Duration = Duration::from_millis(20);

/// How a disk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum End {
    /// Closing, Closed, offline
    Detach,
    /// Closed at once
    Closed,
    /// The frontend's process is killed
    Kill,
    /// The frontend's directory is removed
    FrontendRemoved,
    /// The backend's directory is removed
    BackendRemoved,
    /// Closed, and connected again by the next driver
    Reconnect,
}

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bed: BedOptions,

    #[command(flatten)]
    features: Features,

    /// How many ends
    #[arg(long, default_value_t = 100)]
    count: u64,

    /// Only ends of this kind [default: all, at random]
    #[arg(long)]
    end: Option<End>,

    /// The first round's seed; the next ones follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    /// Ends `count` disks; false when one did not end well.
    pub fn run(&self) -> Result<bool> {
        let slow = SlowDisk::new(DELAY)?;
        self.bed.with_bed(|bed| {
            bed.features = self.features;
            let mut report = Report::new(2);
            let result = self.rounds(bed, &slow);
            report.add(&format!("soak of {} ends", self.count), result);
            report.add("all grants are given back", bed.verify_grants());
            Ok(report.finish())
        })
    }

    fn rounds(&self, bed: &mut Bed, slow: &SlowDisk) -> Result<()> {
        let mut said = Instant::now();
        for seed in self.seed..self.seed + self.count {
            bed.start();
            let mut random = Random::new(seed);
            bed.abi = *random.pick(&[Abi::X86_64, Abi::X86_32]);
            let end = self
                .end
                .unwrap_or_else(|| *random.pick(End::value_variants()));
            round(bed, slow, end, &mut random)
                .and_then(|()| bed.verify_clean())
                .with_context(|| format!("seed {seed}, end {end:?}"))?;
            if said.elapsed() > PROGRESS {
                println!("# {} of {}", seed + 1 - self.seed, self.count);
                said = Instant::now();
            }
        }
        bed.start();
        bed.expect_attachable()
    }
}

fn round(bed: &Bed, slow: &SlowDisk, end: End, random: &mut Random) -> Result<()> {
    let spec = Spec {
        device: Some(slow.disk.device),
        ..bed.spec()
    };
    let requests = 1 + u32::try_from(random.below(bed.features.requests().into()))?;
    if end == End::Kill {
        child::die_in_flight(
            spec.handle,
            slow.disk.device,
            bed.abi,
            &bed.features,
            requests,
        )?;
        return bed.adopt(spec.handle).destroy();
    }
    let mut frontend = bed.attach_spec(&spec)?;
    traffic::post(&mut frontend, requests)?;
    sleep(Duration::from_micros(random.below(10_000)));
    match end {
        End::Detach => frontend.detach(),
        End::Closed => {
            frontend.vbd.set_backend("online", "0")?;
            frontend.vbd.set_state(state::CLOSED)?;
            frontend.vbd.wait_backend(&[state::CLOSED])?;
            frontend.vbd.destroy()
        }
        End::FrontendRemoved => frontend.vbd.remove_frontend(),
        End::BackendRemoved => {
            frontend.vbd.remove_backend()?;
            frontend.vbd.wait_gone()
        }
        End::Reconnect => {
            frontend.reconnect(bed.features)?;
            frontend.expect_serving()?;
            frontend.detach()
        }
        End::Kill => Ok(()),
    }
}
