// SPDX-License-Identifier: GPL-2.0

//! What a frontend asks for beyond one ring of one page.

use clap::{Args, ValueEnum};

use crate::wire::RING_SIZE;

/// How the length of a ring is told to the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Naming {
    /// `ring-page-order`
    #[default]
    Order,
    /// `num-ring-pages`, which is older
    Count,
    /// Both, even for a ring of one page, as FreeBSD does
    Both,
}

/// The features a frontend negotiates.
#[derive(Args, Clone, Copy, Debug)]
pub struct Features {
    /// How many rings, each with an event channel of its own
    #[arg(long, default_value_t = 1)]
    pub queues: u32,

    /// Pages of each ring, as a power of two
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=6))]
    pub order: u32,

    /// How the number of a ring's pages is told
    #[arg(long, value_enum, default_value = "order")]
    pub naming: Naming,

    /// Leave data pages mapped by the backend
    #[arg(long)]
    pub persistent: bool,

    /// List the segments of reads and writes in pages of their own
    #[arg(long)]
    pub indirect: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self::NONE
    }
}

impl Features {
    /// One ring of one page, and nothing more.
    pub const NONE: Self = Self {
        queues: 1,
        order: 0,
        naming: Naming::Order,
        persistent: false,
        indirect: false,
    };

    /// Pages of each ring.
    pub fn pages(&self) -> usize {
        1 << self.order
    }

    /// Requests that fit into all rings together.
    pub fn requests(&self) -> u32 {
        self.queues * (RING_SIZE << self.order)
    }

    /// The options of the command line that ask for the same.
    pub fn options(&self) -> Vec<String> {
        let naming = self.naming.to_possible_value();
        let mut options = vec![
            format!("--queues={}", self.queues),
            format!("--order={}", self.order),
        ];
        options.extend(naming.map(|value| format!("--naming={}", value.get_name())));
        options.extend(self.persistent.then(|| "--persistent".to_owned()));
        options.extend(self.indirect.then(|| "--indirect".to_owned()));
        options
    }

    /// Whether the pages of a ring are published one by one.
    pub fn numbered(&self) -> bool {
        self.order > 0 || self.naming == Naming::Both
    }
}
