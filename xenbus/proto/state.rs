// SPDX-License-Identifier: GPL-2.0

//! The backend's half of a xenbus connection, as a reconciler.
//!
//! The frontend may jump to any state at any time, the toolstack may write ours, the backing device
//! comes when it comes, and several of these happen while we are busy with one. So nothing is
//! driven by events. Whenever anything may have changed, the one worker of the device takes a
//! [`Snapshot`] and performs, in order, the [`Action`]s that [`Machine::step`] returns; it does so
//! again until there are none. Only [`Action::Connect`] can fail; then the rest of its batch is
//! dropped. The driver says so to [`Machine::connect_failed`], unless another backing device has to
//! be opened first. Everything else is done as well as it can be, and so is what comes after it:
//! [`Action::Finish`] is asked for once.
//!
//! What a snapshot cannot show is what came and went in between: a frontend that closed, started
//! over and is ready again looks as if nothing had happened, but its old ring is gone. [`Seen`]
//! collects those states in the watch callback.

use crate::blkif::XenbusState;

/// The frontend's state as it was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// There is no state, no frontend directory, or it says 0 (`Unknown`).
    Missing,
    /// A state.
    In(XenbusState),
    /// A number that is no state.
    Invalid(u32),
}

impl Frontend {
    /// From the number in the frontend's `state` node, 0 when there is none.
    pub const fn from_raw(raw: u32) -> Self {
        match XenbusState::from_raw(raw) {
            Some(state) => Self::In(state),
            None if raw == 0 => Self::Missing,
            None => Self::Invalid(raw),
        }
    }

    /// The number, for messages.
    pub const fn to_raw(self) -> u32 {
        match self {
            Self::Missing => 0,
            Self::In(state) => state.to_raw(),
            Self::Invalid(raw) => raw,
        }
    }
}

/// The set of states the frontend was seen in since the last snapshot. Fits an atomic, see
/// [`Seen::bit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(u32);

impl Seen {
    /// Nothing was seen.
    pub const NONE: Self = Self(0);

    /// Anything that gives up the ring: missing, Initialising, Closing, Closed.
    const RESTART: u32 = Self::FORGOTTEN | Self::bit(5);

    /// Anything that also gives up what is in flight: missing, Initialising, Closed.
    const FORGOTTEN: u32 = Self::bit(0) | Self::bit(1) | Self::bit(6);

    /// The bit of a state number, for collecting in an atomic by `fetch_or`.
    pub const fn bit(raw: u32) -> u32 {
        match raw {
            0..=8 => 1 << raw,
            _ => 1 << 9,
        }
    }

    /// From the bits collected.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// With one state more.
    #[must_use]
    pub const fn with(self, raw: u32) -> Self {
        Self(self.0 | Self::bit(raw))
    }

    /// Whether the frontend was in this state.
    pub const fn contains(self, state: XenbusState) -> bool {
        self.0 & Self::bit(state.to_raw()) != 0
    }

    /// Whether the frontend was, in between, in a state in which it has no ring.
    const fn restarted(self) -> bool {
        self.0 & Self::RESTART != 0
    }

    /// Whether the frontend was, in between, in a state in which it has forgotten its requests too.
    pub const fn forgot(self) -> bool {
        self.0 & Self::FORGOTTEN != 0
    }

    /// Whether the frontend was in another state than this.
    const fn other_than(self, frontend: Frontend) -> bool {
        self.0 & !Self::bit(frontend.to_raw()) != 0
    }
}

/// The device behind the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// The toolstack has not named it yet, or it was closed.
    Absent,
    /// Open.
    Ready,
    /// It could not be opened; stays so until it is named anew.
    Failed,
}

/// The frontend's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// We hold none.
    None,
    /// It is served.
    Live,
    /// The frontend broke it; we hold it, and serve it no more.
    Halted,
}

/// Everything a step depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The frontend's state now.
    pub frontend: Frontend,
    /// Its states since the last snapshot.
    pub seen: Seen,
    /// The backing device.
    pub backing: Backing,
    /// The frontend's ring.
    pub ring: Ring,
    /// Our own `state` node now, which the toolstack may have written; `None` when it is gone.
    pub own: Option<XenbusState>,
    /// The toolstack's `online` node: whether the frontend may come back after it closed.
    pub online: bool,
    /// Whether the driver is being unbound.
    pub removing: bool,
}

/// What the frontend has of the requests that are in flight when its ring is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It waits for the answers.
    Wanted,
    /// It has forgotten the requests. The pages that it granted for them may be anything by now, under the same
    /// references: they must not be written to.
    Unwanted,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Map the frontend's ring and start serving it.
    Connect,
    /// Stop serving, wait for requests in flight, give everything of the frontend's back.
    Disconnect(Answers),
    /// Write our `state` node.
    SwitchState(XenbusState),
    /// Close the backing device.
    CloseBacking,
    /// Nothing is open any more, and nothing will be: what follows is only to say so.
    Finish,
    /// Report a state that a frontend cannot be in.
    Complain(u32),
}

/// Actions to perform in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    list: [Option<Action>; Self::MAX],
    len: usize,
}

impl Actions {
    /// The longest sequence: disconnect, complain, switch, close, finish.
    const MAX: usize = 5;

    fn push(&mut self, action: Action) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = Some(action);
            self.len = self.len.saturating_add(1);
        }
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Action>, { Self::MAX }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().flatten()
    }
}

/// What has to be remembered from step to step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// The last snapshot, while it may still be the last word.
    last: Option<Snapshot>,
    /// The frontend's state when connecting to it failed.
    failed: Option<Frontend>,
    /// The invalid state complained of.
    complained: Option<u32>,
    /// Nothing follows [`Action::Finish`].
    finished: bool,
}

impl Machine {
    /// The machine of a device that was just probed.
    pub const fn new() -> Self {
        Self {
            last: None,
            failed: None,
            complained: None,
            finished: false,
        }
    }

    /// Says that [`Action::Connect`] failed. It is not tried again until the frontend has moved.
    pub fn connect_failed(&mut self) {
        self.failed = self.last.map(|last| last.frontend);
        self.last = None;
    }

    /// What to do in this situation.
    ///
    /// A situation that is exactly the last one gets no actions: what was asked for then had no
    /// effect, and asking again would spin.
    pub fn step(&mut self, now: &Snapshot) -> Actions {
        if self.finished || (self.last == Some(*now) && now.seen == Seen::NONE) {
            return Actions::default();
        }
        self.last = Some(*now);
        if self
            .failed
            .is_some_and(|at| at != now.frontend || now.seen.other_than(at))
        {
            self.failed = None;
        }

        let mut step = Step {
            now: *now,
            actions: Actions::default(),
            finished: false,
        };
        if now.removing {
            step.remove();
        } else {
            self.follow_frontend(&mut step);
        }
        self.finished = step.finished;
        step.actions
    }

    /// Brings our side to where the frontend's is.
    fn follow_frontend(&mut self, step: &mut Step) {
        use XenbusState::*;

        if step.now.seen.restarted() {
            step.disconnect();
        }
        if !matches!(
            step.now.frontend,
            Frontend::In(InitWait | Reconfiguring | Reconfigured) | Frontend::Invalid(_)
        ) {
            self.complained = None;
        }
        match step.now.frontend {
            Frontend::In(Initialising) => {
                step.disconnect();
                step.wait_for_frontend();
            }
            Frontend::In(Initialised | Connected) => step.connect(self.failed.is_some()),
            Frontend::In(Closing) => {
                step.disconnect();
                if step.now.own != Some(Closed) {
                    step.switch(Closing);
                }
            }
            Frontend::In(Closed) | Frontend::Missing => {
                step.disconnect();
                step.closed();
            }
            Frontend::In(InitWait | Reconfiguring | Reconfigured) | Frontend::Invalid(_) => {
                let raw = step.now.frontend.to_raw();
                if self.complained.replace(raw) != Some(raw) {
                    step.actions.push(Action::Complain(raw));
                }
                step.ignore_frontend();
            }
        }
    }
}

/// One step in the making: the situation as it will be after the actions chosen so far.
struct Step {
    now: Snapshot,
    actions: Actions,
    finished: bool,
}

impl Step {
    /// The toolstack asked us to go: it wrote Closing into our state and will not have the frontend
    /// back.
    fn dismissed(&self) -> bool {
        self.now.own == Some(XenbusState::Closing) && !self.now.online
    }

    /// Whether the frontend waits for what its ring still owes it.
    fn answers(&self) -> Answers {
        use XenbusState::*;

        let forgotten = match self.now.frontend {
            Frontend::Missing | Frontend::In(Initialising | Closed) => true,
            Frontend::In(Closing) => self.now.seen.forgot(),
            // What it has now is another ring.
            _ => self.now.seen.restarted(),
        };
        match forgotten {
            true => Answers::Unwanted,
            false => Answers::Wanted,
        }
    }

    /// Gives the ring back, if there is one.
    fn disconnect(&mut self) {
        if self.now.ring != Ring::None {
            self.now.ring = Ring::None;
            let answers = self.answers();
            self.actions.push(Action::Disconnect(answers));
        }
    }

    /// Writes our state, unless it is so already. A node that was removed is not made again.
    fn switch(&mut self, state: XenbusState) {
        if self.now.own.is_some_and(|own| own != state) {
            self.now.own = Some(state);
            self.actions.push(Action::SwitchState(state));
        }
    }

    /// Closes the backing device and lets go of the whole.
    ///
    /// What our state is to be comes after it: the toolstack takes the device away as soon as it reads
    /// Closed.
    fn release(&mut self) {
        if self.now.backing != Backing::Absent {
            self.now.backing = Backing::Absent;
            self.actions.push(Action::CloseBacking);
        }
        self.finished = true;
        self.actions.push(Action::Finish);
    }

    /// The frontend closed or is gone: stay for the next one, or not.
    fn closed(&mut self) {
        if !self.now.online {
            self.release();
        }
        self.switch(XenbusState::Closed);
    }

    /// The frontend starts (over): wait for its ring.
    fn wait_for_frontend(&mut self) {
        if self.dismissed() {
            self.closed();
        } else {
            self.switch(XenbusState::InitWait);
        }
    }

    /// The frontend has a ring.
    fn connect(&mut self, failed_before: bool) {
        use XenbusState::*;

        if self.now.ring == Ring::Live {
            // The toolstack's Closing stays: the frontend sees it and closes first.
            if !matches!(self.now.own, Some(Closing | Closed)) {
                self.switch(Connected);
            }
        } else if self.now.ring == Ring::Halted || failed_before {
            // The frontend sees it and closes.
            if self.now.own != Some(Closed) {
                self.switch(Closing);
            }
        } else if self.dismissed() {
            // The frontend closes first.
        } else if self.now.backing == Backing::Ready {
            if self.now.own == Some(Connected) {
                // Left from the ring before: the frontend looks for a change.
                self.switch(InitWait);
            }
            self.actions.push(Action::Connect);
            self.now.ring = Ring::Live;
            self.switch(Connected);
        } else {
            self.switch(InitWait);
        }
    }

    /// The frontend's state means nothing; only the toolstack is heard.
    fn ignore_frontend(&mut self) {
        if self.now.ring != Ring::None {
            return;
        }
        if self.dismissed() {
            self.closed();
        } else if self.now.own == Some(XenbusState::Initialising) {
            self.switch(XenbusState::InitWait);
        }
    }

    /// The driver goes away; a frontend that was being served is told.
    fn remove(&mut self) {
        let used = self.now.ring != Ring::None;
        if used && self.now.own != Some(XenbusState::Closed) {
            self.switch(XenbusState::Closing);
        }
        self.disconnect();
        self.release();
        if used {
            self.switch(XenbusState::Closed);
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
