// SPDX-License-Identifier: GPL-2.0

//! Images are exchanged with another writer and reader of the format, in Python.

use std::process::Command;

use crate::bed::{
    contents,
    Bed, //
};

const SHAPES: [(usize, u32); 6] = [
    (1, 512),
    (512, 512),
    (70_000, 1536),
    (131_072, 65536),
    (200_001, 65536),
    (1_000_000, 98304),
];

fn python(bed: &Bed, words: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloop2.py");
    let output = Command::new("python3")
        .arg(script)
        .args(words.split_whitespace())
        .current_dir(bed.path(""))
        .output()
        .expect("this test needs python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {said}");
}

#[test]
fn another_reader_reads_what_we_write() {
    for (bytes, block_size) in SHAPES {
        let image = contents(bytes);
        let bed = Bed::with_image(&image);
        bed.run(&format!("vndcompress -b {block_size} image archive"));
        python(&bed, "read archive again");
        assert!(bed.read("again") == image);
    }
}

#[test]
fn we_read_what_another_writer_writes() {
    for (bytes, block_size) in SHAPES {
        let mut image = contents(bytes);
        let bed = Bed::with_image(&image);
        python(&bed, &format!("write image archive {block_size}"));
        bed.run("vnduncompress archive again");
        image.resize(bytes.next_multiple_of(block_size as usize), 0);
        assert!(bed.read("again") == image);
    }
}
