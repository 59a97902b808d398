// SPDX-License-Identifier: GPL-2.0

//! Results in KTAP, the format of the kernel's own tests.

use std::fmt;

/// Why a test did not run; returned as an error by the test itself.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skip {}

/// Prints results and counts them.
#[derive(Default)]
pub struct Report {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Report {
    /// Announces `plan` tests.
    pub fn new(plan: usize) -> Self {
        println!("KTAP version 1\n1..{plan}");
        Self::default()
    }

    /// Prints the result of one test.
    pub fn add(&mut self, name: &str, result: anyhow::Result<()>) {
        let number = self.passed + self.failed + self.skipped + 1;
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok {number} {name}");
            }
            Err(error) => match error.downcast_ref::<Skip>() {
                Some(Skip(why)) => {
                    self.skipped += 1;
                    println!("ok {number} {name} # SKIP {why}");
                }
                None => {
                    self.failed += 1;
                    for line in format!("{error:#}").lines() {
                        println!("# {line}");
                    }
                    println!("not ok {number} {name}");
                }
            },
        }
    }

    /// Prints the sums; true when nothing failed.
    pub fn finish(&self) -> bool {
        println!(
            "# Totals: pass:{} fail:{} xfail:0 xpass:0 skip:{} error:0",
            self.passed, self.failed, self.skipped
        );
        self.failed == 0
    }
}
