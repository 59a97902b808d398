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
    let words: Vec<_> = std::env::args_os().collect();
    let (name, job) = match args::parse(&words) {
        Ok(asked) => asked,
        Err(error) => {
            // Help is no error. A terminal that is gone is none of ours either.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let result = match job {
        Job::Configure(options) => configure::configure(&options),
        Job::Unconfigure(options) => configure::unconfigure(&options),
        Job::List(options) => list::list(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
