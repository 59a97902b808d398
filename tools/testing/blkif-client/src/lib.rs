// SPDX-License-Identifier: GPL-2.0

//! A blkif frontend in user space: the two ends of a Xen disk, seen from domain 0, without a guest.
//!
//! The backend under test is a kernel driver bound to the xenbus type `vbd`. This crate plays everything around it:
//!
//! - the *toolstack*, which makes the xenstore directories of a disk and takes them away ([`vbd::Vbd`]);
//! - the *frontend*, which shares rings and data pages by grants, binds event channels and posts
//!   requests ([`frontend::Frontend`], one [`queue::Queue`] for each ring).
//!
//! Both ends are in domain 0, so nothing has to boot. The frontend directory lies outside `device/`, so no kernel
//! frontend ever takes it.
//!
//! A frontend here is deliberately unsafe *to its peer*: every byte of a slot, every ring index and every xenstore
//! node can be set to anything. The tests built on it are ordinary functions, see [`scenario`].

pub mod backing;
pub mod child;
pub mod evtchn;
pub mod features;
pub mod frontend;
pub mod gntalloc;
pub mod grants;
pub mod ktap;
pub mod load;
pub mod nullblk;
pub mod pattern;
pub mod peer;
pub mod queue;
pub mod random;
pub mod request;
pub mod ring;
pub mod scenario;
pub mod traffic;
pub mod vbd;
pub mod wait;
pub mod wire;
pub mod xenstore;
