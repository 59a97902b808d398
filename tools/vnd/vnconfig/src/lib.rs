// SPDX-License-Identifier: GPL-2.0

//! vnconfig(8), or vndconfig(8): makes files the disks of vnd(4), takes them away, and lists them.
//!
//! [`args`] says what is asked for; [`mod@configure`] and [`mod@list`] do it. A unit's name is understood by [`unit`], and
//! [`device`] opens its node and asks the kernel. A geometry is given by itself ([`geometry`]), or by the name of a type of
//! disks ([`disktab`]). The requests themselves are those of `vnd_proto`, which the kernel module shares.

pub mod args;
pub mod configure;
pub mod device;
pub mod disktab;
pub mod geometry;
mod ioctl;
pub mod list;
pub mod place;
pub mod unit;
