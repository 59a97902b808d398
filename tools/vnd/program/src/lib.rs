// SPDX-License-Identifier: GPL-2.0

//! What the programs for users of vnd(4) have in common: several names, a command line, and how they end.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{
    Command,
    FromArgMatches, //
};

/// By which of its names a program was called, as the first word of its command line says; the first if by none.
pub fn name_of<Name: Copy + AsRef<str>>(names: [Name; 2], words: &[OsString]) -> Name {
    let called = words.first().map(Path::new).and_then(Path::file_name);
    let known = names
        .into_iter()
        .find(|name| called == Some(name.as_ref().as_ref()));
    known.unwrap_or(names[0])
}

/// Reads a command line. `job` makes of it what is asked for, or says what is wrong with it.
pub fn parse<Args: FromArgMatches, Job, Why: Display>(
    mut command: Command,
    words: &[OsString],
    job: impl FnOnce(Args) -> Result<Job, Why>,
) -> Result<Job, clap::Error> {
    let matches = command.try_get_matches_from_mut(words)?;
    job(Args::from_arg_matches(&matches)?)
        .map_err(|why| command.error(ErrorKind::ArgumentConflict, why))
}

/// Does what the command line of this program asks for, and prints what goes wrong.
pub fn run<Name: Copy + Display, Job>(
    parse: impl FnOnce(&[OsString]) -> Result<(Name, Job), clap::Error>,
    perform: impl FnOnce(Name, Job) -> anyhow::Result<()>,
) -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (name, job) = match parse(&words) {
        Ok(asked) => asked,
        Err(error) => {
            // Help is no error. A terminal that is gone is none of ours either.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match perform(name, job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
