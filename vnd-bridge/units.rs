// SPDX-License-Identifier: GPL-2.0

//! All units, by their numbers.
//!
//! A unit is entered before its disk is shown, and taken out when that is deleted, both under the unit's lock, so there is
//! never more than one disk of a number, and none that is not known here.

use crate::{
    program,
    unit::{
        Stay,
        Unit, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow,
        SetOnce, //
    },
};
use vnd_proto::ioctl::{
    User,
    UNIT_MAX, //
};
use xenbus::{
    blk::file_disk::{
        Numbers,
        Range, //
    },
    shared::Shared,
};

/// In the order of their numbers.
static UNITS: Shared<KVec<Arc<Unit>>> = Shared::new(KVec::new());

/// The numbers of the disks, once they are ours.
static RANGE: SetOnce<Range> = SetOnce::new();

/// Begins to make units when nodes are opened.
pub(crate) fn begin(module: &'static ThisModule) -> Result<Numbers<Unit>> {
    let numbers = Numbers::new(c"vnd", module)?;
    RANGE.populate(numbers.range());
    Ok(numbers)
}

/// Deletes all units when it is dropped.
pub(crate) struct Gone(());

impl Gone {
    /// There are none yet.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        while let Some(unit) = UNITS.with(KVec::pop) {
            unit.delete();
        }
        UNITS.with(|units| *units = KVec::new());
    }
}

/// Where a number is, or would be.
fn place(units: &[Arc<Unit>], number: u32) -> Result<usize, usize> {
    units.binary_search_by_key(&number, |unit| unit.number())
}

/// Enters a unit that nobody knows yet.
///
/// # Errors
///
/// `EEXIST` when there is another one with its number.
pub(crate) fn enter(unit: ArcBorrow<'_, Unit>) -> Result {
    UNITS.with(|units| {
        let Err(at) = place(units, unit.number()) else {
            return Err(EEXIST);
        };
        units.reserve(1, GFP_KERNEL)?;
        let inserted = units.insert_within_capacity(at, unit.into());
        inserted.map_err(|_| ENOMEM)
    })
}

/// Takes a unit out, whose disk is deleted.
pub(crate) fn forget(number: u32) {
    let unit = UNITS.with(|units| {
        let at = place(units, number).ok()?;
        units.remove(at).ok()
    });
    // Not under the lock: it may be the last of the unit.
    drop(unit);
}

/// The lowest number that is not taken.
fn lowest_free() -> u32 {
    UNITS.with(|units| {
        let taken = units.iter().map(|unit| unit.number());
        let gap = (0..).zip(taken).find(|(free, taken)| free != taken);
        gap.map_or(units.len() as u32, |(free, _)| free)
    })
}

/// The unit of this number, if there is one. `ENXIO` when neither it nor any after it exists.
fn find(number: u32) -> Result<Option<Arc<Unit>>> {
    UNITS.with(|units| match place(units, number) {
        Ok(at) => Ok(units.get(at).cloned()),
        Err(at) if at < units.len() => Ok(None),
        Err(_) => Err(ENXIO),
    })
}

/// Makes the unit of this number.
///
/// # Errors
///
/// `EEXIST` when there is one.
pub(crate) fn make(number: u32, stay: Stay) -> Result {
    let range = *RANGE.as_ref().ok_or(ENODEV)?;
    if number > UNIT_MAX {
        return Err(EINVAL);
    }
    let unit = Unit::new(number, stay)?;
    unit.as_arc_borrow().show(range)
}

/// Makes a unit that stays, with this number, and returns it.
///
/// # Errors
///
/// `EEXIST` when there is one that is not about to go.
pub(crate) fn add(number: u32) -> Result<u32> {
    match make(number, Stay::Wanted) {
        Err(error) if error == EEXIST => match find(number) {
            Ok(Some(unit)) if unit.take_if_leaving() => Ok(number),
            // One that was just going has gone meanwhile.
            _ => make(number, Stay::Wanted).map(|()| number),
        },
        result => result.map(|()| number),
    }
}

/// Makes a unit that stays, with the lowest number there is.
pub(crate) fn add_any() -> Result<u32> {
    loop {
        let number = lowest_free();
        if number > UNIT_MAX {
            return Err(ENOSPC);
        }
        match make(number, Stay::Wanted) {
            // Somebody else took it.
            Err(error) if error == EEXIST => continue,
            result => return result.map(|()| number),
        }
    }
}

/// A unit that stays and is free, made if there is none.
pub(crate) fn get_free() -> Result<u32> {
    let mut next = 0;
    // They are not looked at under the lock.
    while let Some(unit) = UNITS.with(|units| first_from(units, next)) {
        if unit.take_if_free() {
            return Ok(unit.number());
        }
        next = unit.number().saturating_add(1);
    }
    add_any()
}

/// The first unit from a number on.
fn first_from(units: &[Arc<Unit>], number: u32) -> Option<Arc<Unit>> {
    let (Ok(at) | Err(at)) = place(units, number);
    units.get(at).cloned()
}

/// Removes a unit.
///
/// # Errors
///
/// `ENODEV` when there is none, `EBUSY` when it has a file, or somebody has it open.
pub(crate) fn remove(number: u32) -> Result {
    find(number).ok().flatten().ok_or(ENODEV)?.remove()
}

/// `VNDIOCGET`, on the node of a unit or on another one.
pub(crate) fn get(address: usize, own: Option<&Unit>) -> Result {
    let asked: User = program::read(address)?;
    if asked.reserved != 0 {
        return Err(EINVAL);
    }
    let mut name = program::Name::new()?;
    let mut answer = User {
        unit: asked.unit,
        path: asked.path,
        ..User::default()
    };
    let name = match (asked.unit, own) {
        (-1, None) => return Err(EINVAL),
        (-1, Some(own)) => {
            answer.unit = i32::try_from(own.number())?;
            own.describe(&mut answer, name.buffer())?
        }
        (number, _) => match find(u32::try_from(number)?)? {
            Some(unit) => unit.describe(&mut answer, name.buffer())?,
            None => None,
        },
    };
    let name = name.map_or(&[][..], |name| name.to_bytes_with_nul());
    answer.pathlen = u32::try_from(name.len())?;
    program::write(address, &answer)?;
    match asked.path {
        0 => Ok(()),
        _ if answer.pathlen > asked.pathlen => Err(ERANGE),
        path => program::write_bytes(path, name),
    }
}
