// SPDX-License-Identifier: GPL-2.0

//! Drivers of xenbus backends.
//!
//! A driver implements [`Driver`] and is registered by [`module_xenbus_backend!`](crate::module_xenbus_backend).
//! The calls come in this order, for one device: `probe`, any number of `otherend_changed` from the
//! xenwatch thread, `unbind`. All of them may run in the xenwatch thread, also `unbind`, which therefore must
//! not wait for a guest or a disk there ([`crate::watch::in_xenwatch`]). A driver that has to wait goes on
//! elsewhere, and writes the Closed state itself once it has given everything back: mappings, event
//! channels, claims on a disk. The data is dropped after `unbind`, too late or too early for that.
//!
//! C header: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h)

use crate::{
    bindings,
    device::Device,
    sysfs::Groups,
    watch::{
        self,
        Watch,
        Watcher, //
    },
};
use core::marker::PhantomData;
use kernel::{
    device,
    driver,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    str::CStr,
    sync::{
        atomic::{
            ordering::{
                Full,
                Relaxed, //
            },
            AtomicFlag, //
        },
        Arc,
        Completion, //
    },
    types::Opaque,
    ThisModule, //
};

/// An adapter for the registration of backend drivers.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `bindings::xenbus_driver` is a C type declared as `repr(C)`.
// - `T::Data` is the type of the driver's device private data.
// - `struct xenbus_driver` embeds a `struct device_driver` at the given offset.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::xenbus_driver;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize = core::mem::offset_of!(Self::DriverType, driver);
}

// SAFETY: A call to `unregister` for a given instance of `DriverType` is guaranteed to be valid if a
// preceding call to `register` has been successful.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        drv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        _module: &'static ThisModule,
    ) -> Result {
        need_xen()?;
        // SAFETY: It is safe to set the fields of `struct xenbus_driver` on initialization.
        unsafe {
            (*drv.get()).name = name.as_char_ptr();
            (*drv.get()).ids = T::IDS.as_ptr();
            // The driver closes both ends itself when it is unbound, and can be bound again.
            (*drv.get()).allow_rebind = true;
            (*drv.get()).probe = Some(Self::probe_callback);
            (*drv.get()).otherend_changed = Some(Self::otherend_changed_callback);
            (*drv.get()).remove = Some(Self::remove_callback);
            // The driver core does not write to what this points to.
            (*drv.get()).driver.dev_groups = T::ATTRIBUTES.as_ptr().cast_mut();
        }

        // The core pins the owner of a driver for as long as a device is bound, which would make the
        // module impossible to unload while any guest has a disk. It is not needed: unregistering
        // unbinds every device first and waits for the callbacks. So no owner is named. `unregister` sees
        // to it that this does not meet the core taking a device away.
        //
        // SAFETY: `drv` is a valid `DriverType`, pinned until `unregister`.
        to_result(unsafe {
            bindings::__xenbus_register_backend(
                drv.get(),
                core::ptr::null_mut(),
                name.as_char_ptr(),
            )
        })
    }

    unsafe fn unregister(drv: &Opaque<Self::DriverType>) {
        // SAFETY: `drv` was registered by `register`, and is unregistered once.
        if unsafe { Unregister::run(drv.get()) }.is_err() {
            // There is no memory for the safe way. The other has to do.
            //
            // SAFETY: As above; the failed attempt has not unregistered it.
            unsafe { bindings::xenbus_unregister_driver(drv.get()) };
        }
    }
}

/// Refuses, and says why, where there are no devices to drive.
fn need_xen() -> Result {
    // SAFETY: Takes no arguments.
    if unsafe { bindings::xenbus_helper_xen_domain() } {
        return Ok(());
    }
    pr_err!("this kernel does not run under Xen: boot Xen first, and Linux as its dom0\n");
    Err(ENODEV)
}

/// The unregistration of a driver, carried out by the xenwatch thread.
///
/// A device is locked while its driver is unbound, and unbinding waits for the xenwatch thread to be done
/// with the device's watches. That thread in turn locks a device which it takes off the bus. Were the two
/// to meet, each would wait for the other for ever. In the xenwatch thread itself they cannot meet.
///
/// # Invariants
///
/// `driver` is registered until `done` is complete.
#[pin_data]
struct Unregister {
    driver: *mut bindings::xenbus_driver,
    begun: AtomicFlag,
    #[pin]
    done: Completion,
}

// SAFETY: The driver may be unregistered from any thread.
unsafe impl Send for Unregister {}
// SAFETY: `begun` lets one thread only unregister the driver.
unsafe impl Sync for Unregister {}

impl Unregister {
    /// Unregisters `driver`, and returns when that is done.
    ///
    /// # Safety
    ///
    /// `driver` is registered, and nobody else unregisters it.
    unsafe fn run(driver: *mut bindings::xenbus_driver) -> Result {
        // INVARIANT: By the safety requirement.
        let job = Arc::pin_init(
            pin_init!(Self {
                driver,
                begun: AtomicFlag::new(false),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        // A new watch is called once, whatever it watches.
        let _watch = Watch::new(c"domid", InXenwatch(job.clone()))?;
        job.done.wait_for_completion();
        Ok(())
    }
}

/// Whether the xenwatch thread unregisters a driver just now. That thread alone uses it.
static UNREGISTERS: AtomicFlag = AtomicFlag::new(false);

/// What the xenwatch thread is to do.
struct InXenwatch(Arc<Unregister>);

impl Watcher for InXenwatch {
    fn changed(&self) {
        if self.0.begun.xchg(true, Full) {
            return;
        }
        UNREGISTERS.store(true, Relaxed);
        // SAFETY: By the type invariant, and this is the first call.
        unsafe { bindings::xenbus_unregister_driver(self.0.driver) };
        UNREGISTERS.store(false, Relaxed);
        self.0.done.complete_all();
    }
}

impl<T: Driver> Adapter<T> {
    extern "C" fn probe_callback(
        xdev: *mut bindings::xenbus_device,
        _id: *const bindings::xenbus_device_id,
    ) -> c_int {
        // SAFETY: The xenbus core only ever calls the probe callback with a valid pointer to a
        // `struct xenbus_device`.
        //
        // INVARIANT: `xdev` is valid for the duration of `probe_callback()`.
        let xdev = unsafe { &*xdev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            let data = T::probe(xdev);

            let dev: &device::Device<device::CoreInternal<'_>> = xdev.as_ref();
            dev.set_drvdata(data)?;
            Ok(0)
        })
    }

    extern "C" fn otherend_changed_callback(
        xdev: *mut bindings::xenbus_device,
        state: bindings::xenbus_state,
    ) {
        // SAFETY: The core watches the other end after a successful probe and until before `remove`, so
        // `xdev` is a valid device, bound to this driver for the duration of the call.
        let xdev = unsafe { &*xdev.cast::<Device<device::BoundInternal>>() };
        let dev: &device::Device<device::BoundInternal> = xdev.as_ref();

        // SAFETY: `probe_callback` has stored a `Pin<KBox<T::Data>>`, and it is dropped after `remove`.
        let data = unsafe { dev.drvdata_borrow::<T::Data>() };

        T::otherend_changed(xdev, data, state);
    }

    extern "C" fn remove_callback(xdev: *mut bindings::xenbus_device) {
        // SAFETY: The core only ever calls the remove callback with a valid pointer to a
        // `struct xenbus_device`.
        //
        // INVARIANT: `xdev` is valid for the duration of `remove_callback()`.
        let xdev = unsafe { &*xdev.cast::<Device<device::CoreInternal<'_>>>() };
        let dev: &device::Device<device::CoreInternal<'_>> = xdev.as_ref();

        // SAFETY: `remove_callback` is only ever called after a successful call to `probe_callback`,
        // which stored a `Pin<KBox<T::Data>>`.
        let data = unsafe { dev.drvdata_borrow::<T::Data>() };

        // In the xenwatch thread the core takes away devices; only drivers are unregistered there too.
        let unbinding = match watch::in_xenwatch() && !UNREGISTERS.load(Relaxed) {
            true => Unbinding::Gone,
            false => Unbinding::Released,
        };
        T::unbind(xdev, data, unbinding);
    }
}

/// A kind of device that a driver serves: the name of a directory below `backend/` in xenstore.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::xenbus_device_id);

/// The kinds a driver serves, ended as C wants it.
///
/// # Invariants
///
/// The last entry is all zeroes.
#[repr(C)]
pub struct IdTable<const N: usize> {
    ids: [DeviceId; N],
    end: DeviceId,
}

impl DeviceId {
    /// The kind of this name, at most 31 bytes.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "evaluated by the compiler"
    )]
    pub const fn new(devicetype: &'static CStr) -> Self {
        let name = devicetype.to_bytes();
        let mut id = [0; 32];
        let mut i = 0;
        assert!(
            name.len() < 32,
            "the name of a xenbus device type is at most 31 bytes"
        );
        while i < name.len() {
            id[i] = name[i];
            i += 1;
        }
        Self(bindings::xenbus_device_id { devicetype: id })
    }
}

impl<const N: usize> IdTable<N> {
    /// A table of these kinds.
    pub const fn new(ids: [DeviceId; N]) -> Self {
        // INVARIANT: The last entry is all zeroes.
        Self {
            ids,
            end: DeviceId(bindings::xenbus_device_id {
                devicetype: [0; 32],
            }),
        }
    }
}

/// A table of kinds, whatever its length.
///
/// # Safety
///
/// `as_ptr` returns the first of a series of entries that ends with one of zeroes, all valid as long as
/// `self`.
pub unsafe trait Ids: Sync {
    /// The first entry.
    fn as_ptr(&self) -> *const bindings::xenbus_device_id;
}

// SAFETY: By the type invariant of `IdTable`.
unsafe impl<const N: usize> Ids for IdTable<N> {
    fn as_ptr(&self) -> *const bindings::xenbus_device_id {
        // CAST: `IdTable` is `repr(C)` and starts with transparent wrappers of the C type.
        core::ptr::from_ref(self).cast()
    }
}

/// The backend driver trait.
pub trait Driver: 'static {
    /// The kinds of device the driver serves.
    const IDS: &'static dyn Ids;

    /// The driver's private data of one device.
    type Data: Send + Sync + 'static;

    /// Its files in sysfs, in the directory of the device.
    const ATTRIBUTES: &'static Groups<Self::Data> = Groups::NONE;

    /// A device of one of [`Driver::IDS`] appeared, or the driver was loaded after it.
    ///
    /// Runs in the xenwatch thread (or in the one that loads the module): it must not wait for a guest.
    fn probe(dev: &Device<device::Core<'_>>) -> impl PinInit<Self::Data, Error>;

    /// The other end's state node was written; `state` is the number that was found in it.
    ///
    /// Runs in the xenwatch thread, which serves every device of the system: hand the work on.
    fn otherend_changed(dev: &Device<device::Bound>, data: Pin<&Self::Data>, state: u32);

    /// The device is unbound from the driver.
    fn unbind(dev: &Device<device::Core<'_>>, data: Pin<&Self::Data>, why: Unbinding);
}

/// Why a device is unbound from its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbinding {
    /// The device is gone. Its directory in xenstore was removed; if there is one of its name again, that is
    /// another device's, which is probed only after this.
    Gone,
    /// The driver lets go of it. The device and its directory stay.
    Released,
}

/// Declares a kernel module that is one backend driver.
///
/// The arguments are those of the kernel's `module!`. Work the driver has put on [`crate::work`]'s queue
/// is waited for when the module is unloaded, after the last device was unbound. The module has a directory
/// of its name in debugfs, the static `DEBUGFS`, a [`Root`](crate::debugfs::Root).
#[macro_export]
macro_rules! module_xenbus_backend {
    (type: $type:ty, $($f:tt)*) => {
        #[::pin_init::pin_data]
        struct DriverModule {
            // Dropped in this order: first no more devices, then no more work, then nothing to see.
            #[pin]
            _driver: ::kernel::driver::Registration<$crate::driver::Adapter<$type>>,
            _work: $crate::work::Drained,
            _debugfs: $crate::debugfs::Made,
        }

        /// The driver's directory in debugfs.
        #[allow(dead_code)]
        pub(crate) static DEBUGFS: $crate::debugfs::Root = $crate::debugfs::Root::new();

        impl ::kernel::InPlaceModule for DriverModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::pin_init::PinInit<Self, ::kernel::error::Error> {
                ::kernel::try_pin_init!(Self {
                    // SAFETY: The module is initialized once, and dropped last of all.
                    _debugfs: unsafe {
                        $crate::debugfs::Made::new(
                            &DEBUGFS,
                            <Self as ::kernel::ModuleMetadata>::NAME,
                        )
                    }?,
                    _driver <- ::kernel::driver::Registration::new(
                        <Self as ::kernel::ModuleMetadata>::NAME,
                        module,
                    ),
                    _work: $crate::work::Drained::new(),
                })
            }
        }

        ::kernel::prelude::module! {
            type: DriverModule,
            $($f)*
        }
    };
}
