// SPDX-License-Identifier: GPL-2.0

//! A disk's work item: looks at everything as it is now, asks [`xenbus_proto::state::Machine`] what to do, does
//! it, and looks again.

use super::{
    read_number,
    State,
    Vbd, //
};
use crate::{
    backing::Backing,
    connection::{
        self,
        Connection,
        NotConnected, //
    },
    named::Named,
    say::{
        errno,
        say, //
    },
    size,
    waiting::{
        self,
        Moment, //
    },
};
use core::ops::ControlFlow;
use kernel::{
    prelude::*,
    sync::{
        atomic::ordering::{
            Acquire,
            Full,
            Relaxed,
            Release, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};
use xenbus::store::Transaction;
use xenbus_proto::{
    blkif::XenbusState,
    message::Message,
    negotiation,
    problem::Problem,
    state::{
        self,
        Action,
        Answers,
        Frontend,
        Seen,
        Snapshot, //
    },
};

/// How often what may pass is tried again, and the time between: five seconds in all.
const PATIENCE: usize = 50;
const PAUSE: Delta = Delta::from_millis(100);

/// Stands for a state that cannot be read: it means nothing.
const UNREADABLE: u32 = u32::MAX;

impl Vbd {
    /// Brings the disk to where it should be.
    pub(super) fn reconcile(self: &Arc<Self>, state: &mut State) {
        while let Some(snapshot) = self.look_patiently(state) {
            let actions = state.machine.step(&snapshot);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                if self.perform(state, action).is_break() {
                    break;
                }
            }
        }
    }

    /// Opens what was named, and looks. What may pass, as a shortage of memory, is waited for, since nobody starts the
    /// work item again; `None` when it does not, as when this domain goes down: then everything stays as it is.
    fn look_patiently(self: &Arc<Self>, state: &mut State) -> Option<Snapshot> {
        for _ in 0..PATIENCE {
            match self.open_if_named(state).and_then(|()| self.look(state)) {
                Ok(snapshot) => return Some(snapshot),
                Err(ENODEV) => self.lose_directory(),
                Err(_) => fsleep(PAUSE),
            }
        }
        None
    }

    /// Everything that matters, as it is now.
    fn look(&self, state: &State) -> Result<Snapshot> {
        let removing = self.removing.load(Acquire);
        // First the states that were seen, then the state that is: one between the two is seen again.
        let seen = self.seen.xchg(0, Full);
        let read = || -> Result<_> {
            let own = self.id.dev.nodename();
            let numbers = (
                self.read_frontend()?,
                read_number(own, c"state")?,
                read_number(own, c"online")?,
            );
            self.still_ours()?;
            Ok(numbers)
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

    /// The frontend's state. A guest may forbid us to read it, but not thereby keep the disk from going.
    fn read_frontend(&self) -> Result<Option<u32>> {
        match read_number(&self.id.frontend, c"state") {
            Err(EACCES) => Ok(Some(UNREADABLE)),
            read => read,
        }
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

    /// Breaks when the disk is not connected: then the rest is not to be done. All else is done as well as it can be.
    fn perform(self: &Arc<Self>, state: &mut State, action: Action) -> ControlFlow<()> {
        match action {
            // The other device is opened first: look again.
            Action::Connect if state.renamed => return ControlFlow::Break(()),
            Action::Connect => {
                if !self.connect(state) {
                    state.machine.connect_failed();
                    return ControlFlow::Break(());
                }
            }
            Action::Disconnect(answers) => {
                if answers == Answers::Unwanted {
                    self.deserted.store(true, Relaxed);
                } else if self.removing.load(Acquire) && !*self.gone.lock() {
                    self.let_guest_close();
                }
                state.connection = None;
            }
            Action::SwitchState(to) => self.switch_state(to),
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
        ControlFlow::Continue(())
    }

    /// Waits a little for the guest to see that we are closing, and to close: its ring is served that long.
    /// Otherwise what it asks for in the meantime would never be answered.
    fn let_guest_close(&self) {
        for _ in 0..200 {
            let frontend = read_number(&self.id.frontend, c"state");
            let own = read_number(self.id.dev.nodename(), c"state");
            let (Ok(Some(3 | 4)), Ok(Some(_))) = (frontend, own) else {
                // The kernel does not tell us its states any more.
                if let Ok(frontend) = frontend {
                    if Seen::NONE.with(frontend.unwrap_or(0)).forgot() {
                        self.deserted.store(true, Relaxed);
                    }
                }
                return;
            };
            fsleep(Delta::from_millis(10));
        }
    }

    /// Opens the device, if the toolstack has named it since the last try. One in use stays until the guest
    /// is done with it.
    ///
    /// # Errors
    ///
    /// It is not known whether the directory is still this disk's, or it is not (`ENODEV`).
    fn open_if_named(self: &Arc<Self>, state: &mut State) -> Result {
        if self.removing.load(Acquire) || self.finished.load(Acquire) {
            return Ok(());
        }
        let named = self.named.xchg(false, Full);
        state.renamed |= named && self.named_another(state);
        if state.connection.is_some() || !state.renamed {
            return Ok(());
        }
        // The next disk's device is not ours to open.
        self.in_directory(|| self.still_ours())?;
        state.renamed = false;
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
        Ok(())
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

    /// Takes up the guest's rings, and returns whether that was done. If not, the log and xenstore say why.
    fn connect(self: &Arc<Self>, state: &mut State) -> bool {
        // A guest can try for ever, and every try costs this domain something.
        if !state.failures.has_room() {
            return false;
        }
        let Err(why) = self.try_connect(state) else {
            return true;
        };
        state.failures.allow();
        match why {
            // Of a directory that is not ours there is nothing to say.
            NotConnected::Said | NotConnected::Unsaid(ENODEV) => {}
            NotConnected::Unsaid(error) => {
                let errno = errno(error);
                let problem = match error {
                    ENOMEM => Problem::OutOfMemory,
                    _ => Problem::CannotConnect { errno },
                };
                self.log.lock().report(&self.id, error, &problem);
            }
        }
        false
    }

    fn try_connect(self: &Arc<Self>, state: &mut State) -> Result<(), NotConnected> {
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
        let published = self.publish(
            |transaction| self.ours_in(transaction),
            || negotiation::before_use(&self.abilities, disk),
        );
        published.inspect_err(|&error| {
            if error != ENODEV {
                say(&Message::CannotEndTransaction {
                    path: self.id.dev.nodename().to_bytes(),
                    errno: errno(error),
                });
            }
        })
    }

    /// Tells a connected guest when its disk has another size than it knows.
    pub(super) fn follow_size(&self, state: &mut State) {
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
        match self.in_directory(|| {
            let owned = |transaction: &Transaction| self.ours_in(transaction);
            size::announce(path, sectors, owned)
        }) {
            Ok(true) => connection.size.was_told(sectors),
            Ok(false) | Err(ENODEV) => {}
            Err(error) => say(&Message::CannotWrite {
                path: path.to_bytes(),
                key: b"sectors",
                errno: errno(error),
            }),
        }
    }

    /// Writes our state. When that fails, what comes after it has to be done all the same.
    fn switch_state(&self, to: XenbusState) {
        let attempt = || {
            let owned = |transaction: &Transaction| self.ours_in(transaction);
            self.in_directory(|| self.id.dev.switch_state_if(to, owned))
        };
        let mut switched = attempt();
        // It is not asked for again: a shortage of memory is waited for.
        for _ in 0..PATIENCE {
            if switched != Err(ENOMEM) {
                break;
            }
            fsleep(PAUSE);
            switched = attempt();
        }
        match switched {
            Ok(()) | Err(ENODEV) => {}
            Err(error) => {
                let path = self.id.dev.nodename().to_bytes();
                let errno = errno(error);
                say(&match to {
                    XenbusState::InitWait => Message::CannotSwitchToInitWait { path, errno },
                    _ => Message::CannotSwitchState { path, errno },
                });
            }
        }
    }
}
