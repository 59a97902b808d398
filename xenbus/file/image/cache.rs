// SPDX-License-Identifier: GPL-2.0

//! The blocks of an image that are kept uncompressed, and what others are uncompressed with.
//!
//! All memory is taken when the image is opened, so no read fails for want of it. Each block is uncompressed by one
//! thread, with no lock held; who needs it too waits for that. Several are uncompressed at once, each in a workspace of
//! its own. What is cached is used with the lock held, which is a matter of copying.

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

/// Bytes of the blocks that are kept.
const CACHE_BYTES: u32 = 2 << 20;

/// How many blocks that is at least, and at most.
const SLOTS: core::ops::RangeInclusive<u32> = MAX_WORKSPACES..=256;

/// How many blocks of an image are uncompressed at once at most.
const MAX_WORKSPACES: u32 = 4;

/// What a thread needs to uncompress a block.
pub(super) struct Workspace {
    pub(super) inflater: Inflater,
    /// As long as any compressed block.
    pub(super) stream: KVVec<u8>,
}

impl Workspace {
    fn new(longest: u32) -> Result<Self> {
        Ok(Self {
            inflater: Inflater::new()?,
            stream: KVVec::zeroed(longest as usize, GFP_KERNEL)?,
        })
    }
}

/// The memory of a block.
type Buffer = KVVec<u8>;

/// Blocks, and workspaces.
#[pin_data]
pub(super) struct BlockCache {
    #[pin]
    state: Mutex<State>,
    /// Somebody has put a buffer and a workspace back.
    #[pin]
    changed: CondVar,
}

struct State {
    cache: Cache<KVec<Slot<Buffer>>>,
    workspaces: KVec<Workspace>,
}

impl BlockCache {
    /// For an image whose longest block has so many bytes in the file.
    pub(super) fn new(geometry: &Geometry, longest: u32) -> impl PinInit<Self, Error> {
        let block_size = geometry.block_size().bytes();
        let blocks = geometry.blocks();
        try_pin_init!(Self {
            state <- new_mutex!(State::new(block_size, blocks, longest)?),
            changed <- new_condvar!(),
        })
    }

    /// Uses a block. Unless it is cached, it is made, in memory that may have another block in it.
    ///
    /// # Errors
    ///
    /// What `make` and `using` give. A block that could not be made is not cached.
    pub(super) fn with_block(
        &self,
        block: u32,
        make: impl FnOnce(&mut Workspace, &mut [u8]) -> Result,
        using: impl FnOnce(&[u8]) -> Result,
    ) -> Result {
        let mut state = self.state.lock();
        let (place, mut buffer, mut workspace) = loop {
            match state.cache.find(block) {
                Found::Here(buffer) => return using(buffer),
                Found::Missing(place) => {
                    if let Some((buffer, workspace)) = state.take(place, block) {
                        break (place, buffer, workspace);
                    }
                }
                Found::Wait => {}
            }
            self.changed.wait(&mut state);
        };
        drop(state);

        let made = make(&mut workspace, &mut buffer);
        let used = made.and_then(|()| using(&buffer));
        self.put_back(place, buffer, workspace, made.is_ok());
        used
    }

    fn put_back(&self, place: Place, buffer: Buffer, workspace: Workspace, good: bool) {
        let mut state = self.state.lock();
        state.cache.put_back(place, buffer, good);
        // It was taken from there.
        let _ = state.workspaces.push_within_capacity(workspace);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn new(block_size: u32, blocks: u32, longest: u32) -> Result<Self> {
        let slots = CACHE_BYTES.checked_div(block_size).unwrap_or(0);
        let slots = slots.clamp(*SLOTS.start(), *SLOTS.end()).min(blocks);
        let workspaces = thread::online_processors().clamp(1, MAX_WORKSPACES);
        Ok(Self {
            cache: Cache::new(several(slots, || {
                Ok(Slot::new(KVVec::zeroed(block_size as usize, GFP_KERNEL)?))
            })?),
            workspaces: several(workspaces, || Workspace::new(longest))?,
        })
    }

    /// Takes what is needed to make a block; nothing while others use all workspaces.
    fn take(&mut self, place: Place, block: u32) -> Option<(Buffer, Workspace)> {
        let workspace = self.workspaces.pop()?;
        let Some(buffer) = self.cache.take(place, block) else {
            let _ = self.workspaces.push_within_capacity(workspace);
            return None;
        };
        Some((buffer, workspace))
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
