// SPDX-License-Identifier: GPL-2.0

//! What a running vndcompress answers to signals, and what remains when it is killed.

use std::io::{
    BufRead,
    BufReader,
    Write, //
};
use std::process::{
    Child,
    ChildStderr,
    Command,
    Stdio, //
};
use std::time::{
    Duration,
    Instant, //
};

use crate::bed::{
    contents,
    Bed, //
};

const MIB: usize = 1 << 20;

/// vndcompress with its input in our hands. It reads batches of four blocks of 1 MiB.
struct Running {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Running {
    fn start(bed: &Bed) -> Self {
        let mut child = bed
            .command("vndcompress -b 1m -l 13m /dev/stdin archive")
            .env("RAYON_NUM_THREADS", "2")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut input = self.child.stdin.as_ref().unwrap();
        input.write_all(bytes).unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.id();
        let kill = Command::new("sh")
            .args(["-c", &format!("kill -s {name} {id}")])
            .status()
            .unwrap();
        assert!(kill.success());
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Asks for the progress until it is this.
    fn wait_until_read(&mut self, bytes: usize) -> String {
        let limit = Instant::now() + Duration::from_secs(120);
        loop {
            self.signal("USR1");
            let line = self.line();
            if line.starts_with(&format!("vndcompress: read {bytes} bytes, wrote ")) {
                return line;
            }
            assert!(Instant::now() < limit, "it has come only so far: {line}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Bits of the signals 10 and 12, SIGUSR1 and SIGUSR2.
const HANDLED: u64 = (1 << 9) | (1 << 11);

/// Sent before there is a handler, a signal would end the program.
fn wait_for_handler(running: &Running) {
    let status = format!("/proc/{}/status", running.child.id());
    let handled = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    };
    while handled() & HANDLED != HANDLED {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn progress_is_reported_and_a_checkpoint_outlives_the_program() {
    let image = contents(13 * MIB);
    let bed = Bed::with_image(&image);
    let mut running = Running::start(&bed);
    wait_for_handler(&running);

    // The second batch is in the works, and waits for the third to be read.
    running.feed(&image[..8 * MIB]);
    let line = running.wait_until_read(4 * MIB);
    assert!(line.ends_with("(checkpointed 0 bytes)"), "{line}");
    let percent = line.split("compression ratio ").nth(1).unwrap();
    let percent: u32 = percent.split('%').next().unwrap().parse().unwrap();
    assert!((40..70).contains(&percent), "{line}");
    assert!(bed.read("archive").starts_with(&[0; 136]));

    running.signal("USR2");
    running.wait_until_read(4 * MIB);
    running.feed(&image[8 * MIB..12 * MIB]);
    let line = running.line();
    assert_eq!(line, "vndcompress: checkpointing 5242880 bytes");
    let line = running.wait_until_read(8 * MIB);
    assert!(line.ends_with("(checkpointed 5242880 bytes)"), "{line}");
    running.kill();

    let why = bed.refused("vnduncompress archive again");
    assert!(why.contains("the image is partial: block 5"), "{why}");
    bed.run("vndcompress -rR -b 1m image archive");
    bed.run("vndcompress -b 1m image whole");
    assert!(bed.read("archive") == bed.read("whole"));
}

#[test]
fn without_a_checkpoint_nothing_remains() {
    let image = contents(8 * MIB);
    let bed = Bed::with_image(&image);
    let mut running = Running::start(&bed);
    wait_for_handler(&running);
    running.feed(&image);
    running.wait_until_read(4 * MIB);
    running.kill();
    let why = bed.refused("vndcompress -rR -b 1m -l 13m /dev/zero archive");
    assert!(
        why.contains("does not begin as a compressed image"),
        "{why}"
    );
}
