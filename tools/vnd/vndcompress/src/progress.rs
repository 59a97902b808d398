// SPDX-License-Identifier: GPL-2.0

//! How far it is: a bar on a terminal, and answers to signals.

use std::fmt::Display;
use std::sync::atomic::{
    AtomicBool,
    AtomicU64,
    Ordering::Relaxed, //
};
use std::sync::Arc;

use anyhow::Result;
use indicatif::{
    ProgressBar,
    ProgressStyle, //
};
use signal_hook::consts::{
    SIGUSR1,
    SIGUSR2, //
};
use signal_hook::iterator::Signals;

use crate::args::Name;

/// What the bar shows.
const BAR: &str = "{percent:>3}% [{bar:32}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// What is counted, in bytes.
#[derive(Default)]
pub struct Counts {
    /// What was read of the input.
    pub read: AtomicU64,
    /// What was written to the output.
    pub written: AtomicU64,
    /// What of the input a restart need not do again.
    pub checkpointed: AtomicU64,
}

/// How far the program is.
pub struct Progress {
    name: Name,
    takes_checkpoints: bool,
    counts: Counts,
    begun: AtomicBool,
    checkpoint_wanted: AtomicBool,
    bar: ProgressBar,
}

impl Progress {
    /// Answers signals from now on: SIGUSR1, and SIGUSR2 when checkpoints can be taken.
    pub fn start(name: Name, takes_checkpoints: bool) -> Result<Arc<Self>> {
        let progress = Arc::new(Self {
            name,
            takes_checkpoints,
            counts: Counts::default(),
            begun: AtomicBool::new(false),
            checkpoint_wanted: AtomicBool::new(false),
            // On standard error, and only when that is a terminal.
            bar: ProgressBar::no_length(),
        });
        let wanted: &[_] = if takes_checkpoints {
            &[SIGUSR1, SIGUSR2]
        } else {
            &[SIGUSR1]
        };
        let mut signals = Signals::new(wanted)?;
        let listener = Arc::clone(&progress);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                listener.answer(signal);
            }
        });
        Ok(progress)
    }

    /// Begins to show how much of the input was read.
    pub fn begin(&self, input_bytes: u64) -> Result<()> {
        self.bar.set_style(ProgressStyle::with_template(BAR)?);
        self.bar.set_length(input_bytes);
        self.begun.store(true, Relaxed);
        Ok(())
    }

    /// Says what was read and written up to now.
    pub fn advance(&self, read: u64, written: u64) {
        self.counts.read.store(read, Relaxed);
        self.counts.written.store(written, Relaxed);
        self.bar.set_position(read);
    }

    /// Says that a checkpoint was taken.
    pub fn checkpointed(&self) {
        let read = self.counts.read.load(Relaxed);
        self.counts.checkpointed.store(read, Relaxed);
    }

    /// Whether a checkpoint was asked for; the request is met with the answer.
    pub fn take_checkpoint_request(&self) -> bool {
        let wanted = self.checkpoint_wanted.swap(false, Relaxed);
        if wanted {
            let bytes = self.counts.read.load(Relaxed);
            self.say(format_args!("checkpointing {bytes} bytes"));
        }
        wanted
    }

    /// Prints a line, above the bar when there is one.
    pub fn say(&self, words: impl Display) {
        self.bar.suspend(|| eprintln!("{}: {words}", self.name));
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn answer(&self, signal: i32) {
        match (signal, self.begun.load(Relaxed)) {
            (SIGUSR2, true) => self.checkpoint_wanted.store(true, Relaxed),
            (SIGUSR2, false) => self.say("nothing to checkpoint yet"),
            (_, true) => self.report(),
            (_, false) => self.say("initializing"),
        }
    }

    fn report(&self) {
        let [read, written, checkpointed] = [
            &self.counts.read,
            &self.counts.written,
            &self.counts.checkpointed,
        ]
        .map(|count| count.load(Relaxed));
        if !self.takes_checkpoints {
            return self.say(format_args!("read {read} bytes, wrote {written} bytes"));
        }
        let percent = u128::from(written) * 100 / u128::from(read).max(1);
        self.say(format_args!(
            "read {read} bytes, wrote {written} bytes, compression ratio {percent}% \
             (checkpointed {checkpointed} bytes)"
        ));
    }
}
