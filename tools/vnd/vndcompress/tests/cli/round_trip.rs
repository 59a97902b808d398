// SPDX-License-Identifier: GPL-2.0

//! What was compressed comes out again.

use proptest::prelude::*;

use crate::bed::{
    contents,
    Bed, //
};

fn cases(count: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    config.failure_persistence = None;
    config
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn an_image_of_any_size_comes_out_again(
        bytes in 1..150_000usize,
        sectors in 1..200u32,
        windows in [0..4u32, 0..4u32],
    ) {
        let image = contents(bytes);
        let bed = Bed::with_image(&image);
        bed.run(&format!("vndcompress -b {sectors}b -w {} image archive", windows[0]));
        prop_assert_eq!(bed.read("archive").len() % 512, 0);
        bed.run(&format!("vnduncompress -w {} archive again", windows[1]));
        prop_assert!(bed.read("again") == image);
    }
}

#[test]
fn the_archive_is_the_same_however_it_is_made() {
    let bed = Bed::with_image(&contents(5_000_000));
    bed.run("vndcompress -b 4k image archive");
    let archive = bed.read("archive");
    for processors in ["1", "2", "7"] {
        for options in ["-w 0", "-w 100 -k 1000", "-p 0 -k 0"] {
            let words = format!("vndcompress -b 4k {options} image other");
            let output = bed
                .command(&words)
                .env("RAYON_NUM_THREADS", processors)
                .output()
                .unwrap();
            assert!(output.status.success());
            assert!(bed.read("other") == archive, "{options} {processors}");
        }
    }
}

#[test]
fn only_the_length_that_is_asked_for_is_compressed() {
    let image = contents(100_000);
    let bed = Bed::with_image(&image);
    bed.run("vndcompress -l 70001 image archive 1k");
    bed.run("vnduncompress archive again");
    assert!(bed.read("again") == image[..70_001]);
    let why = bed.refused("vndcompress -l 100001 image archive 1k");
    assert_eq!(
        why,
        "vndcompress: image: the image ends within block 97: 672 bytes instead of 673\n"
    );
}

#[test]
fn pipes_are_read_and_written() {
    let image = contents(300_000);
    let bed = Bed::with_image(&image);
    bed.run("vndcompress -b 1k image archive");
    let output = bed.shell(
        "cat image | $vndcompress -b 1k -l 300000 /dev/stdin piped &&
         cat piped | $vndcompress -d /dev/stdin /dev/stdout | cat >again",
    );
    assert!(output.status.success());
    assert!(bed.read("piped") == bed.read("archive"));
    assert!(bed.read("again") == image);
}

#[test]
fn a_longer_file_that_was_there_before_leaves_nothing() {
    let bed = Bed::with_image(&contents(5000));
    for name in ["archive", "again"] {
        bed.write(name, &[0xee; 50_000]);
    }
    bed.run("vndcompress image archive");
    bed.run("vnduncompress archive again");
    assert!(bed.read("archive").len() < 5120);
    assert!(bed.read("again") == contents(5000));
}
