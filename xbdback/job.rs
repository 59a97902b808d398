// SPDX-License-Identifier: GPL-2.0

//! A request on its way through the backend.

use xenbus::blk::{
    Io,
    Operation, //
};
use xenbus_proto::{
    blkif::MAX_SEGMENTS,
    request::{
        Request,
        Segment,
        Transfer, //
    },
    ring::Slot, //
};

/// A valid request, and the duty to answer it.
pub(crate) struct Job {
    pub(crate) slot: Slot,
    pub(crate) request: Request,
    /// Room for the segments of its data.
    pub(crate) segments: [Segment; MAX_SEGMENTS],
}

/// The room for a request to the disk, with the job it is for while it is in use.
pub(crate) type Room = Io<Option<Job>>;

impl Job {
    /// The data to move, if any.
    pub(crate) fn transfer(&self) -> Option<&Transfer> {
        match &self.request {
            Request::Read(transfer) | Request::Write(transfer) => Some(transfer),
            Request::Flush(transfer) | Request::Barrier(transfer) => transfer.as_ref(),
            Request::Discard(_) => None,
        }
    }

    /// The guest's pages that hold the data.
    pub(crate) fn segments(&self) -> &[Segment] {
        self.transfer()
            .map_or(&[], |transfer| transfer.segments(&self.segments))
    }

    /// Pages of ours that the data needs.
    pub(crate) fn pages(&self) -> usize {
        self.transfer().map_or(0, Transfer::pages)
    }

    /// Whether the data goes to the guest.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.request, Request::Read(_))
    }

    /// Whether nothing may overtake it, nor be overtaken by it.
    pub(crate) fn is_barrier(&self) -> bool {
        matches!(self.request, Request::Barrier(_))
    }

    /// What the disk is to do.
    pub(crate) fn operation(&self) -> Operation {
        match self.request {
            Request::Read(_) => Operation::Read,
            Request::Write(_) => Operation::Write,
            // A discard is never taken, since none is offered.
            Request::Flush(_) | Request::Discard(_) => Operation::Flush,
            Request::Barrier(_) => Operation::Barrier,
        }
    }
}
