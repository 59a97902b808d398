// SPDX-License-Identifier: GPL-2.0

//! The data path: from the ring to the disk, and back.
//!
//! One thread owns a ring and everything on this page. Each time it is woken it *drains*: it takes the
//! requests that wait, at most a quantum, and moves all of them one step at a time,
//!
//! 1. [`Ring::take`]: copied out of the shared page once, and validated; bad ones are answered here;
//! 2. [`Ring::fetch`]: the data of writes copied from the guest's pages, one hypercall for all;
//! 3. [`Ring::submit`]: handed to the disk under one plug;
//!
//! and what the disk has finished goes back, also all at once:
//!
//! 4. [`Ring::complete`]: the data of reads copied to the guest's pages, one hypercall for all; answered.
//!
//! The guest is shown the answers, and notified if it asked for it, once per round.

use crate::{
    backing::{
        self,
        Backing, //
    },
    connection::Signals,
    pool::Pool,
    say::{
        errno,
        GuestLog, //
    },
    vbd::Vbd, //
};
use core::ops::Range;
use kernel::{
    page::Page,
    prelude::*,
    sync::Arc, //
};
use xenbus::{
    blk::{
        self,
        Completions,
        Disk,
        Io,
        Operation, //
    },
    event::{
        EventChannel,
        Outcome, //
    },
    grant::{
        CopyBatch,
        CopyBuffer,
        Local,
        Remote, //
    },
    ring::RingMemory,
    thread, //
};
use xenbus_proto::{
    blkif::Status,
    message::Message,
    packing::MAX_PIECES,
    problem::Problem,
    request::{
        self,
        Request,
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

/// A request that is being done.
pub(crate) struct Job {
    slot: Slot,
    request: Request,
}

impl Job {
    /// The data to move, if any.
    fn transfer(&self) -> Option<&Transfer> {
        match &self.request {
            Request::Read(transfer) | Request::Write(transfer) => Some(transfer),
            Request::Flush(transfer) | Request::Barrier(transfer) => transfer.as_ref(),
        }
    }

    /// Pages of ours that its data needs.
    fn pages(&self) -> usize {
        self.transfer().map_or(0, Transfer::pages)
    }

    fn operation(&self) -> Operation {
        match self.request {
            Request::Read(_) => Operation::Read,
            Request::Write(_) => Operation::Write,
            Request::Flush(_) => Operation::Flush,
            Request::Barrier(_) => Operation::Barrier,
        }
    }
}

/// A job with its request to the disk, and which copies of the batch at hand are its own.
struct Step {
    io: KBox<Io<Option<Job>>>,
    copies: Range<usize>,
}

/// Why a job waits before it is started; nothing after it is taken from the ring until then.
enum Held {
    /// A barrier: until everything before it is done.
    Barrier(Job),
    /// There was no memory: until something is done.
    Memory(Job),
}

/// A ring, and all that its thread owns. What comes first in it is given back first.
pub(crate) struct Ring {
    channel: EventChannel<Signals>,
    ring: BackRing<RingMemory>,
    signals: Arc<Signals>,
    pool: Pool,
    completions: Arc<Completions<Option<Job>>>,
    disk: Arc<Disk>,
    writable: bool,
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
    /// The guest broke the ring: nothing more is taken from it.
    halted: bool,
    log: GuestLog,
    vbd: Arc<Vbd>,
}

impl thread::Body for Ring {
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

impl Ring {
    /// A ring that is ready to be served.
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
            writable: backing.writable(),
            copies: CopyBuffer::new(slots.saturating_mul(MAX_PIECES))?,
            steps: KVec::with_capacity(slots, GFP_KERNEL)?,
            ring,
            held: None,
            barrier: false,
            taken: false,
            submitted: 0,
            halted: false,
            log: GuestLog::new(),
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
        if self.halted {
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
        if self.halted || self.barrier || self.held.is_some() {
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
        self.fetch();
        self.submit();
        taken
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
        if self.held.is_some() || self.barrier || self.halted {
            return taken;
        }
        let limits = backing::limits(&self.disk, self.writable);
        let abi = self.ring.abi();
        if let Err(bad) = self.ring.begin_drain(QUANTUM) {
            self.halt(bad);
            return taken;
        }
        let mut entry = RawSlot::ZERO;
        while let Some(slot) = self.ring.take(&mut entry) {
            taken = true;
            self.taken = true;
            match request::parse(&entry, abi, &limits) {
                Ok(request) => self.stage(Job { slot, request }),
                Err(reject) => {
                    self.log.say(&Message::Rejected {
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
        let is_barrier = matches!(job.request, Request::Barrier(_));
        if is_barrier && (self.submitted > 0 || !self.steps.is_empty()) {
            self.held = Some(Held::Barrier(job));
            return;
        }
        let Some(mut io) = self.pool.take(job.pages()) else {
            self.held = Some(Held::Memory(job));
            return;
        };
        self.barrier = is_barrier;
        io.payload = Some(job);
        self.push_step(io);
    }

    /// Puts a request among those that move on together.
    fn push_step(&mut self, io: KBox<Io<Option<Job>>>) {
        let step = Step { io, copies: 0..0 };
        // There is room for as many as the ring has slots, so this does not fail.
        if let Err(kernel::alloc::kvec::PushError(step)) = self.steps.push_within_capacity(step) {
            self.answer(step.io, Err(ENOMEM));
        }
    }

    /// Copies the data of writes from the guest. Those whose data cannot be had are answered.
    fn fetch(&mut self) {
        let mut batch = self.copies.batch(self.vbd.id.domain);
        for Step { io, copies } in self.steps.iter_mut() {
            let Some(job) = &io.payload else { continue };
            if matches!(job.request, Request::Read(_)) {
                continue;
            }
            *copies = add_copies(&mut batch, job, &io.pages, Direction::FromGuest);
        }
        if batch.is_empty() {
            return;
        }
        let copied = batch.run();
        for step in self.steps.iter_mut() {
            if !copied.all_done(step.copies.clone()) {
                // An empty range, out of reach: marks the failure for `submit`.
                step.copies = FAILED;
            }
        }
    }

    /// Hands the jobs to the disk.
    fn submit(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let steps = core::mem::take(&mut self.steps);
        self.steps = blk::plugged(|| self.submit_steps(steps));
    }

    /// Submits each of `steps`, and returns the empty vector.
    fn submit_steps(&mut self, mut steps: KVec<Step>) -> KVec<Step> {
        for Step { io, copies } in steps.drain_all() {
            if copies == FAILED {
                self.barrier = false;
                self.answer(io, Err(EFAULT));
                continue;
            }
            let Some(job) = &io.payload else { continue };
            let operation = job.operation();
            let (sector, bytes) = job
                .transfer()
                .map_or((0, 0), |transfer| (transfer.start().0, transfer.len()));
            match io.submit(operation, sector, bytes as usize) {
                Ok(()) => self.submitted = self.submitted.saturating_add(1),
                Err(io) => {
                    self.barrier = false;
                    self.answer(io, Err(EIO));
                }
            }
        }
        steps
    }

    /// Step 4: what the disk has finished is copied to the guest, and answered. Returns whether there was
    /// any.
    fn complete(&mut self) -> bool {
        for io in self.completions.take() {
            self.submitted = self.submitted.saturating_sub(1);
            self.push_step(io);
        }
        if self.steps.is_empty() {
            return false;
        }
        self.barrier = false;

        let mut batch = self.copies.batch(self.vbd.id.domain);
        for Step { io, copies } in self.steps.iter_mut() {
            match &io.payload {
                Some(job) if matches!(job.request, Request::Read(_)) && io.result().is_ok() => {
                    *copies = add_copies(&mut batch, job, &io.pages, Direction::ToGuest);
                }
                _ => *copies = 0..0,
            }
        }
        let copied = batch.run();
        for step in self.steps.iter_mut() {
            if !copied.all_done(step.copies.clone()) {
                step.copies = FAILED;
            }
        }
        let mut steps = core::mem::take(&mut self.steps);
        for Step { io, copies } in steps.drain_all() {
            let result = if copies == FAILED {
                Err(EFAULT)
            } else {
                io.result()
            };
            self.answer(io, result);
        }
        self.steps = steps;
        true
    }

    /// Answers a request, and keeps what it was made of.
    fn answer(&mut self, mut io: KBox<Io<Option<Job>>>, result: Result) {
        if let Some(job) = io.payload.take() {
            if let Err(error) = result {
                self.complain(&job, error);
            }
            self.ring.put(job.slot, status(result));
        }
        self.pool.put(io);
    }

    /// Says that a request failed.
    fn complain(&mut self, job: &Job, error: Error) {
        let errno = errno(error);
        if matches!(job.request, Request::Flush(None)) {
            self.log.say(&Message::FlushFailed {
                path: self.vbd.id.dev.nodename().to_bytes(),
                errno,
            });
        }
        self.log.say(&Message::IoError {
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
        if core::mem::replace(&mut self.halted, true) {
            return;
        }
        self.log
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

/// Marks a step whose data could not be copied.
const FAILED: Range<usize> = usize::MAX..usize::MAX;

/// Which way data is copied.
#[derive(Clone, Copy)]
enum Direction {
    FromGuest,
    ToGuest,
}

/// Adds the copies between the guest's pages and `pages`, where a job's data is packed. Returns which they
/// are.
fn add_copies<'page>(
    batch: &mut CopyBatch<'_, 'page>,
    job: &Job,
    pages: &'page [Page],
    direction: Direction,
) -> Range<usize> {
    let first = batch.len();
    let pieces = job.transfer().into_iter().flat_map(Transfer::pieces);
    for piece in pieces {
        let Some(page) = pages.get(piece.page) else {
            return FAILED;
        };
        let local = Local {
            page,
            offset: piece.local_offset,
        };
        let remote = Remote {
            gref: piece.gref,
            offset: piece.remote_offset,
        };
        let added = match direction {
            Direction::FromGuest => batch.from_peer(remote, local, piece.len),
            Direction::ToGuest => batch.to_peer(local, remote, piece.len),
        };
        if added.is_err() {
            return FAILED;
        }
    }
    first..batch.len()
}

/// What a request that ended so is answered.
fn status(result: Result) -> Status {
    match result {
        Ok(()) => Status::Okay,
        Err(e) if e == EOPNOTSUPP => Status::Unsupported,
        Err(_) => Status::Error,
    }
}
