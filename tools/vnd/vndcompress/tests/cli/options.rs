// SPDX-License-Identifier: GPL-2.0

//! Options and names.

use crate::bed::{
    contents,
    Bed, //
};

#[test]
fn the_name_says_what_to_do_unless_an_option_does() {
    let image = contents(5000);
    let bed = Bed::with_image(&image);
    for (compress, uncompress) in [
        ("vndcompress", "vnduncompress"),
        ("/usr/bin/vndcompress -c", "/usr/bin/vnduncompress -d"),
        ("vnduncompress -c", "vndcompress -d"),
        ("another", "another -d"),
    ] {
        bed.run(&format!("{compress} image archive"));
        bed.run(&format!("{uncompress} archive again"));
        assert!(bed.read("again") == image);
        std::fs::remove_file(bed.path("again")).unwrap();
    }
}

#[test]
fn block_sizes_are_given_in_two_ways() {
    let bed = Bed::with_image(&contents(5000));
    for words in [
        "-b 2k image archive",
        "-b2048 image archive",
        "image archive 4x512",
    ] {
        bed.run(&format!("vndcompress {words}"));
        assert_eq!(bed.read("archive")[128..136], [0, 0, 8, 0, 0, 0, 0, 3]);
    }
    bed.run("vndcompress image archive");
    assert_eq!(bed.read("archive")[128..136], [0, 1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn bad_usage_ends_with_1_and_says_how_it_is_meant() {
    let bed = Bed::with_image(&contents(5000));
    for words in [
        "vndcompress",
        "vndcompress image",
        "vndcompress image archive 1k more",
        "vndcompress -x image archive",
        "vndcompress -cd image archive",
        "vndcompress -R image archive",
        "vndcompress -b 1k image archive 1k",
        "vndcompress -b 1k -b 2k image archive",
        "vndcompress -b 0 image archive",
        "vndcompress -b 1000 image archive",
        "vndcompress -b 2g image archive",
        "vndcompress -k -1 image archive",
        "vndcompress -l 0 image archive",
        "vndcompress -p 5000000000 image archive",
        "vndcompress -w many image archive",
        "vndcompress -d -b 1k image archive",
        "vnduncompress -r image archive",
        "vnduncompress image archive 1k",
    ] {
        let output = bed.output(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(said.starts_with("error: "), "{words}: {said}");
        assert!(!bed.exists("archive"), "{words}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let bed = Bed::new();
    for (words, text) in [
        ("vndcompress --help", "Usage: vndcompress [-c] [-rR]"),
        ("vnduncompress --help", "Usage: vnduncompress [-d]"),
        ("vndcompress --version", "vndcompress 0."),
    ] {
        let output = bed.output(words);
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(text), "{said}");
    }
}
