// SPDX-License-Identifier: GPL-2.0

//! What a disk has done: counted by its queues' threads, shown to an administrator.
//!
//! A [`QueueStatistics`] belongs to one queue of one disk. Its methods are called by the queue's thread and by
//! no other, which is why they cost no more than an addition. It outlives the connection: a guest that connects
//! again goes on counting where it was, so that no figure ever goes back. Whoever reads adds up the queues.
//!
//! Readers have nothing of the guest's nor of the connection's: they can come at any time.

use crate::params;
use core::{
    fmt::{
        self,
        Write, //
    },
    sync::atomic::{
        AtomicU64,
        Ordering::Relaxed, //
    },
};
use kernel::{
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::{
        Arc,
        Mutex, //
    },
};
use xenbus::{
    clock::Instant,
    debugfs::{
        Directory,
        File,
        Show, //
    }, //
};
use xenbus_proto::{
    blkif::Status,
    counter::Counter,
    histogram::Histogram,
    request::{
        Reject,
        Request,
        Transfer, //
    },
    ring::Notify, //
};

/// Why a request was not done.
#[derive(Clone, Copy)]
pub(crate) enum ErrorClass {
    /// It breaks a rule of the protocol or of the disk: segments, sectors, a write to a read-only disk.
    Invalid,
    /// An operation that is not known, or was not offered.
    Unsupported,
    /// The guest's pages could not be mapped or copied.
    Grant,
    /// The disk failed.
    Device,
}

/// A part of a request's way.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// From being taken off the ring to being handed to the disk.
    RingToSubmit,
    /// From there to the end of the last of its I/O.
    SubmitToComplete,
    /// From there to the answer being on the ring.
    CompleteToResponse,
}

/// Up to 2³⁵ nanoseconds, 34 seconds.
type Latency = Histogram<36>;

/// What one queue has done.
#[derive(Default)]
pub(crate) struct QueueStatistics {
    pub(crate) reads: Counter,
    pub(crate) writes: Counter,
    pub(crate) flushes: Counter,
    pub(crate) discards: Counter,
    pub(crate) sectors_read: Counter,
    pub(crate) sectors_written: Counter,
    pub(crate) waits: Counter,
    errors: [Counter; 4],
    batches: Histogram<12>,
    copies: Counter,
    maps: Counter,
    fallbacks: Counter,
    notified: Counter,
    suppressed: Counter,
    latencies: [Latency; 3],
    pages: Pages,
}

/// Pages of a queue when it was last at rest.
#[derive(Default)]
struct Pages {
    charged: AtomicU64,
    spare: AtomicU64,
}

/// To be called by the queue's thread.
impl QueueStatistics {
    /// A valid request was taken. What carries a flush and data counts as a flush, and its sectors as written.
    #[inline]
    pub(crate) fn taken(&self, request: &Request) {
        let sectors = |transfer: &Transfer| u64::from(transfer.len() / 512);
        match request {
            Request::Read(transfer) => {
                self.reads.add(1);
                self.sectors_read.add(sectors(transfer));
            }
            Request::Write(transfer) => {
                self.writes.add(1);
                self.sectors_written.add(sectors(transfer));
            }
            Request::Flush(transfer) | Request::Barrier(transfer) => {
                self.flushes.add(1);
                self.sectors_written
                    .add(transfer.as_ref().map_or(0, sectors));
            }
            Request::Discard(_) => self.discards.add(1),
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, reject: &Reject) {
        self.error(match reject.status {
            Status::Unsupported => ErrorClass::Unsupported,
            _ => ErrorClass::Invalid,
        });
    }

    /// A request had to wait for memory or for room in a budget.
    #[inline]
    pub(crate) fn wait(&self) {
        self.waits.add(1);
    }

    /// So many pages are charged to the guest for this queue, and so many of them could be given back.
    #[inline]
    pub(crate) fn pages(&self, charged: usize, spare: usize) {
        self.pages.charged.store(charged as u64, Relaxed);
        self.pages.spare.store(spare as u64, Relaxed);
    }

    /// A request was not done.
    pub(crate) fn error(&self, class: ErrorClass) {
        // CAST: the number of a variant.
        if let Some(counter) = self.errors.get(class as usize) {
            counter.add(1);
        }
    }

    /// So many requests were taken at once, if any.
    #[inline]
    pub(crate) fn batch(&self, requests: u32) {
        if requests > 0 {
            self.batches.record(requests.into());
        }
    }

    /// So many pieces of pages were copied by Xen.
    #[inline]
    pub(crate) fn copied(&self, pieces: usize) {
        self.copies.add(pieces as u64);
    }

    /// So many of the guest's pages were mapped.
    #[inline]
    pub(crate) fn mapped(&self, pages: usize) {
        self.maps.add(pages as u64);
    }

    /// A request was copied because there was no room to map it.
    #[inline]
    pub(crate) fn fell_back(&self) {
        self.fallbacks.add(1);
    }

    /// At least one answer was shown to the guest, which wanted to be notified or did not.
    #[inline]
    pub(crate) fn pushed(&self, notify: Notify) {
        match notify {
            Notify::Yes => self.notified.add(1),
            Notify::No => self.suppressed.add(1),
        }
    }

    /// The time now, if somebody wants to know how long requests take; else it is not looked at.
    #[inline]
    pub(crate) fn stamp(&self) -> Option<Instant> {
        params::measure_latency.value().then(Instant::now)
    }

    /// A stage took so long, if both times are known.
    #[inline]
    pub(crate) fn took(&self, stage: Stage, from: Option<Instant>, until: Option<Instant>) {
        if let (Some(from), Some(until)) = (from, until) {
            // CAST: the number of a variant.
            if let Some(latency) = self.latencies.get(stage as usize) {
                latency.record(until.since(from));
            }
        }
    }
}

impl QueueStatistics {
    /// How many requests were not done for this reason.
    pub(crate) fn errors(&self, class: ErrorClass) -> u64 {
        // CAST: the number of a variant.
        self.errors.get(class as usize).map_or(0, Counter::get)
    }
}

impl Show for QueueStatistics {
    fn show(&self, text: &mut dyn Write) -> fmt::Result {
        for (name, counter) in [
            ("pieces copied", &self.copies),
            ("pages mapped", &self.maps),
            ("requests copied for lack of room to map", &self.fallbacks),
            ("guest notified", &self.notified),
            ("guest not notified, as it did not wait", &self.suppressed),
        ] {
            writeln!(text, "{name}: {}", counter.get())?;
        }
        for (name, pages) in [
            ("pages charged", &self.pages.charged),
            ("pages idle or kept mapped", &self.pages.spare),
        ] {
            writeln!(text, "{name}: {}", pages.load(Relaxed))?;
        }
        write!(text, "requests taken at once: {}", self.batches)?;
        let stages = [
            "ring to submit",
            "submit to complete",
            "complete to response",
        ];
        for (name, latency) in stages.iter().zip(&self.latencies) {
            write!(text, "{name}, nanoseconds: {latency}")?;
        }
        Ok(())
    }
}

/// What a disk has done, from when it is probed until it is no more.
#[pin_data]
pub(crate) struct Statistics {
    #[pin]
    queues: Mutex<Queues>,
}

struct Queues {
    list: KVec<Arc<QueueStatistics>>,
    /// In debugfs, while the driver is bound.
    shown: Option<(Directory, KVec<File>)>,
}

impl Statistics {
    /// Nothing done, and nothing shown.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queues <- kernel::new_mutex!(Queues {
                list: KVec::new(),
                shown: None,
            }),
        })
    }

    /// Shows each queue in a file of debugfs, in a directory of this name.
    pub(crate) fn show(&self, name: &CStr) {
        // Without debugfs everything works all the same.
        let directory = crate::DEBUGFS.directory(name);
        self.queues.lock().shown = directory.ok().map(|directory| (directory, KVec::new()));
    }

    /// Shows nothing any more. Waits for those who read.
    pub(crate) fn hide(&self) {
        let shown = self.queues.lock().shown.take();
        drop(shown);
    }

    /// That of a queue, of which there is only one thread at a time.
    pub(crate) fn queue(&self, index: usize) -> Result<Arc<QueueStatistics>> {
        let mut queues = self.queues.lock();
        while queues.list.len() <= index {
            queues.grow()?;
        }
        queues.list.get(index).cloned().ok_or(ENOMEM)
    }

    /// The sum over all queues.
    pub(crate) fn sum(&self, of: impl Fn(&QueueStatistics) -> u64) -> u64 {
        let queues = self.queues.lock();
        queues
            .list
            .iter()
            .fold(0, |sum, queue| sum.wrapping_add(of(queue)))
    }
}

impl Queues {
    /// Adds a queue.
    fn grow(&mut self) -> Result {
        let queue = Arc::new(QueueStatistics::default(), GFP_KERNEL)?;
        if let Some((directory, files)) = &mut self.shown {
            let name = CString::try_from_fmt(format_args!("queue-{}", self.list.len()))?;
            files.push(directory.file(&name, queue.clone())?, GFP_KERNEL)?;
        }
        self.list.push(queue, GFP_KERNEL)?;
        Ok(())
    }
}
