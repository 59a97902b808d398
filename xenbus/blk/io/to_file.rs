// SPDX-License-Identifier: GPL-2.0

//! A request to a file.
//!
//! First it is *started*: the file system is asked to do what it can do at once, and to call when the rest is done.
//! What cannot be started like that, or was done in part only, is left to the file's helpers, who wait for it: for a
//! block to be found or allocated, for memory, for a lock. Whatever is no transfer is theirs from the beginning. So the
//! thread that submits never waits for a file.

use super::{
    Io,
    Operation,
    SECTOR_SIZE, //
};
use crate::{
    bindings,
    file::File, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// What a request to a file needs, besides its memory.
pub(super) struct ToFile {
    raw: Opaque<bindings::xenbus_file_request>,
    operation: Operation,
    sector: u64,
    /// What a start came to, in bytes or as a negative error number, if it came to an end.
    started: Option<c_long>,
}

impl ToFile {
    pub(super) fn new() -> Self {
        Self {
            raw: Opaque::zeroed(),
            operation: Operation::Read,
            sector: 0,
            started: None,
        }
    }

    fn writes(&self) -> bool {
        self.operation != Operation::Read
    }

    fn pos(&self) -> u64 {
        self.sector.saturating_mul(SECTOR_SIZE.into())
    }

    fn iocb(&self) -> *mut kernel::bindings::kiocb {
        // SAFETY: Only the address is taken.
        unsafe { &raw mut (*self.raw.get()).iocb }
    }

    fn work(&self) -> *mut kernel::bindings::work_struct {
        // SAFETY: Only the address is taken.
        unsafe { &raw mut (*self.raw.get()).work }
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
        io.to_file.operation = operation;
        io.to_file.sector = sector;
        // SAFETY: The work is ours, and not queued.
        unsafe {
            bindings::xenbus_helper_file_work_init(io.to_file.work(), Some(Self::help_callback));
        };
        if !file.can_start() || !matches!(operation, Operation::Read | Operation::Write) {
            // SAFETY: It was a box, and is given away.
            return unsafe { Self::have_helped(raw, file) };
        }
        let what = io.transfer(file);
        // SAFETY: The file is open. All memory of the request stays until it is done.
        let started = unsafe {
            bindings::xenbus_helper_file_start(
                io.to_file.iocb(),
                file.raw(),
                &what,
                Some(Self::started_callback),
            )
        };
        if started == -bindings::XENBUS_EIOCBQUEUED {
            // It is the file's now.
            return;
        }
        // SAFETY: It has come to an end, and is ours again.
        let io = unsafe { &mut *raw };
        io.note_start(started);
        match io.is_unfinished() {
            // SAFETY: As above.
            true => unsafe { Self::have_helped(raw, file) },
            // SAFETY: As above.
            false => unsafe { Self::hand_back(raw) },
        }
    }

    /// Called by the file system when a transfer that was started is done, in any context.
    extern "C" fn started_callback(iocb: *mut kernel::bindings::kiocb, result: c_long) {
        // SAFETY: The control block is part of a request's.
        let request = unsafe {
            kernel::container_of!(iocb, bindings::xenbus_file_request, iocb) //
        };
        // SAFETY: Both are embedded in an `Io<T>`.
        let raw = unsafe { Self::of(request) };
        // SAFETY: It is ours now.
        let io = unsafe { &mut *raw };
        if io.to_file.writes() {
            // SAFETY: The write was queued, and is done.
            unsafe { bindings::xenbus_helper_file_end_write(iocb) };
        }
        // Whether it needs help is seen by the owner of the list, when nobody is starting it any more.
        io.note_start(result);
        // SAFETY: It was a box, and is given away.
        unsafe { Self::hand_back(raw) };
    }

    /// Called by a helper.
    extern "C" fn help_callback(work: *mut kernel::bindings::work_struct) {
        // SAFETY: The work is part of a request's.
        let request = unsafe {
            kernel::container_of!(work, bindings::xenbus_file_request, work) //
        };
        // SAFETY: Both are embedded in an `Io<T>`.
        let raw = unsafe { Self::of(request) };
        // SAFETY: It was handed over with the work.
        let io = unsafe { &mut *raw };
        // SAFETY: Ended below, by the same thread.
        let flags = unsafe { bindings::xenbus_helper_file_work_begin() };
        io.error = match io.completions.disk.file() {
            Some(file) => io.perform(file),
            None => Err(ENXIO),
        };
        // SAFETY: Begun above.
        unsafe { bindings::xenbus_helper_file_work_end(flags) };
        // SAFETY: It was a box, and is given away.
        unsafe { Self::hand_back(raw) };
    }

    /// The request that this is a part of.
    ///
    /// # Safety
    ///
    /// It is a part of one.
    unsafe fn of(request: *mut bindings::xenbus_file_request) -> *mut Self {
        // SAFETY: Required of the caller.
        let to_file = unsafe { kernel::container_of!(Opaque::cast_from(request), ToFile, raw) };
        // SAFETY: As above.
        unsafe { kernel::container_of!(to_file, Self, to_file) }.cast_mut()
    }

    /// Does everything that the request asks for, and waits for it.
    fn perform(&self, file: &File) -> Result {
        match self.to_file.operation {
            Operation::Read | Operation::Write => self.perform_transfer(file),
            Operation::Flush => {
                file.sync()?;
                self.perform_transfer(file)
            }
            Operation::Barrier => {
                file.sync()?;
                self.perform_transfer(file)?;
                match self.bytes {
                    0 => Ok(()),
                    _ => file.sync(),
                }
            }
            Operation::Discard => file.punch(self.to_file.pos(), self.bytes),
            Operation::SecureErase => Err(EOPNOTSUPP),
        }
    }

    fn perform_transfer(&self, file: &File) -> Result {
        // SAFETY: By the type invariant the parts are as many bytes, and stay while they are submitted.
        unsafe { file.transfer(&self.transfer(file)) }
    }

    fn transfer(&self, file: &File) -> bindings::xenbus_file_transfer {
        bindings::xenbus_file_transfer {
            table: self.vecs.as_ptr(),
            parts: self.vecs.len() as u32,
            bytes: self.bytes,
            pos: self.to_file.pos(),
            direct_unit: file.direct_unit(),
            write: self.to_file.writes(),
        }
    }
}

impl<T> Io<T> {
    fn note_start(&mut self, result: c_long) {
        self.to_file.started = Some(result);
        // What is no error number is a number of bytes.
        self.error = c_int::try_from(result.min(0)).map_or(Err(EIO), to_result);
    }

    /// Whether it was started, but has to be done by a helper all the same.
    pub(super) fn is_unfinished(&self) -> bool {
        let cannot = |errno: Error| self.error == Err(errno);
        match self.to_file.started {
            None => false,
            Some(done) if done < 0 => cannot(EAGAIN) || cannot(EOPNOTSUPP),
            Some(done) => done.unsigned_abs() != self.bytes as usize,
        }
    }

    /// Has a helper do a request that came back unfinished.
    #[cold]
    pub(super) fn finish_with_help(self: KBox<Self>) {
        let raw = KBox::into_raw(self);
        // SAFETY: It was a box: valid, and ours.
        if let Some(file) = unsafe { &(*raw).completions.disk }.file() {
            // SAFETY: As above; it is given away.
            unsafe { Self::have_helped(raw, file) };
        }
    }

    /// Has a helper do the request, from the beginning.
    ///
    /// # Safety
    ///
    /// `raw` is a request to `file` that was a box, and is given away.
    pub(super) unsafe fn have_helped(raw: *mut Self, file: &File) {
        // SAFETY: It is ours.
        unsafe { (*raw).to_file.started = None };
        // SAFETY: As above.
        let work = unsafe { (*raw).to_file.work() };
        // SAFETY: The work was initialised when the request was submitted, and is not queued: it is so once at most.
        unsafe { file.have_done(work) };
    }
}
