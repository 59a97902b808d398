// SPDX-License-Identifier: GPL-2.0

//! The device numbers of disks of one kind.

use super::Unit;
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*,
    str::CStr, //
};

/// The numbers, while this exists: a major number, and all minor numbers.
///
/// # Invariants
///
/// The major number is registered by the name.
pub struct Numbers<U: Unit> {
    range: Range,
    _unit: PhantomData<fn() -> U>,
}

/// What disks need to know of their numbers.
#[derive(Clone, Copy)]
pub struct Range {
    pub(super) major: c_uint,
    pub(super) name: &'static CStr,
    pub(super) module: &'static ThisModule,
}

impl<U: Unit> Numbers<U> {
    /// Any free major number.
    pub fn new(name: &'static CStr, module: &'static ThisModule) -> Result<Self> {
        // SAFETY: The name is a C string that stays. The callback may be called until `drop`.
        let major = unsafe {
            bindings::__register_blkdev(0, name.as_char_ptr(), Some(Self::probe_callback))
        };
        let major = c_uint::try_from(major).map_err(|_| Error::from_errno(major))?;
        // INVARIANT: It is registered.
        Ok(Self {
            range: Range {
                major,
                name,
                module,
            },
            _unit: PhantomData,
        })
    }

    /// For the disks.
    pub fn range(&self) -> Range {
        self.range
    }

    /// Called by the block layer when a node is opened that has no disk.
    extern "C" fn probe_callback(device: bindings::dev_t) {
        // `MINOR`.
        U::wanted(device & 0xf_ffff);
    }
}

impl<U: Unit> Drop for Numbers<U> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. The call waits for the callback.
        unsafe { bindings::unregister_blkdev(self.range.major, self.range.name.as_char_ptr()) };
    }
}
