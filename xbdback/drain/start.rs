// SPDX-License-Identifier: GPL-2.0

//! From the ring to the disk: steps 1 to 4 of a drain.

use super::{
    push,
    Worker, //
};
use crate::{
    backing,
    job::{
        Failure,
        Room, //
    },
    mover::Mover, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        Flags, //
    },
    prelude::*, //
};
use xenbus::blk;
use xenbus_proto::request::{
    self,
    DiskLimits,
    Parsed,
    Transfer, //
};

/// The most requests taken at once, so that answers are not held up behind a full ring of new ones.
const QUANTUM: u32 = 32;

/// The most segments of requests taken at once: it bounds the memory for hypercalls.
const QUANTUM_SEGMENTS: usize = 512;

impl Worker {
    /// Steps 1 to 4.
    pub(super) fn start(&mut self) {
        if self.runs_alone || self.signals.deserted() || !self.passes() {
            return;
        }
        self.starved = false;
        self.not_alone = false;
        self.start_exclusive();
        // What waits to be alone may have left the gate to another ring.
        if !self.runs_alone && !self.not_alone {
            self.retry_starved();
            self.take();
        }
        self.fetch_segments();
        self.move_in();
        self.submit();
    }

    /// Starts a request that has to be alone, if nothing else is with the disk.
    fn start_exclusive(&mut self) {
        if self.submitted > 0 || !self.discards.are_none() {
            return;
        }
        // Writes that are in flight together have no order. The barrier came after all of them, and after
        // what waits for memory, which they may have.
        let room = match self.exclusive.pop() {
            None if self.starved_requests.is_empty() => self.barrier.take(),
            next => next,
        };
        let Some(room) = room else {
            return;
        };
        let alone = match &mut self.passage {
            None => true,
            Some(passage) => passage.close(),
        };
        if !alone {
            self.not_alone = true;
            return self.let_wait_to_be_alone(room);
        }
        self.runs_alone = true;
        self.stage(room);
    }

    /// Keeps a request until nothing else is with the disk. Nothing that comes after it is taken until then.
    #[cold]
    fn let_wait_to_be_alone(&mut self, room: KBox<Room>) {
        match room.payload.is_barrier() {
            true => self.barrier = Some(room),
            false => push(&mut self.exclusive, room),
        }
    }

    /// Stages the requests again for which there was no memory.
    fn retry_starved(&mut self) {
        while let Some(room) = self.starved_requests.pop() {
            let left = self.starved_requests.len();
            self.stage(room);
            if self.starved_requests.len() > left {
                break;
            }
        }
    }

    /// Step 1: takes requests from the ring.
    fn take(&mut self) {
        if self.barred() || !self.starved_requests.is_empty() || self.signals.halted() {
            return;
        }
        let waiting = match self.ring.begin_drain(QUANTUM) {
            Ok(waiting) => waiting,
            Err(bad) => return self.halt(bad),
        };
        if waiting == 0 {
            return;
        }
        let limits = self.limits();
        for _ in 0..waiting {
            if self.barred() || self.round.segments >= QUANTUM_SEGMENTS {
                break;
            }
            let Some(room) = self.pool.take() else {
                self.starved = self.submitted > 0;
                break;
            };
            self.take_one(room, &limits);
        }
        self.reporter.batch(self.round.taken);
    }

    fn take_one(&mut self, mut room: KBox<Room>, limits: &DiskLimits) {
        let Some(slot) = self.ring.take(&mut self.entry) else {
            return self.pool.put(room);
        };
        self.taken = true;
        self.round.taken = self.round.taken.saturating_add(1);
        let abi = self.ring.abi();
        match request::parse(&self.entry, abi, limits, &mut room.payload.segments) {
            Ok(parsed) => {
                room.payload.begin(slot, parsed);
                self.admit(room);
            }
            Err(reject) => {
                self.reporter.refused(&reject);
                self.put(slot, reject.status);
                self.pool.put(room);
            }
        }
    }

    /// A request was parsed: it is started next, or waits until it is alone.
    fn admit(&mut self, mut room: KBox<Room>) {
        self.reporter.taken(&mut room.payload);
        match room.payload.is_exclusive() {
            true => self.let_wait_to_be_alone(room),
            false => self.stage(room),
        }
    }

    /// What requests are held against: the disk's size may have changed since the last ones.
    fn limits(&self) -> DiskLimits {
        backing::limits(&self.disk, self.offered)
    }

    /// Fetches the segments of the indirect requests, which are requests like the others then.
    fn fetch_segments(&mut self) {
        if self.indirect.is_empty() {
            return;
        }
        let limits = self.limits();
        let mut indirect = core::mem::take(&mut self.indirect);
        self.mover.fetch_segments(&mut indirect, &limits);
        for room in indirect.drain_all() {
            match room.payload.result {
                Ok(()) => self.admit(room),
                Err(failure) => self.answer(room, Err(failure)),
            }
        }
        self.indirect = indirect;
    }

    /// Step 2: gives a request what it needs to be started, or lets it wait for memory.
    fn stage(&mut self, mut room: KBox<Room>) {
        match self.plan(&mut room) {
            Ok(()) if matches!(room.payload.parsed, Parsed::Indirect(_)) => {
                push(&mut self.indirect, room);
            }
            Ok(()) => push(&mut self.jobs, room),
            Err(_) if !self.alone() => {
                self.reporter.waits();
                push(&mut self.starved_requests, room);
            }
            // There is nothing to wait for.
            Err(error) => self.answer(room, Err(Failure::Kernel(error))),
        }
    }

    fn plan(&mut self, room: &mut Room) -> Result {
        if let Parsed::Indirect(indirect) = room.payload.parsed {
            self.count_segments(indirect.count());
            let flags = self.flags();
            room.payload.reserve_segments(indirect.count(), flags)?;
            return self.fill(room, indirect.pages().count());
        }
        match room.payload.transfer() {
            None => {
                room.use_nothing(0);
                Ok(())
            }
            Some(transfer) => {
                self.count_segments(transfer.count());
                if self.mover.copies(&transfer) || self.mover.plan_mapping(room).is_err() {
                    return self.plan_copy(room, transfer);
                }
                Ok(())
            }
        }
    }

    fn count_segments(&mut self, count: usize) {
        self.round.segments = self.round.segments.saturating_add(count);
    }

    fn plan_copy(&mut self, room: &mut Room, transfer: Transfer) -> Result {
        self.fill(room, transfer.pages())?;
        Mover::plan_copy(room, transfer, self.flags())
    }

    /// Sees to it that a request has pages of our own. What is kept for later ones is given up for it, and
    /// when there is nothing to wait for, it gets them at any cost.
    fn fill(&mut self, room: &mut Room, pages: usize) -> Result {
        match self.pool.fill(room, pages) {
            Ok(()) => Ok(()),
            Err(_) if self.mover.give_up(pages) && self.pool.fill(room, pages).is_ok() => Ok(()),
            Err(_) if self.alone() => self.pool.fill_at_any_cost(room, pages),
            Err(error) => Err(error),
        }
    }

    /// How a request gets its memory: when there is nothing to wait for, at any cost.
    #[inline]
    fn flags(&self) -> Flags {
        match self.alone() {
            true => GFP_KERNEL,
            false => GFP_NOWAIT,
        }
    }

    /// Whether no other request of this ring is being done.
    fn alone(&self) -> bool {
        let none_is_next = self.runs_alone || self.exclusive.is_empty();
        self.submitted == 0 && self.jobs.is_empty() && self.indirect.is_empty() && none_is_next
    }

    /// Step 3: maps pages, and copies the data of writes.
    fn move_in(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        if !self.mover.map(&mut self.jobs) {
            self.copy_instead();
        }
        self.mover.copy_from_guest(&mut self.jobs);
    }

    /// Has the requests copied that could not be mapped.
    #[cold]
    fn copy_instead(&mut self) {
        // The list of indirect requests is empty by now, and as long.
        let spare = core::mem::take(&mut self.indirect);
        let mut jobs = core::mem::replace(&mut self.jobs, spare);
        for mut room in jobs.drain_all() {
            let transfer = match room.payload.result {
                Err(Failure::NoRoom) => room.payload.transfer(),
                _ => None,
            };
            let Some(transfer) = transfer else {
                push(&mut self.jobs, room);
                continue;
            };
            self.mover.give_back(&mut room);
            room.payload.result = Ok(());
            match self.plan_copy(&mut room, transfer) {
                Ok(()) => push(&mut self.jobs, room),
                // Nothing is done while it is, so there is nothing to wait for.
                Err(error) if room.payload.is_exclusive() => {
                    self.answer(room, Err(Failure::Kernel(error)));
                }
                Err(_) => {
                    self.reporter.waits();
                    push(&mut self.starved_requests, room);
                }
            }
        }
        self.indirect = jobs;
        self.mover.unmap();
    }

    /// Step 4: hands the requests to the disk.
    fn submit(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let mut jobs = core::mem::take(&mut self.jobs);
        blk::plugged(jobs.len(), || {
            for room in jobs.drain_all() {
                match room.payload.result {
                    Ok(()) => self.submit_one(room),
                    Err(failure) => self.answer(room, Err(failure)),
                }
            }
        });
        self.jobs = jobs;
        self.submit_waiting_discards();
    }

    pub(super) fn submit_one(&mut self, mut room: KBox<Room>) {
        if room.payload.discard().is_some() {
            match self.discards.admit(room) {
                Some(admitted) => room = admitted,
                None => return,
            }
        }
        let Some(operation) = room.payload.operation() else {
            return self.answer(room, Ok(()));
        };
        if !room.payload.has_blocks {
            self.reporter.submits(&mut room.payload);
        }
        let sector = room.payload.sector();
        let merging = room.payload.merging;
        match room.submit(operation, sector, merging) {
            Ok(()) => self.submitted = self.submitted.saturating_add(1),
            Err(mut room) => {
                if room.payload.discard().is_some() {
                    self.discards.refused(&mut room.payload);
                }
                self.answer(room, Err(Failure::Kernel(EIO)));
            }
        }
    }

    /// Starts discards that wait for others, as many as may be done at a time.
    pub(super) fn submit_waiting_discards(&mut self) {
        if self.signals.stopping() {
            return;
        }
        while let Some(next) = self.discards.next() {
            self.submit_one(next);
        }
    }
}
