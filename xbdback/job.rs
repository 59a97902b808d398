// SPDX-License-Identifier: GPL-2.0

//! A request on its way through the backend.

use core::ops::Range;
use kernel::{
    alloc::Flags,
    prelude::*, //
};
use xenbus::{
    blk::{
        Io,
        Merging,
        Operation, //
    },
    clock::Instant, //
};
use xenbus_proto::{
    blkif::{
        Status,
        MAX_SEGMENTS, //
    },
    request::{
        Discard,
        Parsed,
        Reject,
        Request,
        Segment,
        Transfer, //
    },
    ring::Slot, //
};

/// The room for a request to the disk, with the job it is for while it is in use.
pub(crate) type Room = Io<Job>;

/// What is known of a request; reused for many.
pub(crate) struct Job {
    /// The duty to answer it; none while the room is not in use.
    pub(crate) slot: Option<Slot>,
    pub(crate) parsed: Parsed,
    /// Where its data is in the guest's pages.
    pub(crate) segments: KVec<Segment>,
    /// Where its data is while the disk works on it.
    pub(crate) data: Data,
    /// Its own among the copies that are made together.
    pub(crate) copies: Range<usize>,
    /// It is a part of blocks to write, and their old contents are in its pages.
    pub(crate) has_blocks: bool,
    /// What has become of it so far.
    pub(crate) result: Result<(), Failure>,
    /// Whether it may share a request to the device with others.
    pub(crate) merging: Merging,
    /// Sectors that were discarded so far.
    pub(crate) discarded: u64,
    /// When it last got further, if that is measured.
    pub(crate) stamp: Option<Instant>,
}

/// Where a request's data is while the disk works on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// There is none.
    None,
    /// In our own pages; Xen copies between them and the guest's.
    Copied,
    /// In the guest's own pages, which are mapped.
    Mapped,
}

/// Why a request was not done.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// It makes no sense.
    Invalid(Reject),
    /// There was no room to map its data: it has to be copied.
    NoRoom,
    /// The guest has not granted a page that it names, or not so.
    Grant,
    /// The disk failed, or there was no memory.
    Kernel(Error),
    /// Nobody waits for it any more.
    Deserted,
}

impl Failure {
    /// What the guest is answered.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Invalid(reject) => reject.status,
            Self::Kernel(error) if error == EOPNOTSUPP => Status::Unsupported,
            Self::NoRoom | Self::Grant | Self::Kernel(_) | Self::Deserted => Status::Error,
        }
    }
}

/// What stands in a job that is not in use.
const NO_REQUEST: Parsed = Parsed::Request(Request::Flush(None));

impl Job {
    /// A job for a direct request.
    pub(crate) fn new(flags: Flags) -> Result<Self> {
        Ok(Self {
            slot: None,
            parsed: NO_REQUEST,
            segments: KVec::from_elem(Segment::UNUSED, MAX_SEGMENTS, flags)?,
            data: Data::None,
            copies: 0..0,
            has_blocks: false,
            result: Ok(()),
            merging: Merging::Allowed,
            discarded: 0,
            stamp: None,
        })
    }

    /// Makes room for `count` segments.
    pub(crate) fn reserve_segments(&mut self, count: usize, flags: Flags) -> Result {
        if self.segments.len() < count {
            self.segments.resize(count, Segment::UNUSED, flags)?;
        }
        Ok(())
    }

    /// Makes it the job of answering a request, of which nothing has been done yet.
    #[inline]
    pub(crate) fn begin(&mut self, slot: Slot, parsed: Parsed) {
        self.slot = Some(slot);
        self.parsed = parsed;
        self.data = Data::None;
        self.copies = 0..0;
        self.has_blocks = false;
        self.result = Ok(());
        self.merging = Merging::Allowed;
        self.discarded = 0;
        self.stamp = None;
    }

    /// The data to move, if any.
    #[inline]
    pub(crate) fn transfer(&self) -> Option<Transfer> {
        match self.parsed {
            Parsed::Request(Request::Read(transfer) | Request::Write(transfer)) => Some(transfer),
            Parsed::Request(Request::Flush(transfer) | Request::Barrier(transfer)) => transfer,
            _ => None,
        }
    }

    /// What to discard, if that is what it is about.
    #[inline]
    pub(crate) fn discard(&self) -> Option<Discard> {
        match self.parsed {
            Parsed::Request(Request::Discard(discard)) => discard,
            _ => None,
        }
    }

    /// Where the data is in the guest's pages.
    #[inline]
    pub(crate) fn segments(&self) -> &[Segment] {
        self.transfer()
            .map_or(&[], |transfer| transfer.segments(&self.segments))
    }

    /// Whether the data goes to the guest.
    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.parsed, Parsed::Request(Request::Read(_)))
    }

    /// Whether its answer is a promise that something is durable.
    pub(crate) fn is_flush(&self) -> bool {
        matches!(
            self.parsed,
            Parsed::Request(Request::Flush(_) | Request::Barrier(_))
        )
    }

    /// Where the disk is to start: at a whole block, and with what is left of a discard.
    #[inline]
    pub(crate) fn sector(&self) -> u64 {
        match (self.transfer(), self.discard()) {
            (Some(transfer), _) => transfer.blocks_start().0,
            (None, Some(discard)) => discard.start().0.saturating_add(self.discarded),
            (None, None) => 0,
        }
    }

    /// Whether nothing may overtake it, nor be overtaken by it.
    #[inline]
    pub(crate) fn is_barrier(&self) -> bool {
        matches!(self.parsed, Parsed::Request(Request::Barrier(_)))
    }

    /// Whether it writes a part of a block. The block has to be read before, and nothing else may write to
    /// it meanwhile.
    #[inline]
    pub(crate) fn changes_blocks(&self) -> bool {
        !self.is_read()
            && self
                .transfer()
                .is_some_and(|transfer| transfer.is_partial())
    }

    /// Whether nothing else may be with the disk while it is.
    #[inline]
    pub(crate) fn is_exclusive(&self) -> bool {
        self.is_barrier() || self.changes_blocks()
    }

    /// Whether the next thing to do is to read the blocks that it changes.
    #[inline]
    pub(crate) fn needs_blocks(&self) -> bool {
        !self.has_blocks && self.changes_blocks()
    }

    /// What the disk is to do next; nothing when the request is complete as it is.
    #[inline]
    pub(crate) fn operation(&self) -> Option<Operation> {
        if self.needs_blocks() {
            return Some(Operation::Read);
        }
        match self.parsed {
            Parsed::Request(request) => match request {
                Request::Read(_) => Some(Operation::Read),
                Request::Write(_) => Some(Operation::Write),
                Request::Flush(_) => Some(Operation::Flush),
                Request::Barrier(_) => Some(Operation::Barrier),
                Request::Discard(Some(discard)) if discard.secure() => Some(Operation::SecureErase),
                Request::Discard(Some(_)) => Some(Operation::Discard),
                Request::Discard(None) => None,
            },
            Parsed::Indirect(_) => None,
        }
    }
}
