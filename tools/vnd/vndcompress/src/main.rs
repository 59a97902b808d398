// SPDX-License-Identifier: GPL-2.0

//! One program with two names: vndcompress and vnduncompress.

use std::process::ExitCode;

use vndcompress::args::{
    self,
    Job, //
};
use vndcompress::{
    compress,
    uncompress, //
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
        Job::Compress(options) => compress::run(name, &options),
        Job::Uncompress(options) => uncompress::run(name, &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
