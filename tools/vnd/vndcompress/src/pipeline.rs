// SPDX-License-Identifier: GPL-2.0

//! Work on many blocks at a time, with the results in order.

use anyhow::Result;
use rayon::prelude::*;

/// How much is read at a time, unless a block is larger.
const BATCH_BYTES: u64 = 4 << 20;

/// How much memory blocks that are larger may take, to be worked on at the same time.
const LARGE_BATCH_BYTES: u64 = 256 << 20;

/// How many blocks of a size are read at a time.
pub fn batch_length(block_bytes: u32) -> usize {
    let fits = |bytes: u64| usize::try_from(bytes / u64::from(block_bytes)).unwrap_or(1);
    let processors = rayon::current_num_threads();
    fits(BATCH_BYTES)
        .max(fits(LARGE_BATCH_BYTES).min(processors))
        .max(1)
}

/// Reads until there is nothing more, works on what was read on all processors, and writes the
/// results in the order of reading. The next batch is read while one is worked on.
///
/// The first error ends it; what was read before is written all the same.
pub fn in_order<I: Send, O: Send>(
    batch_length: usize,
    mut read: impl FnMut() -> Result<Option<I>> + Send,
    work: impl Fn(I) -> Result<O> + Sync,
    mut write: impl FnMut(O) -> Result<()>,
) -> Result<()> {
    let mut batch = read_batch(batch_length, &mut read);
    while !batch.blocks.is_empty() {
        let blocks = batch.blocks;
        let (next, results) = rayon::join(
            || match batch.end {
                Ok(()) => read_batch(batch_length, &mut read),
                Err(error) => Batch::failed(error),
            },
            || blocks.into_par_iter().map(&work).collect::<Vec<_>>(),
        );
        for result in results {
            write(result?)?;
        }
        batch = next;
    }
    batch.end
}

/// What was read, and how it ended.
struct Batch<I> {
    blocks: Vec<I>,
    end: Result<()>,
}

impl<I> Batch<I> {
    fn failed(error: anyhow::Error) -> Self {
        Self {
            blocks: Vec::new(),
            end: Err(error),
        }
    }
}

fn read_batch<I>(length: usize, read: impl FnMut() -> Result<Option<I>>) -> Batch<I> {
    let mut end = Ok(());
    let blocks = std::iter::repeat_with(read)
        .take(length)
        .map_while(|block| {
            block.unwrap_or_else(|error| {
                end = Err(error);
                None
            })
        })
        .collect();
    Batch { blocks, end }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    /// Squares the numbers below 100, from which one is missing; the early ones take longer.
    fn squares(batch_length: usize, bad_read: u64, bad_work: u64) -> (Vec<u64>, Result<()>) {
        let mut numbers = 0..100;
        let mut written = Vec::new();
        let result = in_order(
            batch_length,
            || match numbers.next() {
                Some(number) if number == bad_read => Err(anyhow!("read {number}")),
                number => Ok(number),
            },
            |number: u64| {
                std::thread::sleep(std::time::Duration::from_micros(100 - number));
                match number {
                    number if number == bad_work => Err(anyhow!("work {number}")),
                    number => Ok(number * number),
                }
            },
            |square| {
                written.push(square);
                Ok(())
            },
        );
        (written, result)
    }

    #[test]
    fn results_are_in_the_order_of_reading() {
        for batch_length in [1, 7, 100, 1000] {
            let (written, result) = squares(batch_length, 999, 999);
            result.unwrap();
            assert_eq!(written, (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_was_read_before_an_error_is_written() {
        for batch_length in [1, 7, 100, 1000] {
            for (bad_read, bad_work, words) in [
                (50, 999, "read 50"),
                (999, 50, "work 50"),
                (60, 50, "work 50"),
            ] {
                let (written, result) = squares(batch_length, bad_read, bad_work);
                assert_eq!(result.unwrap_err().to_string(), words);
                assert_eq!(written, (0..50).map(|n| n * n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn batches_are_neither_endless_nor_empty() {
        assert_eq!(batch_length(512), 8192);
        assert_eq!(batch_length(64 << 10), 64);
        assert_eq!(batch_length(1 << 30), 1);
        assert_eq!(batch_length(16 << 20), rayon::current_num_threads().min(16));
    }
}
