// SPDX-License-Identifier: GPL-2.0

//! Files in sysfs, in the directory of a device.
//!
//! A driver has one table of them ([`attribute_groups!`](crate::attribute_groups)), named in
//! [`Driver::ATTRIBUTES`](crate::driver::Driver::ATTRIBUTES). The driver core makes the files after `probe` and
//! removes them before `unbind`, waiting for those who read one. So they have the driver's data to show, and
//! nothing of them is to be kept or freed.
//!
//! C header: [`include/linux/device.h`](srctree/include/linux/device.h)

use core::{
    fmt::{
        self,
        Write, //
    },
    marker::PhantomData, //
};
use kernel::{
    bindings,
    device,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        CStr,
        Formatter, //
    }, //
};

/// Writes what a file shows of `D`, the driver's data of a device.
///
/// It may sleep, but not for long, nor wait for `unbind`. More than a page is cut off.
pub type Show<D> = fn(&D, &mut dyn Write) -> fmt::Result;

/// A file that can be read.
///
/// # Invariants
///
/// `raw` is part of `self`, and calls [`show`] for the same `D`.
#[doc(hidden)]
#[repr(C)]
pub struct Attribute<D> {
    raw: bindings::device_attribute,
    show: Show<D>,
}

// SAFETY: It is never written, and what it points to is static.
unsafe impl<D> Sync for Attribute<D> {}

impl<D: Send + Sync + 'static> Attribute<D> {
    /// A file of this name.
    pub const fn new(name: &'static CStr, content: Show<D>) -> Self {
        let mut raw: bindings::device_attribute = pin_init::zeroed();
        raw.attr.name = kernel::str::as_char_ptr_in_const_context(name);
        raw.attr.mode = 0o444;
        raw.__bindgen_anon_1.show = Some(show::<D>);
        // INVARIANT: Just set.
        Self { raw, show: content }
    }
}

/// Shows an attribute.
///
/// # Safety
///
/// The driver core calls it for an [`Attribute<D>`], for a device that is bound to a driver whose data is a `D`.
unsafe extern "C" fn show<D>(
    dev: *mut bindings::device,
    attribute: *mut bindings::device_attribute,
    page: *mut c_char,
) -> isize {
    // SAFETY: By the safety requirement and the type invariant; the attribute comes first.
    let attribute = unsafe { &*attribute.cast::<Attribute<D>>().cast_const() };
    // SAFETY: The device is bound as long as it has the file.
    let dev = unsafe { device::Device::<device::BoundInternal>::from_raw(dev) };
    // SAFETY: By the safety requirement. The file appears after the data and goes before it.
    let data = unsafe { dev.drvdata_borrow::<D>() };
    // SAFETY: The core hands out a page, which nobody else has.
    let page = unsafe { core::slice::from_raw_parts_mut(page.cast::<u8>(), PAGE_SIZE) };
    let mut text = Formatter::new(page);
    let _ = (attribute.show)(&data, &mut text);
    // CAST: at most a page.
    text.bytes_written().min(PAGE_SIZE) as isize
}

/// Files in a directory of their own, or in the device's.
#[doc(hidden)]
#[repr(C)]
pub struct Group<D> {
    raw: bindings::attribute_group,
    data: PhantomData<D>,
}

// SAFETY: It is never written, and what it points to is static.
unsafe impl<D> Sync for Group<D> {}

impl<D> Group<D> {
    /// The files `list`, which ends with `None`. No name is for the device's own directory.
    pub const fn new(name: &'static CStr, list: &'static [Option<&'static Attribute<D>>]) -> Self {
        assert!(
            matches!(list, [.., None]),
            "a list for C ends with a null pointer"
        );
        let mut raw: bindings::attribute_group = pin_init::zeroed();
        if !name.to_bytes().is_empty() {
            raw.name = kernel::str::as_char_ptr_in_const_context(name);
        }
        // CAST: An optional reference is a pointer, null for `None`; an `Attribute` begins with what C wants.
        raw.__bindgen_anon_2.attrs = list.as_ptr().cast_mut().cast();
        Self {
            raw,
            data: PhantomData,
        }
    }
}

/// All files of a driver whose data is a `D`.
///
/// # Invariants
///
/// The list ends with `None`.
pub struct Groups<D: 'static>(&'static [Option<&'static Group<D>>]);

impl<D> Groups<D> {
    /// No files.
    pub const NONE: &'static Self = &Self(&[None]);

    /// The groups `list`, which ends with `None`.
    #[doc(hidden)]
    pub const fn new(list: &'static [Option<&'static Group<D>>]) -> Self {
        assert!(
            matches!(list, [.., None]),
            "a list for C ends with a null pointer"
        );
        // INVARIANT: Just checked.
        Self(list)
    }

    pub(crate) fn as_ptr(&self) -> *const *const bindings::attribute_group {
        // CAST: An optional reference is a pointer, null for `None`; a `Group` begins with `raw`.
        self.0.as_ptr().cast()
    }
}

/// Declares the files that a driver has in the directory of each of its devices.
///
/// It becomes a static [`Groups`](crate::sysfs::Groups) for the driver whose data is of that type. A group's
/// name is that of a directory below the device's, `c""` for the device's itself.
///
/// ```ignore
/// xenbus::attribute_groups! {
///     /// What we show.
///     static ATTRIBUTES for Data = {
///         c"" => { c"mode" => |data, text| writeln!(text, "{}", data.mode) },
///         c"statistics" => { c"requests" => |data, text| writeln!(text, "{}", data.requests()) },
///     };
/// }
/// ```
#[macro_export]
macro_rules! attribute_groups {
    ($(#[$attribute:meta])* $visibility:vis static $groups:ident for $data:ty = { $(
        $group:expr => { $($name:expr => $show:expr),* $(,)? }
    ),* $(,)? };) => {
        $(#[$attribute])*
        $visibility static $groups: $crate::sysfs::Groups<$data> = $crate::sysfs::Groups::new(&[
            $({
                static GROUP: $crate::sysfs::Group<$data> = $crate::sysfs::Group::new($group, &[
                    $({
                        static ATTRIBUTE: $crate::sysfs::Attribute<$data> =
                            $crate::sysfs::Attribute::new($name, $show);
                        Some(&ATTRIBUTE)
                    },)*
                    None,
                ]);
                Some(&GROUP)
            },)*
            None,
        ]);
    };
}
