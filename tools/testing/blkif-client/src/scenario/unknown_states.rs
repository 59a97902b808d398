// SPDX-License-Identifier: GPL-2.0

//! Frontend states that do not exist, are not the frontend's, or are no numbers (R16).

use std::thread::sleep;

use anyhow::{ensure, Result};

use super::{Bed, Scenario};
use crate::vbd::Vbd;
use crate::wait::QUIET;
use crate::wire::state::{CLOSED, CLOSING, CONNECTED, INIT_WAIT};

/// What the backend makes of a state.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    /// It stays as it is.
    Ignored,
    /// It goes to Closing, as for any fatal error.
    Fatal,
    /// It takes the frontend for gone and lets go of the disk, in whatever state that leaves xenstore.
    Gone,
    /// It closes, and keeps the disk for another frontend while it is online.
    Closed,
}

use Verdict::{Closed, Fatal, Gone, Ignored};

/// The text of the state, what xen-blkback does, what ours does.
const TABLE: &[(&str, &str, Verdict, Verdict)] = &[
    ("0", "0", Gone, Closed),
    ("2", "2", Fatal, Ignored),
    ("7", "7", Fatal, Ignored),
    ("8", "8", Fatal, Ignored),
    ("99", "99", Fatal, Ignored),
    ("minus-1", "-1", Fatal, Ignored),
    ("text", "four", Gone, Ignored),
    ("empty", "", Gone, Ignored),
];

pub fn scenarios() -> Vec<Scenario> {
    TABLE
        .iter()
        .flat_map(|(name, text, blkback, xbdback)| {
            [false, true].map(|connected| {
                let when = if connected { "connected" } else { "waiting" };
                Scenario::once(format!("states/unknown-{name}-while-{when}"), move |bed| {
                    let why = "xen-blkback gives the disk up; ours complains once and waits for a state it knows";
                    unknown(bed, text, connected, bed.differs(*blkback, *xbdback, why))
                })
            })
        })
        .collect()
}

fn unknown(bed: &Bed, text: &str, connected: bool, verdict: Verdict) -> Result<()> {
    let mut frontend = bed.waiting()?;
    if connected {
        frontend.connect()?;
    }
    frontend.vbd.set("state", text)?;
    match verdict {
        Ignored => {
            sleep(QUIET);
            let now = frontend.vbd.backend_state()?;
            let before = if connected { CONNECTED } else { INIT_WAIT };
            ensure!(now == before, "the backend went from {before} to {now}");
            if connected {
                frontend.expect_serving()?;
            } else {
                frontend.connect()?;
            }
        }
        Fatal => expect_state(&frontend.vbd, CLOSING)?,
        Closed => expect_state(&frontend.vbd, CLOSED)?,
        Gone => frontend.vbd.wait_gone()?,
    }
    drop(frontend);
    bed.expect_attachable()
}

fn expect_state(vbd: &Vbd, state: u32) -> Result<()> {
    vbd.wait_backend(&[state]).map(|_| ())
}
