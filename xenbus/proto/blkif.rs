// SPDX-License-Identifier: GPL-2.0

//! The numbers of the block protocol and of xenbus, as they stand on the wire.
//!
//! Source: `xen/include/public/io/blkif.h` and `xenbus.h` of the Xen project.

/// Bytes in a sector, the unit of every sector field whatever the disk's block size.
pub const SECTOR_SIZE: u32 = 1 << SECTOR_SHIFT;

/// The same as a power of two.
const SECTOR_SHIFT: u32 = 9;

/// Whole sectors in so many bytes.
pub const fn whole_sectors(bytes: u64) -> u64 {
    bytes >> SECTOR_SHIFT
}

/// Bytes in a granted page.
pub const PAGE_SIZE: u32 = 4096;

/// Sectors in a granted page.
pub const SECTORS_PER_PAGE: u8 = 8;

/// Segments a direct request can carry.
pub const MAX_SEGMENTS: usize = 11;

/// Flag of a discard: the contents must be gone for good.
pub const DISCARD_SECURE: u8 = 1;

/// `info`: the disk is a CD-ROM.
pub const INFO_CDROM: u32 = 1;

/// `info`: the medium can be removed.
pub const INFO_REMOVABLE: u32 = 2;

/// `info`: the disk cannot be written.
pub const INFO_READONLY: u32 = 4;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Read sectors.
    Read,
    /// Write sectors.
    Write,
    /// Write sectors, ordered against every request before and after.
    WriteBarrier,
    /// Make completed writes durable; may carry a write of its own.
    FlushDiskcache,
    /// Reserved for SCSI pass-through, which no peer has.
    Reserved,
    /// Forget the contents of sectors.
    Discard,
    /// Read or write with the segments in pages of their own.
    Indirect,
}

impl Opcode {
    /// The number of [`Self::Discard`].
    pub const DISCARD: u8 = 5;

    /// The number of [`Self::Indirect`].
    pub const INDIRECT: u8 = 6;

    /// The operation with this number, if there is one.
    #[inline]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::Read),
            1 => Some(Self::Write),
            2 => Some(Self::WriteBarrier),
            3 => Some(Self::FlushDiskcache),
            4 => Some(Self::Reserved),
            Self::DISCARD => Some(Self::Discard),
            Self::INDIRECT => Some(Self::Indirect),
            _ => None,
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Okay,
    /// It was invalid, or it failed.
    Error,
    /// The backend does not know the operation, or does not offer it.
    Unsupported,
}

impl Status {
    /// The number on the wire.
    #[inline]
    pub const fn to_raw(self) -> i16 {
        match self {
            Self::Okay => 0,
            Self::Error => -1,
            Self::Unsupported => -2,
        }
    }
}

/// The state of one end of a xenbus connection, as written in its `state` node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XenbusState {
    /// 1: the toolstack made the device, or its driver starts over.
    Initialising,
    /// 2: the backend waits for the frontend's ring.
    InitWait,
    /// 3: the frontend has published its ring.
    Initialised,
    /// 4: in use.
    Connected,
    /// 5: being closed.
    Closing,
    /// 6: closed.
    Closed,
    /// 7: unused by block devices.
    Reconfiguring,
    /// 8: unused by block devices.
    Reconfigured,
}

impl XenbusState {
    /// The state with this number; `None` for 0 (`Unknown`) and for what is no state.
    #[inline]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::Initialising),
            2 => Some(Self::InitWait),
            3 => Some(Self::Initialised),
            4 => Some(Self::Connected),
            5 => Some(Self::Closing),
            6 => Some(Self::Closed),
            7 => Some(Self::Reconfiguring),
            8 => Some(Self::Reconfigured),
            _ => None,
        }
    }

    /// The number in the `state` node.
    #[inline]
    pub const fn to_raw(self) -> u32 {
        match self {
            Self::Initialising => 1,
            Self::InitWait => 2,
            Self::Initialised => 3,
            Self::Connected => 4,
            Self::Closing => 5,
            Self::Closed => 6,
            Self::Reconfiguring => 7,
            Self::Reconfigured => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_a_round_trip() {
        for raw in 1..=8 {
            assert_eq!(XenbusState::from_raw(raw).unwrap().to_raw(), raw);
        }
        for raw in [0, 9, 255, u32::MAX] {
            assert_eq!(XenbusState::from_raw(raw), None);
        }
    }

    #[test]
    fn operations_end_at_six() {
        assert_eq!(Opcode::from_raw(3), Some(Opcode::FlushDiskcache));
        assert_eq!(Opcode::from_raw(6), Some(Opcode::Indirect));
        for raw in 7..=u8::MAX {
            assert_eq!(Opcode::from_raw(raw), None);
        }
    }
}
