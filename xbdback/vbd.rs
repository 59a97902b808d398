// SPDX-License-Identifier: GPL-2.0

//! One disk of one guest, from the day the toolstack makes it.
//!
//! Whatever happens (the guest's driver changes state, the toolstack writes a node, the driver is unbound) is
//! only noted, here, and a work item is started. There is at most one per disk, and it alone opens, connects and
//! disconnects (`vbd/reconcile.rs`). It may wait for the disk; the xenwatch thread never does.
//!
//! A second work item, which takes turns with it, follows the size of a disk in use.

mod reconcile;

use crate::{
    backing::{
        Backing,
        Opened, //
    },
    connection::Connection,
    identity::Identity,
    params,
    say::{
        errno,
        say,
        GuestLog, //
    },
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
    store::{
        self,
        Transaction, //
    },
    watch,
    work, //
};
use xenbus_proto::{
    message::Message,
    negotiation::{
        self,
        Abilities, //
    },
    number::{
        parse_u32,
        parse_u64, //
    },
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
    /// The driver is being unbound.
    removing: AtomicFlag,
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

/// The node that tells this disk's directory from that of another one of its name.
const INSTANCE: &CStr = c"instance";

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

    /// Takes the directory for this disk, and tells the guest what to know before it makes its ring.
    pub(crate) fn announce(&self) -> Result {
        let path = self.id.dev.nodename();
        let take = |transaction: &Transaction| {
            // It is not made again when it was removed.
            transaction.read(path, c"state")?.ok_or(ENOENT)?;
            transaction.write(path, INSTANCE, format_args!("{}", self.instance))
        };
        self.publish(take, || negotiation::before_ring(&self.abilities))
    }

    /// Writes nodes to the backend's directory, if `allowed` has nothing against it.
    fn publish<Nodes>(
        &self,
        allowed: impl Fn(&Transaction) -> Result,
        nodes: impl Fn() -> Nodes,
    ) -> Result
    where
        Nodes: Iterator<Item = (&'static CStr, u64)>,
    {
        let path = self.id.dev.nodename();
        store::transaction(|transaction| {
            allowed(transaction)?;
            for (key, value) in nodes() {
                transaction
                    .write(path, key, format_args!("{value}"))
                    .inspect_err(|&error| {
                        say(&Message::CannotWrite {
                            path: path.to_bytes(),
                            key: key.to_bytes(),
                            errno: errno(error),
                        });
                    })?;
            }
            Ok(())
        })
    }

    /// Fails with `ENODEV` unless the directory is this disk's.
    ///
    /// The toolstack may remove it by force and make another one of the same name at once. The kernel says so only
    /// later: until then, [`Vbd::in_directory`] does not know.
    fn expect_own(&self, transaction: &Transaction) -> Result {
        self.expect_instance(transaction.read(self.id.dev.nodename(), INSTANCE)?)
    }

    /// The same for what was read before this.
    pub(crate) fn expect_owned(&self) -> Result {
        self.expect_instance(store::read(self.id.dev.nodename(), INSTANCE)?)
    }

    fn expect_instance(&self, node: Option<store::Value>) -> Result {
        let found = node.and_then(|node| parse_u64(&node).ok());
        match found == Some(self.instance) {
            true => Ok(()),
            false => Err(ENODEV),
        }
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
            self.see(Seen::bit(state));
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
        if self.finished.load(Acquire) {
            self.id.dev.unregister();
        } else {
            self.kick();
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
            let mut gone = self.gone.lock();
            *gone = true;
            self.deserted.store(true, Relaxed);
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

    /// Does something with the backend's directory, if that is still this disk's.
    ///
    /// The toolstack may remove it by force and make another disk of the same name at once, while the work
    /// item is in the middle of something. The new one is probed only after [`Vbd::remove`], or after the device
    /// is off the bus, if the driver was unbound before.
    ///
    /// # Errors
    ///
    /// `ENODEV` when it is not; and those of `using`.
    pub(crate) fn in_directory<T>(&self, using: impl FnOnce() -> Result<T>) -> Result<T> {
        let gone = self.gone.lock();
        match *gone || !self.id.dev.is_registered() {
            true => Err(ENODEV),
            false => using(),
        }
    }
}

impl WorkItem for Vbd {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.reconcile(&mut this.state.lock());
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
