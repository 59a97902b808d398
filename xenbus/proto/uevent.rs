// SPDX-License-Identifier: GPL-2.0

//! The kernel's uevents: strings that end in NUL, `ACTION@DEVPATH` and then `KEY=VALUE` each.
//!
//! Source: `lib/kobject_uevent.c` of Linux.

/// Whether `message` says that something about a block device, such as its size, has changed.
///
/// A change of size says `RESIZE=1`, but not every driver takes that way.
pub fn is_block_change(message: &[u8]) -> bool {
    message.starts_with(b"change@")
        && message
            .split(|&byte| byte == 0)
            .any(|field| field == b"SUBSYSTEM=block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_a_block_device_is_one() {
        let cases: [(&[u8], bool); 6] = [
            (
                b"change@/devices/virtual/block/loop0\0ACTION=change\0SUBSYSTEM=block\0RESIZE=1\0",
                true,
            ),
            (b"change@/devices/x\0SUBSYSTEM=block", true),
            (b"change@/devices/x/block/y\0SUBSYSTEM=blocks\0", false),
            (b"add@/devices/x/block/y\0SUBSYSTEM=block\0", false),
            (b"change@/devices/x\0SUBSYSTEM=net\0", false),
            (b"", false),
        ];
        for (message, expected) in cases {
            assert_eq!(is_block_change(message), expected, "{message:?}");
        }
    }
}
