// SPDX-License-Identifier: GPL-2.0

//! The pure half of the Xen block drivers: what the protocol says, with no kernel behind it.
//!
//! Everything in this crate is a function of its arguments. It needs `core` only, allocates
//! nothing, holds no `unsafe` code and does not panic on anything a guest or a toolstack can write.
//! The same files are compiled into the kernel module and, for tests and fuzzing, into a host crate
//! (`tools/testing/proto-host`).
//!
//! # The life of a request
//!
//! [`ring::BackRing::take`] copies a slot of the shared ring once into a private [`slot::RawSlot`]
//! and hands out a [`ring::Slot`], the duty to answer. [`request::parse`] turns the copy into a
//! [`request::Request`], which is valid because it exists, or into a [`request::Reject`]; a
//! [`request::Indirect`] becomes one of the two when its pages have been seen.
//!
//! [`packing`] says where the data goes in our memory, [`grant_cache`] which of the frontend's pages
//! stay mapped. [`ring::BackRing::put`] consumes the duty and [`ring::BackRing::push`] shows the
//! answers to the frontend and says whether to notify it.
//!
//! # The life of a connection
//!
//! [`state::Machine`] is given a snapshot of everything that matters and returns the actions that
//! bring the device nearer to where it should be. [`negotiation`] says which xenstore nodes are
//! written and read on the way, [`budget`] whether the guest may have what it asks for, [`message`]
//! and [`problem`] what is said about it.
//!
//! # Words
//!
//! A *sector* is always 512 bytes, whatever the disk's block size. A *frontend* is the guest's
//! driver, a *backend* is ours. A *handle* is the number of a disk within its guest.

// The kernel's build system injects `no_std` by itself.
#![cfg_attr(not(any(XENBUS_KERNEL, test)), no_std)]
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

pub mod abi;
pub mod blkif;
pub mod budget;
pub mod counter;
pub mod device;
pub mod grant_cache;
pub mod histogram;
pub mod message;
pub mod negotiation;
pub mod number;
pub mod packing;
pub mod problem;
pub mod request;
pub mod response;
pub mod ring;
pub mod slot;
pub mod state;
pub mod text;
pub mod uevent;
