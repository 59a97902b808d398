// SPDX-License-Identifier: GPL-2.0

//! The program as a user meets it, where no device is needed: what it says, and how it ends.

use std::os::unix::process::CommandExt;
use std::process::{
    Command,
    Output, //
};

/// Runs the program by one of its names, in a folder with the file `image`.
fn output(words: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image"), [0; 4096]).unwrap();
    std::fs::write(folder.path().join("disktab"), "floppy:ns#18:nt#2:nc#80:\n").unwrap();
    let mut words = words.split_whitespace();
    Command::new(env!("CARGO_BIN_EXE_vnconfig"))
        .arg0(words.next().unwrap())
        .args(words)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// Runs what must not work, and returns what it says.
fn refused(words: &str) -> String {
    let output = output(words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}: {said}");
    assert_eq!(output.stdout, b"");
    said
}

#[test]
fn errors_are_one_sentence_each_as_on_netbsd() {
    let table = [
        (
            "vnconfig ./none image",
            "vnconfig: ./none: opendisk: No such file or directory",
        ),
        (
            "vndconfig /dev image",
            "vndconfig: /dev: opendisk: Is a directory",
        ),
        (
            "vnconfig -c ./image image",
            "vnconfig: ./image: VNDIOCSET: Inappropriate ioctl for device",
        ),
        (
            "vnconfig -u ./image",
            "vnconfig: ./image: VNDIOCCLR: Inappropriate ioctl for device",
        ),
        (
            "vnconfig ./image image 512/32",
            "vnconfig: invalid geometry: 512/32",
        ),
        (
            "vnconfig -t zip -f disktab ./image image",
            "vnconfig: unknown disk type: zip",
        ),
        (
            "vnconfig -t zip -f none ./image image",
            "vnconfig: unknown disk type: zip: none: No such file or directory",
        ),
        (
            "vnconfig -f disktab -t floppy ./image image",
            "vnconfig: ./image: VNDIOCSET: Inappropriate ioctl for device",
        ),
    ];
    for (words, said) in table {
        assert_eq!(refused(words), format!("{said}\n"), "{words}");
    }
}

#[test]
fn what_makes_no_sense_together_is_refused_with_the_usage() {
    for words in [
        "vnconfig",
        "vnconfig vnd0",
        "vnconfig vnd0 image 512/1/1/1 more",
        "vnconfig -u",
        "vnconfig -u vnd0 image",
        "vnconfig -cu vnd0",
        "vnconfig -lu vnd0",
        "vnconfig -F vnd0 image",
        "vnconfig -m 4 vnd0 image",
        "vnconfig --json vnd0 image",
        "vnconfig -ur vnd0",
        "vnconfig -lz",
        "vnconfig -f disktab vnd0 image",
        "vnconfig -t floppy vnd0 image 512/1/1/1",
        "vnconfig -q",
    ] {
        let said = refused(words);
        assert!(said.contains("Usage: vnconfig [-cirvz]"), "{words}: {said}");
    }
}

#[test]
fn help_is_given_under_both_names() {
    for name in ["vnconfig", "vndconfig"] {
        let output = output(&format!("{name} --help"));
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("Usage: {name} [-cirvz]")), "{said}");
    }
}
