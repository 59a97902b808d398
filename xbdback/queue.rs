// SPDX-License-Identifier: GPL-2.0

//! One of a connection's queues: a ring, its event channel, and the thread that serves it.

use crate::{
    backing::Backing,
    barrier::Passage,
    connection::NotConnected,
    drain::{
        Offered,
        Parts,
        Worker, //
    },
    kept::Kept,
    mover::Mover,
    params,
    reporter::Reporter,
    say::errno,
    vbd::Vbd, //
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
    thread::Thread, //
};
use xenbus_proto::{
    message::Message,
    negotiation::{
        self,
        FrontendOffer, //
    },
    number::Port,
    problem::Problem,
    ring::BackRing, //
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
    /// Nobody waits for answers, and the guest's pages may be anything: [`Vbd::deserted`].
    deserted: Arc<AtomicFlag>,
}

impl Signals {
    pub(crate) fn new(deserted: Arc<AtomicFlag>) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                bell: Arc::pin_init(Doorbell::new(), GFP_KERNEL)?,
                event: AtomicFlag::new(false),
                stop: AtomicFlag::new(false),
                halted: AtomicFlag::new(false),
                deserted,
            },
            GFP_KERNEL,
        )?)
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

    /// The connection is to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
        self.bell.ring();
    }

    /// Whether the connection is to end.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Relaxed) || self.deserted()
    }

    /// Whether the guest has forgotten its requests: then their pages must be left alone, and nothing may be made of
    /// what stands in them. It may still wait for their answers.
    pub(crate) fn deserted(&self) -> bool {
        self.deserted.load(Relaxed)
    }
}

impl EventHandler for Signals {
    fn event(&self) {
        self.event.store(true, Relaxed);
        self.bell.ring();
    }
}

/// A queue, served until this is dropped.
///
/// Dropping waits for the requests that the disk is working on, and gives back everything of the guest's.
pub(crate) struct Queue {
    signals: Arc<Signals>,
    port: Port,
    thread: Option<Thread>,
}

impl Queue {
    /// Takes up the queue with this number of those that the guest's driver has published.
    pub(crate) fn new(
        vbd: &Arc<Vbd>,
        backing: &Backing,
        offer: &FrontendOffer,
        number: usize,
        signals: Arc<Signals>,
        passage: Option<Passage>,
    ) -> Result<Self, NotConnected> {
        let published = offer.queues().get(number).ok_or(EINVAL)?;
        let ring = map_ring(vbd, offer, published)?;
        let name = match offer.queues().len() {
            1 => CString::try_from_fmt(format_args!("{}", vbd.id.name.as_str())),
            _ => CString::try_from_fmt(format_args!("{}-{number}", vbd.id.name.as_str())),
        }?;
        let channel = bind(
            vbd,
            published,
            CString::try_from_fmt(fmt!("{}", &*name))?,
            &signals,
        )?;
        let port = Port(channel.port());

        let kept = match offer.persistent() {
            true => Some(Kept::new(params::max_persistent_grants.value() as usize)),
            false => None,
        };
        let reporter = Reporter::new(vbd.clone(), number)?;
        let worker = Worker::new(Parts {
            channel,
            ring,
            signals: signals.clone(),
            domain: vbd.id.domain,
            disk: backing.disk(),
            mover: Mover::new(
                vbd.id.domain,
                kept,
                params::copy_max(),
                reporter.statistics(),
            )?,
            passage,
            offered: Offered {
                indirect_segments: vbd.abilities.indirect_segments,
                discard: backing.discards(&vbd.abilities),
                partial_blocks: params::partial_blocks.value() && !backing.is_shared(),
            },
            reporter,
        })?;
        let thread = Thread::spawn(&name, worker)?;
        // The guest may have put requests on its ring before we listened.
        signals.bell.ring();
        Ok(Self {
            signals,
            port,
            thread: Some(thread),
        })
    }

    /// Our end of the event channel.
    pub(crate) fn port(&self) -> Port {
        self.port
    }

    /// Whether the guest broke the ring.
    pub(crate) fn halted(&self) -> bool {
        self.signals.halted()
    }

    /// Has the thread end, without waiting for it.
    pub(crate) fn stop(&self) {
        self.signals.stop();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop();
        // Waits for the thread, which has owned everything else.
        self.thread = None;
    }
}

fn map_ring(
    vbd: &Vbd,
    offer: &FrontendOffer,
    published: &negotiation::Queue,
) -> Result<BackRing<RingMemory>, NotConnected> {
    let id = &vbd.id;
    let abi = offer.protocol().abi();
    let size = offer.ring_size();
    let memory = RingMemory::map(id.domain, published.pages(), abi, size).map_err(|error| {
        vbd.log.lock().say(&Message::CannotMapRing {
            path: id.dev.nodename().to_bytes(),
        });
        NotConnected::say(vbd, error, &Problem::CannotMapRing)
    })?;
    BackRing::attach(memory, abi, size)
        .map_err(|bad| NotConnected::say(vbd, EINVAL, &Problem::RingHalted(bad)))
}

fn bind(
    vbd: &Vbd,
    published: &negotiation::Queue,
    name: CString,
    signals: &Arc<Signals>,
) -> Result<EventChannel<Signals>, NotConnected> {
    let id = &vbd.id;
    let port = published.port().0;
    EventChannel::bind(id.dev.clone(), port, name, signals.clone()).map_err(|error| {
        vbd.log.lock().say(&Message::CannotBindEventChannel {
            frontend: id.frontend.to_bytes(),
            errno: errno(error),
        });
        NotConnected::say(vbd, error, &Problem::CannotBindEventChannel)
    })
}
