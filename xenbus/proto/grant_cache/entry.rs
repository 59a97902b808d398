// SPDX-License-Identifier: GPL-2.0

//! The place of one kept mapping.

use super::Time;
use crate::number::GrantRef;

/// Room for a mapping.
#[derive(Debug)]
pub struct Entry<V> {
    pub(super) gref: GrantRef,
    /// Requests that use it.
    pub(super) users: u32,
    /// When the last of them was done.
    pub(super) idle_since: Time,
    /// The idle entry that goes before this one.
    pub(super) previous: Option<u32>,
    /// The idle entry that goes after this one; or the next free one.
    pub(super) next: Option<u32>,
    /// The mapping, unless this is free.
    pub(super) value: Option<V>,
}

impl<V> Entry<V> {
    /// Room for a mapping that is not there yet.
    pub const fn new() -> Self {
        Self {
            gref: GrantRef(0),
            users: 0,
            idle_since: 0,
            previous: None,
            next: None,
            value: None,
        }
    }
}

impl<V> Default for Entry<V> {
    fn default() -> Self {
        Self::new()
    }
}
