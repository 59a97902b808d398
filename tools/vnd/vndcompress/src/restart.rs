// SPDX-License-Identifier: GPL-2.0

//! How much of a compressed image is there already, and whether it can be gone on with.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};
use vnd_proto::cloop2::{
    Extent,
    Geometry,
    Problem,
    ENTRY_BYTES,
    HEADER_BYTES,
    PREAMBLE,
    UNWRITTEN, //
};

use crate::image::Image;
use crate::table::{
    self,
    Extents, //
};
use crate::zlib;

/// What there is of a partial image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many blocks.
    pub blocks: u32,
    /// Where the last of them ends in the file.
    pub end: u64,
}

/// Finds out where to go on with what an interrupted run has left.
///
/// Its header must be the one that is wanted. The last block must be that of the image, unless the
/// image cannot be read twice: who confuses two images finds out.
pub fn find(
    file: &File,
    geometry: &Geometry,
    window: Option<usize>,
    image: &mut Image,
) -> Result<Written> {
    check_header(file, geometry)?;
    let last = last_block(file, geometry, window)?;
    if image.is_seekable() {
        check_block(file, geometry, last, image)?;
    }
    Ok(Written {
        blocks: last.block() + 1,
        end: last.end(),
    })
}

fn check_header(file: &File, geometry: &Geometry) -> Result<()> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)
        .context("there is no header")?;
    ensure!(
        header.starts_with(PREAMBLE),
        "it does not begin as a compressed image"
    );
    let found = Geometry::parse(&header)?;
    let sizes = |geometry: &Geometry| (geometry.block_size().bytes(), geometry.blocks());
    let ((block_size, blocks), (wanted_size, wanted_blocks)) = (sizes(&found), sizes(geometry));
    ensure!(
        block_size == wanted_size,
        "mismatched block size: {block_size} (expected {wanted_size})"
    );
    ensure!(
        blocks == wanted_blocks,
        "mismatched number of blocks: {blocks} (expected {wanted_blocks})"
    );
    Ok(())
}

/// The last block that was written. Nothing may be written behind the first that was not.
fn last_block(file: &File, geometry: &Geometry, window: Option<usize>) -> Result<Extent> {
    let file_bytes = file.metadata()?.len();
    let mut extents = Extents::new(*geometry, file_bytes, table::reader(file, geometry, window))?;
    let mut last = None;
    for extent in extents.by_ref() {
        match extent {
            Ok(extent) => last = Some(extent),
            Err(error) if is_unwritten(&error) => break,
            Err(error) => return Err(error),
        }
    }
    let mut rest = extents.into_rest();
    let mut entry = UNWRITTEN;
    loop {
        ensure!(entry == UNWRITTEN, "its offset table has gaps");
        match rest.read(&mut entry[..1])? {
            0 => break,
            _ => rest.read_exact(&mut entry[1..ENTRY_BYTES])?,
        }
    }
    last.context("no blocks were written; nothing to restart")
}

fn is_unwritten(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Problem::Unwritten { .. }))
}

fn check_block(file: &File, geometry: &Geometry, extent: Extent, image: &mut Image) -> Result<()> {
    let number = extent.block();
    let mut stream = vec![0; extent.length() as usize];
    file.read_exact_at(&mut stream, extent.start())?;
    image.go_to(geometry, number)?;
    let wanted = image.read(geometry, number)?;
    match zlib::inflate(&stream, wanted.len()) {
        Ok(block) if block == wanted => Ok(()),
        _ => bail!("block {number} is not that of the image"),
    }
}
