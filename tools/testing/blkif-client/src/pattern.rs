// SPDX-License-Identifier: GPL-2.0

//! Test data: what a sector holds follows from a seed and its number, so a reader needs no copy to compare with.

use anyhow::{ensure, Result};

use crate::random::Random;

/// The unit of all sector numbers of blkif.
pub const SECTOR_SIZE: usize = 512;

/// Returns the contents of sector `sector` under `seed`.
pub fn sector(seed: u64, sector: u64) -> [u8; SECTOR_SIZE] {
    let mut random = Random::new(seed.rotate_left(32) ^ sector);
    let mut bytes = [0; SECTOR_SIZE];
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&random.number().to_le_bytes());
    }
    bytes
}

/// Fails unless `bytes` are the contents of sector `number` under `seed`.
pub fn check(seed: u64, number: u64, bytes: &[u8]) -> Result<()> {
    let expected = sector(seed, number);
    let wrong = bytes
        .iter()
        .zip(&expected)
        .position(|(got, want)| got != want);
    ensure!(
        wrong.is_none() && bytes.len() == SECTOR_SIZE,
        "sector {number} differs from what was written, first at byte {}",
        wrong.unwrap_or(bytes.len())
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_seeds_differ() {
        assert_ne!(sector(1, 7), sector(1, 8));
        assert_ne!(sector(1, 7), sector(2, 7));
    }

    #[test]
    fn one_flipped_bit_is_found() {
        let mut bytes = sector(3, 9);
        assert!(check(3, 9, &bytes).is_ok());
        bytes[511] ^= 0x80;
        assert!(check(3, 9, &bytes).is_err());
    }
}
