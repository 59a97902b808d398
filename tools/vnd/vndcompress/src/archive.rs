// SPDX-License-Identifier: GPL-2.0

//! A compressed image that is being written.
//!
//! Until the first *checkpoint* its header is zeroes, so that nobody takes it for an image. From
//! then on it is a partial image at any time, whatever happens: an entry of the offset table is
//! written when the blocks before it are on the disk, and the entries behind are all ones.

use std::fs::File;
use std::io::{
    self,
    Read,
    Seek,
    SeekFrom,
    Write, //
};
use std::os::unix::fs::FileExt;

use anyhow::{
    Context,
    Result, //
};
use vnd_proto::cloop2::{
    Geometry,
    ENTRY_BYTES,
    HEADER_BYTES,
    SECTOR_BYTES, //
};

use crate::image;
use crate::restart::Written;

/// A compressed image that grows.
pub struct Archive {
    file: File,
    geometry: Geometry,
    /// What is there already, on the disk or not.
    done: Written,
    /// The entries that are not in the file yet, and how many they may be.
    pending: Vec<u8>,
    window: Option<usize>,
    has_header: bool,
}

impl Archive {
    /// Begins anew, with a table in which nothing is written.
    pub fn create(mut file: File, geometry: Geometry, window: Option<usize>) -> Result<Self> {
        let start = geometry.data_start();
        let rest = geometry.table_bytes() - ENTRY_BYTES as u64;
        let mut write = || -> io::Result<()> {
            image::truncate(&file)?;
            file.rewind()?;
            file.write_all(&[0; HEADER_BYTES])?;
            file.write_all(&start.to_be_bytes())?;
            io::copy(&mut io::repeat(0xff).take(rest), &mut file).map(drop)
        };
        write().context("the empty offset table cannot be written")?;
        let done = Written {
            blocks: 0,
            end: start,
        };
        Ok(Self::new(file, geometry, window, done, false))
    }

    /// Goes on with a partial image; what follows its last block is cut off.
    pub fn resume(
        mut file: File,
        geometry: Geometry,
        window: Option<usize>,
        done: Written,
    ) -> Result<Self> {
        file.set_len(done.end)?;
        file.seek(SeekFrom::Start(done.end))?;
        Ok(Self::new(file, geometry, window, done, true))
    }

    fn new(
        file: File,
        geometry: Geometry,
        window: Option<usize>,
        done: Written,
        has_header: bool,
    ) -> Self {
        Self {
            file,
            geometry,
            done,
            pending: Vec::new(),
            window,
            has_header,
        }
    }

    /// What is there.
    pub fn done(&self) -> Written {
        self.done
    }

    /// Appends a compressed block.
    pub fn push(&mut self, stream: &[u8]) -> Result<()> {
        let number = self.done.blocks;
        self.file
            .write_all(stream)
            .with_context(|| format!("block {number} cannot be written"))?;
        self.done.blocks += 1;
        self.done.end += stream.len() as u64;
        self.pending.extend(self.done.end.to_be_bytes());
        if self
            .window
            .is_some_and(|window| self.pending.len() >= window.saturating_mul(ENTRY_BYTES))
        {
            self.flush().context("the offset table cannot be written")?;
        }
        Ok(())
    }

    /// Makes sure that a restart finds all blocks that were appended.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.flush()
            .and_then(|()| self.write_header())
            .context("the checkpoint cannot be written")
    }

    /// Fills the last sector of a complete image, and takes the last checkpoint.
    pub fn finish(mut self) -> Result<()> {
        let sector = u64::from(SECTOR_BYTES);
        let bytes = self.done.end.next_multiple_of(sector);
        io::copy(
            &mut io::repeat(0).take(bytes - self.done.end),
            &mut self.file,
        )
        .context("the last sector cannot be written")?;
        self.checkpoint()
    }

    /// Brings the entries into the file, after their blocks.
    fn flush(&mut self) -> io::Result<()> {
        // Without a header nobody looks at them.
        if self.has_header {
            self.file.sync_data()?;
        }
        let entries = u64::from(self.done.blocks) + 1;
        let end = HEADER_BYTES as u64 + entries * ENTRY_BYTES as u64;
        self.file
            .write_all_at(&self.pending, end - self.pending.len() as u64)?;
        self.pending.clear();
        Ok(())
    }

    /// Makes an image of the file, once its table can be trusted.
    fn write_header(&mut self) -> io::Result<()> {
        if !self.has_header {
            self.file.sync_data()?;
            self.file.write_all_at(&self.geometry.header(), 0)?;
            self.has_header = true;
        }
        Ok(())
    }
}
