// SPDX-License-Identifier: GPL-2.0

//! Module parameters that can be read and written while the module is loaded.
//!
//! The kernel's `module!` has parameters too, but they never appear in sysfs. These do, in
//! `/sys/module/<module>/parameters/`, and `modinfo` shows them like those of a module in C. A number that is
//! out of its range is not refused, which would keep the module from loading: the nearest one is taken, and
//! the log says so.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use core::{
    ops::RangeInclusive,
    ptr::addr_of, //
};
use kernel::{
    bindings,
    prelude::*,
    str::CStr,
    sync::atomic::{
        ordering::Relaxed,
        Atomic,
        AtomicFlag, //
    }, //
};

/// A number within a range.
///
/// # Invariants
///
/// `value` is one of `least..=most`.
pub struct Number {
    value: Atomic<u32>,
    least: u32,
    most: u32,
}

/// Something that is on or off.
pub struct Switch(AtomicFlag);

impl Number {
    /// A number that is `default` unless it is set, and one of `range` in any case.
    pub const fn new(default: u32, range: RangeInclusive<u32>) -> Self {
        let (least, most) = (*range.start(), *range.end());
        assert!(
            least <= default && default <= most,
            "the default of a parameter is within its range"
        );
        // INVARIANT: Just checked.
        Self {
            value: Atomic::new(default),
            least,
            most,
        }
    }

    /// The number as it is now; an administrator may change it at any time.
    #[inline]
    pub fn value(&self) -> u32 {
        self.value.load(Relaxed)
    }

    /// Takes the number nearest to `wanted`, and returns it.
    fn set(&self, wanted: u32) -> u32 {
        let taken = wanted.clamp(self.least, self.most);
        // INVARIANT: Just clamped.
        self.value.store(taken, Relaxed);
        taken
    }
}

impl Switch {
    /// A switch that is `default` unless it is set.
    pub const fn new(default: bool) -> Self {
        Self(AtomicFlag::new(default))
    }

    /// Whether it is on now; an administrator may change it at any time.
    #[inline]
    pub fn value(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A kind of parameter.
///
/// # Safety
///
/// The functions of `OPS` take `arg` of a parameter for a pointer to a static of this type, and access it in
/// no other way.
pub unsafe trait Parameter: Sync + 'static {
    /// How its text is read and written.
    const OPS: &'static bindings::kernel_param_ops;
}

// SAFETY: See `set_number` and `get_number`.
unsafe impl Parameter for Number {
    const OPS: &'static bindings::kernel_param_ops = &bindings::kernel_param_ops {
        flags: 0,
        set: Some(set_number),
        get: Some(get_number),
        free: None,
    };
}

// SAFETY: See `set_switch` and `get_switch`.
unsafe impl Parameter for Switch {
    const OPS: &'static bindings::kernel_param_ops = &bindings::kernel_param_ops {
        // The name alone turns it on.
        flags: 1,
        set: Some(set_switch),
        get: Some(get_switch),
        free: None,
    };
}

/// Lets the kernel parse `text` into a value of its own, so that ours is written in one go.
///
/// # Safety
///
/// `parse` and `text` are such that the kernel may call the one with the other for `param`, and what `parse`
/// writes to is a `T`.
unsafe fn parsed<T>(
    parse: unsafe extern "C" fn(*const c_char, *const bindings::kernel_param) -> c_int,
    text: *const c_char,
    param: &bindings::kernel_param,
    mut value: T,
) -> Result<T> {
    let mut to_value = *param;
    to_value.__bindgen_anon_1.arg = (&raw mut value).cast();
    // SAFETY: By the safety requirement, and `value` is valid for writes.
    kernel::error::to_result(unsafe { parse(text, &raw const to_value) })?;
    Ok(value)
}

/// Sets a [`Number`].
///
/// # Safety
///
/// The kernel calls it for a parameter made by [`Entry::new`].
unsafe extern "C" fn set_number(
    text: *const c_char,
    param: *const bindings::kernel_param,
) -> c_int {
    // SAFETY: The kernel gives a valid parameter.
    let param = unsafe { &*param };
    // SAFETY: `arg` is of the type `Number` by the requirement of `Parameter`, and a static.
    let number = unsafe { &*param.__bindgen_anon_1.arg.cast::<Number>() };
    // SAFETY: `param_set_uint` writes an `unsigned int`.
    let wanted = match unsafe { parsed(bindings::param_set_uint, text, param, 0_u32) } {
        Ok(wanted) => wanted,
        Err(error) => return error.to_errno(),
    };
    let taken = number.set(wanted);
    if taken != wanted {
        // SAFETY: `Entry::new` was given a module, and a module outlives its parameters.
        let module = unsafe { CStr::from_char_ptr(addr_of!((*param.mod_).name).cast()) };
        // SAFETY: `Entry::new` was given a name.
        let name = unsafe { CStr::from_char_ptr(param.name) };
        pr_warn!("{module}: {name}={wanted} is out of range, {taken} is taken\n");
    }
    0
}

/// Writes a [`Number`] into a page, as text.
///
/// # Safety
///
/// The kernel calls it for a parameter made by [`Entry::new`].
unsafe extern "C" fn get_number(page: *mut c_char, param: *const bindings::kernel_param) -> c_int {
    // SAFETY: The kernel gives a valid parameter; `arg` is a `Number` by the requirement of `Parameter`.
    let number = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Number>() };
    // SAFETY: `page` is what the format is for, and `%u` takes one number.
    unsafe { bindings::sysfs_emit(page, c"%u\n".as_char_ptr(), number.value()) }
}

/// Sets a [`Switch`].
///
/// # Safety
///
/// The kernel calls it for a parameter made by [`Entry::new`].
unsafe extern "C" fn set_switch(
    text: *const c_char,
    param: *const bindings::kernel_param,
) -> c_int {
    // SAFETY: The kernel gives a valid parameter.
    let param = unsafe { &*param };
    // SAFETY: `arg` is of the type `Switch` by the requirement of `Parameter`, and a static.
    let switch = unsafe { &*param.__bindgen_anon_1.arg.cast::<Switch>() };
    // SAFETY: `param_set_bool` writes a `bool`, 0 or 1.
    match unsafe { parsed(bindings::param_set_bool, text, param, false) } {
        Ok(on) => {
            switch.0.store(on, Relaxed);
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// Writes a [`Switch`] into a page, as text.
///
/// # Safety
///
/// The kernel calls it for a parameter made by [`Entry::new`].
unsafe extern "C" fn get_switch(page: *mut c_char, param: *const bindings::kernel_param) -> c_int {
    // SAFETY: The kernel gives a valid parameter; `arg` is a `Switch` by the requirement of `Parameter`.
    let switch = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<Switch>() };
    let text = match switch.value() {
        true => c"Y\n",
        false => c"N\n",
    };
    // SAFETY: `page` is what the text is for, which has no conversions.
    unsafe { bindings::sysfs_emit(page, text.as_char_ptr()) }
}

/// What the kernel finds of a parameter in the module's file.
#[doc(hidden)]
#[repr(transparent)]
pub struct Entry(bindings::kernel_param);

// SAFETY: Only the kernel accesses it, under a lock.
unsafe impl Sync for Entry {}

impl Entry {
    /// The entry of `parameter`, to be put into the section `__param` of `module`.
    ///
    /// # Safety
    ///
    /// `module` is the module that the entry is in.
    pub const unsafe fn new<T: Parameter>(
        module: *mut bindings::module,
        name: &'static CStr,
        parameter: &'static T,
        mode: u16,
    ) -> Self {
        assert!(mode & !0o644 == 0, "only root sets a parameter");
        Self(bindings::kernel_param {
            name: kernel::str::as_char_ptr_in_const_context(name),
            mod_: module,
            ops: T::OPS,
            perm: mode,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                arg: core::ptr::from_ref(parameter).cast_mut().cast(),
            },
        })
    }
}

/// The bytes of a text, as the module's file has it.
#[doc(hidden)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "evaluated by the compiler"
)]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = text.as_bytes()[i];
        i += 1;
    }
    bytes
}

/// Declares the parameters of a module: name, kind (`uint` or `bool`), the value, the mode of the file in
/// sysfs, and what `modinfo` says of it.
///
/// Each becomes a static of that name, a [`Number`](crate::params::Number) or a
/// [`Switch`](crate::params::Switch).
///
/// ```ignore
/// xenbus::module_parameters! {
///     max_queues: uint = Number::new(1, 1..=16), 0o644, "Maximum number of queues";
///     discard: bool = Switch::new(true), 0o644, "Offers discard";
/// }
/// ```
#[macro_export]
macro_rules! module_parameters {
    (@type uint) => { $crate::params::Number };
    (@type bool) => { $crate::params::Switch };
    (@info $text:expr) => {
        const _: () = {
            const TEXT: &str = concat!($text, "\0");
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static INFO: [u8; TEXT.len()] = $crate::params::bytes(TEXT);
        };
    };
    ($($name:ident: $kind:ident = $value:expr, $mode:literal, $description:literal;)*) => { $(
        #[doc = $description]
        #[expect(non_upper_case_globals, reason = "named as the administrator knows it")]
        pub(crate) static $name: $crate::module_parameters!(@type $kind) = $value;

        const _: () = {
            const NAME: &::kernel::str::CStr =
                match ::kernel::str::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    // Only ever evaluated by the compiler, which stops here.
                    Err(_) => panic!("a name has no NUL"),
                };
            #[link_section = "__param"]
            #[used(compiler)]
            static ENTRY: $crate::params::Entry =
                // SAFETY: It is the module that is being compiled.
                unsafe {
                    $crate::params::Entry::new(
                        &raw mut ::kernel::bindings::__this_module,
                        NAME,
                        &$name,
                        $mode,
                    )
                };
        };
        $crate::module_parameters!(@info concat!("parmtype=", stringify!($name), ":", stringify!($kind)));
        $crate::module_parameters!(@info concat!("parm=", stringify!($name), ":", $description));
    )* };
}
