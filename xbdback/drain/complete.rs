// SPDX-License-Identifier: GPL-2.0

//! From the disk back to the ring: steps 5 and 6 of a drain.

use super::{
    push,
    Round,
    Worker, //
};
use crate::{
    discard::Progress,
    job::{
        Data,
        Failure,
        Room, //
    },
};
use kernel::prelude::*;
use xenbus::blk::Merging;
use xenbus_proto::{
    blkif::Status,
    ring::{
        Notify,
        Slot, //
    },
};

impl Worker {
    /// Step 5: what the disk has finished goes back to the guest.
    pub(super) fn complete(&mut self) {
        for room in self.completions.take() {
            self.submitted = self.submitted.saturating_sub(1);
            self.completed(room);
        }
        if self.jobs.is_empty() {
            return;
        }
        self.starved = false;
        self.mover.copy_to_guest(&mut self.jobs);
        for room in &mut self.jobs {
            self.mover.give_back(room);
        }
        self.mover.unmap();
        let mut jobs = core::mem::take(&mut self.jobs);
        for room in jobs.drain_all() {
            let result = room.payload.result;
            self.answer(room, result);
        }
        self.jobs = jobs;
    }

    /// The disk is done with a request: does what is left of it, or lets it go back.
    fn completed(&mut self, mut room: KBox<Room>) {
        let mut result = room.result();
        let job = &mut room.payload;
        if job.discard().is_some() {
            match self
                .discards
                .completed(job, result, self.signals.stopping())
            {
                Progress::More => return self.submit_one(room),
                Progress::Done(outcome) => result = outcome,
            }
            if let Some(next) = self.discards.next() {
                self.submit_one(next);
            }
        } else if result.is_err() && job.merging == Merging::Allowed && !self.signals.stopping() {
            // It may have been merged with another, which has the bad sector.
            job.merging = Merging::Never;
            return self.submit_one(room);
        }
        self.reporter.completed(&mut room.payload);
        room.payload.result = result.map_err(Failure::Kernel);
        push(&mut self.jobs, room);
    }

    /// Step 6: answers a request, and keeps what it was made of.
    pub(super) fn answer(&mut self, mut room: KBox<Room>, result: Result<(), Failure>) {
        if room.payload.data == Data::Mapped {
            self.mover.give_back(&mut room);
            self.mover.unmap();
        }
        self.reporter.answers(&mut room.payload, result);
        if let Some(slot) = room.payload.slot.take() {
            let status = result.map_or_else(Failure::status, |()| Status::Okay);
            self.put(slot, status);
        }
        if room.payload.is_barrier() {
            self.barrier_runs = false;
            if let Some(passage) = &self.passage {
                passage.open();
            }
        }
        self.pool.put(room);
    }

    #[inline]
    pub(super) fn put(&mut self, slot: Slot, status: Status) {
        self.ring.put(slot, status);
        self.round.answered = self.round.answered.saturating_add(1);
    }

    /// Shows the guest the answers, and notifies it if it waits for one.
    pub(super) fn push(&mut self) {
        let notify = self.ring.push();
        if notify == Notify::Yes {
            self.channel.notify();
        }
        let Round {
            taken, answered, ..
        } = core::mem::take(&mut self.round);
        self.reporter.pushed(taken, answered, notify);
    }
}
