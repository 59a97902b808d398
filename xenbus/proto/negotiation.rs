// SPDX-License-Identifier: GPL-2.0

//! What the two ends tell each other in xenstore before a ring is used.
//!
//! First the backend writes what shapes the rings ([`before_ring`]): how many there can be, and how
//! large. The frontend makes its rings and writes where they are, which is its [`FrontendOffer`].
//! Then the backend writes what the disk is like and which requests it takes ([`before_use`]).
//!
//! A backend's [`Abilities`] bound both directions: a frontend never sees the node of a feature
//! that it could not use, and is refused when it uses one that it was not offered.

mod backend;
mod frontend;

pub use backend::{
    before_ring,
    before_use,
    Abilities,
    Discard,
    Disk, //
};
pub use frontend::{
    FrontendOffer,
    Key,
    Queue,
    Unusable,
    MAX_QUEUES, //
};

#[cfg(test)]
mod tests;
