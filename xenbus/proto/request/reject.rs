// SPDX-License-Identifier: GPL-2.0

//! Why a request is not done, and what its sender is told.

use core::fmt;

use crate::blkif::Status;

/// A request that is answered without being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The answer.
    pub status: Status,
    /// What was wrong.
    pub reason: Reason,
}

/// What is wrong with a request. Displayed in NetBSD's words where it has any; numbers only, so
/// safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No such operation, or one that is not offered.
    UnknownOperation(u8),
    /// An indirect request of something other than a read or a write.
    IndirectOperation(u8),
    /// A discard that must erase, on a disk that does not.
    SecureDiscard,
    /// More segments than a request can hold.
    TooManySegments,
    /// No segment in a request that moves data.
    NoSegments,
    /// The segment's sectors do not lie in its page, or are the wrong way round.
    SegmentSectors {
        /// First sector within the page.
        first: u8,
        /// Last sector within the page.
        last: u8,
    },
    /// Data to write, or to discard, on a disk that is read-only.
    ReadOnly,
    /// Not in whole blocks of the disk.
    Misaligned {
        /// First sector.
        start: u64,
        /// Sectors of the request, or of the segment that is to blame.
        sectors: u64,
    },
    /// Past the end of the disk.
    OutOfRange {
        /// First sector.
        start: u64,
        /// How many.
        sectors: u64,
    },
}

impl Reason {
    /// The answer it gets.
    ///
    /// Only what the frontend must not try again is "unsupported". A write on a read-only disk is
    /// an error, as `blkif.h` and Linux's backend have it (NetBSD says unsupported).
    const fn status(self) -> Status {
        match self {
            Self::UnknownOperation(_) | Self::SecureDiscard => Status::Unsupported,
            _ => Status::Error,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownOperation(operation) => write!(f, "unknown operation {operation}"),
            Self::IndirectOperation(operation) => {
                write!(f, "invalid indirect operation {operation}")
            }
            Self::SecureDiscard => f.write_str("secure discard on a disk that has none"),
            Self::TooManySegments => f.write_str("too many segments"),
            Self::NoSegments => f.write_str("invalid number of segments"),
            Self::SegmentSectors { first, last } => {
                write!(f, "invalid segment sectors {first} {last}")
            }
            Self::ReadOnly => f.write_str("write to a read-only disk"),
            Self::Misaligned { start, sectors } => {
                write!(f, "misaligned access to sector {start}, {sectors} sectors")
            }
            Self::OutOfRange { start, sectors } => {
                write!(
                    f,
                    "access past the end of the disk: sector {start}, {sectors} sectors"
                )
            }
        }
    }
}

impl From<Reason> for Reject {
    #[inline]
    fn from(reason: Reason) -> Self {
        Self {
            status: reason.status(),
            reason,
        }
    }
}
