// SPDX-License-Identifier: GPL-2.0

//! The nodes a frontend publishes for the backend to connect by.

use anyhow::Result;

use super::Frontend;
use crate::features::Naming;
use crate::wire::offers;

/// The folder of a queue's nodes, with a stroke at its end; a disk's only queue has none.
fn folder(queue: usize, queues: u32) -> String {
    if queues == 1 {
        String::new()
    } else {
        format!("queue-{queue}/")
    }
}

impl Frontend {
    /// Skips the test unless the backend, which waits for a frontend, offers the rings that this one has.
    pub fn need_rings(&self) -> Result<()> {
        let features = &self.features;
        if features.queues > 1 {
            self.offered(offers::QUEUES, features.queues.into())?;
        }
        if features.order > 0 && features.naming != Naming::Count {
            self.offered(offers::RING_ORDER, features.order.into())?;
        }
        if features.order > 0 && features.naming == Naming::Count {
            self.offered(offers::RING_PAGES, features.pages() as u64)?;
        }
        Ok(())
    }

    /// Skips the test unless the backend, which is connected, offers what this frontend's requests need.
    pub fn need_requests(&self) -> Result<()> {
        if self.features.indirect {
            self.offered(offers::INDIRECT, 1)?;
        }
        if self.features.persistent {
            self.offered(offers::PERSISTENT, 1)?;
        }
        Ok(())
    }

    /// Writes the nodes the backend connects by, and takes away those of other features.
    pub fn publish(&self) -> Result<()> {
        let features = &self.features;
        let order = features.numbered() && features.naming != Naming::Count;
        let count = features.numbered() && features.naming != Naming::Order;
        let queues = features.queues > 1;
        for (node, value) in [
            ("protocol", self.abi.protocol().map(str::to_owned)),
            ("ring-page-order", order.then(|| features.order.to_string())),
            (
                "num-ring-pages",
                count.then(|| features.pages().to_string()),
            ),
            (
                "multi-queue-num-queues",
                queues.then(|| features.queues.to_string()),
            ),
            (
                "feature-persistent",
                features.persistent.then(|| "1".to_owned()),
            ),
        ] {
            match value {
                Some(value) => self.vbd.set(node, value)?,
                None => self.vbd.unset(node)?,
            }
        }
        (0..self.queues.len()).try_for_each(|number| self.publish_queue(number))
    }

    fn publish_queue(&self, number: usize) -> Result<()> {
        let folder = folder(number, self.features.queues);
        let queue = &self.queues[number];
        let port = queue.channel.port().to_string();
        self.vbd.set(&format!("{folder}event-channel"), port)?;
        if self.features.order == 0 {
            let gref = queue.ring.gref().to_string();
            self.vbd.set(&format!("{folder}ring-ref"), gref)?;
        }
        if self.features.numbered() {
            for (page, gref) in queue.ring.grefs().iter().enumerate() {
                let node = format!("{folder}ring-ref{page}");
                self.vbd.set(&node, gref.to_string())?;
            }
        }
        Ok(())
    }
}
