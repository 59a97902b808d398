// SPDX-License-Identifier: GPL-2.0

//! One request to a file.
//!
//! First it is *started*: the file system is asked to do what it can do at once, and to call when the rest is done.
//! What cannot be started like that, or was done in part only, is left to the file's helpers, who wait for it: for a
//! block to be found or allocated, for memory, for a lock. Whatever is no transfer is theirs from the beginning. So
//! whoever submits never waits for a file.

use super::File;
use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        ordering::{
            Full,
            Relaxed, //
        },
        AtomicFlag, //
    },
    types::Opaque, //
};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Fills memory from the file.
    Read,
    /// Writes memory to the file.
    Write,
    /// Makes what was written durable, then writes the memory, if there is any.
    Flush,
    /// Makes what was written durable, then writes the memory so that it is durable too.
    Barrier,
    /// Gives the room of some bytes back. They read as zeroes.
    Punch,
    /// Makes some bytes zeroes, which keep their room.
    Zero,
    /// What no file can do.
    Unsupported,
}

impl Task {
    pub(crate) fn writes(self) -> bool {
        self != Self::Read
    }
}

/// Whether a start fails with this because of how it was made, or by whom. A helper waits, is not being killed, and has the
/// system's memory instead of a group's.
fn is_of_the_start(error: Error) -> bool {
    [EAGAIN, EOPNOTSUPP, EINTR, ENOMEM].contains(&error)
}

/// What a [`Request`] is a part of.
pub(crate) trait Owner: Sized {
    /// The request is done, with this result. Called in any context, perhaps before [`Request::submit`] returns.
    ///
    /// # Safety
    ///
    /// The request is part of an owner, whose it is again.
    unsafe fn done(request: *mut Request<Self>, result: Result);
}

/// A request to a file, apart from its memory.
pub(crate) struct Request<O> {
    raw: Opaque<bindings::xenbus_file_request>,
    what: bindings::xenbus_file_transfer,
    task: Task,
    file: *const File,
    /// The submitter, or the file system, has let go of a transfer that was queued. The other one ends it: the file
    /// system looks at its control block also after it was queued, when it may be done already.
    let_go: AtomicFlag,
    /// What became of it, from the file system.
    result: c_long,
    _owner: PhantomData<O>,
}

impl<O: Owner> Request<O> {
    /// One that does nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            raw: Opaque::zeroed(),
            what: bindings::xenbus_file_transfer::default(),
            task: Task::Unsupported,
            file: core::ptr::null(),
            let_go: AtomicFlag::new(false),
            result: 0,
            _owner: PhantomData,
        }
    }

    /// What is transferred, to be filled in before the request is submitted; but not the last fields, which follow from
    /// the file and the task.
    #[inline]
    pub(crate) fn what(&mut self) -> &mut bindings::xenbus_file_transfer {
        &mut self.what
    }

    /// Hands the request to the file, whose it is until [`Owner::done`] is called.
    ///
    /// # Safety
    ///
    /// - `this` is part of an owner, and not submitted.
    /// - It is filled in, and the memory is as much as it says; that and `file` stay until the request is done.
    #[inline]
    pub(crate) unsafe fn submit(this: *mut Self, file: &File, task: Task) {
        if !file.can_start() || !matches!(task, Task::Read | Task::Write) {
            // SAFETY: As required of the caller.
            return unsafe { Self::submit_to_helper(this, file, task) };
        }
        // SAFETY: As above.
        if unsafe { Self::prepare(this, file, task) } {
            // SAFETY: As above.
            unsafe { Self::start(this, file) };
        }
    }

    /// The same, straight to a helper: for who cannot even start it.
    ///
    /// # Safety
    ///
    /// As for [`Request::submit`].
    pub(crate) unsafe fn submit_to_helper(this: *mut Self, file: &File, task: Task) {
        // SAFETY: As required of the caller.
        if unsafe { Self::prepare(this, file, task) } {
            // SAFETY: As above.
            unsafe { Self::have_helped(this) };
        }
    }

    /// Fills in the rest. A request that would change a file that is not writable is done then; returns whether it is
    /// not.
    ///
    /// # Safety
    ///
    /// As for [`Request::submit`].
    #[inline]
    unsafe fn prepare(this: *mut Self, file: &File, task: Task) -> bool {
        // SAFETY: It is ours.
        let request = unsafe { &mut *this };
        if task.writes() && request.what.bytes > 0 && !file.writable() {
            // SAFETY: Required of the caller.
            unsafe { O::done(this, Err(EROFS)) };
            return false;
        }
        request.what.direct_unit = file.direct_unit();
        request.what.write = task.writes();
        request.task = task;
        request.file = file;
        true
    }

    /// Starts a transfer.
    ///
    /// # Safety
    ///
    /// As for [`Request::submit`], which has prepared it.
    #[inline]
    unsafe fn start(this: *mut Self, file: &File) {
        // SAFETY: It is ours.
        let request = unsafe { &*this };
        request.let_go.store(false, Relaxed);
        let iocb = request.raw.get();
        // SAFETY: The file is open. All memory of the request stays until it is done.
        let started = unsafe {
            bindings::xenbus_helper_file_start(
                &raw mut (*iocb).iocb,
                file.raw(),
                &raw const (*this).what,
                Some(Self::started_callback),
            )
        };
        if started == -bindings::XENBUS_EIOCBQUEUED {
            // SAFETY: It was queued, and is let go of once here.
            unsafe { Self::let_go(this) };
        } else {
            // SAFETY: It has come to an end, and is ours again.
            unsafe { Self::started(this, started) };
        }
    }

    /// Lets go of a transfer that was queued. Who is the last to do so ends it.
    ///
    /// # Safety
    ///
    /// Called once by the submitter, and once by the file system when it is done.
    #[inline]
    unsafe fn let_go(this: *mut Self) {
        // SAFETY: The request stays until both have let go.
        if unsafe { (*this).let_go.xchg(true, Full) } {
            // SAFETY: The other one has, too: it is ours, and has a result.
            unsafe { Self::started(this, (*this).result) };
        }
    }

    /// Called by the file system when a transfer that was started is done, in any context.
    extern "C" fn started_callback(iocb: *mut kernel::bindings::kiocb, result: c_long) {
        // SAFETY: The control block is part of a request's.
        let raw = unsafe {
            kernel::container_of!(iocb, bindings::xenbus_file_request, iocb) //
        };
        // SAFETY: As above.
        let this = unsafe { Self::of(raw) };
        // SAFETY: Only the file system's side writes this, before it lets go.
        unsafe { (&raw mut (*this).result).write(result) };
        // SAFETY: It was written before the start.
        if unsafe { (*this).task }.writes() {
            // SAFETY: The write was queued, and is done.
            unsafe { bindings::xenbus_helper_file_end_write(iocb) };
        }
        // SAFETY: It is done, and let go of once here.
        unsafe { Self::let_go(this) };
    }

    /// A start came to an end: with so many bytes, or a negative error number.
    ///
    /// # Safety
    ///
    /// The request is part of an owner, and ours.
    #[inline]
    unsafe fn started(this: *mut Self, result: c_long) {
        // SAFETY: It is ours.
        let wanted = unsafe { (*this).what.bytes };
        if result >= 0 && result.unsigned_abs() == wanted as usize {
            // SAFETY: Required of the caller.
            return unsafe { O::done(this, Ok(())) };
        }
        // What is no error number is a part of the bytes.
        let error = c_int::try_from(result.min(0)).map_or(Err(EIO), to_result);
        match error {
            Err(errno) if !is_of_the_start(errno) => {
                // SAFETY: As above.
                unsafe { O::done(this, error) }
            }
            // SAFETY: As above.
            _ => unsafe { Self::have_helped(this) },
        }
    }

    /// Has a helper do the request, from the beginning.
    ///
    /// # Safety
    ///
    /// The request is part of an owner, and ours.
    #[cold]
    unsafe fn have_helped(this: *mut Self) {
        // SAFETY: It is ours.
        let request = unsafe { &mut *this };
        // SAFETY: Only the address is taken.
        let work = unsafe { &raw mut (*request.raw.get()).work };
        // SAFETY: The work is ours, and not queued.
        unsafe { bindings::xenbus_helper_file_work_init(work, Some(Self::help_callback)) };
        // SAFETY: The file stays until the request is done. The work is queued once at most.
        unsafe { (*request.file).have_done(work) };
    }

    /// Called by a helper.
    extern "C" fn help_callback(work: *mut kernel::bindings::work_struct) {
        // SAFETY: The work is part of a request's.
        let raw = unsafe {
            kernel::container_of!(work, bindings::xenbus_file_request, work) //
        };
        // SAFETY: As above.
        let this = unsafe { Self::of(raw) };
        // SAFETY: Ended below, by the same thread.
        let flags = unsafe { bindings::xenbus_helper_file_work_begin(&raw const (*this).what) };
        // SAFETY: It was handed over with the work.
        let result = unsafe { (*this).perform() };
        // SAFETY: Begun above.
        unsafe { bindings::xenbus_helper_file_work_end(flags) };
        // SAFETY: As above.
        unsafe { O::done(this, result) };
    }

    /// The request that this is a part of.
    ///
    /// # Safety
    ///
    /// It is a part of one.
    unsafe fn of(raw: *mut bindings::xenbus_file_request) -> *mut Self {
        // SAFETY: Required of the caller.
        unsafe { kernel::container_of!(Opaque::cast_from(raw), Self, raw) }.cast_mut()
    }

    /// Does everything that the request asks for, and waits for it.
    fn perform(&self) -> Result {
        // SAFETY: By the contract of `submit` the file stays until the request is done.
        let file = unsafe { &*self.file };
        let (pos, bytes) = (self.what.pos, self.what.bytes);
        match self.task {
            Task::Read | Task::Write => self.transfer(file),
            Task::Flush => {
                file.sync()?;
                self.transfer(file)
            }
            Task::Barrier => {
                file.sync()?;
                self.transfer(file)?;
                match bytes {
                    0 => Ok(()),
                    _ => file.sync(),
                }
            }
            Task::Punch => file.punch(pos, bytes),
            Task::Zero => file.zero(pos, bytes),
            Task::Unsupported => Err(EOPNOTSUPP),
        }
    }

    fn transfer(&self, file: &File) -> Result {
        if self.what.bytes == 0 {
            return Ok(());
        }
        // SAFETY: By the contract of `submit` the memory is as much, and stays.
        unsafe { file.transfer(&self.what) }
    }
}
