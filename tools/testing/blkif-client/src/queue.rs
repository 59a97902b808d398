// SPDX-License-Identifier: GPL-2.0

//! One ring and its event channel.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use crate::evtchn::EventChannel;
use crate::request::Entry;
use crate::ring::{FrontRing, Response};
use crate::wait::patience;

/// A ring, and the port by which both sides tell of what is in it.
pub struct Queue {
    /// The shared ring.
    pub ring: FrontRing,
    /// Our port.
    pub channel: EventChannel,
}

impl Queue {
    /// Puts a request into the ring without showing it.
    pub fn post(&mut self, request: &impl Entry) {
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
        let answers = self.answers_within(count, patience())?;
        ensure!(
            answers.len() == count,
            "{} of {count} requests were answered within {:?}",
            answers.len(),
            patience()
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
    pub fn call(&mut self, request: &impl Entry) -> Result<i16> {
        let answer = self.call_raw(&request.encode(self.ring.layout()))?;
        ensure!(
            answer.id == request.id() && answer.operation == request.operation(),
            "request {:#x} operation {} was answered as {:#x} operation {}",
            request.id(),
            request.operation(),
            answer.id,
            answer.operation
        );
        Ok(answer.status)
    }

    /// Posts one request and fails unless it is answered with `wanted`.
    pub fn expect(&mut self, what: &str, request: &impl Entry, wanted: i16) -> Result<()> {
        let status = self.call(request)?;
        ensure!(status == wanted, "{what}: answered {status}, not {wanted}");
        Ok(())
    }

    /// Posts any number of requests, a ring at a time, and returns all answers in the order they came.
    pub fn call_all(&mut self, requests: &[impl Entry]) -> Result<Vec<Response>> {
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
}
