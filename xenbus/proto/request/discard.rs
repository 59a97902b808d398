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
        let end = check_range(start, sectors, limits)?;
        let partial = limits.sectors_of_block().wrapping_sub(1);
        let (first, end) = match (start | end) & partial {
            0 => (start, end),
            _ if limits.partial_blocks && !secure => whole_blocks(start, end, partial),
            // What has to be erased for good, has to be whole.
            _ => return Err(Reason::Misaligned { start, sectors }),
        };
        // INVARIANT: Just checked, and there is a sector.
        Ok((end > first).then_some(Self {
            start: Sector(first),
            sectors: end.wrapping_sub(first),
            secure,
        }))
    }
}

/// The blocks that lie within a range: a disk may leave alone what it is told to forget.
fn whole_blocks(start: u64, end: u64, partial: u64) -> (u64, u64) {
    let first = start
        .checked_add(partial)
        .map_or(end, |after| after & !partial);
    (first, end & !partial)
}
