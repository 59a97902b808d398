// SPDX-License-Identifier: GPL-2.0

//! What a power failure finds: the system calls on the archive, in their order.

use std::process::Command;

use crate::bed::{
    contents,
    Bed, //
};

/// What is done to the archive.
#[derive(Debug)]
enum Call {
    /// A block is appended, or the empty table before the first.
    Append,
    Header,
    Entries,
    Sync,
}

/// Runs the program under strace.
fn calls(bed: &Bed, options: &str) -> Vec<Call> {
    let archive = bed.path("archive");
    let status = Command::new("strace")
        .args([
            "-f",
            "-o",
            "trace",
            "-e",
            "trace=write,pwrite64,fdatasync",
            "-P",
        ])
        .arg(&archive)
        .arg(env!("CARGO_BIN_EXE_vndcompress"))
        .args(options.split_whitespace())
        .arg("image")
        .arg(&archive)
        .current_dir(bed.path(""))
        .status()
        .expect("this test needs strace");
    assert!(status.success());
    let trace = String::from_utf8(bed.read("trace")).unwrap();
    trace
        .lines()
        .filter_map(|line| match line {
            line if line.contains(" write(") => Some(Call::Append),
            line if line.contains(" fdatasync(") => Some(Call::Sync),
            line if line.contains(" pwrite64(") && line.contains(", 136, 0) = 136") => {
                Some(Call::Header)
            }
            line if line.contains(" pwrite64(") => Some(Call::Entries),
            _ => None,
        })
        .collect()
}

/// Checks that no entry and no header is written before what it stands for is on the disk, and
/// returns how often there was more for a reader to find.
fn count_updates(calls: &[Call]) -> usize {
    let (mut blocks_wait, mut entries_wait, mut has_header, mut updates) = (false, false, false, 0);
    for call in calls {
        match call {
            Call::Append => blocks_wait = true,
            Call::Sync => (blocks_wait, entries_wait) = (false, false),
            Call::Header => {
                assert!(!blocks_wait && !entries_wait && !has_header, "{calls:?}");
                has_header = true;
                updates += 1;
            }
            Call::Entries if has_header => {
                assert!(!blocks_wait, "{calls:?}");
                updates += 1;
            }
            Call::Entries => entries_wait = true,
        }
    }
    updates
}

#[test]
fn an_archive_never_names_what_is_not_on_the_disk() {
    let bed = Bed::with_image(&contents(10 * 1024));
    for (options, updates) in [
        ("-b 1k", 1),
        ("-b 1k -w 3", 1),
        ("-b 1k -k 2", 5),
        // From the first checkpoint on, a full window is written too.
        ("-b 1k -k 2 -w 1", 9),
        // It is complete.
        ("-b 1k -r", 0),
    ] {
        let found = count_updates(&calls(&bed, options));
        assert_eq!(found, updates, "{options}");
    }
}
