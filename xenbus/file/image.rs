// SPDX-License-Identifier: GPL-2.0

//! Compressed images: the disk is what the file uncompresses to.
//!
//! The offset table is read and checked when the image is opened, and kept. So every block is known to lie in the file
//! that was there then; what is read of it later is only ever given to zlib, which believes nothing.
//!
//! Readers wait, so they are the file's helpers. Compressed blocks come through the page cache, which has them for the
//! next time; a few uncompressed ones are in the image's [`BlockCache`].

mod cache;

use self::cache::{
    BlockCache,
    Workspace, //
};
use super::File;
use crate::{
    bindings,
    log::RateLimit, //
};
use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    sync::Mutex,
    time::Delta, //
};
use vnd_proto::cloop2::{
    Extent,
    Geometry,
    Problem,
    Table,
    ENTRY_BYTES,
    HEADER_BYTES, //
};
use xenbus_proto::message::Message;

/// Bytes of the largest blocks that are served.
const MAX_BLOCK_SIZE: u32 = 1 << 20;

/// How many blocks are served at most: what is known of them takes 64 MiB then.
const MAX_BLOCKS: u32 = 4 << 20;

/// How many bytes of the offset table are read at a time.
const TABLE_CHUNK: usize = ENTRY_BYTES << 13;

/// Why a file cannot be served as a compressed image.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// It is none, or a damaged one.
    Image(Problem),
    /// It cannot be opened or read.
    File(Error),
}

impl Refusal {
    /// The error number that stands for it.
    pub fn errno(&self) -> Error {
        match self {
            Self::Image(_) => EINVAL,
            Self::File(error) => *error,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Image(problem)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<AllocError> for Refusal {
    fn from(error: AllocError) -> Self {
        Self::File(error.into())
    }
}

/// What a file uncompresses to.
#[pin_data]
pub(super) struct Image {
    geometry: Geometry,
    /// Of all blocks, in order.
    extents: KVVec<Extent>,
    #[pin]
    cache: BlockCache,
    #[pin]
    log: Mutex<RateLimit>,
}

impl Image {
    /// Reads the header and the offset table.
    pub(super) fn of(file: &File) -> Result<Pin<KBox<Self>>, Refusal> {
        let geometry = read_header(file)?;
        let extents = read_table(file, geometry)?;
        let longest = extents.iter().map(Extent::length).max().unwrap_or(0);
        let image = try_pin_init!(Self {
            cache <- BlockCache::new(&geometry, longest),
            geometry,
            extents,
            // As the kernel limits its own messages.
            log <- new_mutex!(RateLimit::new(Delta::from_secs(5), 10)),
        });
        Ok(KBox::try_pin_init::<Error>(image, GFP_KERNEL)?)
    }

    /// The size of the disk in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.geometry.disk_bytes()
    }

    /// The size of the blocks in bytes.
    pub(super) fn block_size(&self) -> u32 {
        self.geometry.block_size().bytes()
    }

    /// Reads all that is asked for. Waits.
    ///
    /// # Errors
    ///
    /// `EIO` when a block is corrupt, or there is none; and what reading the file gives.
    ///
    /// # Safety
    ///
    /// As of [`File::transfer`].
    pub(super) unsafe fn read(&self, file: &File, what: &bindings::xenbus_file_transfer) -> Result {
        let mut done = 0_u32;
        while done < what.bytes {
            let byte = what.pos.saturating_add(done.into());
            let at = self.geometry.locate(byte).ok_or(EIO)?;
            let len = self.block_size().saturating_sub(at.offset);
            let end = done.saturating_add(len).min(what.bytes);
            self.with_block(file, at.block, |block| {
                let len = end.saturating_sub(done);
                let (_, rest) = block.split_at_checked(at.offset as usize).ok_or(EIO)?;
                let part = rest.get(..len as usize).ok_or(EIO)?;
                // SAFETY: The part is as long, and what it is copied to lies within the memory that the caller
                // guarantees.
                unsafe { bindings::xenbus_helper_file_fill(what, done, part.as_ptr(), len) };
                Ok(())
            })?;
            done = end;
        }
        Ok(())
    }

    /// Uses a block, uncompressed.
    fn with_block(&self, file: &File, block: u32, using: impl FnOnce(&[u8]) -> Result) -> Result {
        let extent = *self.extents.get(block as usize).ok_or(EIO)?;
        let make =
            |workspace: &mut Workspace, to: &mut [u8]| self.uncompress(file, extent, workspace, to);
        self.cache.with_block(block, make, using)
    }

    fn uncompress(
        &self,
        file: &File,
        extent: Extent,
        workspace: &mut Workspace,
        to: &mut [u8],
    ) -> Result {
        let length = extent.length() as usize;
        let stream = workspace.stream.get_mut(..length).ok_or(EIO)?;
        file.read(extent.start(), stream)?;
        match workspace.inflater.inflate(stream, to) {
            Ok(bytes) if bytes == to.len() || self.is_last(extent) => {
                // What stood there is another block.
                to.iter_mut().skip(bytes).for_each(|byte| *byte = 0);
                Ok(())
            }
            _ => {
                self.complain(file, extent);
                Err(EIO)
            }
        }
    }

    /// The last block may be short.
    fn is_last(&self, extent: Extent) -> bool {
        extent.block().saturating_add(1) == self.geometry.blocks()
    }

    fn complain(&self, file: &File, extent: Extent) {
        let message = Message::CorruptBlock {
            file: file.path().to_bytes(),
            block: extent.block(),
        };
        let mut log = self.log.lock();
        log.print(message.severity(), format_args!("{message}"));
    }
}

fn read_header(file: &File) -> Result<Geometry, Refusal> {
    let mut header = [0; HEADER_BYTES];
    let bytes = file.own_bytes();
    if bytes < HEADER_BYTES as u64 {
        return Err(Problem::NoHeader { file: bytes }.into());
    }
    file.read(0, &mut header)?;
    Ok(Geometry::parse(&header)?.within(MAX_BLOCK_SIZE, MAX_BLOCKS)?)
}

fn read_table(file: &File, geometry: Geometry) -> Result<KVVec<Extent>, Refusal> {
    let mut table = Table::new(geometry, file.own_bytes())?;
    let mut extents = KVVec::with_capacity(geometry.blocks() as usize, GFP_KERNEL)?;
    let mut buffer = KVVec::zeroed(TABLE_CHUNK, GFP_KERNEL)?;
    let mut pos = HEADER_BYTES as u64;
    while table.missing_bytes() > 0 {
        let bytes = table.missing_bytes().min(TABLE_CHUNK as u64);
        let chunk = buffer.get_mut(..bytes as usize).ok_or(EINVAL)?;
        file.read(pos, chunk)?;
        for entry in chunk.chunks_exact(ENTRY_BYTES) {
            let entry = entry.first_chunk().ok_or(EINVAL)?;
            if let Some(extent) = table.push(*entry)? {
                extents.push_within_capacity(extent).map_err(|_| EINVAL)?;
            }
        }
        pos = pos.saturating_add(bytes);
    }
    Ok(extents)
}
