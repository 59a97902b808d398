// SPDX-License-Identifier: GPL-2.0

//! The offset table, checked while it is read.

use super::{
    Geometry,
    Problem,
    ENTRY_BYTES,
    UNWRITTEN, //
};

/// A compressed block in the file.
///
/// # Invariants
///
/// It lies behind the offset table and within the file. Its length is neither zero nor as much as
/// [`Geometry::compressed_limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    block: u32,
    start: u64,
    length: u32,
}

impl Extent {
    /// The block's number.
    #[inline]
    pub const fn block(&self) -> u32 {
        self.block
    }

    /// Where it begins in the file.
    #[inline]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Its bytes in the file.
    #[inline]
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// Where it ends in the file.
    #[inline]
    pub const fn end(&self) -> u64 {
        // It lies within the file: it saturates never.
        self.start.saturating_add(self.length as u64)
    }
}

/// Reads the offset table, entry by entry.
///
/// # Examples
///
/// ```
/// use vnd_proto::cloop2::{BlockSize, Geometry, Problem, Table};
///
/// # fn main() -> Result<(), Problem> {
/// let geometry = Geometry::of_image(1024, BlockSize::new(512)?)?;
/// let mut table = Table::new(geometry, 1024)?;
/// for entry in [160, 170, 190_u64] {
///     if let Some(extent) = table.push(entry.to_be_bytes())? {
///         println!("block {} has {} bytes", extent.block(), extent.length());
///     }
/// }
/// assert_eq!(table.missing_bytes(), 0);
/// # Ok(())
/// # }
/// ```
///
/// # Invariants
///
/// `previous` is the entry before the next, or where the table ends; it is never behind the end of
/// the file.
#[derive(Clone, Debug)]
pub struct Table {
    geometry: Geometry,
    file_bytes: u64,
    /// The block whose end is read next, `None` while its beginning is.
    next: Option<u32>,
    previous: u64,
}

impl Table {
    /// A table that has not been read yet, in a file of so many bytes; `u64::MAX` when that is not
    /// known.
    pub fn new(geometry: Geometry, file_bytes: u64) -> Result<Self, Problem> {
        let previous = geometry.data_start();
        if previous > file_bytes {
            return Err(Problem::TableBeyondEnd {
                blocks: geometry.blocks(),
                file: file_bytes,
            });
        }
        // INVARIANT: The end of the table is within the file.
        Ok(Self {
            geometry,
            file_bytes,
            next: None,
            previous,
        })
    }

    /// How much of the table has not been read yet, in bytes.
    pub fn missing_bytes(&self) -> u64 {
        let read = self
            .next
            .map_or(0, |block| u64::from(block).saturating_add(1));
        let read_bytes = read.saturating_mul(ENTRY_BYTES as u64);
        self.geometry.table_bytes().saturating_sub(read_bytes)
    }

    /// Takes the next entry, and gives the block that ends there. The first gives none, as does
    /// anything behind the table. An entry that is refused changes nothing.
    pub fn push(&mut self, entry: [u8; ENTRY_BYTES]) -> Result<Option<Extent>, Problem> {
        let Some(block) = self.next else {
            self.first(entry)?;
            self.next = Some(0);
            return Ok(None);
        };
        if block >= self.geometry.blocks() {
            return Ok(None);
        }
        let extent = self.extent(block, entry)?;
        // INVARIANT: An extent ends within the file.
        self.previous = extent.end();
        self.next = Some(block.saturating_add(1));
        Ok(Some(extent))
    }

    /// The first entry is known before.
    fn first(&self, entry: [u8; ENTRY_BYTES]) -> Result<(), Problem> {
        let offset = u64::from_be_bytes(entry);
        if entry == UNWRITTEN {
            return Err(Problem::Unwritten { block: 0 });
        }
        if offset != self.previous {
            return Err(Problem::FirstBlock {
                offset,
                expected: self.previous,
            });
        }
        Ok(())
    }

    /// Any other is where a block ends.
    fn extent(&self, block: u32, entry: [u8; ENTRY_BYTES]) -> Result<Extent, Problem> {
        if entry == UNWRITTEN {
            return Err(Problem::Unwritten { block });
        }
        let (start, end) = (self.previous, u64::from_be_bytes(entry));
        let length = end
            .checked_sub(start)
            .filter(|&length| length != 0)
            .ok_or(Problem::Order { block, start, end })?;
        let limit = self.geometry.compressed_limit();
        let short = u32::try_from(length)
            .ok()
            .filter(|&length| length < limit)
            .ok_or(Problem::BlockTooLong {
                block,
                length,
                limit: u64::from(limit),
            })?;
        if end > self.file_bytes {
            return Err(Problem::BlockBeyondEnd {
                block,
                end,
                file: self.file_bytes,
            });
        }
        // INVARIANT: All of it was looked at; `start` is not before the end of the table.
        Ok(Extent {
            block,
            start,
            length: short,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockSize;
    use super::*;

    /// Three blocks of 512 bytes: the table ends at byte 168.
    fn geometry() -> Geometry {
        Geometry::of_image(1500, BlockSize::new(512).unwrap()).unwrap()
    }

    /// Reads a table; the first problem ends it.
    fn read(file_bytes: u64, entries: &[u64]) -> Result<Vec<(u64, u32)>, Problem> {
        let mut table = Table::new(geometry(), file_bytes)?;
        let mut extents = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            assert_eq!(table.missing_bytes(), 32 - 8 * index as u64);
            let extent = table.push(entry.to_be_bytes())?;
            assert_eq!(extent.map(|e| e.block() as usize + 1).unwrap_or(0), index);
            extents.extend(extent.map(|e| (e.start(), e.length())));
        }
        Ok(extents)
    }

    #[test]
    fn a_good_table_gives_every_block() {
        let blocks = vec![(168, 1), (169, 1023), (1192, 8)];
        assert_eq!(read(1200, &[168, 169, 1192, 1200]), Ok(blocks.clone()));
        assert_eq!(read(u64::MAX, &[168, 169, 1192, 1200]), Ok(blocks));
    }

    #[test]
    fn a_bad_table_is_refused_at_its_first_bad_entry() {
        const ONES: u64 = u64::MAX;
        let table: [(u64, &[u64], Problem); 11] = [
            (
                167,
                &[],
                Problem::TableBeyondEnd {
                    blocks: 3,
                    file: 167,
                },
            ),
            (
                999,
                &[167],
                Problem::FirstBlock {
                    offset: 167,
                    expected: 168,
                },
            ),
            (
                999,
                &[0],
                Problem::FirstBlock {
                    offset: 0,
                    expected: 168,
                },
            ),
            (999, &[ONES], Problem::Unwritten { block: 0 }),
            (999, &[168, 170, ONES], Problem::Unwritten { block: 1 }),
            (
                999,
                &[168, 168],
                Problem::Order {
                    block: 0,
                    start: 168,
                    end: 168,
                },
            ),
            (
                999,
                &[168, 200, 199],
                Problem::Order {
                    block: 1,
                    start: 200,
                    end: 199,
                },
            ),
            (
                9999,
                &[168, 1192],
                Problem::BlockTooLong {
                    block: 0,
                    length: 1024,
                    limit: 1024,
                },
            ),
            (
                9999,
                &[168, 169, 169 + (1 << 32)],
                Problem::BlockTooLong {
                    block: 1,
                    length: 1 << 32,
                    limit: 1024,
                },
            ),
            (
                9999,
                &[168, ONES - 1],
                Problem::BlockTooLong {
                    block: 0,
                    length: ONES - 169,
                    limit: 1024,
                },
            ),
            (
                200,
                &[168, 180, 201],
                Problem::BlockBeyondEnd {
                    block: 1,
                    end: 201,
                    file: 200,
                },
            ),
        ];
        for (file_bytes, entries, problem) in table {
            assert_eq!(read(file_bytes, entries), Err(problem), "{problem}");
        }
    }

    #[test]
    fn a_refused_entry_changes_nothing() {
        let mut table = Table::new(geometry(), 999).unwrap();
        for (bad, good) in [(0, 168), (168, 200), (u64::MAX, 300), (301 + 1024, 301)] {
            let missing = table.missing_bytes();
            table.push(u64::to_be_bytes(bad)).unwrap_err();
            assert_eq!(table.missing_bytes(), missing);
            table.push(u64::to_be_bytes(good)).unwrap();
        }
        assert_eq!(table.missing_bytes(), 0);
    }

    #[test]
    fn what_follows_the_table_is_not_looked_at() {
        let mut table = Table::new(geometry(), 999).unwrap();
        for entry in [168, 200, 300, 301] {
            table.push(u64::to_be_bytes(entry)).unwrap();
        }
        assert_eq!(table.push(*b"compress"), Ok(None));
        assert_eq!(table.missing_bytes(), 0);
    }
}
