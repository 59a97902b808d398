// SPDX-License-Identifier: GPL-2.0

//! Writes what shells need to complete the command lines of the tools: vnd-completions FOLDER

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap_complete::{
    generate_to,
    Shell, //
};
use vndcompress::args::{
    self,
    Name, //
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(folder), None) = (words.next(), words.next()) else {
        eprintln!("usage: vnd-completions FOLDER");
        return ExitCode::FAILURE;
    };
    match write_all(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vnd-completions: {}: {error}", Path::new(&folder).display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &OsString) -> io::Result<()> {
    for name in [Name::Vndcompress, Name::Vnduncompress] {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            generate_to(shell, &mut args::command(name), name.as_str(), folder)?;
        }
    }
    Ok(())
}
