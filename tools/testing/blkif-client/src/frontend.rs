// SPDX-License-Identifier: GPL-2.0

//! A frontend of one disk: rings, event channels and data pages.
//!
//! The ordinary life is [`Frontend::connect`], [`Queue::call`], [`Frontend::detach`]. A test that wants another
//! order takes the steps one by one.

mod nodes;
mod requests;

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use anyhow::{bail, ensure, Result};

use crate::evtchn::{self, EventChannel};
use crate::features::Features;
use crate::gntalloc::{Access, GrantDevice, Pages};
use crate::ktap::Skip;
use crate::queue::Queue;
use crate::ring::{FrontRing, Response};
use crate::vbd::Vbd;
use crate::wait::patience;
use crate::wire::{op, state, Abi, Layout, MAX_SEGMENTS};

/// Our end of a disk; stands for its first queue, the only one of most disks.
///
/// The fields drop in this order: first the disk, so that the backend unmaps, then what it had mapped.
pub struct Frontend {
    /// The disk's directories.
    pub vbd: Vbd,
    /// The rings.
    pub queues: Vec<Queue>,
    /// Data pages, one direct request's worth.
    pub pages: Vec<Pages>,
    /// What is negotiated; what is changed here is asked for by the next [`Frontend::renew`].
    pub features: Features,
    kept: Vec<Pages>,
    grants: GrantDevice,
    abi: Abi,
    layout: Layout,
    next_id: u64,
}

impl Deref for Frontend {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queues[0]
    }
}

impl DerefMut for Frontend {
    fn deref_mut(&mut self) -> &mut Queue {
        &mut self.queues[0]
    }
}

impl Frontend {
    /// Allocates what a frontend shares; nothing is published yet.
    pub fn new(vbd: Vbd, abi: Abi, layout: Layout, features: Features) -> Result<Self> {
        let grants = GrantDevice::open()?;
        let pages = (0..MAX_SEGMENTS)
            .map(|_| grants.page(Access::ReadWrite))
            .collect::<Result<_>>()?;
        let mut frontend = Self {
            vbd,
            queues: Vec::new(),
            pages,
            features,
            kept: Vec::new(),
            grants,
            abi,
            layout,
            next_id: 0x1000_0000_0000_0001,
        };
        frontend.renew()?;
        Ok(frontend)
    }

    /// Grants one more page.
    pub fn grant(&self, access: Access) -> Result<Pages> {
        self.grants.page(access)
    }

    /// Grants pages one after another.
    pub fn grant_many(&self, count: usize, access: Access) -> Result<Pages> {
        self.grants.pages(count, access)
    }

    /// Holds pages as long as the disk may use them.
    pub fn keep(&mut self, pages: Pages) {
        self.kept.push(pages);
    }

    /// Starts over with fresh rings and ports, as the next driver of a guest does.
    pub fn renew(&mut self) -> Result<()> {
        self.renew_at(0)
    }

    /// Starts over with rings whose indices stand at `index`.
    pub fn renew_at(&mut self, index: u32) -> Result<()> {
        self.queues = (0..self.features.queues)
            .map(|_| {
                let pages = self
                    .grants
                    .pages(self.features.pages(), Access::ReadWrite)?;
                Ok(Queue {
                    ring: FrontRing::starting_at(pages, self.layout, index),
                    channel: EventChannel::new()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(())
    }

    /// What the backend says in `node`; skips the test unless that is at least `least`.
    pub fn offered(&self, node: &str, least: u64) -> Result<u64> {
        let offered = self.vbd.backend_number(node)?;
        if offered < least {
            let why = format!("the backend's {node} is {offered}, not {least} or more");
            return Err(Skip(why).into());
        }
        Ok(offered)
    }

    /// Shows what was posted in any queue.
    pub fn push_all(&self) {
        for queue in &self.queues {
            queue.push();
        }
    }

    /// Waits for one answer in any queue.
    pub fn any_answer(&mut self) -> Result<Response> {
        let end = Instant::now() + patience();
        loop {
            if let Some(answer) = self.queues.iter_mut().find_map(|queue| queue.ring.take()) {
                return Ok(answer);
            }
            if self
                .queues
                .iter()
                .fold(false, |any, queue| queue.ring.arm() || any)
            {
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            ensure!(
                !left.is_zero(),
                "no request was answered within {:?}",
                patience()
            );
            evtchn::wait_any(self.queues.iter_mut().map(|queue| &mut queue.channel), left)?;
        }
    }

    /// Goes through the ordinary states to Connected; fails as soon as the backend refuses.
    pub fn connect(&mut self) -> Result<()> {
        self.vbd.wait_backend(&[state::INIT_WAIT])?;
        self.publish()?;
        self.vbd.set_state(state::INITIALISED)?;
        let reached = self
            .vbd
            .wait_backend(&[state::CONNECTED, state::CLOSING, state::CLOSED])?;
        ensure!(
            reached == state::CONNECTED,
            "the backend refuses, and goes to state {reached} (error node: {:?})",
            self.vbd.error_node()?
        );
        self.vbd.set_state(state::CONNECTED)
    }

    /// Closes, state by state, and takes the disk away.
    pub fn detach(self) -> Result<()> {
        self.vbd.set_backend("online", "0")?;
        self.close()?;
        self.vbd.destroy()
    }

    /// Closes, state by state; the disk stays for a reconnect when it is online.
    pub fn close(&self) -> Result<()> {
        self.vbd.set_state(state::CLOSING)?;
        self.vbd.wait_backend(&[state::CLOSING, state::CLOSED])?;
        self.vbd.set_state(state::CLOSED)?;
        self.vbd.wait_backend(&[state::CLOSED]).map(|_| ())
    }

    /// Comes back with fresh rings after [`Frontend::close`].
    pub fn come_back(&mut self) -> Result<()> {
        self.vbd.set_state(state::INITIALISING)?;
        self.vbd.wait_backend(&[state::INIT_WAIT])?;
        self.renew()?;
        self.connect()
    }

    /// Closes and comes back, asking for `features`.
    pub fn reconnect(&mut self, features: Features) -> Result<()> {
        self.close()?;
        self.features = features;
        self.come_back()
    }

    /// The disk's size as the backend says it, in sectors of 512 bytes.
    pub fn sectors(&self) -> Result<u64> {
        self.vbd.backend_number("sectors")
    }

    /// Fails unless the disk still writes and reads, and every slot of its rings is free.
    pub fn expect_serving(&mut self) -> Result<()> {
        for number in 0..self.queues.len() {
            self.expect_queue_serving(number)?;
        }
        Ok(())
    }

    fn expect_queue_serving(&mut self, number: usize) -> Result<()> {
        let in_flight = self.queues[number].ring.in_flight();
        ensure!(in_flight == 0, "{in_flight} slots never came back");
        let mark = self.fresh_id();
        self.pages[0].write(0, &mark.to_le_bytes());
        let write = self.request(op::WRITE, 0, 1);
        self.queues[number].expect("a write afterwards", &write, 0)?;
        self.pages[0].fill(0);
        let read = self.request(op::READ, 0, 1);
        self.queues[number].expect("a read afterwards", &read, 0)?;
        let mut bytes = [0; 8];
        self.pages[0].read(0, &mut bytes);
        if u64::from_le_bytes(bytes) != mark {
            bail!("a read afterwards returned other data than was written");
        }
        Ok(())
    }
}
