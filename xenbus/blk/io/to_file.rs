// SPDX-License-Identifier: GPL-2.0

//! A request to a file: how [`Io`] is the owner of what [`crate::file`] does.

use super::{
    Io,
    Operation, //
};
use crate::{
    bindings,
    file::{
        File,
        Owner,
        Request,
        Task, //
    },
};
use kernel::prelude::*;
use xenbus_proto::blkif::SECTOR_SIZE;

impl Operation {
    fn task(self) -> Task {
        match self {
            Self::Read => Task::Read,
            Self::Write => Task::Write,
            Self::Flush => Task::Flush,
            Self::Barrier => Task::Barrier,
            Self::Discard => Task::Punch,
            Self::SecureErase => Task::Unsupported,
        }
    }
}

impl<T: Send + 'static> Io<T> {
    /// Hands the request to the file, whose it is then.
    ///
    /// # Safety
    ///
    /// `raw` was a box, and is given away. `file` is where it goes.
    pub(super) unsafe fn submit_to_file(
        raw: *mut Self,
        file: &File,
        operation: Operation,
        sector: u64,
    ) {
        // SAFETY: It is ours.
        let io = unsafe { &mut *raw };
        *io.to_file.what() = bindings::xenbus_file_transfer {
            table: io.vecs.as_ptr(),
            parts: io.vecs.len() as u32,
            bytes: io.bytes,
            pos: sector.saturating_mul(SECTOR_SIZE.into()),
            ..Default::default()
        };
        // SAFETY: By the type invariant the parts are as many bytes, and stay while they are submitted; the disk stays,
        // too, as who submits owns it.
        unsafe { Request::submit(&raw mut (*raw).to_file, file, operation.task()) };
    }
}

impl<T: Send + 'static> Owner for Io<T> {
    unsafe fn done(request: *mut Request<Self>, result: Result) {
        // SAFETY: Required of the caller.
        let raw = unsafe { kernel::container_of!(request, Self, to_file) };
        // SAFETY: It is ours again.
        unsafe { (*raw).error = result };
        // SAFETY: It was a box, and is given away.
        unsafe { Self::hand_back(raw) };
    }
}
