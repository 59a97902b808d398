// SPDX-License-Identifier: GPL-2.0

//! The backend's directory in xenstore: whose it is, and what is written there.
//!
//! The toolstack may remove it by force and make another disk of the same name at once, in one transaction even. The
//! kernel says so later, or never, while the work item is in the middle of something. So three things are asked:
//!
//! - `gone`: the kernel has unbound the device because its directory was removed; or we have found that out.
//! - Whether the device is still on the bus: for one whose driver was unbound before.
//! - The node `instance`, which has this disk's number since it took the directory. When there is another one, or none,
//!   the directory is [lost](Vbd::lose_directory).

use super::Vbd;
use crate::say::{
    errno,
    say, //
};
use kernel::{
    prelude::*,
    str::CStr,
    sync::atomic::ordering::{
        Relaxed,
        Release, //
    },
};
use xenbus::store::{
    self,
    Transaction, //
};
use xenbus_proto::{
    message::Message,
    negotiation,
    number::{
        parse_u32,
        parse_u64, //
    },
};

/// The node that tells this disk's directory from that of another one of its name.
const INSTANCE: &CStr = c"instance";

impl Vbd {
    /// Takes the directory for this disk, and tells the guest what to know before it makes its ring.
    pub(crate) fn announce(&self) -> Result {
        let path = self.id.dev.nodename();
        let take = |transaction: &Transaction| {
            // It is not made again when it was removed.
            transaction.read(path, c"state")?.ok_or(ENOENT)?;
            transaction.write(path, INSTANCE, format_args!("{}", self.instance))
        };
        self.publish(take, || negotiation::before_ring(&self.abilities))
    }

    /// Writes nodes to the backend's directory, in one transaction, which `first` begins and may end with an error.
    pub(super) fn publish<Nodes>(
        &self,
        first: impl Fn(&Transaction) -> Result,
        nodes: impl Fn() -> Nodes,
    ) -> Result
    where
        Nodes: Iterator<Item = (&'static CStr, u64)>,
    {
        let path = self.id.dev.nodename();
        store::transaction(|transaction| {
            first(transaction)?;
            for (key, value) in nodes() {
                transaction
                    .write(path, key, format_args!("{value}"))
                    .inspect_err(|&error| {
                        say(&Message::CannotWrite {
                            path: path.to_bytes(),
                            key: key.to_bytes(),
                            errno: errno(error),
                        });
                    })?;
            }
            Ok(())
        })
    }

    /// Fails with `ENODEV` unless the directory has this disk's number.
    pub(super) fn ours_in(&self, transaction: &Transaction) -> Result {
        self.compare_instance(transaction.read(self.id.dev.nodename(), INSTANCE)?)
    }

    /// The same without a transaction, for what was read before this.
    pub(crate) fn still_ours(&self) -> Result {
        self.compare_instance(store::read(self.id.dev.nodename(), INSTANCE)?)
    }

    fn compare_instance(&self, node: Option<store::Value>) -> Result {
        let found = node.and_then(|node| parse_u64(&node).ok());
        match found == Some(self.instance) {
            true => Ok(()),
            false => Err(ENODEV),
        }
    }

    /// Does something with the backend's directory, unless the kernel has told us that it is not this disk's. It cannot
    /// tell us meanwhile, so what it tells comes before the next disk of this name is probed.
    ///
    /// # Errors
    ///
    /// `ENODEV` when it is not; and those of `using`.
    pub(crate) fn in_directory<T>(&self, using: impl FnOnce() -> Result<T>) -> Result<T> {
        let gone = self.gone.lock();
        match *gone || !self.id.dev.is_registered() {
            true => Err(ENODEV),
            false => using(),
        }
    }

    /// The directory is not this disk's: ends the disk, and leaves alone what there is now.
    ///
    /// When a toolstack has replaced a directory in one transaction, or while the xenwatch thread was busy, the kernel
    /// never notices. Then its device has to go, for the new disk to get one.
    pub(super) fn lose_directory(&self) {
        self.leave_directory();
        self.id.dev.set_vanished();
        self.lost.store(true, Relaxed);
        self.removing.store(true, Release);
    }

    /// Nothing is read or written there any more, nor copied from or to the guest's pages.
    pub(super) fn leave_directory(&self) {
        let mut gone = self.gone.lock();
        *gone = true;
        self.deserted.store(true, Relaxed);
    }

    /// Writes the state in the directory as it is, if there is one: whoever watches it looks again. In the end this is the
    /// kernel, which makes a device for a new disk.
    pub(super) fn have_state_looked_at(&self) {
        let path = self.id.dev.nodename();
        // When it fails, the toolstack is going to try again.
        let _ = store::transaction(|transaction| match transaction.read(path, c"state")? {
            Some(state) => match parse_u32(&state) {
                Ok(state) => transaction.write(path, c"state", format_args!("{state}")),
                Err(_) => Ok(()),
            },
            None => Ok(()),
        });
    }
}
