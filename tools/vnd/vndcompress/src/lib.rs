// SPDX-License-Identifier: GPL-2.0

//! vndcompress(1) and vnduncompress(1): disk images to and from the cloop2 format.
//!
//! [`args`] says what is asked for; [`compress`] and [`uncompress`] do it. Both read blocks in
//! order, work on many of them at a time ([`pipeline`], [`zlib`]), and write them in order, so that
//! the result is the same however many processors there are. [`progress`] says how far they are.
//!
//! A compressed image that is being written is an [`archive::Archive`]; [`restart`] finds out how
//! much of one there is already. The format itself is known to `vnd_proto`, which the kernel module
//! shares.

pub mod archive;
pub mod args;
pub mod compress;
pub mod image;
pub mod number;
pub mod pipeline;
pub mod progress;
pub mod restart;
pub mod table;
pub mod uncompress;
pub mod zlib;
