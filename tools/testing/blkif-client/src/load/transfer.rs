// SPDX-License-Identifier: GPL-2.0

//! What is known of a request of a load while it is under way.

/// A request under way: its shape and the data pages it uses.
pub struct Transfer {
    /// The first sector of the disk.
    pub sector: u64,
    /// The first and last sector of each page.
    pub segments: Vec<(u8, u8)>,
    /// The slot of data pages.
    pub slot: usize,
}

impl Transfer {
    /// How many sectors it moves.
    pub fn sectors(&self) -> u64 {
        self.segments
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_counts_both_ends_of_a_segment() {
        let transfer = Transfer {
            sector: 0,
            segments: vec![(0, 7), (3, 3), (6, 7)],
            slot: 0,
        };
        assert_eq!(transfer.sectors(), 8 + 1 + 2);
    }
}
