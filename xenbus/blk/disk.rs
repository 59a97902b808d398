// SPDX-License-Identifier: GPL-2.0

//! What holds a disk's data: a block device, or a file.

use super::bdev::BlockDevice;
use crate::file::{
    File,
    Way, //
};
use xenbus_proto::blkif::SECTOR_SIZE;

/// What holds a disk's data, open. It is closed when this is dropped.
pub enum Disk {
    /// A block device.
    Device(BlockDevice),
    /// A regular file.
    File(File),
}

impl Disk {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::Device(_) => None,
            Self::File(file) => Some(file),
        }
    }

    /// Its name, in `buffer` if it is made up: a device's without `/dev/`, e.g. `sda3` or `dm-2`; a file's path.
    pub fn name<'a>(&'a self, buffer: &'a mut [u8; 32]) -> &'a [u8] {
        match self {
            Self::Device(device) => device.name(buffer).as_bytes(),
            Self::File(file) => file.path().to_bytes(),
        }
    }

    /// The capacity in sectors of 512 bytes, as it is now.
    #[inline]
    pub fn sectors(&self) -> u64 {
        match self {
            Self::Device(device) => device.sectors(),
            Self::File(file) => file.sectors(),
        }
    }

    /// Bytes of the smallest unit that can be read or written.
    #[inline]
    pub fn logical_block_size(&self) -> u32 {
        match self {
            Self::Device(device) => device.logical_block_size(),
            // What is too small for direct I/O goes through the page cache.
            Self::File(_) => SECTOR_SIZE,
        }
    }

    /// Bytes of the smallest unit that is written without reading first.
    pub fn physical_block_size(&self) -> u32 {
        match self {
            Self::Device(device) => device.physical_block_size(),
            Self::File(file) => file.block_size(),
        }
    }

    /// Whether what was written may be lost when the power goes, until a flush.
    pub fn write_cache(&self) -> bool {
        match self {
            Self::Device(device) => device.write_cache(),
            Self::File(_) => true,
        }
    }

    /// Whether it can be told that sectors are not needed.
    pub fn can_discard(&self) -> bool {
        match self {
            Self::Device(device) => device.can_discard(),
            Self::File(file) => file.can_punch(),
        }
    }

    /// Whether it can be told to destroy what stands in sectors.
    pub fn can_secure_erase(&self) -> bool {
        match self {
            Self::Device(device) => device.can_secure_erase(),
            // Where a file system has put copies, nobody knows.
            Self::File(_) => false,
        }
    }

    /// The unit in which it discards, in bytes.
    pub fn discard_granularity(&self) -> u32 {
        match self {
            Self::Device(device) => device.discard_granularity(),
            Self::File(file) => file.block_size(),
        }
    }

    /// Where the first such unit starts, in bytes.
    pub fn discard_alignment(&self) -> u32 {
        match self {
            Self::Device(device) => device.discard_alignment(),
            Self::File(_) => 0,
        }
    }

    /// Whether writes are refused: it was opened like that, or has become read-only.
    #[inline]
    pub fn read_only(&self) -> bool {
        match self {
            Self::Device(device) => device.read_only(),
            Self::File(file) => !file.writable(),
        }
    }

    /// Whether requests to it may be merged with others, by itself or below, and so fail for each other.
    pub fn merges(&self) -> bool {
        match self {
            Self::Device(_) => true,
            Self::File(file) => !matches!(file.way(), Way::Uncompressed(_)),
        }
    }

    /// Whether the medium can be taken out.
    pub fn removable(&self) -> bool {
        match self {
            Self::Device(device) => device.removable(),
            Self::File(_) => false,
        }
    }

    /// Whether it is a CD drive.
    pub fn cdrom(&self) -> bool {
        match self {
            Self::Device(device) => device.cdrom(),
            Self::File(_) => false,
        }
    }
}
