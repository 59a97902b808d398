// SPDX-License-Identifier: GPL-2.0

//! The answer to a request, as it stands at the start of its entry.

use crate::blkif::Status;

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
    /// Bytes of an answer, the same in both layouts.
    pub const SIZE: usize = 16;

    /// The bytes: every one that is not of a field is zero, so that nothing of ours leaks to the
    /// frontend (XSA-216).
    #[inline]
    pub const fn encode(&self) -> [u8; Self::SIZE] {
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.id.to_le_bytes();
        let [s0, s1] = self.status.to_raw().to_le_bytes();
        let operation = self.operation;
        [
            i0, i1, i2, i3, i4, i5, i6, i7, operation, 0, s0, s1, 0, 0, 0, 0,
        ]
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
        let expected = [
            0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xff, 0, 0xfe, 0xff, 0, 0, 0, 0,
        ];
        assert_eq!(entry, expected);
    }
}
