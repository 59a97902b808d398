// SPDX-License-Identifier: GPL-2.0

//! One disk of one guest, from the day the toolstack makes it.
//!
//! Whatever happens (the guest's driver changes state, the toolstack writes a node, the driver is unbound) is
//! only noted, and a work item is started. There is at most one per disk, and it alone opens, connects and
//! disconnects: it looks at everything as it is now, asks [`xenbus_proto::state::Machine`] what to do, does
//! it, and looks again. It may wait for the disk; the xenwatch thread never does.
//!
//! A second work item, which takes turns with it, follows the size of a disk in use.

use crate::{
    backing::{
        Backing,
        Opened, //
    },
    connection::{
        self,
        Connection, //
    },
    identity::Identity,
    named::Named,
    params,
    say::{
        errno,
        say,
        GuestLog, //
    },
    size,
    statistics::Statistics,
    waiting::{
        self,
        Moment, //
    },
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
    blkif::XenbusState,
    message::Message,
    negotiation::{
        self,
        Abilities, //
    },
    number::parse_u32,
    problem::Problem,
    state::{
        self,
        Action,
        Answers,
        Frontend,
        Machine,
        Seen,
        Snapshot, //
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

    /// Tells the guest what to know before it makes its ring.
    pub(crate) fn announce(&self) -> Result {
        self.publish(|| negotiation::before_ring(&self.abilities))
    }

    /// Writes nodes to the backend's directory; but does not make it again when it was removed.
    fn publish<Nodes>(&self, nodes: impl Fn() -> Nodes) -> Result
    where
        Nodes: Iterator<Item = (&'static CStr, u64)>,
    {
        let path = self.id.dev.nodename();
        store::transaction(|transaction| {
            transaction.read(path, c"state")?.ok_or(ENOENT)?;
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

    /// Brings the disk to where it should be.
    fn reconcile(self: &Arc<Self>, state: &mut State) {
        loop {
            self.open_if_named(state);
            let Ok(snapshot) = self.look(state) else {
                // Xenstore does not answer, as when this domain goes down: leave everything as it is. Or the
                // disk is being removed, and this is about to be started again.
                return;
            };
            let actions = state.machine.step(&snapshot);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                if self.perform(state, action).is_err() {
                    break;
                }
            }
        }
    }

    /// Everything that matters, as it is now.
    fn look(&self, state: &State) -> Result<Snapshot> {
        let removing = self.removing.load(Acquire);
        // First the states that were seen, then the state that is: one between the two is seen again.
        let seen = self.seen.xchg(0, Full);
        let read = || -> Result<_> {
            let own = self.id.dev.nodename();
            Ok((
                read_number(&self.id.frontend, c"state")?,
                read_number(own, c"state")?,
                read_number(own, c"online")?,
            ))
        };
        let (frontend, own, online) = match self.in_directory(read) {
            Ok(numbers) => numbers,
            // What xenstore says does not matter any more.
            Err(_) if removing => (None, None, None),
            Err(error) => {
                self.see(seen);
                return Err(error);
            }
        };
        let frontend = Frontend::from_raw(frontend.unwrap_or(0));
        let seen = Seen::from_bits(seen);
        Ok(Snapshot {
            seen: match &state.connection {
                Some(connection) if self.has_new_ring(connection, frontend, seen) => {
                    seen.with(XenbusState::Initialising.to_raw())
                }
                _ => seen,
            },
            frontend,
            backing: match (&state.backing, state.failed) {
                (Some(_), _) => state::Backing::Ready,
                (None, true) => state::Backing::Failed,
                (None, false) => state::Backing::Absent,
            },
            ring: state
                .connection
                .as_ref()
                .map_or(state::Ring::None, Connection::ring),
            // A number that is no state is one that has to be overwritten.
            own: own.map(|raw| XenbusState::from_raw(raw).unwrap_or(XenbusState::Reconfigured)),
            online: online == Some(1),
            removing,
        })
    }

    /// Whether the guest published another ring than the one we have.
    ///
    /// It should have closed the old one first, and perhaps it did: xenwatch drops events, and a guest can
    /// write many nodes at once.
    fn has_new_ring(&self, connection: &Connection, frontend: Frontend, seen: Seen) -> bool {
        let published = frontend == Frontend::In(XenbusState::Initialised)
            || seen.contains(XenbusState::Initialised);
        let offer = || connection::published_offer(self);
        published && matches!(offer(), Ok(now) if now.as_deref() != Ok(connection.published()))
    }

    fn perform(self: &Arc<Self>, state: &mut State, action: Action) -> Result {
        match action {
            Action::Connect => self.connect(state).inspect_err(|_| {
                state.machine.connect_failed();
            })?,
            Action::Disconnect(answers) => {
                if answers == Answers::Unwanted {
                    self.deserted.store(true, Relaxed);
                } else if self.removing.load(Acquire) && !*self.gone.lock() {
                    self.let_guest_close();
                }
                state.connection = None;
            }
            Action::SwitchState(to) => self.in_directory(|| {
                self.switch_state(to);
                Ok(())
            })?,
            Action::CloseBacking => {
                self.hold(state, None);
                state.failed = false;
            }
            Action::Finish => {
                waiting::forget(self);
                self.finished.store(true, Release);
            }
            Action::Complain(number) => self.log.lock().say(&Message::InvalidFrontendState {
                path: self.id.dev.nodename().to_bytes(),
                state: number,
            }),
        }
        Ok(())
    }

    /// Waits a little for the guest to see that we are closing, and to close: its ring is served that long.
    /// Otherwise what it asks for in the meantime would never be answered.
    fn let_guest_close(&self) {
        for _ in 0..200 {
            let frontend = read_number(&self.id.frontend, c"state");
            let own = read_number(self.id.dev.nodename(), c"state");
            let (Ok(Some(3 | 4)), Ok(Some(_))) = (frontend, own) else {
                return;
            };
            fsleep(Delta::from_millis(10));
        }
    }

    /// Opens the device, if the toolstack has named it since the last try. One in use stays until the guest
    /// is done with it.
    fn open_if_named(self: &Arc<Self>, state: &mut State) {
        if self.removing.load(Acquire) || self.finished.load(Acquire) {
            return;
        }
        let named = self.named.xchg(false, Full);
        state.renamed |= named && self.named_another(state);
        if state.connection.is_some() || !core::mem::take(&mut state.renamed) {
            return;
        }
        // Closed first: the claim on it would be in the way of the new one.
        self.hold(state, None);
        let before = Moment::now();
        match Backing::open(&self.id) {
            Ok(backing) => {
                state.failed = false;
                self.hold(state, backing);
            }
            Err(error) => {
                state.failed = true;
                if error == EBUSY {
                    waiting::wait(self, &before);
                }
            }
        }
    }

    /// Keeps this open instead of what is.
    fn hold(&self, state: &mut State, backing: Option<Backing>) {
        *self.open.lock() = backing.as_ref().map(|backing| backing.opened().clone());
        let closed = core::mem::replace(&mut state.backing, backing);
        if closed.is_some() {
            drop(closed);
            waiting::released();
        }
    }

    /// Whether what the toolstack has named is not what is open.
    fn named_another(&self, state: &State) -> bool {
        let path = self.id.dev.nodename();
        let Some(open) = state
            .backing
            .as_ref()
            .map(|backing| &backing.opened().named)
        else {
            return true;
        };
        let Some(now) = Named::read(path) else {
            // In use, the old one stays. Otherwise what is wrong is said when it is opened.
            return state.connection.is_none();
        };
        if state.connection.is_some() && now.what != open.what {
            say(&Message::ChangingDevice {
                path: path.to_bytes(),
                from: open.what.number(),
                to: now.what.number(),
            });
        }
        now != **open
    }

    fn connect(self: &Arc<Self>, state: &mut State) -> Result {
        // A guest can try for ever, and every try costs this domain something.
        if !state.failures.has_room() {
            return Err(EAGAIN);
        }
        self.try_connect(state).inspect_err(|&error| {
            state.failures.allow();
            if error == ENOMEM {
                self.log
                    .lock()
                    .report(&self.id, error, &Problem::OutOfMemory);
            }
        })
    }

    fn try_connect(self: &Arc<Self>, state: &mut State) -> Result {
        let backing = state.backing.as_ref().ok_or(ENXIO)?;
        let mut connection = Connection::new(self, backing)?;
        let disk = backing.description();
        self.in_directory(|| self.describe(&disk))?;
        connection.size.was_told(disk.sectors);
        if state.successes.allow() {
            say(&Message::Connected {
                handle: self.id.handle,
                domain: self.id.domain,
                port: connection.port(),
                protocol: connection.published().protocol(),
            });
        }
        state.connection = Some(connection);
        Ok(())
    }

    /// Tells the guest what its disk is like.
    fn describe(&self, disk: &negotiation::Disk) -> Result {
        self.publish(|| negotiation::before_use(&self.abilities, disk))
            .inspect_err(|&error| {
                say(&Message::CannotEndTransaction {
                    path: self.id.dev.nodename().to_bytes(),
                    errno: errno(error),
                });
            })
    }

    /// Tells a connected guest when its disk has another size than it knows.
    fn follow_size(&self, state: &mut State) {
        let (Some(backing), Some(connection)) = (&state.backing, &mut state.connection) else {
            return;
        };
        if !connection.size.may_have_changed() {
            return;
        }
        let sectors = backing.disk().sectors();
        if !connection.size.is_news(sectors) {
            return;
        }
        let path = self.id.dev.nodename();
        match self.in_directory(|| size::announce(path, sectors)) {
            Ok(()) => connection.size.was_told(sectors),
            Err(ENODEV) => {}
            Err(error) => say(&Message::CannotWrite {
                path: path.to_bytes(),
                key: b"sectors",
                errno: errno(error),
            }),
        }
    }

    /// Writes our state. When that fails, what comes after it has to be done all the same.
    fn switch_state(&self, to: XenbusState) {
        if let Err(error) = self.id.dev.switch_state(to) {
            let path = self.id.dev.nodename().to_bytes();
            let errno = errno(error);
            say(&match to {
                XenbusState::InitWait => Message::CannotSwitchToInitWait { path, errno },
                _ => Message::CannotSwitchState { path, errno },
            });
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
