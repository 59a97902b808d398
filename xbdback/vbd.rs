// SPDX-License-Identifier: GPL-2.0

//! One disk of one guest, from the day the toolstack makes it.
//!
//! Whatever happens (the guest's driver changes state, the toolstack writes a node, the driver is unbound) is
//! only noted, here, and a work item is started. There is at most one per disk, and it alone opens, connects and
//! disconnects (`vbd/reconcile.rs`). It may wait for the disk; the xenwatch thread never does.
//!
//! A second work item, which takes turns with it, follows the size of a disk in use.

mod directory;
mod reconcile;

use crate::{
    backing::{
        Backing,
        Opened, //
    },
    connection::Connection,
    identity::Identity,
    params,
    say::GuestLog,
    statistics::Statistics,
};
use kernel::{
    device::Core,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic,
            AtomicFlag, //
        },
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};
use xenbus::{
    device::Device,
    driver::Unbinding,
    log::RateLimit,
    store,
    watch,
    work, //
};
use xenbus_proto::{
    negotiation::Abilities,
    number::parse_u32,
    state::{
        Machine,
        Seen, //
    },
};

/// A disk of a guest.
#[pin_data]
pub(crate) struct Vbd {
    pub(crate) id: Identity,
    /// What the guest is offered.
    pub(crate) abilities: Abilities,
    /// The frontend's states since the work item last looked, as bits of [`Seen`].
    seen: Atomic<u32>,
    /// The toolstack has written `physical-device` or `physical-device-path`.
    named: AtomicFlag,
    /// The driver is being unbound, or will be.
    removing: AtomicFlag,
    /// The directory was found to be another disk's, or nobody's, before the kernel has said so, if it does at all.
    lost: AtomicFlag,
    /// Which of the disks of this name it is: what [`INSTANCE`] says in a directory that is ours.
    instance: u64,
    /// The backend's directory is not this disk's any more. Held while it is used.
    #[pin]
    gone: Mutex<bool>,
    /// The guest has forgotten the requests of the connection that there is. It may have granted us other pages
    /// under the same references since, so not even what is in flight is copied to them.
    pub(crate) deserted: Arc<AtomicFlag>,
    /// Nothing of the disk is open, nor will be.
    finished: AtomicFlag,
    /// What the guest causes to be said, whichever thread says it.
    #[pin]
    pub(crate) log: Mutex<GuestLog>,
    #[pin]
    pub(crate) statistics: Statistics,
    /// What is open, for those who must not wait for `state`.
    #[pin]
    open: Mutex<Option<Opened>>,
    #[pin]
    state: Mutex<State>,
    #[pin]
    work: Work<Self>,
    #[pin]
    size_work: Work<Self, FOLLOW_SIZE>,
}

/// How many disks there were.
static INSTANCES: Atomic<u64> = Atomic::new(0);

/// The number of the work item that follows the size.
const FOLLOW_SIZE: u64 = 1;

impl_has_work! {
    impl HasWork<Self> for Vbd { self.work }
    impl HasWork<Self, FOLLOW_SIZE> for Vbd { self.size_work }
}

/// What the work item owns.
struct State {
    machine: Machine,
    backing: Option<Backing>,
    /// The device could not be opened; tried again when it is named again.
    failed: bool,
    connection: Option<Connection>,
    /// The toolstack has named another device than the one that is open.
    renamed: bool,
    /// Connections that failed lately.
    failures: RateLimit,
    /// Connections that were made lately.
    successes: RateLimit,
}

impl Vbd {
    /// A disk that has just been probed.
    pub(crate) fn new(dev: &Device<Core<'_>>) -> Result<Arc<Self>> {
        let id = Identity::new(dev)?;
        Arc::pin_init(
            try_pin_init!(Self {
                id,
                abilities: params::abilities(),
                seen: Atomic::new(0),
                named: AtomicFlag::new(false),
                removing: AtomicFlag::new(false),
                lost: AtomicFlag::new(false),
                instance: INSTANCES.fetch_add(1, Relaxed),
                gone <- kernel::new_mutex!(false),
                deserted: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
                finished: AtomicFlag::new(false),
                log <- kernel::new_mutex!(GuestLog::new()),
                statistics <- Statistics::new(),
                open <- kernel::new_mutex!(None),
                state <- kernel::new_mutex!(State {
                    machine: Machine::new(),
                    backing: None,
                    failed: false,
                    connection: None,
                    renamed: false,
                    failures: RateLimit::new(Delta::from_secs(5), 20),
                    successes: RateLimit::new(Delta::from_secs(5), 50),
                }),
                work <- new_work!("xbdback::Vbd"),
                size_work <- new_work!("xbdback::Vbd::size"),
            }),
            GFP_KERNEL,
        )
    }

    /// Shows in debugfs what the disk has done.
    pub(crate) fn show(&self) -> Result {
        let name = CString::try_from_fmt(format_args!("{}", self.id.name.as_str()))?;
        self.statistics.show(&name);
        Ok(())
    }

    /// What is open.
    pub(crate) fn opened(&self) -> Option<Opened> {
        self.open.lock().clone()
    }

    /// Starts the work item, unless it is about to start anyway.
    pub(crate) fn kick(self: &Arc<Self>) {
        if let Some(queue) = work::queue() {
            // It fails when the item is queued already, which is as good.
            let _ = queue.enqueue::<_, 0>(self.clone());
        }
    }

    /// Some device, perhaps that of this disk, has changed.
    pub(crate) fn size_may_have_changed(self: &Arc<Self>) {
        if let Some(queue) = work::queue() {
            // As above.
            let _ = queue.enqueue::<_, FOLLOW_SIZE>(self.clone());
        }
    }

    /// The frontend was seen in this state.
    pub(crate) fn frontend_was_in(self: &Arc<Self>, state: u32) {
        // The core says 0 for a state that is gone, and for one that it cannot read.
        let gone = || matches!(read_number(&self.id.frontend, c"state"), Ok(None | Some(0)));
        if state != 0 || gone() {
            let seen = Seen::bit(state);
            if Seen::from_bits(seen).forgot() {
                // At once: the work item may wait for the disk. Before the state is noted, so that a connection which
                // is made in between is not left like this, but made again.
                self.deserted.store(true, Relaxed);
            }
            self.see(seen);
        }
        self.kick();
    }

    /// Adds to the states seen.
    fn see(&self, bits: u32) {
        let mut seen = self.seen.load(Relaxed);
        while let Err(now) = self.seen.cmpxchg(seen, seen | bits, Full) {
            seen = now;
        }
    }

    /// The toolstack may have named the device.
    pub(crate) fn device_was_named(self: &Arc<Self>) {
        self.named.store(true, Release);
        self.kick();
    }

    /// Our own state was written: by the toolstack, which may want the disk to go; or by us, perhaps for the
    /// last time. Runs in the xenwatch thread.
    pub(crate) fn state_was_written(self: &Arc<Self>) {
        if !self.finished.load(Acquire) {
            self.kick();
            return;
        }
        self.id.dev.unregister();
        if self.lost.load(Relaxed) {
            self.have_state_looked_at();
        }
    }

    /// The driver is being unbound: closes everything.
    ///
    /// The work item does it, and tells the guest and the toolstack. Whoever unbinds a disk by hand may want
    /// to bind it again, so this waits a little for the end; but not for a disk that hangs, since the
    /// kernel has locked the device, and not in the xenwatch thread at all. Unloading the module waits for
    /// the work item in any case.
    pub(crate) fn remove(self: &Arc<Self>, why: Unbinding) {
        if why == Unbinding::Gone {
            // At once, whatever the work item waits for: the guest does not wait for us.
            self.leave_directory();
        }
        self.removing.store(true, Release);
        self.kick();
        if watch::in_xenwatch() {
            return;
        }
        for _ in 0..300 {
            if self.finished.load(Acquire) {
                return;
            }
            fsleep(Delta::from_millis(10));
        }
    }
}

impl WorkItem for Vbd {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.reconcile(&mut this.state.lock());
        if this.finished.load(Acquire) && this.lost.load(Relaxed) {
            // For the kernel, or us, to take the device off the bus: see `state_was_written`.
            this.have_state_looked_at();
        }
    }
}

impl WorkItem<FOLLOW_SIZE> for Vbd {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.follow_size(&mut this.state.lock());
    }
}

/// A number in a node. `None` when there is no node.
fn read_number(dir: &CStr, node: &CStr) -> Result<Option<u32>> {
    // What is no number stands for one that nothing expects.
    let parse = |value: store::Value| parse_u32(&value).unwrap_or(u32::MAX);
    Ok(store::read(dir, node)?.map(parse))
}
