// SPDX-License-Identifier: GPL-2.0

//! Compression is interrupted, and goes on.

use crate::bed::{
    contents,
    Bed, //
};

/// Ten blocks of 1 KiB and a short one, and the archive of them.
fn bed() -> (Bed, Vec<u8>) {
    let bed = Bed::with_image(&contents(10_500));
    bed.run("vndcompress -b 1k image whole");
    let whole = bed.read("whole");
    (bed, whole)
}

#[test]
fn an_image_made_in_parts_is_the_same() {
    let (bed, whole) = bed();
    for end in 1..=10 {
        bed.run(&format!("vndcompress -b 1k -p {end} image part"));
        assert!(bed.read("part") != whole);
        let why = bed.refused("vnduncompress part again");
        let partial = format!("the image is partial: block {end} and those behind it");
        assert!(why.contains(&partial), "{why}");
        assert!(!bed.exists("again"));
        bed.run("vndcompress -rR -b 1k image part");
        assert!(bed.read("part") == whole, "{end}");
    }
}

#[test]
fn parts_are_added_one_by_one_and_to_a_whole_image_nothing() {
    let (bed, whole) = bed();
    bed.run("vndcompress -b 1k -p 1 image part");
    for end in 2..=12 {
        bed.run(&format!("vndcompress -rR -w 1 -b 1k -p {end} image part"));
    }
    assert!(bed.read("part") == whole);
    bed.run("vndcompress -rR -b 1k -p 3 image part");
    assert!(bed.read("part") == whole);
}

/// A crash of the machine leaves garbage, or too little, behind the last checkpoint.
#[test]
fn what_follows_the_last_checkpoint_is_made_again() {
    let (bed, whole) = bed();
    bed.run("vndcompress -b 1k -p 5 image part");
    let part = bed.read("part");
    bed.write("part", &[part.as_slice(), &[0xee; 9999]].concat());
    bed.run("vndcompress -rR -b 1k image part");
    assert!(bed.read("part") == whole);
    bed.write("part", &part[..part.len() - 1]);
    let why = bed.refused("vndcompress -rR -b 1k image part");
    assert!(why.contains("block 4 ends at byte"), "{why}");
}

#[test]
fn a_pipe_is_read_from_its_beginning_again() {
    let (bed, whole) = bed();
    bed.run("vndcompress -b 1k -p 5 image part");
    let output = bed.shell("cat image | $vndcompress -rR -b 1k -l 10500 /dev/stdin part");
    assert!(output.status.success());
    assert!(bed.read("part") == whole);
}

#[test]
fn what_cannot_be_gone_on_with_is_left_alone_or_made_anew() {
    let (bed, whole) = bed();
    bed.run("vndcompress -b 1k -p 5 image part");
    let part = bed.read("part");
    let patched = |at: usize, byte: u8| {
        let mut part = part.clone();
        part[at] = byte;
        part
    };
    let table: [(Vec<u8>, &str); 9] = [
        (vec![], "there is no header"),
        (part[..135].to_vec(), "there is no header"),
        (vec![0; 999], "it does not begin as a compressed image"),
        (patched(3, b'B'), "it does not begin as a compressed image"),
        (
            patched(130, 8),
            "mismatched block size: 2048 (expected 1024)",
        ),
        (
            patched(135, 9),
            "mismatched number of blocks: 9 (expected 11)",
        ),
        (patched(143, 0), "the first block begins at byte 0"),
        (patched(136 + 8 * 8, 0), "its offset table has gaps"),
        (
            patched(part.len() - 1, !part[part.len() - 1]),
            "block 4 is not that of the image",
        ),
    ];
    for (found, why) in table {
        bed.write("part", &found);
        let said = bed.refused("vndcompress -rR -b 1k image part");
        assert!(
            said.contains("restart failed, aborting") && said.contains(why),
            "{said}"
        );
        assert!(bed.read("part") == found);
        let said = bed.run("vndcompress -r -b 1k image part");
        assert!(
            said.contains("beginning anew") && said.contains(why),
            "{said}"
        );
        assert!(bed.read("part") == whole);
    }
}

#[test]
fn another_image_is_not_gone_on_with() {
    let (bed, _) = bed();
    bed.run("vndcompress -b 1k -p 5 image part");
    let mut image = contents(10_500);
    image[4500] ^= 1;
    bed.write("image", &image);
    let why = bed.refused("vndcompress -rR -b 1k image part");
    assert!(why.contains("block 4 is not that of the image"), "{why}");
}

#[test]
fn an_archive_that_is_not_there_is_made_or_missed() {
    let (bed, whole) = bed();
    let why = bed.refused("vndcompress -rR -b 1k image part");
    assert!(why.contains("part: No such file"), "{why}");
    assert!(!bed.exists("part"));
    bed.run("vndcompress -r -b 1k image part");
    assert!(bed.read("part") == whole);
}
