// SPDX-License-Identifier: GPL-2.0

//! The requests, made of the kernel: all that is unsafe in this program.
#![expect(unsafe_code)]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use libc::{
    c_int,
    c_ulong, //
};
use vnd_proto::ioctl::{
    request,
    Geom,
    Setting,
    User, //
};

/// Configures the unit that is open. Returns the bytes of its disk.
pub fn set(unit: &File, file: &CStr, flags: u32, geom: Geom) -> io::Result<u64> {
    let mut setting = Setting {
        file: file.to_bytes_with_nul().as_ptr() as u64,
        flags,
        geom,
        ..Setting::default()
    };
    // SAFETY: The kernel reads the name, which ends with a zero byte, and reads and writes the structure. Both stay.
    let result =
        unsafe { libc::ioctl(unit.as_raw_fd(), c_ulong::from(request::SET), &mut setting) };
    check(result)?;
    Ok(setting.size)
}

/// Unconfigures the unit that is open.
pub fn clear(unit: &File, flags: u32) -> io::Result<()> {
    let setting = Setting {
        flags,
        ..Setting::default()
    };
    // SAFETY: The kernel reads the structure, which stays.
    let result = unsafe { libc::ioctl(unit.as_raw_fd(), c_ulong::from(request::CLEAR), &setting) };
    check(result).map(drop)
}

/// Asks what a unit is, -1 for the one that is open; and for its file's name, as much of it as `name` has room for.
pub fn get(node: &File, unit: i32, name: &mut [u8]) -> io::Result<User> {
    let mut user = User {
        unit,
        path: name.as_mut_ptr() as u64,
        pathlen: u32::try_from(name.len()).unwrap_or(u32::MAX),
        ..User::default()
    };
    // SAFETY: The kernel reads and writes the structure, and writes the name, of which it knows the room. Both stay.
    let result = unsafe { libc::ioctl(node.as_raw_fd(), c_ulong::from(request::GET), &mut user) };
    check(result)?;
    Ok(user)
}

/// Makes a unit.
pub fn add(control: &File, unit: u32) -> io::Result<()> {
    control_unit(control, request::ADD, unit)
}

/// Removes a unit.
pub fn remove(control: &File, unit: u32) -> io::Result<()> {
    control_unit(control, request::REMOVE, unit)
}

fn control_unit(control: &File, request: u32, unit: u32) -> io::Result<()> {
    // SAFETY: The argument is a number.
    let result = unsafe {
        libc::ioctl(
            control.as_raw_fd(),
            c_ulong::from(request),
            c_ulong::from(unit),
        )
    };
    check(result).map(drop)
}

fn check(result: c_int) -> io::Result<c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
