// SPDX-License-Identifier: GPL-2.0

//! Who may have which file: what keeps two guests from writing one.
//!
//! Block devices have that in the kernel, files do not. So this knows all files that are open here, by what they are
//! and not by their names; it knows nothing of the other users of the file system.

use crate::{
    blk::Claim,
    shared::Shared, //
};
use kernel::prelude::*;

/// The claims on all files.
static CLAIMS: Shared<KVec<(Identity, Claim)>> = Shared::new(KVec::new());

/// Which file it is, whatever its name: the address of its inode, which stays as long as it is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(pub(super) usize);

/// A claim on a file, until this is dropped.
pub(super) struct Claimed {
    identity: Identity,
    claim: Claim,
}

impl Claimed {
    /// Claims a file.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody has a claim that excludes this one.
    pub(super) fn new(identity: Identity, claim: Claim) -> Result<Self> {
        CLAIMS.with(|claims| {
            let mut others = claims.iter().filter(|(other, _)| *other == identity);
            let allowed = others.all(|&(_, other)| match claim {
                Claim::Exclusive => false,
                Claim::Readers => other == Claim::Readers,
                Claim::Shared => true,
            });
            match allowed {
                true => Ok(claims.push((identity, claim), GFP_KERNEL)?),
                false => Err(EBUSY),
            }
        })?;
        Ok(Self { identity, claim })
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        CLAIMS.with(|claims| {
            let ours = (self.identity, self.claim);
            if let Some(place) = claims.iter().position(|claim| *claim == ours) {
                let _ = claims.remove(place);
            }
            if claims.is_empty() {
                // Nothing of it is left.
                *claims = KVec::new();
            }
        });
    }
}
