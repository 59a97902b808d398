// SPDX-License-Identifier: GPL-2.0

//! A folder to test in, and the programs.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{
    Command,
    Output, //
};

/// A folder that goes with the test.
pub struct Bed(tempfile::TempDir);

impl Bed {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with the file `image`.
    pub fn with_image(bytes: &[u8]) -> Self {
        let bed = Self::new();
        bed.write("image", bytes);
        bed
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The program by one of its names, in the folder.
    pub fn command(&self, words: &str) -> Command {
        let mut words = words.split_whitespace();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vndcompress"));
        command
            .arg0(words.next().unwrap())
            .args(words)
            .current_dir(self.0.path());
        command
    }

    pub fn output(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a script in the folder; `$vndcompress` is the program.
    pub fn shell(&self, script: &str) -> Output {
        Command::new("sh")
            .args(["-c", script])
            .env("vndcompress", env!("CARGO_BIN_EXE_vndcompress"))
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// Runs what must work, and returns what it says on standard error.
    pub fn run(&self, words: &str) -> String {
        let output = self.output(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words}: {said}");
        assert_eq!(output.stdout, b"");
        said
    }

    /// Runs what must not work, and returns the one sentence why.
    pub fn refused(&self, words: &str) -> String {
        let output = self.output(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert_eq!(said.lines().count(), 1, "{words}: {said}");
        let name = words.split_whitespace().next().unwrap();
        assert!(said.starts_with(&format!("{name}: ")), "{said}");
        said
    }
}

/// Contents in which every other 700 bytes are noise, and the rest can be compressed.
pub fn contents(bytes: usize) -> Vec<u8> {
    let mut noise = 1_u64;
    (0..bytes)
        .map(|at| {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            match at / 700 % 2 {
                0 => (at / 700 % 7) as u8,
                _ => (noise >> 56) as u8,
            }
        })
        .collect()
}
