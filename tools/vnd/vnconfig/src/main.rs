// SPDX-License-Identifier: GPL-2.0

//! One program with two names: vnconfig and vndconfig.

use std::process::ExitCode;

use vnconfig::args::{
    self,
    Job, //
};
use vnconfig::{
    configure,
    list, //
};

fn main() -> ExitCode {
    vnd_program::run(args::parse, |name, job| match job {
        Job::Configure(options) => configure::configure(&options),
        Job::Unconfigure(options) => configure::unconfigure(&options),
        Job::List(options) => list::list(name, &options),
    })
}
