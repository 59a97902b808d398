// SPDX-License-Identifier: GPL-2.0

//! The blocks of an image that stand ready, and the benches where others are made.
//!
//! All memory is taken when the image is opened, so no read fails for want of it. Each block is made by one thread, with
//! no lock held; who needs it too waits for that. Several are made at once, one on every bench. What stands ready is used
//! with the lock held, which is a matter of copying.

use crate::{
    thread,
    zlib::Inflater, //
};
use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    sync::{
        CondVar,
        Mutex, //
    },
};
use vnd_proto::{
    cache::{
        Cache,
        Found,
        Place,
        Slot, //
    },
    cloop2::Geometry,
};

/// Bytes of the blocks that stand ready.
const SHELF_BYTES: u32 = 2 << 20;

/// How many blocks that is at least, and at most.
const SLOTS: core::ops::RangeInclusive<u32> = MAX_BENCHES..=256;

/// How many blocks of an image are made at once at most.
const MAX_BENCHES: u32 = 4;

/// What a thread needs to make a block.
pub(super) struct Bench {
    pub(super) inflater: Inflater,
    /// Room for any compressed block.
    pub(super) stream: KVVec<u8>,
}

impl Bench {
    fn new(longest: u32) -> Result<Self> {
        Ok(Self {
            inflater: Inflater::new()?,
            stream: KVVec::zeroed(longest as usize, GFP_KERNEL)?,
        })
    }
}

/// Room for a block.
type Room = KVVec<u8>;

/// Blocks, and benches.
#[pin_data]
pub(super) struct Shelf {
    #[pin]
    state: Mutex<State>,
    /// Somebody has put a room and a bench back.
    #[pin]
    changed: CondVar,
}

struct State {
    cache: Cache<KVec<Slot<Room>>>,
    benches: KVec<Bench>,
}

impl Shelf {
    /// For an image whose longest block has so many bytes in the file.
    pub(super) fn new(geometry: &Geometry, longest: u32) -> impl PinInit<Self, Error> {
        let block_size = geometry.block_size().bytes();
        let blocks = geometry.blocks();
        try_pin_init!(Self {
            state <- new_mutex!(State::new(block_size, blocks, longest)?),
            changed <- new_condvar!(),
        })
    }

    /// Uses a block. Unless it stands ready, it is made, in memory that may have another block in it.
    ///
    /// # Errors
    ///
    /// What `make` and `using` give. A block that could not be made does not stand ready.
    pub(super) fn with_block(
        &self,
        block: u32,
        make: impl FnOnce(&mut Bench, &mut [u8]) -> Result,
        using: impl FnOnce(&[u8]) -> Result,
    ) -> Result {
        let mut state = self.state.lock();
        let (place, mut room, mut bench) = loop {
            match state.cache.find(block) {
                Found::Here(room) => return using(room),
                Found::Missing(place) => {
                    if let Some((room, bench)) = state.take(place, block) {
                        break (place, room, bench);
                    }
                }
                Found::Wait => {}
            }
            self.changed.wait(&mut state);
        };
        drop(state);

        let made = make(&mut bench, &mut room);
        let used = made.and_then(|()| using(&room));
        self.put_back(place, room, bench, made.is_ok());
        used
    }

    fn put_back(&self, place: Place, room: Room, bench: Bench, good: bool) {
        let mut state = self.state.lock();
        state.cache.put_back(place, room, good);
        // There is room: it was taken from there.
        let _ = state.benches.push_within_capacity(bench);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn new(block_size: u32, blocks: u32, longest: u32) -> Result<Self> {
        let slots = SHELF_BYTES.checked_div(block_size).unwrap_or(0);
        let slots = slots.clamp(*SLOTS.start(), *SLOTS.end()).min(blocks);
        let benches = thread::online_processors().clamp(1, MAX_BENCHES);
        Ok(Self {
            cache: Cache::new(several(slots, || {
                Ok(Slot::new(KVVec::zeroed(block_size as usize, GFP_KERNEL)?))
            })?),
            benches: several(benches, || Bench::new(longest))?,
        })
    }

    /// Takes what is needed to make a block; nothing while others use all benches.
    fn take(&mut self, place: Place, block: u32) -> Option<(Room, Bench)> {
        let bench = self.benches.pop()?;
        let Some(room) = self.cache.take(place, block) else {
            let _ = self.benches.push_within_capacity(bench);
            return None;
        };
        Some((room, bench))
    }
}

/// Makes `count` of something.
fn several<T>(count: u32, make: impl Fn() -> Result<T>) -> Result<KVec<T>> {
    let mut all = KVec::with_capacity(count as usize, GFP_KERNEL)?;
    for _ in 0..count {
        all.push(make()?, GFP_KERNEL)?;
    }
    Ok(all)
}
