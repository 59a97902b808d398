// SPDX-License-Identifier: GPL-2.0

//! A request of the block layer's to a disk that we make, on its way to the file.
//!
//! It is started by whoever submits it: no other thread is woken for what the file system can do at once. Its memory is
//! that of the block layer; what the file needs to keep is in the driver's part of it (its *pdu*).

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

/// The driver's part of a request.
struct Pdu {
    to_file: Request<Pdu>,
    /// A table that was made for it, or null.
    table: *mut bio_vec,
}

/// Bytes of it.
pub(super) fn pdu_size() -> Result<c_uint> {
    Ok(c_uint::try_from(size_of::<Pdu>())?)
}

const OK: blk_status_t = kernel::bindings::BLK_STS_OK as blk_status_t;
const NO_MEMORY: blk_status_t = bindings::XENBUS_STS_RESOURCE;

/// Makes the driver's part, once for all requests that it will be a part of.
#[no_mangle]
extern "C" fn xenbus_file_disk_init_pdu(pdu: *mut c_void) {
    // SAFETY: It is as many bytes as a `Pdu`, aligned to more than it needs.
    unsafe {
        pdu.cast::<Pdu>().write(Pdu {
            to_file: Request::new(),
            table: core::ptr::null_mut(),
        });
    }
}

/// How a request is handed to the file: [`Request::submit`], or [`Request::submit_to_helper`].
type Submit = unsafe fn(*mut Request<Pdu>, &File, Task);

/// Starts a request. Fails only for want of memory: the block layer tries it again.
#[no_mangle]
extern "C" fn xenbus_file_disk_start(
    rq: *mut request,
    pdu: *mut c_void,
    server: *const c_void,
) -> blk_status_t {
    // SAFETY: The block layer hands over a request, and this is its driver's part, and what serves the disk.
    unsafe { hand_over(rq, pdu.cast(), server.cast(), Request::submit) }
}

/// Leaves a request to a helper of the file's, where little is left of the stack. Fails only for want of memory.
#[no_mangle]
extern "C" fn xenbus_file_disk_have_helped(
    rq: *mut request,
    pdu: *mut c_void,
    server: *const c_void,
) -> blk_status_t {
    // SAFETY: As above.
    unsafe { hand_over(rq, pdu.cast(), server.cast(), Request::submit_to_helper) }
}

/// Hands a request to the file `server`, if there is one.
///
/// # Safety
///
/// The request is one of a disk of ours, and was not started; `pdu` is its driver's part, `server` what serves the disk.
#[inline]
unsafe fn hand_over(
    rq: *mut request,
    pdu: *mut Pdu,
    server: *const File,
    submit: Submit,
) -> blk_status_t {
    // SAFETY: It was made with the request, which is ours.
    let ours = unsafe { &mut *pdu };
    let what = ours.to_file.what();
    // SAFETY: As above.
    let table = from_err_ptr(unsafe { bindings::xenbus_helper_file_disk_describe(rq, what) });
    let Ok(table) = table else {
        return NO_MEMORY;
    };
    ours.table = table;
    // SAFETY: As above.
    unsafe { blk_mq_start_request(rq) };
    // SAFETY: As above. What serves a disk is a file that stays until all requests are done.
    let server = unsafe { server.as_ref() };
    let Some(file) = server.filter(|file| is_within(file, ours.to_file.what())) else {
        // SAFETY: The request was started, and is ours.
        unsafe { bindings::xenbus_helper_file_disk_end(rq, table, EIO.to_errno()) };
        return OK;
    };
    // SAFETY: It is a request.
    let task = task_of(unsafe { (*rq).cmd_flags });
    // SAFETY: It was made with the request.
    let to_file = unsafe { &raw mut (*pdu).to_file };
    // SAFETY: It was filled in. The memory is the block layer's, which leaves it until the request is done.
    unsafe { submit(to_file, file, task) };
    OK
}

/// What the block layer asks for.
fn task_of(flags: u32) -> Task {
    let keep_blocks = flags & bindings::XENBUS_REQ_NOUNMAP != 0;
    match flags & bindings::XENBUS_REQ_OP_MASK {
        bindings::XENBUS_REQ_OP_READ => Task::Read,
        bindings::XENBUS_REQ_OP_WRITE => Task::Write,
        bindings::XENBUS_REQ_OP_FLUSH => Task::Flush,
        bindings::XENBUS_REQ_OP_DISCARD => Task::Punch,
        bindings::XENBUS_REQ_OP_WRITE_ZEROES if keep_blocks => Task::Zero,
        bindings::XENBUS_REQ_OP_WRITE_ZEROES => Task::Punch,
        _ => Task::Unsupported,
    }
}

/// Whether it lies in the file, which may have become shorter than the disk a moment ago.
fn is_within(file: &File, what: &bindings::xenbus_file_transfer) -> bool {
    let end = what.pos.saturating_add(what.bytes.into());
    what.bytes == 0 || end <= file.bytes()
}

impl Owner for Pdu {
    unsafe fn done(request: *mut Request<Self>, result: Result) {
        // SAFETY: Required of the caller.
        let pdu = unsafe { kernel::container_of!(request, Self, to_file) };
        // SAFETY: It is ours again.
        let table = unsafe { (*pdu).table };
        // SAFETY: It is a request's.
        let rq = unsafe { bindings::xenbus_helper_file_disk_request(pdu.cast()) };
        let errno = result.map_or_else(Error::to_errno, |()| 0);
        // SAFETY: The request is ours, and done.
        unsafe { bindings::xenbus_helper_file_disk_end(rq, table, errno) };
    }
}
