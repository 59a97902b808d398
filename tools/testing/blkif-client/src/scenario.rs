// SPDX-License-Identifier: GPL-2.0

//! Scenarios: what a frontend or a toolstack can do to a backend, each an ordinary function.
//!
//! A scenario gets a [`Bed`], makes disks on it, does something usual, unusual or wrong with them and returns an error
//! when the backend did not do what it must. Whatever happens, its disks are taken away afterwards, and the bed then
//! checks that the backend has let go of everything.
//!
//! To add one, write the function and put it into the list of its file. Where the reference and our backend differ on
//! purpose, say both answers and the reason with [`Bed::differs`].

mod bed;
mod discard;
mod double_fetch;
mod flush;
mod hotplug;
mod indices;
mod indirect;
mod io;
mod lifecycle;
mod malformed;
mod nodes;
mod patterns;
mod persistent;
mod queues;
mod readonly;
mod rewrites;
mod rings;
mod sharing;
mod states;
mod storms;
mod unknown_states;

pub use bed::Bed;
pub use patterns::matches;

use anyhow::Result;

/// What a scenario does.
type Run = dyn Fn(&Bed) -> Result<()>;

/// How much the ring's layout matters to a scenario.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layouts {
    /// Not at all.
    Any,
    /// One is as good as another that is laid out the same.
    Both,
    /// It matters how it is asked for.
    All,
}

/// A named test.
pub struct Scenario {
    /// `group/what-it-shows`.
    pub name: String,
    /// The layouts of the ring that it is run in.
    pub layouts: Layouts,
    run: Box<Run>,
}

impl Scenario {
    fn new(
        layouts: Layouts,
        name: impl Into<String>,
        run: impl Fn(&Bed) -> Result<()> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            layouts,
            run: Box::new(run),
        }
    }

    /// A scenario that is run in every layout, and again when the frontend does not say which: it is the native one then.
    fn each(name: impl Into<String>, run: impl Fn(&Bed) -> Result<()> + 'static) -> Self {
        Self::new(Layouts::All, name, run)
    }

    /// A scenario that is run in both layouts, since the one of its entries matters.
    fn both(name: impl Into<String>, run: impl Fn(&Bed) -> Result<()> + 'static) -> Self {
        Self::new(Layouts::Both, name, run)
    }

    /// A scenario that has nothing to do with the ring's layout.
    fn once(name: impl Into<String>, run: impl Fn(&Bed) -> Result<()> + 'static) -> Self {
        Self::new(Layouts::Any, name, run)
    }

    /// The first part of its name.
    pub fn group(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Runs it, and checks that nothing is left of its disks.
    pub fn run(&self, bed: &Bed) -> Result<()> {
        bed.start();
        let result = (self.run)(bed);
        let clean = bed.verify_clean();
        result.and(clean)
    }
}

/// All scenarios, in the order they are run.
pub fn all() -> Vec<Scenario> {
    [
        io::scenarios(),
        flush::scenarios(),
        readonly::scenarios(),
        malformed::scenarios(),
        indices::scenarios(),
        double_fetch::scenarios(),
        rings::scenarios(),
        queues::scenarios(),
        indirect::scenarios(),
        discard::scenarios(),
        persistent::scenarios(),
        storms::scenarios(),
        nodes::scenarios(),
        states::scenarios(),
        unknown_states::scenarios(),
        rewrites::scenarios(),
        hotplug::scenarios(),
        sharing::scenarios(),
        lifecycle::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
