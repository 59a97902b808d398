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

/// -1 of a program's `int` or `long`.
const ANY: [usize; 2] = [u32::MAX as usize, usize::MAX];

/// Makes the unit that is asked for.
fn add(argument: usize) -> Result<u32> {
    match ANY.contains(&argument) {
        true => units::add_any(),
        false => units::add(u32::try_from(argument)?),
    }
}
