// SPDX-License-Identifier: GPL-2.0

//! The answer to a request, as an entry of the ring.

use crate::blkif::Status;
use crate::slot::RawSlot;

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The request's id.
    pub id: u64,
    /// The request's operation, as it was.
    pub operation: u8,
    /// How it ended.
    pub status: Status,
}

impl Response {
    /// The whole entry, the same in both layouts: every byte that is not a field is zero, so that
    /// nothing of ours leaks to the frontend (XSA-216).
    #[inline]
    pub fn encode(&self) -> RawSlot {
        let mut entry = RawSlot::ZERO;
        entry.set_field(0, self.id.to_le_bytes());
        entry.set_field(8, [self.operation]);
        entry.set_field(10, self.status.to_raw().to_le_bytes());
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6: the padding is zero.
    #[test]
    fn fields_are_placed_and_the_rest_is_zero() {
        let entry = Response {
            id: 0x1122_3344_5566_7788,
            operation: 0xff,
            status: Status::Unsupported,
        }
        .encode();
        let mut expected = [0; 112];
        expected[..12].copy_from_slice(&[
            0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xff, 0, 0xfe, 0xff,
        ]);
        assert_eq!(entry.bytes(), &expected);
    }
}
