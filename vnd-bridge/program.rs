// SPDX-License-Identifier: GPL-2.0

//! What is exchanged with the program that calls.

use kernel::{
    prelude::*,
    str::CStr,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};
use vnd_proto::ioctl::Exchanged;

/// Bytes of the longest name of a file, its zero byte included.
pub(crate) const NAME_BYTES: usize = 4096;

/// A buffer for the name of a file, with a byte more: to see that one is too long.
pub(crate) struct Name(KBox<[u8; NAME_BYTES + 1]>);

impl Name {
    /// An empty one.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(KBox::new([0; NAME_BYTES + 1], GFP_KERNEL)?))
    }

    /// Room for the longest.
    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        let [room @ .., _] = &mut *self.0;
        room
    }

    /// Reads one from the program.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` when it is too long for a name, `EFAULT` when it is not there.
    pub(crate) fn read(&mut self, address: u64) -> Result<&CStr> {
        let slice = UserSlice::new(user(address)?, self.0.len()).reader();
        let name = slice.strcpy_into_buf(&mut *self.0)?;
        match name.to_bytes_with_nul().len() {
            ..=NAME_BYTES => Ok(name),
            _ => Err(ENAMETOOLONG),
        }
    }
}

/// An address of the program's.
fn user(address: u64) -> Result<UserPtr> {
    Ok(UserPtr::from_addr(usize::try_from(address)?))
}

/// Reads a structure.
pub(crate) fn read<T: Exchanged<SIZE>, const SIZE: usize>(address: usize) -> Result<T> {
    let mut bytes = [0; SIZE];
    UserSlice::new(UserPtr::from_addr(address), SIZE)
        .reader()
        .read_slice(&mut bytes)?;
    Ok(T::from_bytes(&bytes))
}

/// Writes a structure.
pub(crate) fn write<T: Exchanged<SIZE>, const SIZE: usize>(address: usize, value: &T) -> Result {
    write_bytes(address as u64, &value.to_bytes())
}

/// Writes bytes.
pub(crate) fn write_bytes(address: u64, bytes: &[u8]) -> Result {
    UserSlice::new(user(address)?, bytes.len())
        .writer()
        .write_slice(bytes)
}
