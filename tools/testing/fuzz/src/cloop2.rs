// SPDX-License-Identifier: GPL-2.0

//! The header and the offset table of a compressed image are read from a string of bytes.
//!
//! The host tests play this too, so that it is tried where there is no fuzzer. The input: the size
//! of the file, the block size, the number of blocks, and how far each entry is behind the last.

use vnd_proto::cloop2::{
    Geometry,
    Problem,
    Table,
    ENTRY_BYTES,
    HEADER_BYTES, //
};

/// Plays a whole game; panics when an image is accepted that must not be.
pub fn play(input: &[u8]) {
    let Some((file_bytes, input)) = input.split_first_chunk() else {
        return;
    };
    let Some((sizes, input)) = input.split_first_chunk::<8>() else {
        return;
    };
    let mut header = [0x5a; HEADER_BYTES];
    header[HEADER_BYTES - sizes.len()..].copy_from_slice(sizes);
    if let Ok(geometry) = Geometry::parse(&header) {
        check_geometry(&geometry, sizes);
        let steps = input
            .chunks_exact(ENTRY_BYTES)
            .map(|step| u64::from_be_bytes(step.try_into().unwrap()));
        let _ = read_table(geometry, u64::from_be_bytes(*file_bytes), steps);
    }
}

/// What was accepted is written as it was read.
fn check_geometry(geometry: &Geometry, sizes: &[u8]) {
    assert_eq!(geometry.header()[HEADER_BYTES - sizes.len()..], *sizes);
    assert_eq!(geometry.block_size().bytes() % 512, 0);
    let last = geometry.disk_bytes() - 1;
    assert_eq!(geometry.locate(last).unwrap().block, geometry.blocks() - 1);
    assert_eq!(geometry.locate(last + 1), None);
}

/// Blocks that were accepted follow each other, and lie between the table and the end of the file.
fn read_table(
    geometry: Geometry,
    file_bytes: u64,
    steps: impl Iterator<Item = u64>,
) -> Result<(), Problem> {
    let mut table = Table::new(geometry, file_bytes)?;
    let mut end = geometry.data_start();
    assert!(end <= file_bytes);
    table.push(end.to_be_bytes())?;
    for (number, step) in (0..geometry.blocks()).zip(steps) {
        let missing = table.missing_bytes();
        // All ones stay all ones.
        let entry = if step == u64::MAX {
            step
        } else {
            end.wrapping_add(step)
        };
        let extent = table.push(entry.to_be_bytes())?.unwrap();
        assert_eq!(extent.block(), number);
        assert_eq!(extent.start(), end);
        assert_eq!(extent.end(), entry);
        assert!(extent.end() <= file_bytes);
        assert!(extent.length() > 0 && extent.length() < geometry.compressed_limit());
        assert_eq!(table.missing_bytes(), missing - ENTRY_BYTES as u64);
        end = entry;
    }
    Ok(())
}
