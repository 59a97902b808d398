// SPDX-License-Identifier: GPL-2.0

//! A frontend of one disk: ring, event channel and data pages.
//!
//! The ordinary life is [`Frontend::connect`], [`Frontend::call`], [`Frontend::detach`]. A test that wants another
//! order takes the steps one by one.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Result};

use crate::evtchn::EventChannel;
use crate::gntalloc::{Access, GrantDevice, Page};
use crate::request::{Request, Segment};
use crate::ring::{FrontRing, Response};
use crate::vbd::Vbd;
use crate::wait::PATIENCE;
use crate::wire::{op, state, Abi, Layout, MAX_SEGMENTS};

/// Our end of a disk.
///
/// The fields drop in this order: first the disk, so that the backend unmaps, then what it had mapped.
pub struct Frontend {
    /// The disk's directories.
    pub vbd: Vbd,
    /// The shared ring.
    pub ring: FrontRing,
    /// Our port.
    pub channel: EventChannel,
    /// Data pages, one request's worth.
    pub pages: Vec<Page>,
    grants: GrantDevice,
    abi: Abi,
    next_id: u64,
}

impl Frontend {
    /// Allocates what a frontend shares; nothing is published yet.
    pub fn new(vbd: Vbd, abi: Abi, layout: Layout) -> Result<Self> {
        let grants = GrantDevice::open()?;
        let ring = FrontRing::new(grants.page(Access::ReadWrite)?, layout);
        let pages = (0..MAX_SEGMENTS)
            .map(|_| grants.page(Access::ReadWrite))
            .collect::<Result<_>>()?;
        Ok(Self {
            vbd,
            ring,
            channel: EventChannel::new()?,
            pages,
            grants,
            abi,
            next_id: 0x1000_0000_0000_0001,
        })
    }

    /// Grants one more page.
    pub fn grant(&self, access: Access) -> Result<Page> {
        self.grants.page(access)
    }

    /// Starts over with a fresh ring and port, as the next driver of a guest does.
    pub fn renew(&mut self) -> Result<()> {
        self.renew_at(0)
    }

    /// Starts over with a ring whose indices stand at `index`.
    pub fn renew_at(&mut self, index: u32) -> Result<()> {
        let page = self.grants.page(Access::ReadWrite)?;
        self.ring = FrontRing::starting_at(page, self.ring.layout(), index);
        self.channel = EventChannel::new()?;
        Ok(())
    }

    /// Writes the nodes the backend connects by.
    pub fn publish(&self) -> Result<()> {
        self.vbd.set("ring-ref", self.ring.gref().to_string())?;
        self.vbd
            .set("event-channel", self.channel.port().to_string())?;
        match self.abi.protocol() {
            Some(protocol) => self.vbd.set("protocol", protocol),
            None => self.vbd.unset("protocol"),
        }
    }

    /// Goes through the ordinary states to Connected.
    pub fn connect(&mut self) -> Result<()> {
        self.vbd.wait_backend(&[state::INIT_WAIT])?;
        self.publish()?;
        self.vbd.set_state(state::INITIALISED)?;
        self.vbd.wait_backend(&[state::CONNECTED])?;
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

    /// The disk's size as the backend says it, in sectors of 512 bytes.
    pub fn sectors(&self) -> Result<u64> {
        self.vbd.backend_number("sectors")
    }

    /// Whole-page segments of the first `count` data pages.
    pub fn segments(&self, count: usize) -> Vec<Segment> {
        self.pages
            .iter()
            .take(count)
            .map(|page| Segment::page(page.gref()))
            .collect()
    }

    /// A request over the first `pages` data pages with an id of its own.
    pub fn request(&mut self, operation: u8, sector: u64, pages: usize) -> Request {
        let request = Request::new(operation, sector, &self.segments(pages));
        request.with_id(self.fresh_id())
    }

    /// An id not used before.
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(0x0001_0000_0001);
        self.next_id
    }

    /// Puts a request into the ring without showing it.
    pub fn post(&mut self, request: &Request) {
        self.ring.post(&request.encode(self.ring.layout()));
    }

    /// Shows what was posted and sends the event if the backend wants one.
    pub fn push(&self) {
        if self.ring.push() {
            self.channel.notify();
        }
    }

    /// Waits for `count` answers.
    pub fn answers(&mut self, count: usize) -> Result<Vec<Response>> {
        let answers = self.answers_within(count, PATIENCE)?;
        ensure!(
            answers.len() == count,
            "{} of {count} requests were answered within {PATIENCE:?}",
            answers.len()
        );
        Ok(answers)
    }

    /// Collects up to `count` answers until `timeout` is over.
    pub fn answers_within(&mut self, count: usize, timeout: Duration) -> Result<Vec<Response>> {
        let end = Instant::now() + timeout;
        let mut answers = Vec::new();
        while answers.len() < count {
            if let Some(answer) = self.ring.take() {
                answers.push(answer);
                continue;
            }
            if self.ring.arm() {
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.channel.wait(left)?;
        }
        Ok(answers)
    }

    /// Posts the bytes of one request and waits for its answer.
    pub fn call_raw(&mut self, entry: &[u8]) -> Result<Response> {
        self.ring.post(entry);
        self.push();
        Ok(self.answers(1)?.remove(0))
    }

    /// Posts one request, waits, checks that the answer belongs to it, and returns the status.
    pub fn call(&mut self, request: &Request) -> Result<i16> {
        let answer = self.call_raw(&request.encode(self.ring.layout()))?;
        ensure!(
            answer.id == request.id && answer.operation == request.operation,
            "request {:#x} operation {} was answered as {:#x} operation {}",
            request.id,
            request.operation,
            answer.id,
            answer.operation
        );
        Ok(answer.status)
    }

    /// Posts one request and fails unless it is answered with `wanted`.
    pub fn expect(&mut self, what: &str, request: &Request, wanted: i16) -> Result<()> {
        let status = self.call(request)?;
        ensure!(status == wanted, "{what}: answered {status}, not {wanted}");
        Ok(())
    }

    /// Posts any number of requests, a ring at a time, and returns all answers in the order they came.
    pub fn call_all(&mut self, requests: &[Request]) -> Result<Vec<Response>> {
        let mut answers = Vec::with_capacity(requests.len());
        let room = usize::try_from(self.ring.free())?;
        ensure!(room > 0, "the ring has no free slot left");
        for batch in requests.chunks(room) {
            for request in batch {
                self.post(request);
            }
            self.push();
            answers.extend(self.answers(batch.len())?);
        }
        Ok(answers)
    }

    /// Fails unless the disk still writes and reads, and every slot of the ring is free.
    pub fn expect_serving(&mut self) -> Result<()> {
        ensure!(
            self.ring.in_flight() == 0,
            "{} slots never came back",
            self.ring.in_flight()
        );
        let mark = self.fresh_id();
        self.pages[0].write(0, &mark.to_le_bytes());
        let write = self.request(op::WRITE, 0, 1);
        self.expect("a write afterwards", &write, 0)?;
        self.pages[0].fill(0);
        let read = self.request(op::READ, 0, 1);
        self.expect("a read afterwards", &read, 0)?;
        let mut bytes = [0; 8];
        self.pages[0].read(0, &mut bytes);
        if u64::from_le_bytes(bytes) != mark {
            bail!("a read afterwards returned other data than was written");
        }
        Ok(())
    }
}
