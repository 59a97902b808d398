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
        let mut nodes: Vec<(String, Option<String>)> = [
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
        ]
        .map(|(node, value)| (node.to_owned(), value))
        .into();
        for number in 0..self.queues.len() {
            nodes.extend(
                self.queue_nodes(number)
                    .map(|(node, value)| (node, Some(value))),
            );
        }
        self.vbd.set_all(&nodes)
    }

    fn queue_nodes(&self, number: usize) -> impl Iterator<Item = (String, String)> + '_ {
        let folder = folder(number, self.features.queues);
        let queue = &self.queues[number];
        let port = [("event-channel".to_owned(), queue.channel.port())];
        let single = (self.features.order == 0).then(|| ("ring-ref".to_owned(), queue.ring.gref()));
        let numbered = self.features.numbered().then(|| {
            let pages = queue.ring.grefs().iter().enumerate();
            pages.map(|(page, gref)| (format!("ring-ref{page}"), *gref))
        });
        port.into_iter()
            .chain(single)
            .chain(numbered.into_iter().flatten())
            .map(move |(node, value)| (format!("{folder}{node}"), value.to_string()))
    }
}
