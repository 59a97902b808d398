// SPDX-License-Identifier: GPL-2.0

//! What a guest may take of this domain, with all its disks together.
//!
//! Queues and ring pages are charged when a disk is connected, for as long as it is: [`Charged`]. Pages of
//! data are charged as they are needed, by each ring for itself, and many at a time: an [`Allowance`]. Either
//! gives back what it has when it is dropped.

use crate::params;
use kernel::prelude::*;
use xenbus::shared::Shared;
use xenbus_proto::{
    budget::{
        Account,
        Amounts,
        Charge,
        Refused,
        Resource, //
    },
    number::DomainId,
};

/// Pages that a ring is allowed at once, so that it seldom has to ask.
const STEP: usize = 32;

/// The guests that have been charged something.
static GUESTS: Shared<KVec<Guest>> = Shared::new(KVec::new());

struct Guest {
    domain: DomainId,
    account: Account,
}

/// Why a guest was not charged.
pub(crate) enum NotCharged {
    /// It has too much already.
    OverBudget(Refused),
    /// There was no memory to write it down.
    NoMemory,
}

/// The limits as the administrator has set them now.
fn limits() -> Amounts {
    Amounts {
        queues: params::max_domain_queues.value().into(),
        ring_pages: params::max_domain_ring_pages.value().into(),
        data_pages: params::max_domain_pages.value().into(),
    }
}

/// What a guest was charged, until this is dropped.
pub(crate) struct Charged {
    domain: DomainId,
    charge: Charge,
}

impl Charged {
    /// Charges a guest.
    pub(crate) fn new(
        domain: DomainId,
        resource: Resource,
        amount: usize,
    ) -> Result<Self, NotCharged> {
        let mut charged = Self::nothing(domain, resource);
        charged.raise(amount)?;
        Ok(charged)
    }

    fn nothing(domain: DomainId, resource: Resource) -> Self {
        Self {
            domain,
            charge: Charge::nothing(resource),
        }
    }

    fn amount(&self) -> usize {
        // CAST: It is a sum of such numbers.
        self.charge.amount() as usize
    }

    /// Charges more of it.
    fn raise(&mut self, amount: usize) -> Result<(), NotCharged> {
        GUESTS.with(|guests| {
            let account = account(guests, self.domain).map_err(|_| NotCharged::NoMemory)?;
            account.set_limits(limits());
            let raised = account
                .raise(&mut self.charge, amount as u64)
                .map_err(NotCharged::OverBudget);
            forget_idle(guests);
            raised
        })
    }

    /// Gives a part of it back.
    fn lower(&mut self, amount: usize) {
        if amount == 0 {
            return;
        }
        GUESTS.with(|guests| {
            if let Ok(account) = account(guests, self.domain) {
                account.lower(&mut self.charge, amount as u64);
            }
            forget_idle(guests);
        });
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.lower(self.amount());
    }
}

/// Drops the accounts of guests that are not charged anything.
fn forget_idle(guests: &mut KVec<Guest>) {
    guests.retain(|guest| guest.account.used() != Amounts::default());
    if guests.is_empty() {
        // A static is not dropped: nothing must be left in it.
        *guests = KVec::new();
    }
}

/// The account of a guest, which is a new one when it has not been charged anything.
fn account(guests: &mut KVec<Guest>, domain: DomainId) -> Result<&mut Account> {
    let known = guests.iter().position(|guest| guest.domain == domain);
    let place = match known {
        Some(place) => place,
        None => {
            let account = Account::new(limits());
            guests.push(Guest { domain, account }, GFP_KERNEL)?;
            guests.len().saturating_sub(1)
        }
    };
    Ok(&mut guests.get_mut(place).ok_or(ENOMEM)?.account)
}

/// Pages of data that one part of a ring may use. It has one owner, the ring's thread.
pub(crate) struct Allowance {
    charged: Charged,
    /// As many as are charged.
    granted: usize,
    /// In use: no more, but for what was overdrawn.
    used: usize,
}

impl Allowance {
    /// For a ring of this guest.
    pub(crate) fn new(domain: DomainId) -> Self {
        Self {
            charged: Charged::nothing(domain, Resource::DataPages),
            granted: 0,
            used: 0,
        }
    }

    /// Pages that are charged.
    pub(crate) fn granted(&self) -> usize {
        self.granted
    }

    /// Takes so many pages, all of them or none.
    #[inline]
    pub(crate) fn take(&mut self, pages: usize) -> Result {
        let used = self.used.saturating_add(pages);
        if used > self.granted {
            self.refill(used)?;
        }
        self.used = used;
        Ok(())
    }

    /// Sees to it that `wanted` pages are charged: some more, or only these if the guest has no more left.
    #[cold]
    fn refill(&mut self, wanted: usize) -> Result {
        let missing = wanted.saturating_sub(self.granted);
        let charged = &mut self.charged;
        let result = charged
            .raise(missing.saturating_add(STEP))
            .or_else(|_| charged.raise(missing));
        self.granted = self.charged.amount();
        result.map_err(|_| EDQUOT)
    }

    /// Takes so many pages, though the guest may not have them.
    #[cold]
    pub(crate) fn overdraw(&mut self, pages: usize) {
        self.used = self.used.saturating_add(pages);
    }

    /// Whether there is more in use than the guest may have.
    #[inline]
    pub(crate) fn overdrawn(&self) -> bool {
        self.used > self.granted
    }

    /// So many pages are not in use any more.
    #[inline]
    pub(crate) fn give(&mut self, pages: usize) {
        self.used = self.used.saturating_sub(pages);
    }

    /// Lets the guest's other rings have what is not in use.
    pub(crate) fn settle(&mut self) {
        self.charged.lower(self.granted.saturating_sub(self.used));
        self.granted = self.charged.amount();
    }
}
