// SPDX-License-Identifier: GPL-2.0

//! Bad images are refused with one sentence, and do no harm.

use crate::bed::{
    contents,
    Bed, //
};

/// Four blocks of 1 KiB; the offset table ends at byte 176.
fn archive(bed: &Bed) -> Vec<u8> {
    bed.run("vndcompress -b 1k image archive");
    bed.read("archive")
}

fn entry(archive: &[u8], index: usize) -> u64 {
    let at = 136 + 8 * index;
    u64::from_be_bytes(archive[at..at + 8].try_into().unwrap())
}

/// An archive with other bytes at some place.
fn patched(archive: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    archive[at..at + bytes.len()].copy_from_slice(bytes);
    archive
}

fn with_entry(archive: &[u8], index: usize, offset: u64) -> Vec<u8> {
    patched(archive, 136 + 8 * index, &offset.to_be_bytes())
}

#[test]
fn a_bad_header_or_table_is_refused_before_anything_is_written() {
    let bed = Bed::with_image(&contents(4096));
    let good = archive(&bed);
    let offsets = [0, 1, 2, 3, 4].map(|index| entry(&good, index));
    let end = offsets[4] as usize;
    let swapped = with_entry(&with_entry(&good, 1, offsets[2]), 2, offsets[1]);
    let table: [(Vec<u8>, &str); 17] = [
        (vec![], "the header cannot be read"),
        (good[..135].to_vec(), "the header cannot be read"),
        (
            good[..136].to_vec(),
            "the offset table of 4 blocks does not fit",
        ),
        (
            good[..175].to_vec(),
            "the offset table of 4 blocks does not fit",
        ),
        (good[..176].to_vec(), "block 0 ends at byte"),
        (good[..end - 1].to_vec(), "block 3 ends at byte"),
        (patched(&good, 128, &[0; 4]), "the block size is 0"),
        (patched(&good, 128, &[0, 0, 4, 1]), "the block size is 1025"),
        (
            patched(&good, 128, &[0xff, 0xff, 0xfe, 0]),
            "which is more than 2147483136",
        ),
        (patched(&good, 132, &[0; 4]), "there are no blocks"),
        (
            patched(&good, 132, &[0xff; 4]),
            "the offset table of 4294967295 blocks does not fit",
        ),
        (
            with_entry(&good, 0, offsets[0] - 8),
            "the first block begins at byte",
        ),
        (swapped, "block 1 begins at byte"),
        (with_entry(&good, 2, offsets[1]), "block 1 begins at byte"),
        (
            with_entry(&good, 3, offsets[1] - 5),
            "block 2 begins at byte",
        ),
        (with_entry(&good, 1, u64::MAX / 2), "block 0 has"),
        (
            with_entry(&good, 4, u64::MAX),
            "the image is partial: block 3",
        ),
    ];
    for (archive, why) in table {
        bed.write("bad", &archive);
        for window in [0, 1, 512] {
            let said = bed.refused(&format!("vnduncompress -w {window} bad again"));
            assert!(said.contains(why), "{said}");
            assert!(!bed.exists("again"));
        }
    }
}

#[test]
fn a_corrupt_block_is_named() {
    let bed = Bed::with_image(&contents(4096));
    let good = archive(&bed);
    let (start, end) = (entry(&good, 2) as usize, entry(&good, 3) as usize);
    let smaller_blocks = patched(&good, 130, &[2]);
    let larger_blocks = patched(&good, 130, &[8]);
    let table: [(Vec<u8>, &str); 5] = [
        (patched(&good, start, &[0xff]), "block 2 is corrupt"),
        (
            patched(&good, end - 1, &[!good[end - 1]]),
            "block 2 is corrupt",
        ),
        (
            with_entry(&good, 3, end as u64 - 1),
            "block 2 is corrupt: its data ends before",
        ),
        (
            smaller_blocks,
            "block 0 is corrupt: it has more than 512 bytes",
        ),
        (larger_blocks, "block 0 has only 1024 bytes"),
    ];
    for (archive, why) in table {
        bed.write("bad", &archive);
        let said = bed.refused("vnduncompress bad again");
        assert!(said.contains(why), "{said}");
    }
}

/// A header in a pipe promises what never comes: no memory is taken for it.
#[test]
fn a_pipe_that_promises_too_much_is_refused() {
    let bed = Bed::with_image(&contents(4096));
    bed.write("bad", &patched(&archive(&bed), 132, &[0xff; 4]));
    let output = bed.shell(
        "ulimit -v 500000
         cat bad | RAYON_NUM_THREADS=2 $vndcompress -d /dev/stdin again",
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("/dev/stdin: the first block begins at byte 176"),
        "{said}"
    );
    assert!(!bed.exists("again"));
}

#[test]
fn a_file_is_not_made_of_itself() {
    let bed = Bed::with_image(&contents(4096));
    let archive = archive(&bed);
    std::os::unix::fs::symlink("image", bed.path("link")).unwrap();
    for words in [
        "vndcompress image image",
        "vndcompress -r image link",
        "vnduncompress archive archive",
    ] {
        let why = bed.refused(words);
        assert!(why.contains("the same file"), "{why}");
    }
    assert!(bed.read("image") == contents(4096));
    assert!(bed.read("archive") == archive);
}

#[test]
fn files_that_are_not_there_empty_or_full_are_named() {
    let bed = Bed::with_image(&[]);
    for (words, why) in [
        ("vndcompress none out", "none: No such file"),
        ("vnduncompress none out", "none: No such file"),
        (
            "vndcompress image out",
            "unknown image size: image is empty",
        ),
        ("vndcompress . out", ".: it is a directory"),
        (
            "vndcompress -l 512 image no/where",
            "no/where: No such file",
        ),
        (
            "vndcompress -l 512 image out",
            "image: the image ends within block 0",
        ),
        (
            "vndcompress -l 4096 /dev/zero /dev/full",
            "cannot be written",
        ),
    ] {
        let said = bed.refused(words);
        assert!(said.contains(why), "{said}");
    }
}
