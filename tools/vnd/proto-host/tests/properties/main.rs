// SPDX-License-Identifier: GPL-2.0

//! What holds for every image, tried on many: `PROPTEST_CASES` says on how many.

use proptest::prelude::*;
use vnd_proto::cloop2::{
    BlockSize,
    Geometry,
    Table, //
};

#[path = "../../../../testing/fuzz/src/cloop2.rs"]
mod cloop2;

/// A run of this many cases, unless the environment says otherwise.
fn cases(count: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    // A failure is printed with its input, which belongs in a table test.
    config.failure_persistence = None;
    config
}

/// Sizes of which most are small, as the numbers of a damaged header.
fn sizes() -> impl Strategy<Value = u32> {
    prop_oneof![5 => (0..9u32).prop_map(|n| n * 512), 1 => 0..9u32, 1 => any::<u32>()]
}

proptest! {
    #![proptest_config(cases(2000))]

    /// The fuzzer's game, with numbers that often make sense.
    #[test]
    fn no_image_breaks_the_reader(
        block_size in sizes(),
        blocks in sizes(),
        file_bytes in prop_oneof![any::<u64>(), 0..9999u64],
        entries in proptest::collection::vec(
            prop_oneof![9 => 1..2000u64, 1 => any::<u64>(), 1 => Just(u64::MAX)],
            0..20,
        ),
    ) {
        let mut input = file_bytes.to_be_bytes().to_vec();
        input.extend(block_size.to_be_bytes());
        input.extend(blocks.to_be_bytes());
        input.extend(entries.iter().flat_map(|entry| entry.to_be_bytes()));
        cloop2::play(&input);
    }

    /// A table of blocks whose lengths may be is read as it was written; in a file that is one byte
    /// shorter it is refused.
    #[test]
    fn a_written_table_is_read_again(lengths in proptest::collection::vec(1..1024u32, 1..50)) {
        let image = 512 * lengths.len() as u64;
        let geometry = Geometry::of_image(image, BlockSize::new(512).unwrap()).unwrap();
        let ends: Vec<u64> = lengths
            .iter()
            .scan(geometry.data_start(), |end, &length| {
                *end += u64::from(length);
                Some(*end)
            })
            .collect();
        let read = |file_bytes: u64| {
            let mut table = Table::new(geometry, file_bytes)?;
            table.push(geometry.data_start().to_be_bytes())?;
            ends.iter()
                .map(|end| table.push(end.to_be_bytes()).map(|extent| extent.unwrap().length()))
                .collect::<Result<Vec<u32>, _>>()
        };
        let file_bytes = *ends.last().unwrap();
        prop_assert_eq!(read(file_bytes), Ok(lengths));
        prop_assert!(read(file_bytes - 1).is_err());
    }

    /// Every byte of a disk is in one block, at one place.
    #[test]
    fn every_byte_has_its_place(
        image in 1..1u64 << 50,
        size in 1..1u32 << 20,
        byte in any::<u64>(),
    ) {
        let Ok(geometry) = Geometry::of_image(image, BlockSize::new(512 * size).unwrap()) else {
            return Ok(());
        };
        let byte = byte % (2 * geometry.disk_bytes());
        match geometry.locate(byte) {
            Some(at) => {
                let size = u64::from(geometry.block_size().bytes());
                prop_assert_eq!(u64::from(at.block) * size + u64::from(at.offset), byte);
                prop_assert!(u64::from(at.offset) < size);
                prop_assert!(byte < geometry.disk_bytes());
            }
            None => prop_assert!(byte >= geometry.disk_bytes()),
        }
        prop_assert!(geometry.disk_bytes() - image < u64::from(geometry.block_size().bytes()));
    }
}
