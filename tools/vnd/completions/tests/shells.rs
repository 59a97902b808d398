// SPDX-License-Identifier: GPL-2.0

//! Shells get what they complete, for every tool by each of its names.

use std::process::Command;

#[test]
fn every_name_has_completions_that_shells_understand() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_vnd-completions"))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    // With the name of an option that each has.
    for (name, option) in [
        ("vndcompress", 'k'),
        ("vnduncompress", 'k'),
        ("vnconfig", 'z'),
        ("vndconfig", 'z'),
    ] {
        for file in [
            format!("{name}.bash"),
            format!("_{name}"),
            format!("{name}.fish"),
        ] {
            let text = std::fs::read_to_string(folder.path().join(&file)).unwrap();
            let has_option =
                text.contains(&format!("-{option}")) || text.contains(&format!("-s {option}"));
            assert!(text.contains(name) && has_option, "{file}");
        }
        let bash = Command::new("bash")
            .arg("-n")
            .arg(folder.path().join(format!("{name}.bash")))
            .status()
            .unwrap();
        assert!(bash.success());
    }
}
