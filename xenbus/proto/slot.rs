// SPDX-License-Identifier: GPL-2.0

//! A private copy of one ring entry.

use crate::abi::Abi;
use crate::blkif::Opcode;

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

    /// Fills the bytes from `offset` on.
    #[inline]
    pub(crate) fn set_field<const N: usize>(&mut self, offset: usize, value: [u8; N]) {
        if let Some(field) = self
            .0
            .get_mut(offset..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            *field = value;
        }
    }
}
