// SPDX-License-Identifier: GPL-2.0

//! Bindings of the Xen headers, made by bindgen while the module is built.
//!
//! Types that Xen's headers only use (`struct device`, `struct page`, …) come from `kernel::bindings`, so
//! they are the same types there and here.

#![allow(
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::bindings::*;
use kernel::ffi;
use pin_init::MaybeZeroable;

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(concat!(env!("XENBUS_OUT"), "/xen_bindings_generated.rs"));
