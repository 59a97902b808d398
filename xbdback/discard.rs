// SPDX-License-Identifier: GPL-2.0

//! Discards: done piece by piece, and few at a time, so that they neither hold up other requests for long
//! nor the end of the connection.

use crate::job::{
    Job,
    Room, //
};
use kernel::{
    alloc::kvec::PushError,
    prelude::*, //
};
use xenbus_proto::blkif::SECTOR_SIZE;

/// Sectors that are discarded at once: 256 MiB.
const PIECE: u64 = (256 << 20) / SECTOR_SIZE as u64;

/// Discards of one ring that the disk works on at a time.
const AT_ONCE: usize = 4;

/// The discards of one ring.
pub(crate) struct Discards {
    running: usize,
    waiting: KVec<KBox<Room>>,
}

/// What is to be done with a discard after a piece of it.
pub(crate) enum Progress {
    /// The next piece.
    More,
    /// It has ended so.
    Done(Result),
}

impl Discards {
    /// For a ring of `slots` slots.
    pub(crate) fn new(slots: usize) -> Result<Self> {
        Ok(Self {
            running: 0,
            waiting: KVec::with_capacity(slots, GFP_KERNEL)?,
        })
    }

    /// Whether there are none.
    pub(crate) fn are_none(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Makes a discard ready for its next piece. Keeps it if others have to be done first.
    pub(crate) fn admit(&mut self, mut room: KBox<Room>) -> Option<KBox<Room>> {
        let begins = room.payload.discarded == 0;
        if begins && self.running >= AT_ONCE {
            return match self.waiting.push_within_capacity(room) {
                Ok(()) => None,
                // There is room for all of the ring.
                Err(PushError(room)) => Some(room),
            };
        }
        if begins {
            self.running = self.running.saturating_add(1);
        }
        let piece = piece(&room.payload);
        // CAST: At most `PIECE`.
        room.use_nothing((piece as u32).saturating_mul(SECTOR_SIZE));
        Some(room)
    }

    /// The disk has ended a piece so; `stop` if it is to be the last.
    pub(crate) fn completed(&mut self, job: &mut Job, result: Result, stop: bool) -> Progress {
        if result.is_ok() {
            job.discarded = job.discarded.saturating_add(piece(job));
        }
        let left = piece(job) > 0;
        if result.is_ok() && left && !stop {
            return Progress::More;
        }
        self.running = self.running.saturating_sub(1);
        Progress::Done(result.and(match left {
            true => Err(ECANCELED),
            false => Ok(()),
        }))
    }

    /// The disk would not take a piece of one.
    pub(crate) fn refused(&mut self, job: &mut Job) {
        let _ = self.completed(job, Err(EIO), true);
    }

    /// One that waits, if it may begin.
    pub(crate) fn next(&mut self) -> Option<KBox<Room>> {
        if self.running >= AT_ONCE {
            return None;
        }
        self.waiting.remove(0).ok()
    }
}

/// Sectors of the next piece.
fn piece(job: &Job) -> u64 {
    let total = job.discard().map_or(0, |discard| discard.sectors());
    total.saturating_sub(job.discarded).min(PIECE)
}
