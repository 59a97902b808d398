// SPDX-License-Identifier: GPL-2.0

//! A request of the block layer's to a disk that we make, on its way to the file.
//!
//! It is started by whoever submits it: no other thread is woken for what the file system can do at once. Its memory is
//! that of the block layer; its room, in which the file keeps what it needs, comes with it.

use crate::{
    bindings,
    file::{
        File,
        Owner,
        Request,
        Task, //
    },
};
use kernel::{
    bindings::{
        bio_vec,
        blk_mq_start_request,
        blk_status_t,
        request, //
    },
    error::from_err_ptr,
    prelude::*, //
};

/// What comes with every request. It is made anew for each.
struct Room {
    to_file: Request<Room>,
    /// A table that was made for it, or null.
    table: *mut bio_vec,
}

/// Bytes of a request's room.
pub(super) fn room() -> Result<c_uint> {
    Ok(c_uint::try_from(size_of::<Room>())?)
}

const OK: blk_status_t = kernel::bindings::BLK_STS_OK as blk_status_t;
const NO_MEMORY: blk_status_t = bindings::XENBUS_STS_RESOURCE;

/// Starts a request, by a helper of the file's if `deep`. Fails only for want of memory: the block layer tries it again.
#[no_mangle]
extern "C" fn xenbus_file_disk_start(rq: *mut request, deep: bool) -> blk_status_t {
    let (mut task, mut what) = (0, bindings::xenbus_file_transfer::default());
    // SAFETY: The block layer hands over a request.
    let table = from_err_ptr(unsafe {
        bindings::xenbus_helper_file_disk_describe(rq, &mut task, &mut what)
    });
    let Ok(table) = table else {
        return NO_MEMORY;
    };
    // SAFETY: As above.
    unsafe { blk_mq_start_request(rq) };
    // SAFETY: As above. What serves a disk is a file that stays until all requests are done.
    let server = unsafe {
        bindings::xenbus_helper_file_disk_server(rq)
            .cast::<File>()
            .as_ref()
    };
    let file = match server {
        Some(file) if is_within(file, task_of(task), &what) => file,
        _ => {
            // SAFETY: The request was started, and is ours.
            unsafe { bindings::xenbus_helper_file_disk_end(rq, table, EIO.to_errno()) };
            return OK;
        }
    };
    // SAFETY: As above.
    let room = unsafe { bindings::xenbus_helper_file_disk_room(rq) }.cast::<Room>();
    // SAFETY: It is as many bytes as a `Room`, aligned to more than it needs.
    unsafe {
        room.write(Room {
            to_file: Request::new(),
            table,
        });
    }
    // SAFETY: As above.
    let to_file = unsafe { &raw mut (*room).to_file };
    // SAFETY: The memory is the block layer's, which leaves it until the request is done.
    unsafe { Request::submit(to_file, file, task_of(task), what, deep) };
    OK
}

fn task_of(task: u32) -> Task {
    match task {
        bindings::XENBUS_TASK_READ => Task::Read,
        bindings::XENBUS_TASK_WRITE => Task::Write,
        bindings::XENBUS_TASK_FLUSH => Task::Flush,
        bindings::XENBUS_TASK_PUNCH => Task::Punch,
        bindings::XENBUS_TASK_ZERO => Task::Zero,
        _ => Task::Unsupported,
    }
}

/// Whether the file can be asked: it may have become shorter than the disk a moment ago, and may be read-only.
fn is_within(file: &File, task: Task, what: &bindings::xenbus_file_transfer) -> bool {
    let end = what.pos.saturating_add(what.bytes.into());
    end <= file.bytes() && (what.bytes == 0 || !task.writes() || file.writable())
}

impl Owner for Room {
    unsafe fn done(request: *mut Request<Self>, result: Result) {
        // SAFETY: Required of the caller.
        let room = unsafe { kernel::container_of!(request, Self, to_file) };
        // SAFETY: It is ours again.
        let table = unsafe { (*room).table };
        // SAFETY: The room came with a request.
        let rq = unsafe { bindings::xenbus_helper_file_disk_request(room.cast()) };
        let errno = result.map_or_else(Error::to_errno, |()| 0);
        // SAFETY: The request is ours, and done.
        unsafe { bindings::xenbus_helper_file_disk_end(rq, table, errno) };
    }
}
