// SPDX-License-Identifier: GPL-2.0

//! Which requests of a drain go to the disk as one.
//!
//! A frontend cuts what its guest wants into requests, often small ones, and sends the pieces one
//! after the other. A [`Run`] puts them together again: requests that follow each other on the ring
//! and on the disk, and move data the same way. Only neighbours on the ring are looked at: what is
//! sorted otherwise is the business of the block layer, which can wait for it.
//!
//! The frontends must not notice. Each request is answered by itself, and when a run fails, its
//! requests are done again one by one, so that only the one with the bad sector fails (R33).

use crate::request::{
    Request,
    Sector,
    Transfer, //
};

/// Which way data moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the disk.
    Read,
    /// To the disk.
    Write,
}

/// A request that can be part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    direction: Direction,
    start: Sector,
    sectors: u32,
    vectors: u32,
}

impl Part {
    /// The part that a request can be, whose data is in so many vectors of our memory. `None` for
    /// what has to be by itself: flushes and barriers have an order, a discard has no data.
    #[inline]
    pub const fn of(request: &Request, vectors: u32) -> Option<Self> {
        match request {
            Request::Read(transfer) => Some(Self::new(Direction::Read, transfer, vectors)),
            Request::Write(transfer) => Some(Self::new(Direction::Write, transfer, vectors)),
            Request::Flush(_) | Request::Barrier(_) | Request::Discard(_) => None,
        }
    }

    #[inline]
    const fn new(direction: Direction, transfer: &Transfer, vectors: u32) -> Self {
        Self {
            direction,
            start: transfer.start(),
            sectors: transfer.sectors(),
            vectors,
        }
    }
}

/// How large a run of more than one request can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Sectors that the disk takes at once.
    pub sectors: u32,
    /// Vectors that the disk takes at once.
    pub vectors: u32,
}

/// Requests that go to the disk as one; at least one, whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    whole: Part,
    requests: u32,
}

/// What to do about a run that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterError {
    /// Answer its only request with the error.
    Answer,
    /// Do its requests again, one by one: one of them may be all that is wrong.
    DoOneByOne,
}

impl Run {
    /// A run that starts with this request.
    #[inline]
    pub const fn new(first: Part) -> Self {
        Self {
            whole: first,
            requests: 1,
        }
    }

    /// Takes in the next request of the drain, if it continues the run. If not, the run is over.
    #[inline]
    #[must_use]
    pub fn join(&mut self, next: &Part, limits: &RunLimits) -> bool {
        let Some(whole) = joined(&self.whole, next) else {
            return false;
        };
        if whole.sectors > limits.sectors || whole.vectors > limits.vectors {
            return false;
        }
        self.whole = whole;
        self.requests = self.requests.saturating_add(1);
        true
    }

    /// Which way its data moves.
    #[inline]
    pub const fn direction(&self) -> Direction {
        self.whole.direction
    }

    /// Its first sector.
    #[inline]
    pub const fn start(&self) -> Sector {
        self.whole.start
    }

    /// How many sectors it has.
    #[inline]
    pub const fn sectors(&self) -> u32 {
        self.whole.sectors
    }

    /// How many requests it is made of.
    #[inline]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// What to do when the disk has failed it.
    #[inline]
    pub const fn after_error(&self) -> AfterError {
        match self.requests {
            1 => AfterError::Answer,
            _ => AfterError::DoOneByOne,
        }
    }
}

/// Both together, if the second continues the first.
#[inline]
fn joined(first: &Part, second: &Part) -> Option<Part> {
    let end = first.start.0.checked_add(first.sectors.into())?;
    if first.direction != second.direction || end != second.start.0 {
        return None;
    }
    Some(Part {
        sectors: first.sectors.checked_add(second.sectors)?,
        vectors: first.vectors.checked_add(second.vectors)?,
        ..*first
    })
}

#[cfg(test)]
mod tests {
    use super::Direction::*;
    use super::*;

    const LIMITS: RunLimits = RunLimits {
        sectors: 32,
        vectors: 6,
    };

    /// Which way, from where, how many sectors, in how many vectors.
    type Shape = (Direction, u64, u32, u32);

    fn part((direction, start, sectors, vectors): Shape) -> Part {
        Part {
            direction,
            start: Sector(start),
            sectors,
            vectors,
        }
    }

    /// The runs of a drain: start, sectors and requests of each.
    fn runs(drain: &[Shape]) -> Vec<(u64, u32, u32)> {
        let mut runs: Vec<Run> = Vec::new();
        for shape in drain {
            let part = part(*shape);
            if !runs.last_mut().is_some_and(|run| run.join(&part, &LIMITS)) {
                runs.push(Run::new(part));
            }
        }
        runs.iter()
            .map(|run| (run.start().0, run.sectors(), run.requests()))
            .collect()
    }

    #[test]
    fn requests_that_continue_each_other_are_one() {
        const LAST: u64 = u64::MAX;
        type Runs = &'static [(u64, u32, u32)];
        let table: [(&[Shape], Runs); 11] = [
            (&[], &[]),
            (&[(Read, 0, 8, 1)], &[(0, 8, 1)]),
            (&[(Read, 0, 8, 1), (Read, 8, 8, 1)], &[(0, 16, 2)]),
            (
                &[(Write, 5, 3, 1), (Write, 8, 1, 1), (Write, 9, 8, 1)],
                &[(5, 12, 3)],
            ),
            // A gap, an overlap, the wrong way round, the same again.
            (&[(Read, 0, 8, 1), (Read, 9, 8, 1)], &[(0, 8, 1), (9, 8, 1)]),
            (&[(Read, 0, 8, 1), (Read, 7, 8, 1)], &[(0, 8, 1), (7, 8, 1)]),
            (&[(Read, 8, 8, 1), (Read, 0, 8, 1)], &[(8, 8, 1), (0, 8, 1)]),
            (&[(Read, 8, 8, 1), (Read, 8, 8, 1)], &[(8, 8, 1), (8, 8, 1)]),
            // Reads and writes are never one.
            (
                &[(Read, 0, 8, 1), (Write, 8, 8, 1), (Read, 16, 8, 1)],
                &[(0, 8, 1), (8, 8, 1), (16, 8, 1)],
            ),
            // Only neighbours on the ring.
            (
                &[(Read, 0, 8, 1), (Read, 100, 8, 1), (Read, 8, 8, 1)],
                &[(0, 8, 1), (100, 8, 1), (8, 8, 1)],
            ),
            // The end of the numbers.
            (
                &[(Read, LAST - 8, 8, 1), (Read, LAST, 8, 1), (Read, 7, 1, 1)],
                &[(LAST - 8, 16, 2), (7, 1, 1)],
            ),
        ];
        for (drain, expected) in table {
            assert_eq!(runs(drain), expected);
        }
    }

    #[test]
    fn a_run_is_no_larger_than_the_disk_takes() {
        let eight = |start| (Write, start, 8, 1);
        assert_eq!(
            runs(&[0, 8, 16, 24, 32, 40].map(eight)),
            [(0, 32, 4), (32, 16, 2)]
        );
        let two = |start| (Write, start, 1, 2);
        assert_eq!(runs(&[0, 1, 2, 3].map(two)), [(0, 3, 3), (3, 1, 1)]);
        // One that is larger goes by itself.
        assert_eq!(
            runs(&[(Read, 0, 100, 13), (Read, 100, 8, 1)]),
            [(0, 100, 1), (100, 8, 1)]
        );
        assert_eq!(
            runs(&[(Read, 0, u32::MAX, 1), (Read, u64::from(u32::MAX), 8, 1)]).len(),
            2
        );
    }

    /// R33.
    #[test]
    fn an_error_is_its_owners() {
        let mut run = Run::new(part((Read, 0, 8, 1)));
        assert_eq!(run.after_error(), AfterError::Answer);
        assert!(run.join(&part((Read, 8, 8, 1)), &LIMITS));
        assert_eq!(run.after_error(), AfterError::DoOneByOne);
    }

    #[test]
    fn what_has_an_order_is_by_itself() {
        for request in [
            Request::Flush(None),
            Request::Barrier(None),
            Request::Discard(None),
        ] {
            assert_eq!(Part::of(&request, 1), None);
        }
    }
}
