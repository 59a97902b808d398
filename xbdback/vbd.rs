// SPDX-License-Identifier: GPL-2.0

//! One disk of one guest, from the day the toolstack makes it.
//!
//! Whatever happens (the guest's driver changes state, the toolstack writes a node, the driver is unbound) is
//! only noted, and a work item is started. There is at most one per disk, and it alone opens, connects and
//! disconnects: it looks at everything as it is now, asks [`xenbus_proto::state::Machine`] what to do, does
//! it, and looks again. It may wait for the disk; the xenwatch thread never does.

use crate::{
    backing::Backing,
    connection::Connection,
    say::{
        errno,
        say,
        GuestLog, //
    },
};
use kernel::{
    device::Core,
    prelude::*,
    str::CString,
    sync::{
        aref::ARef,
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
        Completion,
        Mutex, //
    },
    time::Delta,
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    },
};
use xenbus::{
    device::Device,
    log::RateLimit,
    store,
    watch::{
        Watch,
        Watcher, //
    },
    work, //
};
use xenbus_proto::{
    blkif::XenbusState,
    device::{
        interface_name,
        DeviceNumber,
        Handle,
        InterfaceName, //
    },
    message::Message,
    negotiation::{
        self,
        Abilities, //
    },
    number::{
        parse_u32,
        DomainId, //
    },
    problem::Problem,
    state::{
        self,
        Action,
        Frontend,
        Machine,
        Ring,
        Seen,
        Snapshot, //
    },
};

/// What this backend can do.
const ABILITIES: Abilities = Abilities::SINGLE_RING;

/// Which disk it is.
pub(crate) struct Identity {
    /// The backend's device.
    pub(crate) dev: ARef<Device>,
    /// The frontend's directory.
    pub(crate) frontend: CString,
    pub(crate) domain: DomainId,
    pub(crate) handle: Handle,
    /// `xbdback<domain>i<handle>`.
    pub(crate) name: InterfaceName,
}

/// A disk of a guest.
#[pin_data]
pub(crate) struct Vbd {
    pub(crate) id: Identity,
    /// The frontend's states since the work item last looked, as bits of [`Seen`].
    seen: Atomic<u32>,
    /// The toolstack has written `physical-device`.
    named: AtomicFlag,
    /// The driver is being unbound.
    removing: AtomicFlag,
    /// Everything is closed, after `removing`.
    #[pin]
    gone: Completion,
    #[pin]
    state: Mutex<State>,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Vbd { self.work }
}

/// What the work item owns.
struct State {
    machine: Machine,
    backing: Option<Backing>,
    /// The device could not be opened; tried again when it is named again.
    failed: bool,
    connection: Option<Connection>,
    /// The machine has come to its end: everything is closed.
    finished: bool,
    log: GuestLog,
    /// Connections that failed lately.
    failures: RateLimit,
}

impl Vbd {
    /// A disk that has just been probed.
    pub(crate) fn new(dev: &Device<Core<'_>>) -> Result<Arc<Self>> {
        let id = Identity::new(dev)?;
        Arc::pin_init(
            pin_init!(Self {
                id,
                seen: Atomic::new(0),
                named: AtomicFlag::new(false),
                removing: AtomicFlag::new(false),
                gone <- Completion::new(),
                state <- kernel::new_mutex!(State {
                    machine: Machine::new(),
                    backing: None,
                    failed: false,
                    connection: None,
                    finished: false,
                    log: GuestLog::new(),
                    failures: RateLimit::new(Delta::from_secs(5), 20),
                }),
                work <- new_work!("xbdback::Vbd"),
            }),
            GFP_KERNEL,
        )
    }

    /// Tells the guest what to know before it makes its ring.
    pub(crate) fn announce(&self) -> Result {
        let path = self.id.dev.nodename();
        for (key, value) in negotiation::before_ring(&ABILITIES) {
            store::write(path, key, format_args!("{value}"))?;
        }
        Ok(())
    }

    /// Starts the work item, unless it is about to start anyway.
    pub(crate) fn kick(self: &Arc<Self>) {
        if let Some(queue) = work::queue() {
            // It fails when the item is queued already, which is as good.
            let _ = queue.enqueue(self.clone());
        }
    }

    /// The frontend was seen in this state.
    pub(crate) fn frontend_was_in(self: &Arc<Self>, state: u32) {
        let bit = Seen::bit(state);
        let mut seen = self.seen.load(Relaxed);
        while let Err(now) = self.seen.cmpxchg(seen, seen | bit, Full) {
            seen = now;
        }
        self.kick();
    }

    /// The toolstack may have named the device.
    fn device_was_named(self: &Arc<Self>) {
        self.named.store(true, Release);
        self.kick();
    }

    /// The driver is being unbound: closes everything.
    ///
    /// Waits until that is done, unless the toolstack has removed the device: then this is the xenwatch
    /// thread, and there is nobody left to be told when it is done.
    pub(crate) fn remove(self: &Arc<Self>) {
        self.removing.store(true, Release);
        self.kick();
        if store::exists(self.id.dev.nodename()) {
            self.gone.wait_for_completion();
        }
    }

    /// Brings the disk to where it should be.
    fn reconcile(self: &Arc<Self>, state: &mut State) {
        loop {
            self.open_if_named(state);
            let snapshot = self.look(state);
            if state.finished {
                if snapshot.removing {
                    self.gone.complete_all();
                    return;
                }
                if snapshot.own != Some(XenbusState::Initialising) {
                    return;
                }
                self.start_over(state);
            }
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

    /// The toolstack makes a new disk of the old directory.
    fn start_over(&self, state: &mut State) {
        state.machine = Machine::new();
        state.finished = false;
        self.named.store(true, Release);
        self.open_if_named(state);
    }

    /// Everything that matters, as it is now.
    fn look(&self, state: &State) -> Snapshot {
        let own = self.id.dev.nodename();
        Snapshot {
            // First the states that were seen, then the state that is: one between the two is seen again.
            seen: Seen::from_bits(self.seen.xchg(0, Full)),
            frontend: Frontend::from_raw(read_state(&self.id.frontend)),
            backing: match (&state.backing, state.failed) {
                (Some(_), _) => state::Backing::Ready,
                (None, true) => state::Backing::Failed,
                (None, false) => state::Backing::Absent,
            },
            ring: state
                .connection
                .as_ref()
                .map_or(Ring::None, Connection::ring),
            own: XenbusState::from_raw(read_state(own)),
            online: self.id.dev.online(),
            removing: self.removing.load(Acquire),
        }
    }

    fn perform(self: &Arc<Self>, state: &mut State, action: Action) -> Result {
        match action {
            Action::Connect => self.connect(state).inspect_err(|_| {
                state.machine.connect_failed();
            })?,
            Action::Disconnect => state.connection = None,
            Action::SwitchState(to) => self.switch_state(to)?,
            Action::CloseBacking => {
                state.backing = None;
                state.failed = false;
            }
            Action::Finish => state.finished = true,
            Action::Complain(number) => state.log.say(&Message::InvalidFrontendState {
                path: self.id.dev.nodename().to_bytes(),
                state: number,
            }),
        }
        Ok(())
    }

    /// Opens the device, if the toolstack has written its name since the last try.
    fn open_if_named(&self, state: &mut State) {
        if self.removing.load(Acquire) || !self.named.xchg(false, Full) {
            return;
        }
        if let Some(backing) = &state.backing {
            if !self.named_another(backing) {
                return;
            }
            if state.connection.is_some() {
                return;
            }
            state.backing = None;
        }
        match Backing::open(&self.id) {
            Ok(backing) => {
                state.failed = false;
                state.backing = backing;
            }
            Err(_) => state.failed = true,
        }
    }

    /// Whether the toolstack has put another device in the place of one that is open. In use, it stays.
    fn named_another(&self, backing: &Backing) -> bool {
        let path = self.id.dev.nodename();
        let named = match store::read(path, c"physical-device") {
            Ok(Some(node)) => DeviceNumber::parse(&node),
            _ => return false,
        };
        match named {
            Ok(to) if to != backing.number() => {
                say(&Message::ChangingDevice {
                    path: path.to_bytes(),
                    from: backing.number(),
                    to,
                });
                true
            }
            _ => false,
        }
    }

    fn connect(self: &Arc<Self>, state: &mut State) -> Result {
        let backing = state.backing.as_ref().ok_or(ENXIO)?;
        // A guest can try for ever, and every try costs this domain something.
        if !state.failures.has_room() {
            return Err(EAGAIN);
        }
        let connection = Connection::new(self, backing, &mut state.log).inspect_err(|&error| {
            state.failures.allow();
            if error == ENOMEM {
                state.log.report(&self.id, error, &Problem::OutOfMemory);
            }
        })?;
        self.describe(backing)?;
        state.connection = Some(connection);
        Ok(())
    }

    /// Tells the guest what its disk is like.
    fn describe(&self, backing: &Backing) -> Result {
        let path = self.id.dev.nodename();
        let disk = backing.description();
        store::transaction(|transaction| {
            for (key, value) in negotiation::before_use(&ABILITIES, &disk) {
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
        .inspect_err(|&error| {
            say(&Message::CannotEndTransaction {
                path: path.to_bytes(),
                errno: errno(error),
            });
        })
    }

    fn switch_state(&self, to: XenbusState) -> Result {
        self.id.dev.switch_state(to).inspect_err(|&error| {
            let path = self.id.dev.nodename().to_bytes();
            let errno = errno(error);
            say(&match to {
                XenbusState::InitWait => Message::CannotSwitchToInitWait { path, errno },
                _ => Message::CannotSwitchState { path, errno },
            });
        })
    }
}

impl WorkItem for Vbd {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.reconcile(&mut this.state.lock());
    }
}

impl Identity {
    fn new(dev: &Device<Core<'_>>) -> Result<Self> {
        let path = dev.nodename();
        let handle = Handle::from_backend_path(path.to_bytes()).map_err(|_| {
            say(&Message::CannotParsePath {
                path: path.to_bytes(),
            });
            EINVAL
        })?;
        let domain = dev.otherend_id();
        Ok(Self {
            dev: dev.into(),
            frontend: CString::try_from_fmt(format_args!("{}", dev.otherend().to_str()?))?,
            domain,
            handle,
            name: interface_name(domain, handle),
        })
    }
}

/// The state in a directory; 0 when there is none.
fn read_state(dir: &kernel::str::CStr) -> u32 {
    match store::read(dir, c"state") {
        // A state that is no number is none that either end may be in.
        Ok(Some(node)) => parse_u32(&node).unwrap_or(u32::MAX),
        _ => 0,
    }
}

/// The nodes of the backend that the toolstack writes while the disk exists.
pub(crate) struct Watches {
    _device: Pin<KBox<Watch<Named>>>,
    _state: Pin<KBox<Watch<Restated>>>,
}

impl Watches {
    /// Watches them for `vbd`.
    pub(crate) fn new(vbd: &Arc<Vbd>) -> Result<Self> {
        let path = vbd.id.dev.nodename();
        let watch_error = |error: &Error| {
            say(&Message::CannotWatchDevice {
                path: path.to_bytes(),
                errno: errno(*error),
            });
        };
        Ok(Self {
            _device: Watch::new(&path_of(vbd, "physical-device")?, Named(vbd.clone()))
                .inspect_err(watch_error)?,
            _state: Watch::new(&path_of(vbd, "state")?, Restated(vbd.clone()))
                .inspect_err(watch_error)?,
        })
    }
}

fn path_of(vbd: &Vbd, node: &str) -> Result<CString> {
    let dir = vbd.id.dev.nodename().to_str()?;
    CString::try_from_fmt(format_args!("{dir}/{node}"))
}

/// `physical-device` was written.
struct Named(Arc<Vbd>);

impl Watcher for Named {
    fn changed(&self) {
        self.0.device_was_named();
    }
}

/// Our own `state` was written, by us or by the toolstack.
struct Restated(Arc<Vbd>);

impl Watcher for Restated {
    fn changed(&self) {
        self.0.kick();
    }
}
