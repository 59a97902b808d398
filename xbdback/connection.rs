// SPDX-License-Identifier: GPL-2.0

//! A guest's ring in use: making the connection, and ending it.

use crate::{
    backing::Backing,
    drain::Worker,
    identity::Identity,
    say::errno,
    vbd::{
        Vbd,
        ABILITIES, //
    },
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        atomic::{
            ordering::Relaxed,
            AtomicFlag, //
        },
        Arc, //
    },
};
use xenbus::{
    doorbell::Doorbell,
    event::{
        EventChannel,
        EventHandler, //
    },
    ring::RingMemory,
    store,
    thread::Thread, //
};
use xenbus_proto::{
    message::Message,
    negotiation::{
        FrontendOffer,
        Unusable, //
    },
    number::Port,
    problem::Problem,
    ring::BackRing,
    state, //
};

/// How the ring's thread is told that something happened.
pub(crate) struct Signals {
    pub(crate) bell: Arc<Doorbell>,
    /// The guest sent an event.
    event: AtomicFlag,
    /// The connection is to end.
    stop: AtomicFlag,
    /// The guest broke the ring; it is served no more.
    halted: AtomicFlag,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            bell: Arc::pin_init(Doorbell::new(), GFP_KERNEL)?,
            event: AtomicFlag::new(false),
            stop: AtomicFlag::new(false),
            halted: AtomicFlag::new(false),
        })
    }

    /// Whether the guest sent an event since the last call. The wait that came before orders the reads.
    pub(crate) fn take_event(&self) -> bool {
        self.event.xchg(false, Relaxed)
    }

    /// The guest broke the ring.
    pub(crate) fn halt(&self) {
        self.halted.store(true, Relaxed);
    }

    /// Whether the guest broke the ring.
    pub(crate) fn halted(&self) -> bool {
        self.halted.load(Relaxed)
    }

    /// Whether the connection is to end.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

impl EventHandler for Signals {
    fn event(&self) {
        self.event.store(true, Relaxed);
        self.bell.ring();
    }
}

/// A guest's ring, served by a thread of its own until this is dropped.
///
/// Dropping waits for the requests that the disk is working on, and gives back everything of the guest's.
pub(crate) struct Connection {
    signals: Arc<Signals>,
    port: Port,
    published: KBox<FrontendOffer>,
    _thread: Thread,
}

impl Connection {
    /// Takes up the ring that the guest's driver has published. What goes wrong is said in the log and in
    /// xenstore.
    pub(crate) fn new(vbd: &Arc<Vbd>, backing: &Backing) -> Result<Self> {
        let id = &vbd.id;
        let published = KBox::new(read_ring(vbd)?, GFP_KERNEL)?;
        let abi = published.protocol().abi();
        let size = published.ring_size();
        // One queue is offered.
        let queue = published.queues().first().ok_or(EINVAL)?;

        let memory =
            RingMemory::map(id.dev.clone(), queue.pages(), abi, size).inspect_err(|&error| {
                vbd.log.lock().say(&Message::CannotMapRing {
                    path: id.dev.nodename().to_bytes(),
                });
                vbd.log.lock().report(id, error, &Problem::CannotMapRing);
            })?;
        let ring = BackRing::attach(memory, abi, size).map_err(|bad| {
            vbd.log.lock().report(id, EINVAL, &Problem::RingHalted(bad));
            EINVAL
        })?;

        let signals = Arc::new(Signals::new()?, GFP_KERNEL)?;
        let name = CString::try_from_fmt(format_args!("{}", id.name.as_str()))?;
        let channel = EventChannel::bind(id.dev.clone(), queue.port().0, name, signals.clone())
            .inspect_err(|&error| {
                vbd.log.lock().say(&Message::CannotBindEventChannel {
                    frontend: id.frontend.to_bytes(),
                    errno: errno(error),
                });
                vbd.log
                    .lock()
                    .report(id, error, &Problem::CannotBindEventChannel);
            })?;
        let port = Port(channel.port());

        let name = CString::try_from_fmt(format_args!("{}", id.name.as_str()))?;
        let worker = Worker::new(vbd.clone(), ring, channel, signals.clone(), backing)?;
        let thread = Thread::spawn(&name, worker)?;
        // The guest may have put requests on its ring before we listened.
        signals.bell.ring();
        Ok(Self {
            signals,
            port,
            published,
            _thread: thread,
        })
    }

    /// Our end of the event channel.
    pub(crate) fn port(&self) -> Port {
        self.port
    }

    /// The nodes that it was made from.
    pub(crate) fn published(&self) -> &FrontendOffer {
        &self.published
    }

    /// What became of the ring.
    pub(crate) fn ring(&self) -> state::Ring {
        if self.signals.halted() {
            state::Ring::Halted
        } else {
            state::Ring::Live
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.signals.stop.store(true, Relaxed);
        self.signals.bell.ring();
        // Dropping the thread waits for it; it has owned everything else.
    }
}

/// Reads the nodes that say where the guest's ring is, and says what is wrong with them.
fn read_ring(vbd: &Vbd) -> Result<FrontendOffer> {
    published_ring(&vbd.id)?.map_err(|unusable| {
        let mut log = vbd.log.lock();
        if let Unusable::Protocol(protocol) = unusable {
            log.say(&Message::UnknownProtocol {
                domain: vbd.id.domain,
                protocol,
            });
        }
        log.report(&vbd.id, EINVAL, &Problem::FrontendNodes(unusable));
        EINVAL
    })
}

/// Reads the nodes that say where the guest's ring is.
pub(crate) fn published_ring(id: &Identity) -> Result<Result<FrontendOffer, Unusable>> {
    FrontendOffer::read(&ABILITIES, |node| store::read(&id.frontend, node))
}
