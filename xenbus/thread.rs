// SPDX-License-Identifier: GPL-2.0

//! Kernel threads for the data path.
//!
//! A thread that serves a disk must not wait for memory that can only be had by writing to a disk. So
//! whatever is allocated in these threads is allocated without starting I/O, whatever flags are given.

use crate::doorbell::Doorbell;
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    str::CStr,
    sync::Arc, //
};

/// A thread's body.
pub trait Body: Send + 'static {
    /// Runs in the thread, once. It has to return when it is told to, by means of its own.
    fn run(self);
}

/// Lets another thread run, if one should.
pub fn yield_if_needed() {
    // SAFETY: May sleep, as its callers are threads.
    unsafe { crate::bindings::xenbus_helper_cond_resched() };
}

/// How many processors this domain has now.
pub fn online_processors() -> u32 {
    // SAFETY: Takes no arguments.
    unsafe { crate::bindings::xenbus_helper_online_cpus() }
}

/// Whether no other thread wants to run on this processor.
pub fn is_alone() -> bool {
    // SAFETY: Takes no arguments, and may be called from anywhere.
    unsafe { crate::bindings::xenbus_helper_is_alone() }
}

/// What the new thread is handed.
struct Start<B: Body> {
    body: B,
    done: Arc<Doorbell>,
}

/// A running thread. Dropping it waits until its body has returned.
///
/// # Invariants
///
/// `task` is a kernel thread that has been started and not yet stopped.
pub struct Thread {
    task: NonNull<bindings::task_struct>,
    done: Arc<Doorbell>,
}

// SAFETY: A kernel thread may be stopped from any thread.
unsafe impl Send for Thread {}
// SAFETY: There are no methods on a shared reference.
unsafe impl Sync for Thread {}

impl Thread {
    /// Starts a thread. `name` is cut to 15 bytes in places that show a task's `comm`.
    pub fn spawn<B: Body>(name: &CStr, body: B) -> Result<Self> {
        let done = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let start = KBox::new(
            Start {
                body,
                done: done.clone(),
            },
            GFP_KERNEL,
        )?;
        let start = KBox::into_raw(start);

        // SAFETY: The format consumes one C string. The thread's function takes the box over.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(Self::main::<B>),
                start.cast(),
                bindings::NUMA_NO_NODE,
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        });
        let task = match task {
            Ok(task) => task,
            Err(e) => {
                // SAFETY: There is no thread, so the box is still ours.
                drop(unsafe { KBox::from_raw(start) });
                return Err(e);
            }
        };
        // SAFETY: The new task is asleep and cannot go away before it has run.
        unsafe { bindings::wake_up_process(task) };
        // INVARIANT: The thread was started; `kthread_stop` is called by `drop` only.
        Ok(Self {
            task: NonNull::new(task).ok_or(ENOMEM)?,
            done,
        })
    }

    extern "C" fn main<B: Body>(start: *mut c_void) -> c_int {
        // SAFETY: `spawn` passed a box of this type and gave it away.
        let start = unsafe { KBox::from_raw(start.cast::<Start<B>>()) };
        let Start { body, done } = KBox::into_inner(start);

        // SAFETY: Sets a flag of the current task, which ends with it.
        unsafe { crate::bindings::xenbus_helper_memalloc_noio() };
        body.run();
        done.ring();
        drop(done);

        // The task has to stay until `kthread_stop`, which uses it.
        //
        // SAFETY: Called by a kernel thread.
        while !unsafe { bindings::kthread_should_stop() } {
            // SAFETY: As above; the stop wakes the thread.
            unsafe { crate::bindings::xenbus_helper_sleep_until_stopped() };
        }
        0
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A thread that is stopped before it first ran never runs its body, which would be lost with all
        // it owns. So wait for the body first; idly, since it may wait for a disk that hangs.
        self.done.wait();
        // SAFETY: By the type invariant. The call waits until the thread has left this module's code.
        unsafe { bindings::kthread_stop(self.task.as_ptr()) };
    }
}
