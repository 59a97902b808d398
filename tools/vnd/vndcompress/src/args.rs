// SPDX-License-Identifier: GPL-2.0

//! What the command line asks for.

use std::ffi::OsString;
use std::fmt::{
    self,
    Display, //
};
use std::path::PathBuf;

use clap::{
    ArgAction,
    CommandFactory,
    Parser, //
};
use vnd_proto::cloop2::BlockSize;

use crate::number;

/// The block size unless another is asked for.
const DEFAULT_BLOCK_SIZE: u32 = 64 << 10;

/// The names of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Compresses unless told otherwise.
    Vndcompress,
    /// Uncompresses unless told otherwise.
    Vnduncompress,
}

impl Name {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vndcompress => "vndcompress",
            Self::Vnduncompress => "vnduncompress",
        }
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to do.
#[derive(Debug)]
pub enum Job {
    /// Make a compressed image.
    Compress(Compress),
    /// Make an ordinary image of a compressed one.
    Uncompress(Uncompress),
}

/// How to compress.
#[derive(Debug)]
pub struct Compress {
    /// The disk or file to compress.
    pub image: PathBuf,
    /// The compressed image to make.
    pub archive: PathBuf,
    /// The bytes that are compressed together.
    pub block_size: BlockSize,
    /// Take a checkpoint after so many blocks.
    pub checkpoint_blocks: Option<u32>,
    /// The length of the image, for one that cannot tell it.
    pub length: Option<u64>,
    /// Stop before this block.
    pub end_block: Option<u32>,
    /// How to go about what is there already.
    pub restart: Restart,
    /// Entries of the offset table that are kept in memory, all of them when `None`.
    pub window: Option<usize>,
}

/// What to do with an output file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Begin anew.
    No,
    /// Go on where it ends, or else begin anew.
    IfPossible,
    /// Go on where it ends, or else leave it alone.
    OrFail,
}

/// How to uncompress.
#[derive(Debug)]
pub struct Uncompress {
    /// The compressed image.
    pub archive: PathBuf,
    /// The ordinary image to make.
    pub image: PathBuf,
    /// Entries of the offset table that are kept in memory, all of them when `None`.
    pub window: Option<usize>,
}

/// Compress disk images to the cloop2 format, and uncompress them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Compress, whatever the program is called.
    #[arg(short = 'c', conflicts_with = "uncompress")]
    compress: bool,

    /// Uncompress, whatever the program is called.
    #[arg(short = 'd')]
    uncompress: bool,

    /// Restart: go on with a compressed image that was interrupted, from its last checkpoint.
    #[arg(short = 'r')]
    restart: bool,

    /// With -r, give up when that is not possible, instead of beginning anew.
    #[arg(short = 'R')]
    restart_or_fail: bool,

    /// Bytes to compress together, a multiple of 512; 64k by default.
    #[arg(short = 'b', value_name = "BLOCKSIZE", value_parser = block_size)]
    block_size: Option<BlockSize>,

    /// Take a checkpoint after every so many blocks.
    #[arg(short = 'k', value_name = "CHECKPOINT-BLOCKS", value_parser = block_count)]
    checkpoint_blocks: Option<u32>,

    /// The bytes of the image to compress; needed when it is a pipe.
    #[arg(short = 'l', value_name = "LENGTH", value_parser = length)]
    length: Option<u64>,

    /// Stop before this block, and leave the image to a restart.
    #[arg(short = 'p', value_name = "END-BLOCK", value_parser = block_count)]
    end_block: Option<u32>,

    /// Entries of the offset table to keep in memory, 0 for all of them; 512 by default.
    #[arg(short = 'w', value_name = "WINDOW", value_parser = window)]
    window: Option<usize>,

    /// The file to read.
    #[arg(index = 1)]
    input: PathBuf,

    /// The file to write.
    #[arg(index = 2)]
    output: PathBuf,

    /// The same as -b.
    #[arg(index = 3, value_name = "BLOCKSIZE", value_parser = block_size, conflicts_with = "block_size")]
    old_block_size: Option<BlockSize>,

    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

fn block_size(text: &str) -> Result<BlockSize, String> {
    let bytes = number::parse(text, 512..=u64::from(BlockSize::MAX))?;
    let bytes = u32::try_from(bytes).map_err(|error| error.to_string())?;
    BlockSize::new(bytes).map_err(|problem| problem.to_string())
}

fn block_count(text: &str) -> Result<u32, String> {
    let blocks = number::parse(text, 0..=u64::from(u32::MAX))?;
    u32::try_from(blocks).map_err(|error| error.to_string())
}

fn length(text: &str) -> Result<u64, String> {
    number::parse(text, 1..=i64::MAX as u64)
}

fn window(text: &str) -> Result<usize, String> {
    let entries = number::parse(text, 0..=u64::from(u32::MAX))?;
    usize::try_from(entries).map_err(|error| error.to_string())
}

/// The command line of the program with this name, for help and for shells to complete.
pub fn command(name: Name) -> clap::Command {
    const IMAGES: [&str; 2] = ["IMAGE", "COMPRESSED-IMAGE"];
    let (usage, [input, output]) = match name {
        Name::Vndcompress => (
            "vndcompress [-c] [-rR] [-b BLOCKSIZE] [-k CHECKPOINT-BLOCKS] [-l LENGTH]\n            \
             [-p END-BLOCK] [-w WINDOW] IMAGE COMPRESSED-IMAGE [BLOCKSIZE]\n       \
             vndcompress -d [-w WINDOW] COMPRESSED-IMAGE IMAGE",
            IMAGES,
        ),
        Name::Vnduncompress => (
            "vnduncompress [-d] [-w WINDOW] COMPRESSED-IMAGE IMAGE\n       \
             vnduncompress -c [OPTIONS] IMAGE COMPRESSED-IMAGE [BLOCKSIZE]",
            [IMAGES[1], IMAGES[0]],
        ),
    };
    Args::command()
        .name(name.as_str())
        .disable_help_flag(true)
        .override_usage(usage)
        .mut_arg("input", |arg| arg.value_name(input))
        .mut_arg("output", |arg| arg.value_name(output))
}

/// Reads the command line, of which the first word is the program's name.
pub fn parse(words: &[OsString]) -> Result<(Name, Job), clap::Error> {
    let name = vnd_program::name_of([Name::Vndcompress, Name::Vnduncompress], words);
    let job = vnd_program::parse(command(name), words, |args: Args| args.into_job(name))?;
    Ok((name, job))
}

/// Nought stands for "never", or "all".
fn unless_zero<T: Default + PartialEq>(number: T) -> Option<T> {
    (number != T::default()).then_some(number)
}

/// As many entries as fit into a page.
const DEFAULT_WINDOW: usize = 512;

impl Args {
    fn window(&self) -> Option<usize> {
        unless_zero(self.window.unwrap_or(DEFAULT_WINDOW))
    }

    fn into_job(self, name: Name) -> Result<Job, String> {
        let uncompress = self.uncompress || (name == Name::Vnduncompress && !self.compress);
        if uncompress {
            self.into_uncompress().map(Job::Uncompress)
        } else {
            self.into_compress().map(Job::Compress)
        }
    }

    fn into_compress(self) -> Result<Compress, String> {
        let restart = match (self.restart, self.restart_or_fail) {
            (false, false) => Restart::No,
            (true, false) => Restart::IfPossible,
            (true, true) => Restart::OrFail,
            (false, true) => return Err("-R makes no sense without -r".into()),
        };
        let asked = self.block_size.or(self.old_block_size);
        let default = || BlockSize::new(DEFAULT_BLOCK_SIZE);
        Ok(Compress {
            window: self.window(),
            block_size: asked
                .map_or_else(default, Ok)
                .map_err(|problem| problem.to_string())?,
            checkpoint_blocks: self.checkpoint_blocks.and_then(unless_zero),
            length: self.length,
            end_block: self.end_block.and_then(unless_zero),
            image: self.input,
            archive: self.output,
            restart,
        })
    }

    fn into_uncompress(self) -> Result<Uncompress, String> {
        let compress_only = self.restart
            || self.restart_or_fail
            || self.block_size.is_some()
            || self.old_block_size.is_some()
            || self.checkpoint_blocks.is_some()
            || self.length.is_some()
            || self.end_block.is_some();
        if compress_only {
            return Err("to uncompress takes no option but -w, and no block size".into());
        }
        Ok(Uncompress {
            window: self.window(),
            archive: self.input,
            image: self.output,
        })
    }
}
