// SPDX-License-Identifier: GPL-2.0

//! The data path: from the ring to the disk, and back.
//!
//! One thread owns a ring and everything on this page. Each time it is woken it *drains*: it takes the
//! requests that wait, at most a quantum, and moves all of them one step at a time,
//!
//! 1. [`Worker::take`]: copied out of the shared page once, and validated; bad ones are answered here.
//!    Indirect ones have their segments fetched, one hypercall for all;
//! 2. [`Worker::stage`]: it is decided how the data gets to the disk, by copy or by mapping;
//! 3. [`Worker::move_in`]: pages are mapped, the data of writes is copied, one hypercall each for all;
//! 4. [`Worker::submit`]: handed to the disk under one plug;
//!
//! and what the disk has finished goes back, also all at once:
//!
//! 5. [`Worker::complete`]: the data of reads is copied, pages are unmapped, one hypercall each for all;
//! 6. [`Worker::answer`]: the answers are put on the ring, and shown to the guest once per round.

use crate::{
    backing,
    barrier::Passage,
    discard::{
        Discards,
        Progress, //
    },
    job::{
        Data,
        Failure,
        Job,
        Room, //
    },
    mover::Mover,
    pace::Pace,
    params,
    pool::Pool,
    queue::Signals,
    reporter::Reporter, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        kvec::PushError, //
    },
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use xenbus::{
    alarm::Alarm,
    blk::{
        self,
        Completions,
        Disk,
        Merging, //
    },
    clock::Instant,
    event::{
        EventChannel,
        Outcome, //
    },
    ring::RingMemory,
    shrinker::Shrinker,
    thread, //
};
use xenbus_proto::{
    blkif::Status,
    number::DomainId,
    request::{
        self,
        Discards as DiscardsOffered,
        DiskLimits,
        Parsed,
        Transfer, //
    },
    ring::{
        BackRing,
        BadProducer,
        Notify,
        Slot, //
    },
    slot::RawSlot, //
};

/// The most requests taken at once, so that answers are not held up behind a full ring of new ones.
const QUANTUM: u32 = 32;

/// The most segments of requests taken at once: it bounds the memory for hypercalls.
const QUANTUM_SEGMENTS: usize = 512;

/// What the worker of a ring is made of.
pub(crate) struct Parts {
    pub(crate) channel: EventChannel<Signals>,
    pub(crate) ring: BackRing<RingMemory>,
    pub(crate) signals: Arc<Signals>,
    /// The guest.
    pub(crate) domain: DomainId,
    pub(crate) disk: Arc<Disk>,
    pub(crate) mover: Mover,
    pub(crate) passage: Option<Passage>,
    pub(crate) offered: Offered,
    pub(crate) reporter: Reporter,
}

/// Requests that the guest was told of.
#[derive(Clone, Copy)]
pub(crate) struct Offered {
    pub(crate) indirect_segments: u16,
    pub(crate) discard: DiscardsOffered,
}

/// The thread of a ring, and all it owns. What comes first in it is given back first.
pub(crate) struct Worker {
    channel: EventChannel<Signals>,
    ring: BackRing<RingMemory>,
    signals: Arc<Signals>,
    alarm: Alarm,
    shrinker: Shrinker,
    completions: Arc<Completions<Job>>,
    pool: Pool,
    mover: Mover,
    disk: Arc<Disk>,
    offered: Offered,
    entry: RawSlot,
    /// Requests that are moved on together; empty between rounds, as is `indirect`.
    jobs: KVec<KBox<Room>>,
    /// Requests whose segments have to be fetched.
    indirect: KVec<KBox<Room>>,
    /// Requests for which there was no memory: until something is done.
    waiting: KVec<KBox<Room>>,
    /// Discards that wait for others.
    discards: Discards,
    /// A barrier that waits until everything before it is done; nothing after it is taken until then.
    barrier: Option<KBox<Room>>,
    /// A barrier is with the disk: nothing is started until it is done.
    barrier_runs: bool,
    /// The way past the barriers of the connection's other rings, if it has others.
    passage: Option<Passage>,
    /// The barrier waits for other rings; they ring the bell.
    not_alone: bool,
    /// There was no memory even to take a request: until something is done.
    starved: bool,
    /// A request was taken since the last event was dealt with.
    taken: bool,
    round: Round,
    pace: Pace,
    /// Requests with the disk.
    submitted: usize,
    reporter: Reporter,
}

/// What was done since the guest was last shown answers.
#[derive(Default)]
struct Round {
    taken: u32,
    answered: u32,
    /// Segments of the requests that were taken.
    segments: usize,
}

impl thread::Body for Worker {
    fn run(mut self) {
        while !self.signals.stopping() {
            self.pace.sleeps();
            self.signals.bell.wait();
            let event = self.signals.take_event();
            if event {
                self.pace.woken();
            }
            self.serve();
            if event {
                while self.lingers() {
                    self.serve();
                }
                self.end_of_interrupt();
            }
            if self.alarm.take() {
                self.trim();
            }
            if self.shrinker.take() {
                self.squeeze();
            }
        }
        self.finish();
    }
}

impl Worker {
    /// A worker for a ring that is ready to be served.
    pub(crate) fn new(parts: Parts) -> Result<Self> {
        let Parts {
            channel,
            ring,
            signals,
            domain,
            disk,
            mover,
            passage,
            offered,
            reporter,
        } = parts;
        let completions = Completions::new(disk.clone(), signals.bell.clone())?;
        let slots = ring.size().slots() as usize;
        Ok(Self {
            channel,
            alarm: Alarm::new(signals.bell.clone())?,
            shrinker: Shrinker::new(signals.bell.clone())?,
            pool: Pool::new(domain, completions.clone(), slots)?,
            completions,
            signals,
            mover,
            disk,
            offered,
            entry: RawSlot::ZERO,
            jobs: KVec::with_capacity(slots, GFP_KERNEL)?,
            indirect: KVec::with_capacity(slots, GFP_KERNEL)?,
            waiting: KVec::with_capacity(slots, GFP_KERNEL)?,
            discards: Discards::new(slots)?,
            ring,
            barrier: None,
            barrier_runs: false,
            passage,
            not_alone: false,
            starved: false,
            taken: false,
            round: Round::default(),
            pace: Pace::new(),
            submitted: 0,
            reporter,
        })
    }

    /// Works until there is nothing left to do.
    fn serve(&mut self) {
        self.not_alone = false;
        loop {
            self.completions.look();
            self.start();
            self.complete();
            self.push();
            if self.signals.stopping() {
                return;
            }
            if self.completions.listen() && !self.more_to_start() {
                return self.rest();
            }
            thread::yield_if_needed();
        }
    }

    /// Waits a little for more requests before the thread sleeps, and returns whether some came.
    ///
    /// To sleep and to be woken again takes several times what a small request does. So when the last
    /// requests came soon after one another, and there is nothing else to do here, the next ones are waited
    /// for in Xen, with the guest's event held back. If none come in time, they have to come soon again
    /// before this is tried again.
    fn lingers(&mut self) -> bool {
        if !self.taken || self.submitted > 0 || !self.pace.is_quick() {
            return false;
        }
        let begin = Instant::now();
        while !self.signals.bell.is_rung() && thread::is_alone() {
            self.channel.forget();
            if self.more_to_start() {
                return true;
            }
            self.channel.poll();
            if self.more_to_start() {
                return true;
            }
            if self.pace.is_late(Instant::now().since(begin)) {
                break;
            }
        }
        false
    }

    /// Lets the next event come.
    ///
    /// An event was spurious when no request was taken since the one before: not only now, since the
    /// request that caused it may have been taken while the thread was busy with others.
    fn end_of_interrupt(&mut self) {
        // A guest that broke its ring is not listened to any more.
        if self.signals.halted() {
            return;
        }
        let outcome = match core::mem::take(&mut self.taken) {
            true => Outcome::Work,
            false => Outcome::Spurious,
        };
        self.channel.end_of_interrupt(outcome);
    }

    /// Whether something could be started at once; if not, asks the guest for an event when it can.
    fn more_to_start(&mut self) -> bool {
        let waits = self.barrier.is_some() || !self.waiting.is_empty();
        if self.submitted == 0 && waits && !self.not_alone {
            return self.passes();
        }
        if self.signals.halted() || self.barred() || self.starved || !self.waiting.is_empty() {
            return false;
        }
        match self.ring.final_check() {
            Ok(waiting) => waiting && self.passes(),
            Err(bad) => {
                self.halt(bad);
                false
            }
        }
    }

    /// Whether a barrier of this ring keeps requests from being taken.
    fn barred(&self) -> bool {
        self.barrier_runs || self.barrier.is_some()
    }

    /// Whether no other ring's barrier keeps requests from being started. The bell rings later if one does.
    fn passes(&mut self) -> bool {
        let submitted = self.submitted;
        match &mut self.passage {
            None => true,
            Some(passage) => {
                let passes = passage.enter();
                if !passes && submitted == 0 {
                    passage.leave();
                }
                passes
            }
        }
    }

    /// There is nothing to do, for the time being.
    fn rest(&mut self) {
        let spare = self.pool.idle_pages().saturating_add(self.mover.kept());
        let charged = self.pool.charged().saturating_add(self.mover.charged());
        self.shrinker.set_spare(spare);
        self.reporter.pages(charged, spare);
        if self.submitted > 0 {
            return;
        }
        if let Some(passage) = &mut self.passage {
            passage.leave();
        }
        if self.pool.has_spare() || self.mover.keeps() {
            if let Some(time) = unused_time() {
                self.alarm.set(time);
            }
        }
    }

    /// Gives back what was not used for a while.
    fn trim(&mut self) {
        self.pool.trim();
        self.mover.trim();
        if self.submitted == 0 {
            self.rest();
        }
    }

    /// Memory is short: gives back what is not in use.
    #[cold]
    fn squeeze(&mut self) {
        self.pool.squeeze();
        self.mover.trim();
        self.rest();
    }

    /// Steps 1 to 4.
    fn start(&mut self) {
        if self.barrier_runs || !self.passes() {
            return;
        }
        self.starved = false;
        self.start_barrier();
        self.retry_waiting();
        self.take();
        self.fetch_segments();
        self.move_in();
        self.submit();
    }

    /// Starts the barrier that waits, if nothing else is with the disk.
    fn start_barrier(&mut self) {
        if self.submitted > 0 || !self.waiting.is_empty() || !self.discards.are_none() {
            return;
        }
        let Some(room) = self.barrier.take() else {
            return;
        };
        let alone = match &mut self.passage {
            None => true,
            Some(passage) => passage.close(),
        };
        if !alone {
            self.not_alone = true;
            self.barrier = Some(room);
            return;
        }
        self.barrier_runs = true;
        self.stage(room);
    }

    /// Stages the requests again for which there was no memory.
    fn retry_waiting(&mut self) {
        while let Some(room) = self.waiting.pop() {
            let left = self.waiting.len();
            self.stage(room);
            if self.waiting.len() > left {
                break;
            }
        }
    }

    /// Step 1: takes requests from the ring.
    fn take(&mut self) {
        if self.barred() || !self.waiting.is_empty() || self.signals.halted() {
            return;
        }
        let waiting = match self.ring.begin_drain(QUANTUM) {
            Ok(waiting) => waiting,
            Err(bad) => return self.halt(bad),
        };
        if waiting == 0 {
            return;
        }
        self.reporter.batch(waiting);
        let limits = self.limits();
        for _ in 0..waiting {
            if self.barrier.is_some() || self.round.segments >= QUANTUM_SEGMENTS {
                break;
            }
            let Some(room) = self.pool.take() else {
                self.starved = self.submitted > 0;
                break;
            };
            self.take_one(room, &limits);
        }
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
                if room.payload.is_barrier() {
                    self.barrier = Some(room);
                } else {
                    self.stage(room);
                }
            }
            Err(reject) => {
                self.reporter.refused(&reject);
                self.put(slot, reject.status);
                self.pool.put(room);
            }
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
                Ok(()) => self.stage(room),
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
            Ok(()) => {
                self.reporter.taken(&mut room.payload);
                push(&mut self.jobs, room);
            }
            Err(_) if !self.alone() => {
                self.reporter.waits();
                push(&mut self.waiting, room);
            }
            // There is nothing to wait for.
            Err(error) => self.answer(room, Err(Failure::Kernel(error))),
        }
    }

    fn plan(&mut self, room: &mut Room) -> Result {
        if let Parsed::Indirect(indirect) = room.payload.parsed {
            self.count_segments(indirect.count());
            room.payload
                .reserve_segments(indirect.count(), GFP_NOWAIT)?;
            return self.fill(room, indirect.pages().count());
        }
        match room.payload.transfer() {
            None => {
                room.use_nothing(0);
                Ok(())
            }
            Some(transfer) => {
                self.count_segments(transfer.count());
                if self.mover.copies(transfer.len()) || self.mover.plan_mapping(room).is_err() {
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
        Mover::plan_copy(room, transfer)
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

    /// Whether no other request of this ring is being done.
    fn alone(&self) -> bool {
        self.submitted == 0 && self.jobs.is_empty() && self.indirect.is_empty()
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
        core::mem::swap(&mut self.jobs, &mut self.indirect);
        let mut jobs = core::mem::take(&mut self.indirect);
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
                Err(_) => push(&mut self.waiting, room),
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
    }

    fn submit_one(&mut self, mut room: KBox<Room>) {
        if room.payload.discard().is_some() {
            match self.discards.admit(room) {
                Some(admitted) => room = admitted,
                None => return,
            }
        }
        let Some(operation) = room.payload.operation() else {
            return self.answer(room, Ok(()));
        };
        self.reporter.submits(&mut room.payload);
        let sector = room.payload.sector();
        let merging = room.payload.merging;
        match room.submit(operation, sector, merging) {
            Ok(()) => self.submitted = self.submitted.saturating_add(1),
            Err(room) => self.answer(room, Err(Failure::Kernel(EIO))),
        }
    }

    /// Step 5: what the disk has finished goes back to the guest.
    fn complete(&mut self) {
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
    fn answer(&mut self, mut room: KBox<Room>, result: Result<(), Failure>) {
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
    fn put(&mut self, slot: Slot, status: Status) {
        self.ring.put(slot, status);
        self.round.answered = self.round.answered.saturating_add(1);
    }

    /// Shows the guest the answers, and notifies it if it waits for one.
    fn push(&mut self) {
        let notify = self.ring.push();
        if notify == Notify::Yes {
            self.channel.notify();
        }
        let Round {
            taken, answered, ..
        } = core::mem::take(&mut self.round);
        self.reporter.pushed(taken, answered, notify);
    }

    /// Stops taking requests: the guest's counters are impossible. What the disk has is still answered.
    #[cold]
    fn halt(&mut self, bad: BadProducer) {
        if self.signals.halted() {
            return;
        }
        self.signals.halt();
        self.reporter.ring_is_broken(bad);
    }

    /// Ends the ring: waits for what the disk has, and answers it. The rest stays unanswered.
    fn finish(mut self) {
        loop {
            self.complete();
            self.push();
            if self.submitted == 0 {
                return;
            }
            if self.completions.listen() {
                self.signals.bell.wait();
            }
        }
    }
}

/// Adds to a list that has room for as many as the ring has slots.
fn push(list: &mut KVec<KBox<Room>>, room: KBox<Room>) {
    if let Err(PushError(room)) = list.push_within_capacity(room) {
        debug_assert!(false, "a list of requests has room for all of the ring");
        drop(room);
    }
}

/// How long what is not used is kept; for ever if there is no such time, or until memory is short.
fn unused_time() -> Option<Delta> {
    match params::persistent_grant_unused_seconds.value() {
        0 => None,
        seconds => Some(Delta::from_secs(seconds.into())),
    }
}
