// SPDX-License-Identifier: GPL-2.0

//! A guest's queues in use: making the connection, and ending it.

use crate::{
    backing::Backing,
    barrier::Gate,
    budget::{
        Charged,
        NotCharged, //
    },
    pool,
    queue::{
        Queue,
        Signals, //
    },
    size::Size,
    vbd::Vbd, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::ordering::Relaxed,
        Arc, //
    },
};
use xenbus::store;
use xenbus_proto::{
    budget::Resource,
    message::Message,
    negotiation::{
        FrontendOffer,
        Unusable, //
    },
    number::Port,
    problem::Problem,
    state, //
};

/// Why a guest's rings were not taken up.
pub(crate) enum NotConnected {
    /// The log and xenstore say it.
    Said,
    /// Nothing says it yet.
    Unsaid(Error),
}

impl NotConnected {
    /// Says why, in the log and in xenstore; what is a shortage of memory is left to be said as such.
    pub(crate) fn say(vbd: &Vbd, error: Error, problem: &Problem<'_>) -> Self {
        if error == ENOMEM {
            return error.into();
        }
        vbd.log.lock().report(&vbd.id, error, problem);
        Self::Said
    }
}

impl<E: Into<Error>> From<E> for NotConnected {
    fn from(error: E) -> Self {
        Self::Unsaid(error.into())
    }
}

/// A guest's queues, each served by a thread of its own until this is dropped.
///
/// Dropping waits for the requests that the disk is working on, and gives back everything of the guest's.
pub(crate) struct Connection {
    queues: KVec<Queue>,
    published: KBox<FrontendOffer>,
    /// For what the queues have whether they are used or not. Given back after them.
    _charged: [Charged; 3],
    pub(crate) size: Size,
}

impl Connection {
    /// Takes up the rings that the guest's driver has published.
    pub(crate) fn new(vbd: &Arc<Vbd>, backing: &Backing) -> Result<Self, NotConnected> {
        let published = read_offer(vbd)?;
        // Not what a frontend of the next disk of this name has published.
        vbd.in_directory(|| {
            vbd.still_ours()?;
            vbd.deserted.store(false, Relaxed);
            Ok(())
        })?;
        let count = published.queues().len();
        let charged = charge(vbd, &published)?;

        let mut signals = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut bells = KVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            let each = Signals::new(vbd.deserted.clone())?;
            bells.push(each.bell.clone(), GFP_KERNEL)?;
            signals.push(each, GFP_KERNEL)?;
        }
        // A single ring needs no gate: it does what comes before a barrier, and then the barrier.
        let gate = match count {
            1 => None,
            _ => Some(Gate::new(bells)?),
        };

        let mut connection = Self {
            queues: KVec::with_capacity(count, GFP_KERNEL)?,
            published,
            _charged: charged,
            size: Size::new(vbd, &backing.disk())?,
        };
        for (number, signals) in signals.into_iter().enumerate() {
            let passage = gate.as_ref().map(|gate| gate.passage(number)).transpose()?;
            let published = &connection.published;
            let queue = Queue::new(vbd, backing, published, number, signals, passage)?;
            connection.queues.push(queue, GFP_KERNEL)?;
        }
        Ok(connection)
    }

    /// Our end of the first queue's event channel.
    pub(crate) fn port(&self) -> Port {
        self.queues.first().map_or(Port(0), Queue::port)
    }

    /// The nodes that it was made from.
    pub(crate) fn published(&self) -> &FrontendOffer {
        &self.published
    }

    /// What became of the rings.
    pub(crate) fn ring(&self) -> state::Ring {
        if self.queues.iter().any(Queue::halted) {
            state::Ring::Halted
        } else {
            state::Ring::Live
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // They end at the same time; dropping each waits for it.
        for queue in &self.queues {
            queue.stop();
        }
    }
}

/// Charges the guest what its queues need all the time, or says what it has too much of.
fn charge(vbd: &Vbd, offer: &FrontendOffer) -> Result<[Charged; 3], NotConnected> {
    let queues = offer.queues().len();
    let ring_pages = offer.queues().iter().map(|queue| queue.pages().len()).sum();
    let charge = |resource, amount| {
        Charged::new(vbd.id.domain, resource, amount).map_err(|not| match not {
            NotCharged::NoMemory => ENOMEM.into(),
            NotCharged::OverBudget(refused) => {
                NotConnected::say(vbd, EDQUOT, &Problem::OverBudget(refused))
            }
        })
    };
    Ok([
        charge(Resource::Queues, queues)?,
        charge(Resource::RingPages, ring_pages)?,
        charge(Resource::DataPages, queues.saturating_mul(pool::RESERVE))?,
    ])
}

/// Reads the nodes that say where the guest's rings are, and says what is wrong with them.
fn read_offer(vbd: &Vbd) -> Result<KBox<FrontendOffer>, NotConnected> {
    published_offer(vbd)?.map_err(|unusable| {
        if let Unusable::Protocol(protocol) = unusable {
            vbd.log.lock().say(&Message::UnknownProtocol {
                domain: vbd.id.domain,
                protocol,
            });
        }
        NotConnected::say(vbd, EINVAL, &Problem::FrontendNodes(unusable))
    })
}

/// Reads the nodes that say where the guest's rings are.
pub(crate) fn published_offer(vbd: &Vbd) -> Result<Result<KBox<FrontendOffer>, Unusable>> {
    let read = |node: &CStr| store::read(&vbd.id.frontend, node);
    match FrontendOffer::read(&vbd.abilities, read)? {
        Ok(offer) => Ok(Ok(KBox::new(offer, GFP_KERNEL)?)),
        Err(unusable) => Ok(Err(unusable)),
    }
}
