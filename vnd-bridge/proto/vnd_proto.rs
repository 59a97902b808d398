// SPDX-License-Identifier: GPL-2.0

//! The pure half of vnd-bridge: formats and rules, with no kernel behind them.
//!
//! Everything in this crate is a function of its arguments. It needs `core` only, allocates
//! nothing, holds no `unsafe` code and does not panic on anything a file can hold. The same files
//! are compiled into the kernel module, into the tools (`tools/vnd`), and, for tests and fuzzing,
//! into a host crate (`tools/vnd/proto-host`).

// The kernel's build system injects `no_std` by itself.
#![cfg_attr(not(any(VND_KERNEL, test)), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
    )
)]

pub mod cache;
pub mod cloop2;
pub mod ioctl;
pub mod shape;
