// SPDX-License-Identifier: GPL-2.0

//! `run` and `list`: the scenarios.

use std::io::{self, ErrorKind, Write};

use anyhow::{ensure, Result};
use blkif_client::ktap::Report;
use blkif_client::scenario::{self, Bed, Layouts, Scenario};
use blkif_client::wire::Abi;
use clap::{Args, ValueEnum};

use super::BedOptions;

/// Which layouts to run in.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Abis {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "x86_32")]
    X86_32,
    Unspecified,
    All,
}

impl Abis {
    fn list(self) -> &'static [Abi] {
        match self {
            Self::X86_64 => &[Abi::X86_64],
            Self::X86_32 => &[Abi::X86_32],
            Self::Unspecified => &[Abi::Unspecified],
            Self::All => &[Abi::X86_64, Abi::X86_32, Abi::Unspecified],
        }
    }
}

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bed: BedOptions,

    /// Run the scenarios that depend on the ring's layout in this one
    #[arg(long, default_value = "all")]
    abi: Abis,

    /// Names of scenarios, with * for any text [default: all]
    patterns: Vec<String>,
}

impl Arguments {
    /// Runs the chosen scenarios; false when one failed.
    pub fn run(&self) -> Result<bool> {
        let scenarios: Vec<Scenario> = scenario::all()
            .into_iter()
            .filter(|scenario| self.chosen(&scenario.name))
            .collect();
        ensure!(
            !scenarios.is_empty(),
            "no scenario has such a name; see blkif-client list"
        );
        let runs: Vec<(&Scenario, Abi)> = scenarios
            .iter()
            .flat_map(|scenario| {
                let abis = self.abi.list();
                let count = match scenario.layouts {
                    Layouts::Any => 1,
                    Layouts::Both => 2,
                    Layouts::All => abis.len(),
                };
                abis.iter().take(count).map(move |abi| (scenario, *abi))
            })
            .collect();
        let groups: Vec<&[(&Scenario, Abi)]> = runs
            .chunk_by(|(one, _), (next, _)| one.group() == next.group())
            .collect();
        self.bed.with_bed(|bed| {
            let mut report = Report::new(runs.len() + groups.len());
            for group in groups {
                run_group(bed, group, &mut report);
            }
            Ok(report.finish())
        })
    }

    fn chosen(&self, name: &str) -> bool {
        self.patterns.is_empty()
            || self
                .patterns
                .iter()
                .any(|pattern| scenario::matches(pattern, name))
    }
}

/// Runs scenarios that belong together, and then looks for what they have left in Xen, which takes as long as one.
fn run_group(bed: &mut Bed, group: &[(&Scenario, Abi)], report: &mut Report) {
    let mut name = "";
    for (scenario, abi) in group {
        name = scenario.group();
        bed.abi = *abi;
        let layout = match scenario.layouts {
            Layouts::Any => String::new(),
            _ => format!(" {}", abi.name()),
        };
        report.add(&format!("{}{layout}", scenario.name), scenario.run(bed));
    }
    let name = format!("{name}/all-grants-are-given-back");
    report.add(&name, bed.verify_grants());
}

/// Prints the names of all scenarios.
pub fn list() -> Result<bool> {
    let mut out = io::stdout().lock();
    for scenario in scenario::all() {
        match writeln!(out, "{}", scenario.name) {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(true)
}
