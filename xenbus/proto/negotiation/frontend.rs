// SPDX-License-Identifier: GPL-2.0

//! What a frontend says: where its rings are, and how it uses them.
//!
//! ```text
//!     protocol = "x86_64-abi"
//!     feature-persistent = "1"
//!     multi-queue-num-queues = "2"      one queue: no such node, or "1", and what is below a
//!     ring-page-order = "1"             queue here is directly in the frontend's directory
//!     queue-0/
//!       event-channel = "15"
//!       ring-ref0 = "8"                 one page: "ring-ref", and no order
//!       ring-ref1 = "9"
//!     queue-1/ …
//! ```
//!
//! An older name of the ring's size is `num-ring-pages`, which counts pages.

use core::ffi::CStr;
use core::fmt;
use core::ops::Deref;

use super::backend::Abilities;
use crate::abi::{
    Protocol,
    UnknownProtocol, //
};
use crate::number::{
    parse_u32,
    GrantRef,
    NumberError,
    Port, //
};
use crate::ring::RingSize;
use crate::text::Text;

/// The most queues that a frontend can have.
pub const MAX_QUEUES: usize = 16;

/// The most pages of a ring.
const MAX_PAGES: usize = 1 << RingSize::MAX_ORDER;

/// The name of a node, from the frontend's directory on, such as `queue-1/ring-ref0`.
pub type Key = Text<32>;

/// The rings of a frontend, and how it uses them.
///
/// Two of them are equal when the frontend has not made other rings. It is large, so best boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontendOffer {
    protocol: Protocol,
    persistent: bool,
    ring_size: RingSize,
    count: usize,
    queues: [Queue; MAX_QUEUES],
}

/// One of a frontend's queues: a ring, and the event channel that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    port: Port,
    count: usize,
    pages: [GrantRef; MAX_PAGES],
}

/// Why a frontend's nodes describe no rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A node that must be there is not.
    Missing(Key),
    /// A node is not the number it should be.
    Number(Key, NumberError),
    /// A node is more than was offered.
    TooMuch {
        /// The node.
        key: Key,
        /// What it says.
        value: u32,
        /// The most that it may say.
        max: u32,
    },
    /// Two queues have the same event channel; the second queue's node.
    SamePort(Key, Port),
    /// The layout is unknown.
    Protocol(UnknownProtocol),
}

impl FrontendOffer {
    /// Reads what a frontend has written. `read` is given the name of a node and returns what is in
    /// it, `None` when there is none; its errors end the reading.
    pub fn read<T, E>(
        abilities: &Abilities,
        read: impl FnMut(&CStr) -> Result<Option<T>, E>,
    ) -> Result<Result<Self, Unusable>, E>
    where
        T: Deref<Target = [u8]>,
    {
        match (Nodes { read }).offer(abilities) {
            Ok(offer) => Ok(Ok(offer)),
            Err(Failure::Unusable(unusable)) => Ok(Err(unusable)),
            Err(Failure::Read(error)) => Err(error),
        }
    }

    /// The layout of the rings' entries.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether grants can stay mapped between requests: the frontend uses them again, and it was
    /// offered.
    pub const fn persistent(&self) -> bool {
        self.persistent
    }

    /// The size of each ring.
    pub const fn ring_size(&self) -> RingSize {
        self.ring_size
    }

    /// The queues; at least one.
    pub fn queues(&self) -> &[Queue] {
        self.queues.get(..self.count).unwrap_or(&self.queues)
    }
}

impl Queue {
    /// What stands in unused places.
    const NONE: Self = Self {
        port: Port(0),
        count: 0,
        pages: [GrantRef(0); MAX_PAGES],
    };

    /// The frontend's port.
    pub const fn port(&self) -> Port {
        self.port
    }

    /// The pages of the ring, in order.
    pub fn pages(&self) -> &[GrantRef] {
        self.pages.get(..self.count).unwrap_or(&self.pages)
    }
}

/// Why an offer is not read to its end.
enum Failure<E> {
    Unusable(Unusable),
    Read(E),
}

impl<E> From<Unusable> for Failure<E> {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

/// How large each ring is, and how its pages are named.
#[derive(Clone, Copy)]
struct Shape {
    size: RingSize,
    /// The pages have numbers.
    numbered: bool,
}

/// The frontend's nodes.
struct Nodes<R> {
    read: R,
}

impl<R, T, E> Nodes<R>
where
    R: FnMut(&CStr) -> Result<Option<T>, E>,
    T: Deref<Target = [u8]>,
{
    fn offer(&mut self, abilities: &Abilities) -> Result<FrontendOffer, Failure<E>> {
        let protocol = self.node(Key::new("protocol"))?;
        let protocol = Protocol::parse(protocol.as_deref()).map_err(Unusable::Protocol)?;
        let persistent =
            abilities.persistent_grants && self.says_yes(Key::new("feature-persistent"))?;
        let count = self.queue_count(abilities.max_queues())?;
        let shape = self.shape(abilities.max_order())?;

        let mut queues = [Queue::NONE; MAX_QUEUES];
        for number in 0..count {
            let name = QueueName {
                number,
                only: count == 1,
            };
            let queue = self.queue(name, shape)?;
            let mut others = queues.iter().take(number);
            if others.any(|other| other.port == queue.port) {
                let key = name.key("event-channel");
                return Err(Unusable::SamePort(key, queue.port).into());
            }
            if let Some(place) = queues.get_mut(number) {
                *place = queue;
            }
        }
        Ok(FrontendOffer {
            protocol,
            persistent,
            ring_size: shape.size,
            count,
            queues,
        })
    }

    /// Whether a feature is asked for. It can be done without, so what is no number is a no.
    fn says_yes(&mut self, key: Key) -> Result<bool, Failure<E>> {
        let node = self.node(key)?;
        let number = node.as_deref().map(parse_u32);
        Ok(matches!(number, Some(Ok(1..))))
    }

    fn queue_count(&mut self, max: u32) -> Result<usize, Failure<E>> {
        let key = Key::new("multi-queue-num-queues");
        match self.number(key, parse_u32)?.unwrap_or(1) {
            0 => Err(Unusable::Number(key, NumberError::OutOfRange).into()),
            value if value > max => Err(Unusable::TooMuch { key, value, max }.into()),
            // CAST: Widening.
            value => Ok(value as usize),
        }
    }

    fn shape(&mut self, max_order: u32) -> Result<Shape, Failure<E>> {
        let key = Key::new("ring-page-order");
        if let Some(value) = self.number(key, parse_u32)? {
            let max = max_order;
            return Ok(Shape::numbered(value, max).ok_or(Unusable::TooMuch { key, value, max })?);
        }
        let key = Key::new("num-ring-pages");
        match self.number(key, parse_u32)? {
            None => Ok(Shape::ONE_PAGE),
            Some(value) if !value.is_power_of_two() => {
                Err(Unusable::Number(key, NumberError::OutOfRange).into())
            }
            Some(value) => {
                let max = 1u32.wrapping_shl(max_order);
                let shape = Shape::numbered(value.trailing_zeros(), max_order);
                Ok(shape.ok_or(Unusable::TooMuch { key, value, max })?)
            }
        }
    }

    fn queue(&mut self, name: QueueName, shape: Shape) -> Result<Queue, Failure<E>> {
        let port = self.required(name.key("event-channel"), Port::parse)?;
        let mut pages = [GrantRef(0); MAX_PAGES];
        let count = shape.size.pages();
        for (number, page) in pages.iter_mut().take(count).enumerate() {
            *page = self.page(name, shape, number)?;
        }
        Ok(Queue { port, count, pages })
    }

    /// A page of a ring. Linux and QEMU number the only page of a ring that has an order, others do
    /// not, so either is taken.
    fn page(
        &mut self,
        name: QueueName,
        shape: Shape,
        number: usize,
    ) -> Result<GrantRef, Failure<E>> {
        if shape.numbered {
            let key = name.key(format_args!("ring-ref{number}"));
            match self.number(key, GrantRef::parse)? {
                Some(page) => return Ok(page),
                None if shape.size != RingSize::ONE_PAGE => {
                    return Err(Unusable::Missing(key).into())
                }
                None => {}
            }
        }
        self.required(name.key("ring-ref"), GrantRef::parse)
    }

    /// A number that must be there.
    fn required<N>(
        &mut self,
        key: Key,
        parse: fn(&[u8]) -> Result<N, NumberError>,
    ) -> Result<N, Failure<E>> {
        let number = self.number(key, parse)?;
        number.ok_or(Unusable::Missing(key).into())
    }

    /// A number that may be there.
    fn number<N>(
        &mut self,
        key: Key,
        parse: fn(&[u8]) -> Result<N, NumberError>,
    ) -> Result<Option<N>, Failure<E>> {
        let node = self.node(key)?;
        let number = node.as_deref().map(parse).transpose();
        number.map_err(|error| Unusable::Number(key, error).into())
    }

    fn node(&mut self, key: Key) -> Result<Option<T>, Failure<E>> {
        (self.read)(key.as_c_str()).map_err(Failure::Read)
    }
}

impl Shape {
    const ONE_PAGE: Self = Self {
        size: RingSize::ONE_PAGE,
        numbered: false,
    };

    /// What a frontend asks for that names a size, if it is offered.
    fn numbered(order: u32, max_order: u32) -> Option<Self> {
        let size = RingSize::of_page_order(order).filter(|_| order <= max_order)?;
        Some(Self {
            size,
            numbered: true,
        })
    }
}

/// A queue's place among the others.
#[derive(Clone, Copy)]
struct QueueName {
    number: usize,
    only: bool,
}

impl QueueName {
    /// The name of one of its nodes. The only queue has no directory of its own.
    fn key(self, node: impl fmt::Display) -> Key {
        match self.only {
            true => Key::new(node),
            false => Key::new(format_args!("queue-{}/{node}", self.number)),
        }
    }
}
