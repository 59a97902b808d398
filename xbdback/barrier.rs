// SPDX-License-Identifier: GPL-2.0

//! Barriers over several rings: nothing else is with the disk while one is.
//!
//! The rings' threads meet at a gate. A thread *enters* before it starts requests, and *leaves* when the disk
//! has none of its own. Whoever has a barrier to do closes the gate: nobody enters any more, and once everyone
//! has left, it is alone.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        Arc, //
    },
};
use xenbus::doorbell::Doorbell;

/// Nobody has closed the gate.
const OPEN: u32 = 0;

/// The gate of a connection.
pub(crate) struct Gate {
    /// [`OPEN`], or the number of the ring that has closed it, from 1.
    closed_by: Atomic<u32>,
    /// Rings that are inside.
    inside: Atomic<u32>,
    bells: KVec<Arc<Doorbell>>,
}

/// A ring's own view of the gate.
pub(crate) struct Passage {
    gate: Arc<Gate>,
    /// The number of the ring, from 1.
    number: u32,
    inside: bool,
}

impl Gate {
    /// A gate for rings with these bells.
    pub(crate) fn new(bells: KVec<Arc<Doorbell>>) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                closed_by: Atomic::new(OPEN),
                inside: Atomic::new(0),
                bells,
            },
            GFP_KERNEL,
        )?)
    }

    /// The way through the gate for the ring with this number, from 0.
    pub(crate) fn passage(self: &Arc<Self>, ring: usize) -> Result<Passage> {
        Ok(Passage {
            gate: self.clone(),
            number: u32::try_from(ring)?.saturating_add(1),
            inside: false,
        })
    }

    fn ring(&self) {
        for bell in &self.bells {
            bell.ring();
        }
    }
}

impl Passage {
    /// Whether requests may be started. Rings the bell later if not.
    ///
    /// Both ends order their store before their load, so either this ring sees that the gate is closed, or
    /// who closed it sees that this ring is inside.
    pub(crate) fn enter(&mut self) -> bool {
        let gate = &self.gate;
        if !self.inside {
            gate.inside.fetch_add(1, Full);
            self.inside = true;
        }
        let closed_by = gate.closed_by.load(Acquire);
        closed_by == OPEN || closed_by == self.number
    }

    /// The disk has nothing of this ring's.
    pub(crate) fn leave(&mut self) {
        if !core::mem::take(&mut self.inside) {
            return;
        }
        let gate = &self.gate;
        gate.inside.fetch_sub(1, Full);
        let closed_by = gate.closed_by.load(Acquire);
        if closed_by == OPEN || closed_by == self.number {
            return;
        }
        if let Some(bell) = gate.bells.get(closed_by.wrapping_sub(1) as usize) {
            bell.ring();
        }
    }

    /// Closes the gate, if nobody else has, and tells whether this ring is alone inside. Rings the bell
    /// later if not. The disk has nothing of this ring's.
    pub(crate) fn close(&mut self) -> bool {
        let gate = &self.gate;
        match gate.closed_by.cmpxchg(OPEN, self.number, Full) {
            Ok(_) => {}
            Err(now) if now == self.number => {}
            // Its owner would wait for this ring otherwise.
            Err(_) => {
                self.leave();
                return false;
            }
        }
        gate.inside.load(Acquire) == u32::from(self.inside)
    }

    /// Opens the gate again, if this ring has closed it.
    pub(crate) fn open(&self) {
        let gate = &self.gate;
        if gate.closed_by.load(Acquire) == self.number {
            gate.closed_by.store(OPEN, Release);
            gate.ring();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.leave();
        self.open();
    }
}
