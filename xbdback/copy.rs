// SPDX-License-Identifier: GPL-2.0

//! Moving the data of many jobs between the guest's pages and ours, in one hypercall.

use crate::job::{
    Job,
    Room, //
};
use core::ops::Range;
use kernel::{
    page::Page,
    prelude::*, //
};
use xenbus::grant::{
    CopyBatch,
    CopyBuffer,
    Local,
    Remote, //
};
use xenbus_proto::{
    number::DomainId,
    packing, //
};

/// A job among those that are moved on together.
pub(crate) struct Step {
    pub(crate) room: KBox<Room>,
    copies: Copies,
}

/// What has become of a job's data.
enum Copies {
    /// These of the batch are its own.
    Planned(Range<usize>),
    /// Not all of it could be copied.
    Failed,
}

/// Which way data is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    FromGuest,
    ToGuest,
}

impl Step {
    /// A job that has no data to copy, as far as we know.
    pub(crate) fn new(room: KBox<Room>) -> Self {
        Self {
            room,
            copies: Copies::Planned(0..0),
        }
    }

    /// Whether its data could be copied. An error is the guest's fault.
    pub(crate) fn copied(&self) -> Result {
        match self.copies {
            Copies::Planned(_) => Ok(()),
            Copies::Failed => Err(EFAULT),
        }
    }
}

/// Copies what the jobs want copied this way: the data of writes from the guest, of reads that the disk has
/// done to the guest.
pub(crate) fn copy_all(
    buffer: &mut CopyBuffer,
    guest: DomainId,
    steps: &mut [Step],
    direction: Direction,
) {
    let mut batch = buffer.batch(guest);
    for Step { room, copies } in steps.iter_mut() {
        let wanted = match &room.payload {
            Some(job) if direction == Direction::FromGuest && !job.is_read() => job,
            Some(job)
                if direction == Direction::ToGuest && job.is_read() && room.result().is_ok() =>
            {
                job
            }
            _ => continue,
        };
        *copies = plan(&mut batch, wanted, &room.pages, direction).unwrap_or(Copies::Failed);
    }
    if batch.is_empty() {
        return;
    }
    let copied = batch.run();
    for step in steps {
        match &step.copies {
            Copies::Planned(copies) if copied.all_done(copies.clone()) => {}
            _ => step.copies = Copies::Failed,
        }
    }
}

/// Adds the copies between the guest's pages and `pages`, where a job's data is packed.
fn plan<'page>(
    batch: &mut CopyBatch<'_, 'page>,
    job: &Job,
    pages: &'page [Page],
    direction: Direction,
) -> Result<Copies> {
    let first = batch.len();
    for piece in packing::pieces(job.segments()) {
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
    Ok(Copies::Planned(first..batch.len()))
}
