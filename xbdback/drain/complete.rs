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
        Job,
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
            self.starved = false;
            match self.signals.deserted() {
                true => self.forget(room),
                false => self.completed(room),
            }
        }
        self.submit_waiting_discards();
        if self.jobs.is_empty() {
            return;
        }
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

    /// The disk is done with a request that the guest knows nothing of any more.
    #[cold]
    fn forget(&mut self, mut room: KBox<Room>) {
        room.payload.result = Err(Failure::Deserted);
        push(&mut self.jobs, room);
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
        } else if result.is_ok() && job.needs_blocks() {
            return self.change_blocks(room);
        } else if result.is_err() && self.may_be_innocent(job) {
            job.merging = Merging::Never;
            return self.submit_one(room);
        }
        self.reporter.completed(&mut room.payload);
        room.payload.result = result.map_err(Failure::Kernel);
        push(&mut self.jobs, room);
    }

    /// The blocks are read of which a request writes a part: puts its data into them, and writes them.
    #[cold]
    fn change_blocks(&mut self, mut room: KBox<Room>) {
        room.payload.has_blocks = true;
        self.mover.copy_from_guest(core::slice::from_mut(&mut room));
        match room.payload.result {
            Ok(()) => self.submit_one(room),
            Err(_) => push(&mut self.jobs, room),
        }
    }

    /// Whether a request that failed may have been merged with another, which has the bad sector: then it is
    /// worth another try. A flush is not: the disk may tell only once that something was lost.
    fn may_be_innocent(&self, job: &Job) -> bool {
        job.merging == Merging::Allowed
            && self.disk.merges()
            && !job.is_flush()
            && !self.signals.stopping()
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
        if room.payload.is_exclusive() && core::mem::take(&mut self.runs_alone) {
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

    /// Shows the guest the answers, and notifies it if it waits for one. Linux's frontend closes with requests in flight, and
    /// waits until they have ended somehow: answers are shown even to one that should have forgotten them.
    pub(super) fn show_answers(&mut self) {
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
