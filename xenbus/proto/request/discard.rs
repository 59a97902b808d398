// SPDX-License-Identifier: GPL-2.0

//! A discard: sectors whose contents the frontend needs no more.

use super::reject::Reason;
use super::transfer::{
    check_range,
    start_of,
    Sector, //
};
use super::{
    Discards, //
    DiskLimits,
};
use crate::abi::Abi;
use crate::blkif::{
    Opcode,
    DISCARD_SECURE, //
};
use crate::slot::RawSlot;

/// Sectors to forget.
///
/// They need not be whole units of `discard-granularity`: Linux's frontend does not see to that,
/// and a disk leaves alone what is no whole unit.
///
/// # Invariants
///
/// There is at least one sector, and all are within the [`DiskLimits`] it was parsed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    start: Sector,
    sectors: u64,
    secure: bool,
}

impl Discard {
    /// The first sector.
    #[inline]
    pub const fn start(&self) -> Sector {
        self.start
    }

    /// How many sectors; never 0.
    #[inline]
    pub const fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Whether the contents must be gone for good, copies of them too.
    #[inline]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// Reads a discard; `None` when there is nothing to discard, which is no error.
    pub(super) fn parse(
        raw: &RawSlot,
        abi: Abi,
        limits: &DiskLimits,
    ) -> Result<Option<Self>, Reason> {
        let [flags] = raw.field(1);
        let secure = flags & DISCARD_SECURE != 0;
        match limits.discard {
            Discards::Refused => return Err(Reason::UnknownOperation(Opcode::DISCARD)),
            // Done without erasing, it would be reported as what it is not.
            Discards::Ordinary if secure => return Err(Reason::SecureDiscard),
            Discards::Ordinary | Discards::Secure => {}
        }
        if limits.read_only {
            return Err(Reason::ReadOnly);
        }
        let start = start_of(raw, abi);
        let sectors = u64::from_le_bytes(raw.field(abi.segments_offset()));
        check_range(start, sectors, limits)?;
        // INVARIANT: Just checked, and there is a sector.
        Ok((sectors != 0).then_some(Self {
            start: Sector(start),
            sectors,
            secure,
        }))
    }
}
