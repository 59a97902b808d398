// SPDX-License-Identifier: GPL-2.0

//! A compressed image becomes an ordinary one again.

use std::fs::{
    File,
    OpenOptions, //
};
use std::io::{
    Read,
    Seek,
    SeekFrom,
    Write, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use vnd_proto::cloop2::{
    Extent,
    Geometry,
    HEADER_BYTES, //
};

use crate::args::{
    Name,
    Uncompress, //
};
use crate::image;
use crate::pipeline;
use crate::progress::Progress;
use crate::table::{
    self,
    Extents, //
};
use crate::zlib;

/// Does what the command line asks for. The output is not touched before the offset table has been
/// found to be good.
pub fn run(name: Name, options: &Uncompress) -> Result<()> {
    let progress = Progress::start(name, false)?;
    let archive = Archive::open(options)?;
    let path = || options.archive.display().to_string();
    let end = archive.check().with_context(path)?;

    let mut how = OpenOptions::new();
    let mut output =
        image::open_output(&options.image, &archive.file, how.write(true).create(true))?;
    image::truncate(&output)?;
    progress.begin(end)?;
    let result = archive.write_to(&mut output, &progress);
    progress.end();
    result.with_context(path)
}

/// A compressed image that is read.
struct Archive {
    file: File,
    /// `u64::MAX` for a pipe.
    file_bytes: u64,
    geometry: Geometry,
    window: Option<usize>,
    /// All of a pipe's offset table, which cannot be read twice.
    table: Option<Vec<u8>>,
}

impl Archive {
    /// Reads the header.
    fn open(options: &Uncompress) -> Result<Self> {
        let file = image::open(&options.archive)?;
        let path = || options.archive.display().to_string();
        let mut header = [0; HEADER_BYTES];
        (&file)
            .read_exact(&mut header)
            .context("the header cannot be read")
            .with_context(path)?;
        let geometry = Geometry::parse(&header).with_context(path)?;
        let size = image::size(&file);
        let table = match size {
            Some(_) => None,
            None => Some(read_some(&file, geometry.table_bytes())?),
        };
        Ok(Self {
            file,
            file_bytes: size.unwrap_or(u64::MAX),
            geometry,
            window: options.window,
            table,
        })
    }

    /// Its blocks, from the first.
    fn extents(&self) -> Result<Extents<Box<dyn Read + Send + '_>>> {
        let reader: Box<dyn Read + Send + '_> = match &self.table {
            Some(table) => Box::new(table.as_slice()),
            None => Box::new(table::reader(&self.file, &self.geometry, self.window)),
        };
        Extents::new(self.geometry, self.file_bytes, reader)
    }

    /// Looks at the whole offset table, and finds where the last block ends.
    fn check(&self) -> Result<u64> {
        self.extents()?
            .try_fold(0, |_, extent| extent.map(|extent| extent.end()))
    }

    /// Uncompresses all blocks. They follow the table, one behind the other.
    fn write_to(&self, output: &mut File, progress: &Progress) -> Result<()> {
        if self.table.is_none() {
            (&self.file).seek(SeekFrom::Start(self.geometry.data_start()))?;
        }
        let mut extents = self.extents()?;
        let mut written = 0;
        pipeline::in_order(
            pipeline::batch_length(self.geometry.block_size().bytes()),
            || {
                extents
                    .next()
                    .transpose()?
                    .map(|extent| self.read(extent))
                    .transpose()
            },
            |(extent, stream)| Ok((extent, self.inflate(extent, &stream)?)),
            |(extent, block)| {
                output
                    .write_all(&block)
                    .with_context(|| format!("block {} cannot be written", extent.block()))?;
                written += block.len() as u64;
                progress.advance(extent.end(), written);
                Ok(())
            },
        )
    }

    fn read(&self, extent: Extent) -> Result<(Extent, Vec<u8>)> {
        let stream = read_some(&self.file, u64::from(extent.length()))?;
        ensure!(
            stream.len() == extent.length() as usize,
            "the file ends within block {}",
            extent.block()
        );
        Ok((extent, stream))
    }

    fn inflate(&self, extent: Extent, stream: &[u8]) -> Result<Vec<u8>> {
        let number = extent.block();
        let size = self.geometry.block_size().bytes() as usize;
        let block =
            zlib::inflate(stream, size).with_context(|| format!("block {number} is corrupt"))?;
        ensure!(
            block.len() == size || number + 1 == self.geometry.blocks(),
            "block {number} has only {} bytes",
            block.len()
        );
        Ok(block)
    }
}

/// Reads so many bytes, or what there is. Memory is taken for what comes, not for what is promised.
fn read_some(file: &File, bytes: u64) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    file.take(bytes).read_to_end(&mut found)?;
    Ok(found)
}
