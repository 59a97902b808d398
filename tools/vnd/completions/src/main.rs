// SPDX-License-Identifier: GPL-2.0

//! Writes what shells need to complete the command lines of the tools: vnd-completions FOLDER

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap_complete::{
    generate_to,
    Shell, //
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

fn write_all(folder: &OsStr) -> io::Result<()> {
    use vndcompress::args::Name::{
        Vndcompress,
        Vnduncompress, //
    };

    for name in [Vndcompress, Vnduncompress] {
        write(vndcompress::args::command(name), name.as_str(), folder)?;
    }
    for name in vnconfig::args::NAMES {
        write(vnconfig::args::command(name), name, folder)?;
    }
    Ok(())
}

fn write(mut command: clap::Command, name: &str, folder: &OsStr) -> io::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, name, folder)?;
    }
    Ok(())
}
