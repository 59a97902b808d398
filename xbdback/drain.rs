// SPDX-License-Identifier: GPL-2.0

//! The data path: from the ring to the disk, and back.
//!
//! One thread owns a ring and all that serves it. Each time it is woken it *drains*: it takes the
//! requests that wait, at most a quantum, and moves all of them one step at a time,
//!
//! 1. [`Worker::take`]: copied out of the shared page once, and validated; bad ones are answered here;
//! 2. [`Worker::stage`]: it is decided how the data gets to the disk, by copy or by mapping. An indirect
//!    request passes here twice: first it gets pages, into which [`Worker::fetch_segments`] copies its
//!    segments, one hypercall for all; then it is a request like the others;
//! 3. [`Worker::move_in`]: pages are mapped, the data of writes is copied, one hypercall each for all;
//! 4. [`Worker::submit`]: handed to the disk under one plug;
//!
//! and what the disk has finished goes back, also all at once:
//!
//! 5. [`Worker::complete`]: the data of reads is copied, pages are unmapped, one hypercall each for all;
//! 6. [`Worker::answer`]: the answers are put on the ring, and shown to the guest once per round.
//!
//! A write of a part of a block goes to the disk twice: it is read with its blocks first, and completed by
//! being written ([`Worker::completed`]).
//!
//! This file is the thread's own: when it works, waits, and ends. The steps are in `drain/start.rs` and
//! `drain/complete.rs`.

mod complete;
mod start;

use crate::{
    barrier::Passage,
    discard::Discards,
    job::{
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
    alloc::kvec::PushError,
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use xenbus::{
    alarm::Alarm,
    blk::{
        Completions,
        Disk, //
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
    number::DomainId,
    request::Discards as DiscardsOffered,
    ring::{
        BackRing,
        BadProducer, //
    },
    slot::RawSlot, //
};

/// How often the next requests are waited for in Xen before the guest's event is taken as such again: a guest
/// that sends events without end is found out by their handler.
const LINGERS: usize = 256;

/// How often such a wait may end without a request, before it is given up.
const POLLS: usize = 3;

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
    /// Parts of the disk's blocks: the guest was not told, but many do not ask.
    pub(crate) partial_blocks: bool,
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
    starved_requests: KVec<KBox<Room>>,
    /// Discards that wait for others.
    discards: Discards,
    /// Writes of parts of blocks: each waits until it is alone; nothing after them is taken until then.
    exclusive: KVec<KBox<Room>>,
    /// A barrier that waits until everything before it is done, as do those.
    barrier: Option<KBox<Room>>,
    /// One of them is with the disk: nothing is started until it is done.
    runs_alone: bool,
    /// The way past the barriers of the connection's other rings, if it has others.
    passage: Option<Passage>,
    /// What waits to be alone waits for other rings; they ring the bell.
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
                for _ in 0..LINGERS {
                    if !self.lingers() {
                        break;
                    }
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
            starved_requests: KVec::with_capacity(slots, GFP_KERNEL)?,
            discards: Discards::new(slots)?,
            ring,
            exclusive: KVec::with_capacity(slots, GFP_KERNEL)?,
            barrier: None,
            runs_alone: false,
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
        loop {
            self.completions.look();
            self.start();
            self.complete();
            self.show_answers();
            if self.signals.stopping() {
                return;
            }
            if self.completions.listen() && !self.more_to_start() {
                return self.rest();
            }
            if self.shrinker.take() {
                self.squeeze();
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
        for polls in 0..=POLLS {
            if self.signals.bell.is_rung() || !thread::is_alone() {
                return false;
            }
            self.channel.forget();
            if self.more_to_start() {
                return true;
            }
            if polls == POLLS || self.pace.is_late(Instant::now().since(begin)) {
                break;
            }
            self.channel.poll();
        }
        self.pace.slows_down();
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
        let waits = self.waits_to_be_alone() || !self.starved_requests.is_empty();
        if self.submitted == 0 && waits && !self.not_alone {
            return self.passes();
        }
        if self.signals.halted()
            || self.barred()
            || self.starved
            || !self.starved_requests.is_empty()
        {
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

    /// Whether a request of this ring that is done alone keeps others from being taken.
    fn barred(&self) -> bool {
        self.runs_alone || self.waits_to_be_alone()
    }

    fn waits_to_be_alone(&self) -> bool {
        self.barrier.is_some() || !self.exclusive.is_empty()
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
        if !self.alarm.is_set() {
            self.set_alarm();
        }
        if self.submitted > 0 {
            return;
        }
        if let Some(passage) = &mut self.passage {
            passage.leave();
        }
    }

    /// Sees to it that what is not used from now on is given back after a while.
    fn set_alarm(&mut self) {
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
        self.rest();
    }

    /// Memory is short: gives back what is not in use.
    #[cold]
    fn squeeze(&mut self) {
        self.pool.squeeze();
        self.mover.trim();
        self.rest();
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
            self.show_answers();
            if self.submitted == 0 {
                // One by one, they would take a hypercall each.
                self.mover.give_up(usize::MAX);
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
