// SPDX-License-Identifier: GPL-2.0

//! What is told of the requests of one queue: in statistics, as trace events, and in the log.

use crate::{
    job::{
        Failure,
        Job, //
    },
    say::errno,
    statistics::{
        ErrorClass,
        QueueStatistics,
        Stage, //
    },
    vbd::Vbd, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use xenbus::trace;
use xenbus_proto::{
    blkif::Status,
    message::Message,
    problem::Problem,
    request::{
        Parsed,
        Reject, //
    },
    ring::{
        BadProducer,
        Notify, //
    }, //
};

/// Tells of the requests of one queue.
pub(crate) struct Reporter {
    vbd: Arc<Vbd>,
    statistics: Arc<QueueStatistics>,
    queue: u16,
}

impl Reporter {
    /// For the queue with this number.
    pub(crate) fn new(vbd: Arc<Vbd>, queue: usize) -> Result<Self> {
        Ok(Self {
            statistics: vbd.statistics.queue(queue)?,
            queue: u16::try_from(queue)?,
            vbd,
        })
    }

    /// The queue's statistics.
    pub(crate) fn statistics(&self) -> Arc<QueueStatistics> {
        self.statistics.clone()
    }

    /// So many requests were taken off the ring together.
    #[inline]
    pub(crate) fn batch(&self, requests: u32) {
        self.statistics.batch(requests);
    }

    /// A request was taken off the ring. Whether an indirect one is valid is known later: then this is
    /// called again.
    #[inline]
    pub(crate) fn taken(&self, job: &mut Job) {
        if job.stamp.is_none() {
            job.stamp = self.statistics.stamp();
        }
        if let Parsed::Request(request) = &job.parsed {
            self.statistics.taken(request);
            trace::request_taken(|| self.traced(job, None));
        }
    }

    /// A request makes no sense.
    #[cold]
    pub(crate) fn refused(&self, reject: &Reject) {
        self.statistics.refused(reject);
        self.vbd.log.lock().say(&Message::Rejected {
            name: self.vbd.id.name.as_str(),
            reason: reject.reason,
        });
    }

    /// So many pages are charged to the guest for this queue, and so many of them could be given back.
    #[inline]
    pub(crate) fn pages(&self, charged: usize, spare: usize) {
        self.statistics.pages(charged, spare);
    }

    /// A request has to wait for memory.
    #[cold]
    pub(crate) fn waits(&self) {
        self.statistics.wait();
    }

    /// The disk is handed a request.
    #[inline]
    pub(crate) fn submits(&self, job: &mut Job) {
        self.step(job, Stage::RingToSubmit);
        trace::request_submitted(|| self.traced(job, None));
    }

    /// The disk has done a request.
    #[inline]
    pub(crate) fn completed(&self, job: &mut Job) {
        self.step(job, Stage::SubmitToComplete);
        trace::request_completed(|| self.traced(job, None));
    }

    /// A request is answered.
    #[inline]
    pub(crate) fn answers(&self, job: &mut Job, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.failed(job, failure);
        }
        self.step(job, Stage::CompleteToResponse);
        trace::request_answered(|| {
            let status = result.map_or_else(Failure::status, |()| Status::Okay);
            self.traced(job, Some(status))
        });
    }

    #[cold]
    fn failed(&self, job: &Job, failure: Failure) {
        let (class, error) = match failure {
            Failure::Invalid(reject) => return self.refused(&reject),
            Failure::NoRoom => (ErrorClass::Grant, ENOMEM),
            Failure::Grant => (ErrorClass::Grant, EFAULT),
            Failure::Deserted => return,
            Failure::Kernel(error) => (ErrorClass::Device, error),
        };
        self.statistics.error(class);
        let errno = errno(error);
        let mut log = self.vbd.log.lock();
        if job.is_flush() && job.transfer().is_none() {
            log.say(&Message::FlushFailed {
                path: self.vbd.id.dev.nodename().to_bytes(),
                errno,
            });
        }
        log.say(&Message::IoError {
            domain: self.vbd.id.domain,
            errno,
        });
    }

    /// All there was to move on was moved on, and the guest shown so many answers.
    #[inline]
    pub(crate) fn pushed(&self, taken: u32, answered: u32, notify: Notify) {
        if answered > 0 {
            self.statistics.pushed(notify);
        }
        trace::drain(|| trace::Drain {
            queue: self.traced_queue(),
            taken,
            answered,
            notified: notify == Notify::Yes,
        });
    }

    /// The guest's counters are impossible.
    #[cold]
    pub(crate) fn ring_is_broken(&self, bad: BadProducer) {
        let problem = Problem::RingHalted(bad);
        self.vbd.log.lock().report(&self.vbd.id, EINVAL, &problem);
        self.vbd.kick();
    }

    #[inline]
    fn step(&self, job: &mut Job, stage: Stage) {
        if job.stamp.is_some() {
            let now = self.statistics.stamp();
            self.statistics.took(stage, job.stamp, now);
            job.stamp = now;
        }
    }

    #[cold]
    fn traced(&self, job: &Job, status: Option<Status>) -> trace::Request {
        trace::Request {
            queue: self.traced_queue(),
            id: job.slot.as_ref().map_or(0, |slot| slot.id()),
            sector: job.sector(),
            sectors: job.transfer().map_or(0, |transfer| transfer.sectors()),
            operation: job.slot.as_ref().map_or(0, |slot| slot.operation()),
            status: status.map_or(0, Status::to_raw),
        }
    }

    fn traced_queue(&self) -> trace::Queue {
        trace::Queue {
            domain: self.vbd.id.domain.0,
            index: self.queue,
            handle: self.vbd.id.handle.0,
        }
    }
}
