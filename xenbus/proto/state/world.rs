// SPDX-License-Identifier: GPL-2.0

//! A test double of everything around the state machine: driver, frontend and toolstack.
//!
//! Included by path in tests outside the crate too, so it takes its imports from the file around
//! it.

use super::{
    Action,
    Backing,
    Frontend,
    Machine,
    Ring,
    Seen,
    Snapshot,
    XenbusState, //
};

/// A device, what its surroundings are, and what was done.
pub struct World {
    machine: Machine,
    pub now: Snapshot,
    /// Whether connecting fails.
    pub broken: bool,
    /// The toolstack has named another backing device, which takes the place of this one when there is no ring.
    pub renamed: bool,
    /// The actions performed, connects that failed included.
    pub log: Vec<Action>,
    pub finished: bool,
}

impl World {
    /// A device as the toolstack makes it, with its backing device open.
    pub fn new() -> Self {
        Self {
            machine: Machine::new(),
            now: Snapshot {
                frontend: Frontend::In(XenbusState::Initialising),
                seen: Seen::NONE,
                backing: Backing::Ready,
                ring: Ring::None,
                own: Some(XenbusState::Initialising),
                online: true,
                removing: false,
            },
            broken: false,
            renamed: false,
            log: Vec::new(),
            finished: false,
        }
    }

    /// The frontend writes its state, and the watch sees it. The worker does not run yet.
    pub fn frontend(&mut self, raw: u32) {
        self.now.frontend = Frontend::from_raw(raw);
        self.now.seen = self.now.seen.with(raw);
    }

    /// The frontend breaks its ring.
    pub fn halt(&mut self) {
        if self.now.ring == Ring::Live {
            self.now.ring = Ring::Halted;
        }
    }

    /// The toolstack detaches the disk.
    pub fn detach(&mut self) {
        self.now.online = false;
        self.now.own = self.now.own.map(|_| XenbusState::Closing);
    }

    /// The worker runs until there is nothing to do; it has to get there.
    pub fn settle(&mut self) {
        for _ in 0..8 {
            if self.now.ring == Ring::None {
                self.renamed = false;
            }
            let actions = self.machine.step(&self.now);
            self.now.seen = Seen::NONE;
            if actions.is_empty() {
                return;
            }
            for action in actions {
                if !self.perform(action) {
                    break;
                }
            }
        }
        panic!("spins: {:?}", self.log);
    }

    /// Performs an action, checking that it makes sense; says whether it succeeded.
    fn perform(&mut self, action: Action) -> bool {
        let last_word = action == Action::SwitchState(XenbusState::Closed);
        assert!(!self.finished || last_word, "{action:?} after finish");
        self.log.push(action);
        match action {
            Action::Connect => {
                assert!(self.now.ring == Ring::None, "connected twice");
                assert!(
                    self.now.backing == Backing::Ready,
                    "connected without a disk"
                );
                if self.renamed {
                    return false;
                }
                if self.broken {
                    self.machine.connect_failed();
                    return false;
                }
                self.now.ring = Ring::Live;
            }
            Action::Disconnect(_) => {
                assert!(self.now.ring != Ring::None, "disconnected twice");
                self.now.ring = Ring::None;
            }
            Action::SwitchState(state) => {
                assert!(
                    self.now.own.is_some_and(|own| own != state),
                    "{state:?} again"
                );
                let live = self.now.ring == Ring::Live;
                assert!(
                    state != XenbusState::Connected || live,
                    "{state:?} is a lie"
                );
                assert!(state != XenbusState::Closed || !live, "{state:?} is a lie");
                let open = self.now.backing != Backing::Absent && !self.now.online;
                assert!(state != XenbusState::Closed || !open, "{state:?} is a lie");
                self.now.own = Some(state);
            }
            Action::CloseBacking => {
                assert!(self.now.ring == Ring::None, "disk closed under a ring");
                assert!(self.now.backing != Backing::Absent, "closed twice");
                self.now.backing = Backing::Absent;
            }
            Action::Finish => {
                assert!(self.now.ring == Ring::None, "finished with a ring");
                assert!(self.now.backing == Backing::Absent, "finished with a disk");
                self.finished = true;
            }
            Action::Complain(_) => {}
        }
        true
    }
}
