// SPDX-License-Identifier: GPL-2.0

//! Getting the data of many requests to where the disk can reach it, and back to the guest.
//!
//! There are two ways. Xen *copies* between the guest's pages and ours; or the guest's pages are *mapped*,
//! and the disk works on them. All copies of a round are one hypercall, and so are all mappings, and all that
//! are given back. If the guest grants the same pages again and again, and has said so, mappings are kept.
//! When there is no room for a mapping, the data is copied: that is never an error.

use crate::{
    budget::Allowance,
    job::{
        Data,
        Failure,
        Job,
        Room, //
    },
    kept::Kept,
    statistics::QueueStatistics, //
};
use kernel::{
    alloc::{
        flags::GFP_NOWAIT,
        Flags, //
    },
    page::Page,
    prelude::*,
    sync::Arc, //
};
use xenbus::grant::{
    Access,
    CopyBatch,
    CopyBuffer,
    Local,
    Mapper,
    NotMapped,
    Remote, //
};
use xenbus_proto::{
    number::DomainId,
    packing::pieces,
    request::{
        DiskLimits,
        Indirect,
        Parsed,
        Reject,
        Request,
        Transfer, //
    },
};

/// Which way data is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    FromGuest,
    ToGuest,
}

/// What moves the data of one ring.
pub(crate) struct Mover {
    guest: DomainId,
    copies: CopyBuffer,
    mapper: Mapper,
    /// Mappings that are kept, if the guest wants that.
    kept: Option<Kept>,
    /// Transfers of up to this many bytes are copied, if mappings are not kept.
    copy_max: u32,
    /// For mapped pages, kept or in use.
    allowance: Allowance,
    statistics: Arc<QueueStatistics>,
}

impl Mover {
    /// For requests of `guest`.
    pub(crate) fn new(
        guest: DomainId,
        kept: Option<Kept>,
        copy_max: u32,
        statistics: Arc<QueueStatistics>,
    ) -> Result<Self> {
        Ok(Self {
            guest,
            copies: CopyBuffer::new(0)?,
            mapper: Mapper::new(guest),
            kept,
            copy_max,
            allowance: Allowance::new(guest),
            statistics,
        })
    }

    /// Whether a transfer is to be copied rather than mapped.
    #[inline]
    pub(crate) fn copies(&self, transfer: &Transfer) -> bool {
        transfer.must_be_packed() || self.kept.is_none() && transfer.len() <= self.copy_max
    }

    /// Plans to have the data of a request copied. It has the pages for it.
    #[inline]
    pub(crate) fn plan_copy(room: &mut Room, transfer: Transfer, flags: Flags) -> Result {
        room.reserve(transfer.pages(), flags)?;
        room.use_pages(transfer.blocks_len())?;
        room.payload.data = Data::Copied;
        Ok(())
    }

    /// Plans to have the data of a request mapped: at once where a mapping was kept, otherwise with the next
    /// [`Mover::map`].
    ///
    /// # Errors
    ///
    /// There is no room; nothing was planned.
    #[inline]
    pub(crate) fn plan_mapping(&mut self, room: &mut Room) -> Result {
        let result = self.try_plan_mapping(room);
        match result {
            Ok(()) => room.payload.data = Data::Mapped,
            Err(_) => self.give_back(room),
        }
        result
    }

    #[inline]
    fn try_plan_mapping(&mut self, room: &mut Room) -> Result {
        let count = room.payload.segments().len();
        room.reserve_mappings(count, GFP_NOWAIT)?;
        room.use_mappings();
        let access = self.access(&room.payload);
        let mut reserved = 0;
        for part in 0..count {
            let segment = *room.payload.segments.get(part).ok_or(EINVAL)?;
            let kept = match &mut self.kept {
                Some(kept) => kept.take(segment.gref()),
                None => None,
            };
            if kept.is_none() {
                // Once there is room for the rest, asking for it does not fail.
                if reserved == 0 {
                    reserved = count.saturating_sub(part);
                    self.reserve(reserved)?;
                }
                reserved = reserved.saturating_sub(1);
                self.mapper.want(segment.gref(), access);
            }
            room.add_mapping(segment.offset(), segment.len(), kept)?;
        }
        // Those that were kept after all.
        self.allowance.give(reserved);
        Ok(())
    }

    /// Makes room for so many more pages to be mapped.
    #[inline]
    fn reserve(&mut self, pages: usize) -> Result {
        self.mapper.reserve(pages)?;
        match self.allowance.take(pages) {
            Err(_) if self.give_up(pages) => self.allowance.take(pages),
            result => result,
        }
    }

    /// Gives up mappings that are kept, up to so many. Returns whether there were any.
    #[cold]
    pub(crate) fn give_up(&mut self, pages: usize) -> bool {
        let mut given_up = 0;
        while given_up < pages {
            let Some(mapping) = self.kept.as_mut().and_then(Kept::evict) else {
                break;
            };
            self.mapper.unwant(mapping);
            given_up = given_up.saturating_add(1);
        }
        self.mapper.unmap();
        self.allowance.give(given_up);
        self.allowance.settle();
        given_up > 0
    }

    /// What the disk may do with the guest's pages. Kept mappings serve reads and writes alike.
    fn access(&self, job: &Job) -> Access {
        match job.is_read() || self.kept.is_some() {
            true => Access::Write,
            false => Access::Read,
        }
    }

    /// Maps what was planned to be. A request with a page that could not be mapped has failed then;
    /// returns whether there was room for all, so that none has to be copied instead.
    pub(crate) fn map(&mut self, jobs: &mut [KBox<Room>]) -> bool {
        if self.mapper.wanted() == 0 {
            return true;
        }
        self.statistics.mapped(self.mapper.wanted());
        let mut room_for_all = true;
        let mut mapped = self.mapper.map();
        for room in jobs
            .iter_mut()
            .filter(|room| room.payload.data == Data::Mapped)
        {
            let mut from = 0;
            while let Some(part) = room.next_missing(from) {
                from = part.saturating_add(1);
                match mapped.next() {
                    // The part is one that is missing, so it is taken.
                    Some(Ok(mapping)) => drop(room.put_mapping(part, mapping)),
                    Some(Err(NotMapped::NoRoom)) => {
                        self.allowance.give(1);
                        if room.payload.result.is_ok() {
                            self.statistics.fell_back();
                        }
                        room_for_all = false;
                        room.payload.result = Err(Failure::NoRoom);
                    }
                    Some(Err(NotMapped::Refused)) | None => {
                        self.allowance.give(1);
                        room.payload.result = Err(Failure::Grant);
                    }
                }
            }
        }
        room_for_all
    }

    /// Gives a request's mappings back: keeps them, or has them unmapped with the next [`Mover::unmap`].
    #[inline]
    pub(crate) fn give_back(&mut self, room: &mut Room) {
        room.payload.data = Data::None;
        for mapping in room.take_mappings() {
            let unwanted = match &mut self.kept {
                Some(kept) => kept.put(mapping),
                None => Some(mapping),
            };
            if let Some(mapping) = unwanted {
                self.mapper.unwant(mapping);
                self.allowance.give(1);
            }
        }
    }

    /// Unmaps what was given back and is not kept.
    #[inline]
    pub(crate) fn unmap(&mut self) {
        self.mapper.unmap();
    }

    /// Whether there is anything to give back, now or after a while.
    #[inline]
    pub(crate) fn keeps(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| !kept.is_empty())
    }

    /// How many mappings are kept.
    #[inline]
    pub(crate) fn kept(&self) -> usize {
        self.kept.as_ref().map_or(0, Kept::len)
    }

    /// Pages that the guest is charged.
    pub(crate) fn charged(&self) -> usize {
        self.allowance.granted()
    }

    /// Gives back what was not used since the last call.
    pub(crate) fn trim(&mut self) {
        while let Some(mapping) = self.kept.as_mut().and_then(Kept::sweep) {
            self.mapper.unwant(mapping);
            self.allowance.give(1);
        }
        self.mapper.unmap();
        self.mapper.rest();
        self.copies.rest();
        self.allowance.settle();
    }

    /// Copies the segments of indirect requests into pages of their own, of which they have as many as they
    /// need, and reads them.
    pub(crate) fn fetch_segments(&mut self, jobs: &mut [KBox<Room>], limits: &DiskLimits) {
        let mut batch = self.copies.batch(self.guest);
        for room in jobs.iter_mut() {
            let (pages, job) = room.pages_and_payload();
            if let Parsed::Indirect(indirect) = &job.parsed {
                let first = batch.len();
                job.result = plan_fetch(&mut batch, indirect, pages).map_err(Failure::Kernel);
                job.copies = first..batch.len();
            }
        }
        if batch.is_empty() {
            return;
        }
        let copied = batch.run();
        for room in jobs.iter_mut() {
            let Parsed::Indirect(indirect) = room.payload.parsed else {
                continue;
            };
            if room.payload.result.is_err() {
                continue;
            }
            if !copied.all_done(room.payload.copies.clone()) {
                room.payload.result = Err(Failure::Grant);
                continue;
            }
            match read_segments(room, indirect, limits) {
                Ok(request) => room.payload.parsed = Parsed::Request(request),
                Err(reject) => room.payload.result = Err(Failure::Invalid(reject)),
            }
        }
    }

    /// Copies the data of writes from the guest.
    #[inline]
    pub(crate) fn copy_from_guest(&mut self, jobs: &mut [KBox<Room>]) {
        self.copy(jobs, Direction::FromGuest);
    }

    /// Copies the data of reads to the guest, once the disk has done them.
    #[inline]
    pub(crate) fn copy_to_guest(&mut self, jobs: &mut [KBox<Room>]) {
        self.copy(jobs, Direction::ToGuest);
    }

    fn copy(&mut self, jobs: &mut [KBox<Room>], direction: Direction) {
        let wanted = |job: &Job| {
            let to_guest = direction == Direction::ToGuest;
            job.data == Data::Copied
                && job.is_read() == to_guest
                && job.result.is_ok()
                && !job.needs_blocks()
        };
        let mut batch = self.copies.batch(self.guest);
        for room in jobs.iter_mut().filter(|room| wanted(&room.payload)) {
            let (pages, job) = room.pages_and_payload();
            let first = batch.len();
            job.result = plan(&mut batch, job, pages, direction).map_err(Failure::Kernel);
            job.copies = first..batch.len();
        }
        if batch.is_empty() {
            return;
        }
        self.statistics.copied(batch.len());
        let copied = batch.run();
        for room in jobs.iter_mut().filter(|room| wanted(&room.payload)) {
            if !copied.all_done(room.payload.copies.clone()) {
                room.payload.result = Err(Failure::Grant);
            }
        }
    }
}

/// Adds the copies of the pages that hold an indirect request's segments, to the start of `pages`.
fn plan_fetch<'page>(
    batch: &mut CopyBatch<'_, 'page>,
    indirect: &Indirect,
    pages: &'page [Page],
) -> Result {
    for (place, (gref, len)) in indirect.pages().enumerate() {
        let page = pages.get(place).ok_or(EINVAL)?;
        let remote = Remote { gref, offset: 0 };
        batch.from_peer(remote, Local { page, offset: 0 }, u16::try_from(len)?)?;
    }
    Ok(())
}

/// Makes a request of an indirect one whose segments are in the pages of `room`.
fn read_segments(
    room: &mut Room,
    mut indirect: Indirect,
    limits: &DiskLimits,
) -> Result<Request, Reject> {
    for place in 0..indirect.pages().count() {
        if let Some((bytes, job)) = room.contents_and_payload(place) {
            indirect.parse_page(bytes, limits, &mut job.segments)?;
        }
    }
    indirect.finish(limits)
}

/// Adds the copies between the guest's pages and `pages`, where a request's data is packed.
fn plan<'page>(
    batch: &mut CopyBatch<'_, 'page>,
    job: &Job,
    pages: &'page [Page],
    direction: Direction,
) -> Result {
    let before = job.transfer().map_or(0, |transfer| transfer.bytes_before());
    for piece in pieces(job.segments(), before) {
        let local = Local {
            page: pages.get(piece.page).ok_or(EINVAL)?,
            offset: piece.local_offset,
        };
        let remote = Remote {
            gref: piece.gref,
            offset: piece.remote_offset,
        };
        match direction {
            Direction::FromGuest => batch.from_peer(remote, local, piece.len),
            Direction::ToGuest => batch.to_peer(local, remote, piece.len),
        }?;
    }
    Ok(())
}
