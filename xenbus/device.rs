// SPDX-License-Identifier: GPL-2.0

//! A device on the xenbus: one end of a split driver.
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::{
    bindings,
    store::{
        self,
        Transaction, //
    },
};
use core::{
    fmt,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    device,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};
use xenbus_proto::{
    blkif::XenbusState,
    number::{
        parse_u32,
        DomainId, //
    },
};

/// The xenbus device representation.
///
/// Wraps a C `struct xenbus_device` that the xenbus core made.
///
/// # Invariants
///
/// A [`Device`] instance represents a valid `struct xenbus_device` created by the xenbus core.
#[repr(transparent)]
pub struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::xenbus_device>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> Device<Ctx> {
    pub(crate) fn as_raw(&self) -> *mut bindings::xenbus_device {
        self.0.get()
    }

    /// The device's directory in xenstore, relative to the directory of this domain, e.g.
    /// `backend/vbd/3/51712`.
    pub fn nodename(&self) -> &CStr {
        // SAFETY: By the type invariant the device is valid.
        let name = unsafe { (*self.as_raw()).nodename };

        // SAFETY: `nodename` is a NUL-terminated string that lives and stays as it is as long as the
        // device (it is in the same allocation).
        unsafe { CStr::from_char_ptr(name) }
    }

    /// The domain of the other end.
    pub fn otherend_id(&self) -> DomainId {
        // SAFETY: By the type invariant the device is valid. The field is written before a driver is
        // probed, and not while it is bound.
        let id = unsafe { (*self.as_raw()).otherend_id };
        // CAST: a domid has 16 bits; the core reads it from xenstore into an `int`.
        DomainId(id as u16)
    }

    /// Writes this end's state to xenstore, unless it is that already.
    ///
    /// A directory that is gone is not made anew. The core's own function is of no use here: it compares
    /// with the state it wrote last, not with what the toolstack has put there since, and then writes
    /// nothing or takes the device for another one.
    pub fn switch_state(&self, state: XenbusState) -> Result {
        self.switch_state_if(state, |_| Ok(()))
    }

    /// Does what [`Device::switch_state`] does, if `allowed` finds nothing against it in the same transaction.
    ///
    /// # Errors
    ///
    /// Those of `allowed`, and of xenstore.
    pub fn switch_state_if(
        &self,
        state: XenbusState,
        allowed: impl Fn(&Transaction) -> Result,
    ) -> Result {
        let dir = self.nodename();
        store::transaction(|transaction| {
            allowed(transaction)?;
            match transaction.read(dir, c"state")? {
                Some(now) if parse_u32(&now) != Ok(state.to_raw()) => {
                    transaction.write(dir, c"state", format_args!("{}", state.to_raw()))
                }
                _ => Ok(()),
            }
        })?;
        // SAFETY: By the type invariant the device is valid; the core reads this field where a torn or
        // an old value does no harm, and writes it only in functions that this crate does not call.
        unsafe { (&raw mut (*self.as_raw()).state).write_volatile(state.to_raw()) };
        Ok(())
    }

    /// Whether the bus has it: if not, its directory in xenstore was removed. One of its name is another device's.
    pub fn is_registered(&self) -> bool {
        // SAFETY: By the type invariant the device is valid; a flag is read that is set before a driver is probed.
        unsafe { bindings::xenbus_helper_is_registered(self.as_raw()) }
    }

    /// Takes the device off the bus, which unbinds its driver: for a device that is done with.
    ///
    /// Does nothing outside of the xenwatch thread. All devices come and go in that thread, so there this
    /// does not meet the toolstack doing the same.
    pub fn unregister(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::xenbus_helper_unregister(self.as_raw()) };
    }

    /// Says that the directory is another device's now: the core writes no state there when it unbinds the driver.
    pub fn set_vanished(&self) {
        // SAFETY: By the type invariant the device is valid; the core sets this field to the same value, and reads it where
        // an old value does no harm.
        unsafe { (&raw mut (*self.as_raw()).vanished).write_volatile(true) };
    }

    /// Tells the administrator why the device does not work: writes the error's number and the sentence to
    /// `error/<nodename>/error` in xenstore, where toolstacks look. Nobody looks for a device that is gone.
    pub fn report_error(&self, error: Error, sentence: fmt::Arguments<'_>) {
        if !self.is_registered() {
            return;
        }
        // There is nobody to tell when xenstore does not take it.
        let _ = self.error_dir().and_then(|dir| {
            // As the core writes it: positive.
            let errno = error.to_errno().unsigned_abs();
            store::write(&dir, c"error", format_args!("{errno} {sentence}"))
        });
    }

    /// Takes the sentence of [`Device::report_error`] out of xenstore, after the trouble is over.
    pub fn clear_error(&self) {
        // Most often there is none, and nothing to remove.
        let _ = self
            .error_dir()
            .and_then(|dir| store::remove(&dir, c"error"));
    }

    fn error_dir(&self) -> Result<CString> {
        CString::try_from_fmt(format_args!("error/{}", self.nodename().to_str()?))
    }
}

impl Device<device::Bound> {
    /// The other end's directory in xenstore, an absolute path, e.g. `/local/domain/3/device/vbd/51712`.
    pub fn otherend(&self) -> &CStr {
        // SAFETY: By the type invariant the device is valid.
        let path = unsafe { (*self.as_raw()).otherend };

        // SAFETY: The core sets `otherend` to a NUL-terminated string before the driver is probed and
        // frees it after the driver is unbound.
        unsafe { CStr::from_char_ptr(path) }
    }
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on `Device`'s generic argument.
kernel::impl_device_context_deref!(unsafe { Device });
kernel::impl_device_context_into_aref!(Device);

// SAFETY: Instances of `Device` are always reference-counted.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The existence of a shared reference guarantees that the refcount is non-zero.
        unsafe { kernel::bindings::get_device(&raw mut (*self.as_raw()).dev) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // CAST: `Self` is a transparent wrapper of `struct xenbus_device`.
        let xdev: *mut bindings::xenbus_device = obj.cast().as_ptr();

        // SAFETY: `xdev` is valid by the caller's reference.
        let dev = unsafe { &raw mut (*xdev).dev };

        // SAFETY: The safety requirements guarantee that the refcount is non-zero.
        unsafe { kernel::bindings::put_device(dev) };
    }
}

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type invariant `self.as_raw()` is a valid `struct xenbus_device`.
        let dev = unsafe { &raw mut (*self.as_raw()).dev };

        // SAFETY: `dev` points to a valid `struct device` that lives as long as `self`.
        unsafe { device::Device::from_raw(dev) }
    }
}

// SAFETY: A `Device` is always reference-counted and can be released from any thread.
unsafe impl Send for Device {}

// SAFETY: `Device` can be shared among threads: what its methods read is constant while a driver is bound, or
// in xenstore; the one field they write is written by volatile stores of a word.
unsafe impl Sync for Device {}

// SAFETY: Same as `Device<Normal>`; the bound context adds only access to strings the core leaves alone
// while the driver is bound.
unsafe impl Sync for Device<device::Bound> {}
