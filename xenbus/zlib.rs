// SPDX-License-Identifier: GPL-2.0

//! Uncompresses zlib streams (RFC 1950), by the kernel's own zlib.

use crate::bindings;
use kernel::prelude::*;

/// The memory that zlib works in, for one stream at a time.
///
/// # Invariants
///
/// The memory is as much as zlib asks for.
pub(crate) struct Inflater(KVVec<u64>);

impl Inflater {
    /// Takes the memory.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Takes no arguments.
        let bytes = unsafe { bindings::xenbus_helper_inflate_workspace_size() };
        // INVARIANT: It is as much, rounded up.
        Ok(Self(KVVec::zeroed(bytes.div_ceil(8), GFP_KERNEL)?))
    }

    /// Uncompresses a stream, and returns how many bytes it came to. What follows the stream is ignored.
    ///
    /// # Errors
    ///
    /// `EBADMSG` when it is none, is not complete, or has more bytes than there is room for.
    pub(crate) fn inflate(&mut self, stream: &[u8], to: &mut [u8]) -> Result<usize> {
        // SAFETY: All memory is as long as is said. By the type invariant zlib has enough of it to work in.
        let bytes = unsafe {
            bindings::xenbus_helper_inflate(
                self.0.as_mut_ptr().cast(),
                stream.as_ptr(),
                stream.len(),
                to.as_mut_ptr(),
                to.len(),
            )
        };
        usize::try_from(bytes).map_err(|_| EBADMSG)
    }
}
