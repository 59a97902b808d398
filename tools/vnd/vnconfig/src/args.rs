// SPDX-License-Identifier: GPL-2.0

//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{
    ArgAction,
    CommandFactory,
    Parser, //
};

/// The names of the program. They do the same.
pub const NAMES: [&str; 2] = ["vnconfig", "vndconfig"];

/// Where types of disks are described unless another file is named.
const DISKTAB: &str = "/etc/disktab";

/// Lines of a list at least.
const MIN_LINES: u32 = 4;

/// What to do.
#[derive(Debug)]
pub enum Job {
    /// Make a file a unit's disk.
    Configure(Configure),
    /// Take it away.
    Unconfigure(Unconfigure),
    /// Say which units have which files.
    List(List),
}

/// How to configure.
#[derive(Debug)]
pub struct Configure {
    /// The unit, as it was named.
    pub unit: PathBuf,
    /// Its file.
    pub file: PathBuf,
    /// What the disk's geometry is, if that is given.
    pub geometry: Option<GeometryOf>,
    /// Go through the page cache.
    pub file_io: bool,
    /// Do not write.
    pub read_only: bool,
    /// The file is a compressed image.
    pub compressed: bool,
    /// Say what was done.
    pub verbose: bool,
}

/// Where a geometry stands.
#[derive(Debug, PartialEq, Eq)]
pub enum GeometryOf {
    /// On the command line.
    Spec(String),
    /// In a file, for disks of a type.
    Type {
        /// The file.
        disktab: PathBuf,
        /// The type's name.
        name: String,
    },
}

/// How to unconfigure.
#[derive(Debug)]
pub struct Unconfigure {
    /// The unit, as it was named.
    pub unit: PathBuf,
    /// Even when it is in use.
    pub force: bool,
    /// Say what was done.
    pub verbose: bool,
}

/// How to list.
#[derive(Debug)]
pub struct List {
    /// These units, as they were named; all when empty.
    pub units: Vec<PathBuf>,
    /// Units below this number are listed whether they have a file or not.
    pub min: u32,
    /// For programs to read.
    pub json: bool,
}

/// Make files the disks of vnd(4), take them away, and list them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Configure the unit, which is what is done anyway.
    #[arg(short = 'c', conflicts_with_all = ["unconfigure", "list"])]
    configure: bool,

    /// Unconfigure the unit: it has no file from then on.
    #[arg(short = 'u', conflicts_with = "list")]
    unconfigure: bool,

    /// List units, all of them unless some are named.
    #[arg(short = 'l')]
    list: bool,

    /// With -u, even when the unit is in use.
    #[arg(short = 'F', requires = "unconfigure")]
    force: bool,

    /// Read and write the file through the page cache.
    #[arg(short = 'i')]
    file_io: bool,

    /// Do not write to the file.
    #[arg(short = 'r')]
    read_only: bool,

    /// The file is a compressed image, as vndcompress makes them. It is not written.
    #[arg(short = 'z')]
    compressed: bool,

    /// Say what was done.
    #[arg(short = 'v')]
    verbose: bool,

    /// Look for the type of -t in this file; /etc/disktab by default.
    #[arg(short = 'f', value_name = "DISKTAB", requires = "type_name")]
    disktab: Option<PathBuf>,

    /// Give the disk the geometry of this type of disks.
    #[arg(short = 't', value_name = "TYPENAME")]
    type_name: Option<String>,

    /// With -l, list as many units at least; 4 by default, 0 for those in use only.
    #[arg(short = 'm', value_name = "MIN", requires = "list")]
    min: Option<u32>,

    /// With -l, print a list for programs to read.
    #[arg(long, requires = "list")]
    json: bool,

    /// The unit, its file, and the disk's geometry as SECSIZE/NSECTORS/NTRACKS/NCYLINDERS.
    #[arg(value_name = "OPERAND")]
    operands: Vec<PathBuf>,

    /// Print help.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// The command line of the program with this name, for help and for shells to complete.
pub fn command(name: &'static str) -> clap::Command {
    let usage = format!(
        "{name} [-cirvz] [-f DISKTAB] [-t TYPENAME] VNODE_DISK REGULAR_FILE [GEOMSPEC]\n       \
         {name} -u [-Fv] VNODE_DISK\n       \
         {name} -l [-m MIN] [--json] [VNODE_DISK ...]"
    );
    Args::command()
        .name(name)
        .disable_help_flag(true)
        .override_usage(usage)
}

/// Reads the command line, of which the first word is the program's name. Returns that too.
pub fn parse(words: &[OsString]) -> Result<(&'static str, Job), clap::Error> {
    let name = vnd_program::name_of(NAMES, words);
    let job = vnd_program::parse(command(name), words, Args::into_job)?;
    Ok((name, job))
}

impl Args {
    fn into_job(self) -> Result<Job, &'static str> {
        let for_configure = self.file_io || self.read_only || self.compressed;
        if (self.unconfigure || self.list) && (for_configure || self.type_name.is_some()) {
            return Err("-f, -i, -r, -t and -z make sense only for a unit that is configured");
        }
        if self.list {
            return Ok(Job::List(self.into_list()));
        }
        if self.unconfigure {
            return self.into_unconfigure().map(Job::Unconfigure);
        }
        self.into_configure().map(Job::Configure)
    }

    fn into_list(self) -> List {
        List {
            units: self.operands,
            min: self.min.unwrap_or(MIN_LINES),
            json: self.json,
        }
    }

    fn into_unconfigure(self) -> Result<Unconfigure, &'static str> {
        let [unit] = <[PathBuf; 1]>::try_from(self.operands)
            .map_err(|_| "-u takes one operand, the unit, such as vnd0")?;
        Ok(Unconfigure {
            unit,
            force: self.force,
            verbose: self.verbose,
        })
    }

    fn into_configure(self) -> Result<Configure, &'static str> {
        let mut operands = self.operands.into_iter();
        let words = (
            operands.next(),
            operands.next(),
            operands.next(),
            operands.next(),
        );
        let (Some(unit), Some(file), spec, None) = words else {
            return Err("a unit is needed, such as vnd0, and a file, and perhaps a geometry");
        };
        let spec = spec.map(|spec| GeometryOf::Spec(spec.to_string_lossy().into_owned()));
        let of_type = self.type_name.map(|name| GeometryOf::Type {
            disktab: self.disktab.unwrap_or_else(|| DISKTAB.into()),
            name,
        });
        if spec.is_some() && of_type.is_some() {
            return Err("a disk has the geometry of its type, or the one that is given, not both");
        }
        Ok(Configure {
            unit,
            file,
            geometry: spec.or(of_type),
            file_io: self.file_io,
            read_only: self.read_only,
            compressed: self.compressed,
            verbose: self.verbose,
        })
    }
}
