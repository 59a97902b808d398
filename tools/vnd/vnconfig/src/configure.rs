// SPDX-License-Identifier: GPL-2.0

//! A file becomes a unit's disk, or no longer is.

use std::io::{
    self,
    Write, //
};

use anyhow::Result;
use vnd_proto::ioctl::{
    flags,
    Geom, //
};

use crate::args::{
    Configure,
    GeometryOf,
    Unconfigure, //
};
use crate::device::Device;
use crate::disktab;
use crate::geometry;
use crate::unit::Unit;

/// Configures a unit.
pub fn configure(options: &Configure) -> Result<()> {
    let geom = options.geometry.as_ref().map(read).transpose()?;
    let device = Device::make(&Unit::parse(&options.unit))?;
    let node = device.node().display().to_string();
    let bytes = device.set(
        &options.file,
        flags_of(options, geom),
        geom.unwrap_or_default(),
    )?;
    if options.verbose {
        let using = geom.map_or(String::new(), |geom| format!(" using geometry {geom}"));
        let file = options.file.display();
        writeln!(io::stdout(), "{node}: {bytes} bytes on {file}{using}")?;
    }
    Ok(())
}

fn read(from: &GeometryOf) -> Result<Geom> {
    match from {
        GeometryOf::Spec(text) => geometry::parse(text),
        GeometryOf::Type { disktab, name } => disktab::read(disktab, name),
    }
}

fn flags_of(options: &Configure, geom: Option<Geom>) -> u32 {
    let table = [
        (geom.is_some(), flags::HASGEOM),
        (options.file_io, flags::FILEIO),
        (options.read_only, flags::READONLY),
        (options.compressed, flags::COMP | flags::READONLY),
    ];
    table
        .iter()
        .filter(|(asked, _)| *asked)
        .fold(0, |all, (_, flag)| all | flag)
}

/// Unconfigures a unit.
pub fn unconfigure(options: &Unconfigure) -> Result<()> {
    let device = Device::open(&Unit::parse(&options.unit))?;
    device.clear(if options.force { flags::FORCE } else { 0 })?;
    if options.verbose {
        writeln!(io::stdout(), "{}: cleared", device.node().display())?;
    }
    Ok(())
}
