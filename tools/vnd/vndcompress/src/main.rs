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
    vnd_program::run(args::parse, |name, job| match job {
        Job::Compress(options) => compress::run(name, &options),
        Job::Uncompress(options) => uncompress::run(name, &options),
    })
}
