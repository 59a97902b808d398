// SPDX-License-Identifier: GPL-2.0

//! What one guest may take of this domain, with all its disks together.
//!
//! Whatever a guest can make the backend spend is charged to its [`Account`] before it is spent, and
//! refunded afterwards. So it cannot starve the others by having more disks, more queues or larger
//! rings. What is charged is a value, and giving that value back is the only way to a refund.

use core::fmt;

/// Something that a guest can make the backend spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Rings with their threads.
    Queues,
    /// Pages of rings.
    RingPages,
    /// The guest's pages that are mapped, and pages of ours that hold its data. Data on its way to the disk
    /// or back is in one of these, so this bounds the bytes in flight too.
    DataPages,
}

/// An amount of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Of [`Resource::Queues`].
    pub queues: u64,
    /// Of [`Resource::RingPages`].
    pub ring_pages: u64,
    /// Of [`Resource::DataPages`].
    pub data_pages: u64,
}

impl Amounts {
    /// Of one resource.
    #[inline]
    pub const fn of(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Queues => self.queues,
            Resource::RingPages => self.ring_pages,
            Resource::DataPages => self.data_pages,
        }
    }

    #[inline]
    fn of_mut(&mut self, resource: Resource) -> &mut u64 {
        match resource {
            Resource::Queues => &mut self.queues,
            Resource::RingPages => &mut self.ring_pages,
            Resource::DataPages => &mut self.data_pages,
        }
    }
}

/// What was charged. Dropped instead of refunded, it stays charged.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is not refunded stays charged"]
pub struct Charge {
    resource: Resource,
    amount: u64,
}

impl Charge {
    /// A charge of nothing, to be raised.
    pub const fn nothing(resource: Resource) -> Self {
        Self {
            resource,
            amount: 0,
        }
    }

    /// How much.
    pub const fn amount(&self) -> u64 {
        self.amount
    }
}

/// A charge that would have been too much. Displayed as a sentence for the `error/` node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was asked for.
    pub resource: Resource,
    /// How much of it.
    pub asked: u64,
    /// How much the guest has already.
    pub used: u64,
    /// How much it may have.
    pub limit: u64,
}

/// The account of one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    limits: Amounts,
    used: Amounts,
}

impl Account {
    /// An account on which nothing has been charged.
    pub fn new(limits: Amounts) -> Self {
        Self {
            limits,
            used: Amounts::default(),
        }
    }

    /// Sets other limits. A guest that has more than they allow keeps it, and gets no more.
    pub fn set_limits(&mut self, limits: Amounts) {
        self.limits = limits;
    }

    /// What has been charged.
    pub const fn used(&self) -> Amounts {
        self.used
    }

    /// Charges an amount of something, all of it or nothing.
    #[inline]
    pub fn charge(&mut self, resource: Resource, amount: u64) -> Result<Charge, Refused> {
        let limit = self.limits.of(resource);
        let used = self.used.of_mut(resource);
        match used.checked_add(amount) {
            Some(sum) if sum <= limit => {
                *used = sum;
                Ok(Charge { resource, amount })
            }
            _ => Err(Refused {
                resource,
                asked: amount,
                used: *used,
                limit,
            }),
        }
    }

    /// Adds an amount to a charge, all of it or nothing.
    pub fn raise(&mut self, charge: &mut Charge, amount: u64) -> Result<(), Refused> {
        let more = self.charge(charge.resource, amount)?;
        charge.amount = charge.amount.saturating_add(more.amount);
        Ok(())
    }

    /// Takes a part of a charge back, no more than there is.
    pub fn lower(&mut self, charge: &mut Charge, amount: u64) {
        let part = amount.min(charge.amount);
        charge.amount = charge.amount.saturating_sub(part);
        self.refund(Charge {
            resource: charge.resource,
            amount: part,
        });
    }

    /// Takes a charge back.
    #[inline]
    pub fn refund(&mut self, charge: Charge) {
        let used = self.used.of_mut(charge.resource);
        // It is part of the sum, unless it was charged to another account.
        *used = used.saturating_sub(charge.amount);
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queues => "queues",
            Self::RingPages => "pages of rings",
            Self::DataPages => "pages of data",
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            asked,
            used,
            limit,
        } = self;
        write!(
            f,
            "the guest asks for {asked} {resource} and has {used}, with all its disks it may have \
             {limit}; detach another disk, let its driver use fewer, or raise the limit",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Amounts = Amounts {
        queues: 4,
        ring_pages: 16,
        data_pages: 1000,
    };

    /// R20, R21.
    #[test]
    fn a_guest_gets_what_it_may_have_and_no_more() {
        let mut account = Account::new(LIMITS);
        let first = account.charge(Resource::Queues, 3).unwrap();
        let refused = Refused {
            resource: Resource::Queues,
            asked: 2,
            used: 3,
            limit: 4,
        };
        assert_eq!(account.charge(Resource::Queues, 2), Err(refused));
        assert_eq!(account.used().queues, 3, "a refusal is not charged");
        let second = account.charge(Resource::Queues, 1).unwrap();
        assert!(account.charge(Resource::Queues, 1).is_err());

        account.refund(first);
        assert_eq!(account.used().queues, 1);
        let third = account.charge(Resource::Queues, 3).unwrap();
        account.refund(second);
        account.refund(third);
        assert_eq!(account.used(), Amounts::default());
    }

    #[test]
    fn each_resource_is_charged_by_itself() {
        let all = [Resource::Queues, Resource::RingPages, Resource::DataPages];
        for resource in all {
            let mut account = Account::new(LIMITS);
            let whole = account.charge(resource, LIMITS.of(resource)).unwrap();
            for other in all {
                let free = account.charge(other, 1);
                assert_eq!(free.is_ok(), other != resource, "{other} after {resource}");
            }
            account.refund(whole);
            assert_eq!(account.used().of(resource), 0);
        }
    }

    #[test]
    fn a_charge_is_raised_and_lowered() {
        let mut account = Account::new(LIMITS);
        let mut charge = Charge::nothing(Resource::DataPages);
        assert_eq!(account.raise(&mut charge, 600), Ok(()));
        assert!(account.raise(&mut charge, 401).is_err());
        assert_eq!((charge.amount(), account.used().data_pages), (600, 600));
        assert_eq!(account.raise(&mut charge, 400), Ok(()));
        account.lower(&mut charge, 1);
        assert_eq!((charge.amount(), account.used().data_pages), (999, 999));
        account.lower(&mut charge, 5000);
        assert_eq!((charge.amount(), account.used().data_pages), (0, 0));
    }

    #[test]
    fn sums_do_not_wrap() {
        let mut account = Account::new(Amounts {
            data_pages: u64::MAX,
            ..LIMITS
        });
        let _kept = account.charge(Resource::DataPages, u64::MAX).unwrap();
        assert!(account.charge(Resource::DataPages, 1).is_err());
        assert!(account.charge(Resource::DataPages, u64::MAX).is_err());
        assert!(account.charge(Resource::DataPages, 0).is_ok());
    }

    #[test]
    fn a_lower_limit_takes_nothing_away() {
        let mut account = Account::new(LIMITS);
        let charge = account.charge(Resource::RingPages, 16).unwrap();
        account.set_limits(Amounts {
            ring_pages: 8,
            ..LIMITS
        });
        assert_eq!(account.used().ring_pages, 16);
        assert!(account.charge(Resource::RingPages, 1).is_err());
        account.refund(charge);
        assert!(account.charge(Resource::RingPages, 8).is_ok());
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let mut account = Account::new(LIMITS);
        let _kept = account.charge(Resource::RingPages, 16).unwrap();
        let refused = account.charge(Resource::RingPages, 4).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the guest asks for 4 pages of rings and has 16, with all its disks it may have 16; \
             detach another disk, let its driver use fewer, or raise the limit"
        );
    }
}
