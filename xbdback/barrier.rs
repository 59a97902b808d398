// SPDX-License-Identifier: GPL-2.0

//! Requests that are done alone, over several rings: nothing else is with the disk while one is.
//!
//! The rings' threads meet at a gate. A thread *enters* before it starts requests, and *leaves* when the disk
//! has none of its own. Whoever has a request to do alone closes the gate: nobody enters any more, and once
//! everyone has left, it is alone. Then it opens the gate, and does not close it again before those have
//! entered who were refused meanwhile: a guest that sends such requests without end holds up no other ring.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
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
    /// Rings that were refused since the gate was last opened, as bits. They are rung.
    refused: Atomic<u32>,
    /// Rings that were refused before the gate was last opened, and have not entered since. They go first.
    first: Atomic<u32>,
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
    /// A gate for rings with these bells, no more than 32.
    pub(crate) fn new(bells: KVec<Arc<Doorbell>>) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                closed_by: Atomic::new(OPEN),
                inside: Atomic::new(0),
                refused: Atomic::new(0),
                first: Atomic::new(0),
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

    /// Rings the bell of the ring with this number, from 1.
    fn ring(&self, number: u32) {
        if let Some(bell) = self.bells.get(number.wrapping_sub(1) as usize) {
            bell.ring();
        }
    }

    /// Rings those who were refused.
    fn ring_refused(&self) {
        let refused = self.refused.xchg(0, Full);
        for number in (1..=u32::BITS).filter(|&number| refused & bit(number) != 0) {
            self.ring(number);
        }
    }
}

/// The bit of the ring with this number, from 1.
fn bit(number: u32) -> u32 {
    1u32.checked_shl(number.wrapping_sub(1)).unwrap_or(0)
}

/// Changes a set of rings, and returns what it was.
fn update(rings: &Atomic<u32>, change: impl Fn(u32) -> u32) -> u32 {
    let mut before = rings.load(Relaxed);
    while let Err(now) = rings.cmpxchg(before, change(before), Full) {
        before = now;
    }
    before
}

impl Passage {
    /// Whether requests may be started. Rings the bell later if not.
    ///
    /// Both ends order their store before their load, so either this ring sees that the gate is closed, or
    /// who closed it sees that this ring is inside; and either this ring sees that it was opened, or who
    /// opened it sees that this ring was refused.
    pub(crate) fn enter(&mut self) -> bool {
        let gate = &self.gate;
        if !self.inside {
            gate.inside.fetch_add(1, Full);
            self.inside = true;
        }
        if !self.may_pass() {
            self.ask_to_be_rung();
            if !self.may_pass() {
                return false;
            }
        }
        if gate.first.load(Relaxed) & bit(self.number) != 0 {
            self.had_its_turn();
        }
        true
    }

    #[cold]
    fn ask_to_be_rung(&self) {
        update(&self.gate.refused, |refused| refused | bit(self.number));
    }

    fn may_pass(&self) -> bool {
        let closed_by = self.gate.closed_by.load(Acquire);
        closed_by == OPEN || closed_by == self.number
    }

    /// This ring has entered, or never will. The last of them lets those go on who wait to close the gate.
    #[cold]
    fn had_its_turn(&self) {
        let gate = &self.gate;
        let before = update(&gate.first, |first| first & !bit(self.number));
        if before == bit(self.number) {
            gate.ring_refused();
        }
    }

    /// The disk has nothing of this ring's.
    pub(crate) fn leave(&mut self) {
        if !core::mem::take(&mut self.inside) {
            return;
        }
        let gate = &self.gate;
        gate.inside.fetch_sub(1, Full);
        if !self.may_pass() {
            gate.ring(gate.closed_by.load(Acquire));
        }
    }

    /// Closes the gate, if nobody else has and nobody goes first, and tells whether this ring is alone inside.
    /// Rings the bell later if not. The disk has nothing of this ring's.
    pub(crate) fn close(&mut self) -> bool {
        if !self.try_close() {
            // Whoever has closed it would wait for this ring otherwise.
            self.leave();
            return false;
        }
        self.gate.inside.load(Acquire) == u32::from(self.inside)
    }

    fn try_close(&self) -> bool {
        let gate = &self.gate;
        if gate.closed_by.load(Acquire) == self.number {
            return true;
        }
        let others = !bit(self.number);
        if gate.first.load(Acquire) & others != 0 {
            self.ask_to_be_rung();
            if gate.first.load(Acquire) & others != 0 {
                return false;
            }
        }
        if gate.closed_by.cmpxchg(OPEN, self.number, Full).is_ok() {
            return true;
        }
        self.ask_to_be_rung();
        gate.closed_by.cmpxchg(OPEN, self.number, Full).is_ok()
    }

    /// Opens the gate again, if this ring has closed it.
    pub(crate) fn open(&self) {
        let gate = &self.gate;
        if gate.closed_by.load(Acquire) != self.number {
            return;
        }
        gate.first.store(gate.refused.load(Acquire), Release);
        gate.closed_by.xchg(OPEN, Full);
        gate.ring_refused();
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.leave();
        self.open();
        self.had_its_turn();
    }
}
