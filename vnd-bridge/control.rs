// SPDX-License-Identifier: GPL-2.0

//! The node `/dev/vnd-control`: units are made and removed by it.

use crate::units;
use kernel::{
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};
use vnd_proto::ioctl::request;

/// The node, opened by a program. It keeps nothing.
pub(crate) struct Control;

#[vtable]
impl MiscDevice for Control {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Self, GFP_KERNEL)?)
    }

    fn ioctl(_control: &Self, _file: &File, request: u32, argument: usize) -> Result<isize> {
        let number = match request {
            request::ADD => add(argument)?,
            request::REMOVE => {
                units::remove(u32::try_from(argument)?)?;
                0
            }
            request::GET_FREE => units::get_free()?,
            request::GET => {
                units::get(argument, None)?;
                0
            }
            _ => return Err(ENOTTY),
        };
        Ok(isize::try_from(number)?)
    }
}

/// Makes the unit that is asked for: -1 is any.
fn add(argument: usize) -> Result<u32> {
    // CAST: A program's `int` or `long`, whatever it takes -1 for.
    match argument as i32 {
        -1 => units::add_any(),
        number => units::add(u32::try_from(number)?),
    }
}
