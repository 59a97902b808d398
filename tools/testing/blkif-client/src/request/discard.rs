// SPDX-License-Identifier: GPL-2.0

//! A request to forget sectors.

use super::{put, Entry};
use crate::wire::{op, Layout};

/// The sectors to forget, and how thoroughly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard {
    /// Echoed in the response.
    pub id: u64,
    /// 1 for a secure erase.
    pub flag: u8,
    /// The first sector.
    pub sector: u64,
    /// How many.
    pub count: u64,
}

impl Entry for Discard {
    fn id(&self) -> u64 {
        self.id
    }

    fn operation(&self) -> u8 {
        op::DISCARD
    }

    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut entry = vec![0; layout.entry];
        entry[0] = op::DISCARD;
        entry[1] = self.flag;
        put(&mut entry, layout.id, &self.id.to_le_bytes());
        put(&mut entry, layout.sector, &self.sector.to_le_bytes());
        put(&mut entry, layout.tail, &self.count.to_le_bytes());
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets from `blkif.h`: `offsetof(struct blkif_x86_{32,64}_request_discard, …)`.
    #[test]
    fn fields_are_where_the_header_has_them() {
        let discard = Discard {
            id: 0x1122_3344_5566_7788,
            flag: 1,
            sector: 0x99aa,
            count: 0xbbcc,
        };
        for (layout, id, sector, count) in [(Layout::WIDE, 8, 16, 24), (Layout::NARROW, 4, 12, 20)]
        {
            let entry = discard.encode(layout);
            assert_eq!(entry[..2], [5, 1]);
            assert_eq!(entry[id..id + 8], discard.id.to_le_bytes());
            assert_eq!(entry[sector..sector + 8], discard.sector.to_le_bytes());
            assert_eq!(entry[count..count + 8], discard.count.to_le_bytes());
        }
    }
}
