// SPDX-License-Identifier: GPL-2.0

//! The data path: from the ring to the disk, and back.
//!
//! One thread owns a ring and everything on this page. Each time it is woken it *drains*: it takes the
//! requests that wait, at most a quantum, and moves all of them one step at a time,
//!
//! 1. [`Worker::take`]: copied out of the shared page once, and validated; bad ones are answered here;
//! 2. [`copy_all`]: the data of writes copied from the guest's pages, one hypercall for all;
//! 3. [`Worker::submit`]: handed to the disk under one plug;
//!
//! and what the disk has finished goes back, also all at once:
//!
//! 4. [`Worker::complete`]: the data of reads copied to the guest's pages, one hypercall for all; answered.
//!
//! The guest is shown the answers, and notified if it asked for it, once per round.

use crate::{
    backing::{
        self,
        Backing, //
    },
    connection::Signals,
    copy::{
        copy_all,
        Direction,
        Step, //
    },
    job::{
        Job,
        Room, //
    },
    pool::Pool,
    say::errno,
    vbd::Vbd, //
};
use kernel::{
    alloc::kvec::PushError,
    prelude::*,
    sync::Arc, //
};
use xenbus::{
    blk::{
        self,
        Completions,
        Disk, //
    },
    event::{
        EventChannel,
        Outcome, //
    },
    grant::CopyBuffer,
    ring::RingMemory,
    thread, //
};
use xenbus_proto::{
    blkif::{
        Status,
        MAX_SEGMENTS, //
    },
    message::Message,
    packing::MAX_PIECES,
    problem::Problem,
    request::{
        self,
        Parsed,
        Request,
        Segment, //
    },
    ring::{
        BackRing,
        BadProducer,
        Notify, //
    },
    slot::RawSlot, //
};

/// The most requests taken at once, so that answers are not held up behind a full ring of new ones.
const QUANTUM: u32 = 32;

/// Why a job waits before it is started; nothing after it is taken from the ring until then.
enum Held {
    /// A barrier: until everything before it is done.
    Barrier(Job),
    /// There was no memory: until something is done.
    Memory(Job),
}

/// The thread of a ring, and all it owns. What comes first in it is given back first.
pub(crate) struct Worker {
    channel: EventChannel<Signals>,
    ring: BackRing<RingMemory>,
    signals: Arc<Signals>,
    pool: Pool,
    completions: Arc<Completions<Option<Job>>>,
    disk: Arc<Disk>,
    copies: CopyBuffer,
    /// Jobs on their way to the disk, or back; empty between rounds.
    steps: KVec<Step>,
    held: Option<Held>,
    /// A barrier is with the disk: nothing is started until it is done.
    barrier: bool,
    /// A request was taken since the last event was dealt with.
    taken: bool,
    /// Requests with the disk.
    submitted: usize,
    vbd: Arc<Vbd>,
}

impl thread::Body for Worker {
    fn run(mut self) {
        while !self.signals.stopping() {
            self.signals.bell.wait();
            let event = self.signals.take_event();
            self.serve();
            if event {
                self.end_of_interrupt();
            }
        }
        self.finish();
    }
}

impl Worker {
    /// A worker for a ring that is ready to be served.
    pub(crate) fn new(
        vbd: Arc<Vbd>,
        ring: BackRing<RingMemory>,
        channel: EventChannel<Signals>,
        signals: Arc<Signals>,
        backing: &Backing,
    ) -> Result<Self> {
        let disk = backing.disk();
        let completions = Completions::new(disk.clone(), signals.bell.clone())?;
        let slots = ring.size().slots() as usize;
        Ok(Self {
            channel,
            signals,
            pool: Pool::new(completions.clone(), slots)?,
            completions,
            disk,
            copies: CopyBuffer::new(slots.saturating_mul(MAX_PIECES))?,
            steps: KVec::with_capacity(slots, GFP_KERNEL)?,
            ring,
            held: None,
            barrier: false,
            taken: false,
            submitted: 0,
            vbd,
        })
    }

    /// Works until there is nothing left to do.
    fn serve(&mut self) {
        loop {
            let worked = self.complete() | self.start();
            self.push();
            if self.signals.stopping() {
                return;
            }
            if !worked && !self.requests_wait() {
                if self.submitted == 0 {
                    self.pool.rest();
                }
                return;
            }
            thread::yield_if_needed();
        }
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

    /// Whether a request that could be taken waits; if not, asks the guest for an event when one does.
    fn requests_wait(&mut self) -> bool {
        if self.signals.halted() || self.barrier || self.held.is_some() {
            return false;
        }
        match self.ring.final_check() {
            Ok(waiting) => waiting,
            Err(bad) => {
                self.halt(bad);
                false
            }
        }
    }

    /// Steps 1 to 3. Returns whether anything was taken.
    fn start(&mut self) -> bool {
        let taken = self.take();
        self.copy(Direction::FromGuest);
        self.submit();
        taken
    }

    fn copy(&mut self, direction: Direction) {
        let guest = self.vbd.id.domain;
        copy_all(&mut self.copies, guest, &mut self.steps, direction);
    }

    /// Takes requests from the ring, until one has to wait.
    fn take(&mut self) -> bool {
        if self.barrier {
            return false;
        }
        let mut taken = false;
        if let Some(held) = self.held.take() {
            let (Held::Barrier(job) | Held::Memory(job)) = held;
            self.stage(job);
            taken = self.held.is_none();
        }
        if self.held.is_some() || self.barrier || self.signals.halted() {
            return taken;
        }
        let limits = backing::limits(&self.disk);
        let abi = self.ring.abi();
        if let Err(bad) = self.ring.begin_drain(QUANTUM) {
            self.halt(bad);
            return taken;
        }
        let mut entry = RawSlot::ZERO;
        while let Some(slot) = self.ring.take(&mut entry) {
            taken = true;
            self.taken = true;
            let mut segments = [Segment::UNUSED; MAX_SEGMENTS];
            match request::parse(&entry, abi, &limits, &mut segments) {
                Ok(Parsed::Request(request)) => self.stage(Job {
                    slot,
                    request,
                    segments,
                }),
                // Refused already, since none is offered.
                Ok(Parsed::Indirect(_)) => self.ring.put(slot, Status::Unsupported),
                Err(reject) => {
                    self.vbd.log.lock().say(&Message::Rejected {
                        name: self.vbd.id.name.as_str(),
                        reason: reject.reason,
                    });
                    self.ring.put(slot, reject.status);
                }
            }
            if self.held.is_some() || self.barrier {
                break;
            }
        }
        taken
    }

    /// Gives a job what it needs to be started, or holds it.
    fn stage(&mut self, job: Job) {
        let idle = self.submitted == 0 && self.steps.is_empty();
        if job.is_barrier() && !idle {
            self.held = Some(Held::Barrier(job));
            return;
        }
        let Some(mut room) = self.pool.take(job.pages()) else {
            self.held = Some(Held::Memory(job));
            return;
        };
        self.barrier = job.is_barrier();
        room.payload = Some(job);
        self.push_step(room);
    }

    /// Puts a job among those that are moved on together.
    fn push_step(&mut self, room: KBox<Room>) {
        let step = Step::new(room);
        // There is room for as many as the ring has slots, so this does not fail.
        if let Err(PushError(step)) = self.steps.push_within_capacity(step) {
            self.answer(step.room, Err(ENOMEM));
        }
    }

    /// Step 3: hands the jobs to the disk.
    fn submit(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let mut steps = core::mem::take(&mut self.steps);
        blk::plugged(|| {
            for step in steps.drain_all() {
                match step.copied() {
                    Ok(()) => self.submit_one(step.room),
                    Err(error) => self.answer(step.room, Err(error)),
                }
            }
        });
        self.steps = steps;
    }

    fn submit_one(&mut self, room: KBox<Room>) {
        let Some(job) = &room.payload else { return };
        let operation = job.operation();
        let (sector, bytes) = job
            .transfer()
            .map_or((0, 0), |transfer| (transfer.start().0, transfer.len()));
        match room.submit(operation, sector, bytes as usize) {
            Ok(()) => self.submitted = self.submitted.saturating_add(1),
            Err(room) => self.answer(room, Err(EIO)),
        }
    }

    /// Step 4: what the disk has finished is copied to the guest, and answered. Returns whether there was
    /// any.
    fn complete(&mut self) -> bool {
        for room in self.completions.take() {
            self.submitted = self.submitted.saturating_sub(1);
            self.push_step(room);
        }
        if self.steps.is_empty() {
            return false;
        }
        self.copy(Direction::ToGuest);
        let mut steps = core::mem::take(&mut self.steps);
        for step in steps.drain_all() {
            let result = step.room.result().and(step.copied());
            self.answer(step.room, result);
        }
        self.steps = steps;
        true
    }

    /// Answers a job, and keeps what it was made of.
    fn answer(&mut self, mut room: KBox<Room>, result: Result) {
        if let Some(job) = room.payload.take() {
            if let Err(error) = result {
                self.complain(&job, error);
            }
            if job.is_barrier() {
                self.barrier = false;
            }
            self.ring.put(job.slot, status(result));
        }
        self.pool.put(room);
    }

    /// Says that a request failed.
    fn complain(&mut self, job: &Job, error: Error) {
        let errno = errno(error);
        if matches!(job.request, Request::Flush(None)) {
            self.vbd.log.lock().say(&Message::FlushFailed {
                path: self.vbd.id.dev.nodename().to_bytes(),
                errno,
            });
        }
        self.vbd.log.lock().say(&Message::IoError {
            domain: self.vbd.id.domain,
            errno,
        });
    }

    /// Shows the guest the answers, and notifies it if it waits for one.
    fn push(&mut self) {
        if self.ring.push() == Notify::Yes {
            self.channel.notify();
        }
    }

    /// Stops taking requests: the guest's counters are impossible. What the disk has is still answered.
    fn halt(&mut self, bad: BadProducer) {
        if self.signals.halted() {
            return;
        }
        self.vbd
            .log
            .lock()
            .report(&self.vbd.id, EINVAL, &Problem::RingHalted(bad));
        self.signals.halt();
        self.vbd.kick();
    }

    /// Ends the ring: waits for what the disk has, and answers it. The rest stays unanswered.
    fn finish(mut self) {
        loop {
            self.complete();
            self.push();
            if self.submitted == 0 {
                return;
            }
            self.signals.bell.wait();
        }
    }
}

/// What a request that ended so is answered.
fn status(result: Result) -> Status {
    match result {
        Ok(()) => Status::Okay,
        Err(e) if e == EOPNOTSUPP => Status::Unsupported,
        Err(_) => Status::Error,
    }
}
