// SPDX-License-Identifier: GPL-2.0

//! `storm`: random state sequences, repeatable by their seed.
//!
//! Frontend states of every kind, nodes coming and going, requests, events and the toolstack's interference, in any
//! order and at any distance. Whatever came before, the disk must afterwards go away, and a new one with the same
//! number must connect and work.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use blkif_client::features::Features;
use blkif_client::frontend::Frontend;
use blkif_client::ktap::Report;
use blkif_client::random::Random;
use blkif_client::scenario::Bed;
use blkif_client::traffic;
use blkif_client::vbd::Spec;
use blkif_client::wire::Abi;
use clap::Args;

use super::BedOptions;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bed: BedOptions,

    #[command(flatten)]
    features: Features,

    /// How many disks to drive through a sequence each
    #[arg(long, default_value_t = 20)]
    count: u64,

    /// Steps of each sequence
    #[arg(long, default_value_t = 40)]
    steps: u32,

    /// The first sequence's seed; the next ones follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One thing that a frontend or a toolstack does.
#[derive(Clone, Copy, Debug)]
enum Step {
    State(&'static str),
    Publish,
    Renew,
    Unset(&'static str),
    Requests,
    Notify,
    BogusProducer,
    Online(&'static str),
    BackendState(&'static str),
    Unplug,
    Plug,
    Pause,
}

use Step::{
    BackendState, BogusProducer, Notify, Online, Pause, Plug, Publish, Renew, Requests, State,
    Unplug, Unset,
};

/// What is picked from; what leads to a connection is in it more than once.
const STEPS: &[Step] = &[
    State("0"),
    State("1"),
    State("1"),
    State("1"),
    State("2"),
    State("3"),
    State("3"),
    State("3"),
    State("4"),
    State("4"),
    State("5"),
    State("5"),
    State("6"),
    State("6"),
    State("7"),
    State("8"),
    State("-1"),
    State("99999999999"),
    State("none"),
    State(""),
    Publish,
    Publish,
    Publish,
    Renew,
    Unset("ring-ref"),
    Unset("event-channel"),
    Unset("protocol"),
    Unset("state"),
    Requests,
    Requests,
    Notify,
    BogusProducer,
    Online("0"),
    Online("1"),
    Online("1"),
    BackendState("5"),
    Unplug,
    Plug,
    Plug,
    Pause,
    Pause,
    Pause,
];

impl Arguments {
    /// Drives `count` disks; false when one did not survive it.
    pub fn run(&self) -> Result<bool> {
        self.bed.with_bed(|bed| {
            bed.features = self.features;
            let mut report = Report::new(usize::try_from(self.count)? + 1);
            for seed in self.seed..self.seed + self.count {
                bed.start();
                bed.abi = if seed % 2 == 0 {
                    Abi::X86_64
                } else {
                    Abi::X86_32
                };
                let result = self.sequence(bed, seed).and_then(|()| bed.verify_clean());
                report.add(&format!("storm seed {seed}"), result);
            }
            report.add("all grants are given back", bed.verify_grants());
            Ok(report.finish())
        })
    }

    fn sequence(&self, bed: &Bed, seed: u64) -> Result<()> {
        let mut random = Random::new(seed);
        let spec = bed.spec();
        let handle = spec.handle;
        let mut frontend = bed.frontend(&spec)?;
        let mut done = Vec::new();
        for _ in 0..self.steps {
            let step = *random.pick(STEPS);
            done.push(step);
            perform(bed, &mut frontend, step).with_context(|| format!("{done:?}"))?;
            sleep(Duration::from_micros(random.below(4000)));
        }
        let end = frontend.vbd.destroy();
        drop(frontend);
        end.and_then(|()| {
            let mut frontend = bed.attach_spec(&Spec {
                handle,
                ..bed.spec()
            })?;
            frontend.expect_serving()?;
            frontend.detach()
        })
        .with_context(|| format!("after {done:?}"))
    }
}

fn perform(bed: &Bed, frontend: &mut Frontend, step: Step) -> Result<()> {
    match step {
        State(text) => frontend.vbd.set("state", text),
        Publish => frontend.publish(),
        Renew => frontend.renew(),
        Unset(node) => frontend.vbd.unset(node),
        Requests => {
            while frontend
                .queues
                .iter_mut()
                .any(|queue| queue.ring.take().is_some())
            {}
            traffic::post(frontend, 8)
        }
        Notify => {
            frontend.channel.notify();
            Ok(())
        }
        BogusProducer => {
            frontend.ring.show_req_prod(0x8000_0000);
            frontend.channel.notify();
            Ok(())
        }
        Online(value) => frontend.vbd.set_backend("online", value),
        BackendState(value) => frontend.vbd.set_backend("state", value),
        Unplug => frontend.vbd.unset_backend("physical-device"),
        Plug => frontend.vbd.plug(bed.disk.device),
        Pause => {
            sleep(Duration::from_millis(30));
            Ok(())
        }
    }
}
