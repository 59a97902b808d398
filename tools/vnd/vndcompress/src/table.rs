// SPDX-License-Identifier: GPL-2.0

//! The offset table of an image, read from its file.

use std::fs::File;
use std::io::{
    self,
    BufReader,
    Read, //
};
use std::os::unix::fs::FileExt;

use anyhow::{
    Context,
    Result, //
};
use vnd_proto::cloop2::{
    Extent,
    Geometry,
    Table,
    ENTRY_BYTES,
    HEADER_BYTES, //
};

/// What is read of the table at a time when all of it may be.
const ALL_AT_ONCE: usize = 1 << 17;

/// Reads the entries of a file's table, so many at a time.
pub fn reader<'a>(file: &'a File, geometry: &Geometry, window: Option<usize>) -> impl Read + 'a {
    let at = ReadAt {
        file,
        position: HEADER_BYTES as u64,
    };
    let capacity = window.unwrap_or(ALL_AT_ONCE).saturating_mul(ENTRY_BYTES);
    // Sixteen mebibytes are the table of 128 GiB in blocks of the usual size: a larger window is no use.
    BufReader::with_capacity(capacity.min(1 << 24), at).take(geometry.table_bytes())
}

/// Reads a file from some position on, whatever its own is.
struct ReadAt<'a> {
    file: &'a File,
    position: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(buffer, self.position)?;
        self.position += bytes as u64;
        Ok(bytes)
    }
}

/// The blocks of an image, each of them checked, until the first problem.
pub struct Extents<R> {
    table: Table,
    reader: R,
}

impl<R: Read> Extents<R> {
    /// Those of a file of so many bytes.
    pub fn new(geometry: Geometry, file_bytes: u64, reader: R) -> Result<Self> {
        Ok(Self {
            table: Table::new(geometry, file_bytes)?,
            reader,
        })
    }

    /// The rest of the table as it is, from behind the entry that was read last.
    pub fn into_rest(self) -> R {
        self.reader
    }

    fn read(&mut self) -> Result<Option<Extent>> {
        while self.table.missing_bytes() > 0 {
            let mut entry = [0; ENTRY_BYTES];
            self.reader
                .read_exact(&mut entry)
                .context("the offset table cannot be read")?;
            let extent = self.table.push(entry)?;
            if extent.is_some() {
                return Ok(extent);
            }
        }
        Ok(None)
    }
}

impl<R: Read> Iterator for Extents<R> {
    type Item = Result<Extent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
