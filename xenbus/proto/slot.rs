// SPDX-License-Identifier: GPL-2.0

//! A private copy of one ring entry.

use crate::abi::Abi;
use crate::blkif::{
    Opcode,
    MAX_SEGMENTS, //
};

/// Bytes of the largest entry.
pub const MAX_ENTRY_SIZE: usize = 112;

/// A private copy of one entry, either way; the smaller layout leaves the end unused.
///
/// Only such copies are looked at, so the frontend cannot change a request between a check and its
/// use. Aligned for copying by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct RawSlot([u8; MAX_ENTRY_SIZE]);

impl RawSlot {
    /// Bytes that say what kind of request it is, and how large.
    pub(crate) const HEAD_SIZE: usize = 4;

    /// An entry of zeroes.
    pub const ZERO: Self = Self([0; MAX_ENTRY_SIZE]);

    /// An entry with these bytes.
    #[inline]
    pub const fn new(bytes: [u8; MAX_ENTRY_SIZE]) -> Self {
        Self(bytes)
    }

    /// All bytes; only the first [`Abi::entry_size`] of them belong to the ring.
    #[inline]
    pub const fn bytes(&self) -> &[u8; MAX_ENTRY_SIZE] {
        &self.0
    }

    /// All bytes, for filling.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8; MAX_ENTRY_SIZE] {
        &mut self.0
    }

    /// The operation of a request.
    #[inline]
    pub fn operation(&self) -> u8 {
        u8::from_le_bytes(self.field(0))
    }

    /// The operation that the answer to a request has to name: of an indirect request, the one it
    /// asks for indirectly. So do Linux's backend and frontend.
    #[inline]
    pub fn answered_operation(&self) -> u8 {
        let [operation, indirect] = self.field(0);
        match operation {
            Opcode::INDIRECT => indirect,
            _ => operation,
        }
    }

    /// How many bytes a request has that starts so, whatever it is: a direct one ends behind its
    /// last segment, or has as many as there can be.
    #[inline]
    pub(crate) fn request_size(&self, abi: Abi) -> usize {
        let [operation, count] = self.field(0);
        match Opcode::from_raw(operation) {
            Some(Opcode::Indirect | Opcode::Discard | Opcode::Reserved) | None => abi.entry_size(),
            Some(_) => {
                // CAST: 11 fits.
                let segments = usize::from(u8::min(count, MAX_SEGMENTS as u8));
                abi.segments_offset().wrapping_add(segments.wrapping_mul(8))
            }
        }
    }

    /// The id of a request, which is only ever echoed.
    #[inline]
    pub fn id(&self, abi: Abi) -> u64 {
        u64::from_le_bytes(self.field(abi.id_offset()))
    }

    /// The `N` bytes from `offset` on. Every caller's offset is a constant of a layout, so the
    /// zeroes for a field outside are never seen.
    #[inline]
    pub(crate) fn field<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.0
            .get(offset..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }
}
