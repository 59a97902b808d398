// SPDX-License-Identifier: GPL-2.0

//! Names: of the device behind a disk, and of the disk itself.

use core::fmt;

use crate::number::{
    parse_hex_u32,
    parse_u32,
    DomainId, //
};
use crate::text::Text;

/// A Linux device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNumber {
    /// Which driver, 12 bits.
    pub major: u32,
    /// Which of its devices, 20 bits.
    pub minor: u32,
}

/// A `physical-device` node that names no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDevice;

impl DeviceNumber {
    const MAJOR_MAX: u32 = 0xfff;
    const MINOR_MAX: u32 = 0xf_ffff;

    /// Reads a `physical-device` node: `MAJOR:MINOR` in hexadecimal, as Linux's hotplug scripts
    /// write it, or one decimal number, as NetBSD's do. The decimal number is an encoded device
    /// number ([`Self::decode`]); both systems have the same encoding.
    pub fn parse(node: &[u8]) -> Result<Self, InvalidDevice> {
        let mut parts = node.split(|&byte| byte == b':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(major), Some(minor), None) => Ok(Self {
                major: parse_part(major, Self::MAJOR_MAX)?,
                minor: parse_part(minor, Self::MINOR_MAX)?,
            }),
            (Some(number), None, None) => parse_u32(number)
                .map(Self::decode)
                .map_err(|_| InvalidDevice),
            _ => Err(InvalidDevice),
        }
    }

    /// From one number, as `new_decode_dev()` does.
    pub const fn decode(encoded: u32) -> Self {
        Self {
            major: (encoded >> 8) & Self::MAJOR_MAX,
            minor: (encoded & 0xff) | ((encoded >> 12) & 0xf_ff00),
        }
    }

    /// To one number, as `new_encode_dev()` does.
    pub const fn encode(self) -> u32 {
        (self.minor & 0xff)
            | ((self.major & Self::MAJOR_MAX) << 8)
            | ((self.minor & 0xf_ff00) << 12)
    }
}

/// Reads a part of a device number.
fn parse_part(text: &[u8], max: u32) -> Result<u32, InvalidDevice> {
    match parse_hex_u32(text) {
        Ok(part) if part <= max => Ok(part),
        _ => Err(InvalidDevice),
    }
}

/// How a disk shares its device with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `r`: read-only, shared with other readers.
    ReadOnly,
    /// `w`: writable, and nobody else has the device.
    Exclusive,
    /// `w!`: writable and shared; the administrator knows why.
    Shared,
}

impl Mode {
    /// Reads a `mode` node as the toolstack's own scripts do: writable with a `w` in it, shared
    /// with a `!` too.
    pub fn parse(node: &[u8]) -> Self {
        match (node.contains(&b'w'), node.contains(&b'!')) {
            (false, _) => Self::ReadOnly,
            (true, false) => Self::Exclusive,
            (true, true) => Self::Shared,
        }
    }

    /// Whether the guest may write.
    pub const fn is_writable(self) -> bool {
        !matches!(self, Self::ReadOnly)
    }
}

/// What the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The disk's.
    Raw,
    /// A compressed image of the disk, in the format of vndcompress(1).
    Cloop2,
}

impl Format {
    /// Reads a `physical-device-format` node; `None` for a format that is not known.
    pub fn parse(node: &[u8]) -> Option<Self> {
        match node {
            b"raw" => Some(Self::Raw),
            b"cloop2" => Some(Self::Cloop2),
            _ => None,
        }
    }
}

/// The number of a disk within its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Handle(pub u32);

/// A backend path whose last component is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPath;

impl Handle {
    /// Reads the handle from a path such as `backend/vbd/3/51712`.
    pub fn from_backend_path(path: &[u8]) -> Result<Self, InvalidPath> {
        let mut parts = path.rsplitn(2, |&byte| byte == b'/');
        match (parts.next(), parts.next()) {
            (Some(last), Some(_)) => parse_u32(last).map(Self).map_err(|_| InvalidPath),
            _ => Err(InvalidPath),
        }
    }
}

/// The name of a disk's backend, `xbdback<domain>i<handle>`.
pub type InterfaceName = Text<24>;

/// The name of the backend of a guest's disk.
pub fn interface_name(domain: DomainId, handle: Handle) -> InterfaceName {
    Text::new(format_args!("xbdback{domain}i{}", handle.0))
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_device_is_a_hex_pair_or_a_decimal() {
        let table: [(&[u8], u32, u32); 7] = [
            (b"7:0", 7, 0),
            (b"fd:1f", 253, 31),
            (b"FD:1F", 253, 31),
            (b"103:fffff", 0x103, 0xf_ffff),
            (b"2049", 8, 1),
            (b"3587", 14, 3),
            (b"1048576", 0, 0x100),
        ];
        for (node, major, minor) in table {
            assert_eq!(DeviceNumber::parse(node), Ok(DeviceNumber { major, minor }));
        }
    }

    /// R28.
    #[test]
    fn anything_else_names_no_device() {
        let table: [&[u8]; 14] = [
            b"",
            b":",
            b"7:",
            b":7",
            b"7:0:1",
            b"+7:0",
            b"7:-1",
            b"0x7:0",
            b"7 :0",
            b"7:0\n",
            b"1000:0",
            b"7:100000",
            b"4294967296",
            b"7:\xff",
        ];
        for node in table {
            assert_eq!(DeviceNumber::parse(node), Err(InvalidDevice), "{node:?}");
        }
    }

    #[test]
    fn numbers_survive_encoding() {
        for (major, minor, encoded) in [
            (7, 0, 0x700),
            (14, 3, 0xe03),
            (253, 0x12345, 0x1230_fd45),
            (0xfff, 0xf_ffff, u32::MAX),
        ] {
            let device = DeviceNumber { major, minor };
            assert_eq!(device.encode(), encoded);
            assert_eq!(DeviceNumber::decode(encoded), device);
        }
    }

    #[test]
    fn mode_is_read_as_the_block_script_does() {
        let table: [(&[u8], Mode); 7] = [
            (b"r", Mode::ReadOnly),
            (b"", Mode::ReadOnly),
            (b"ro", Mode::ReadOnly),
            (b"r!", Mode::ReadOnly),
            (b"w", Mode::Exclusive),
            (b"rw", Mode::Exclusive),
            (b"w!", Mode::Shared),
        ];
        for (node, mode) in table {
            assert_eq!(Mode::parse(node), mode);
            assert_eq!(mode.is_writable(), node.contains(&b'w'));
        }
    }

    #[test]
    fn handle_is_the_last_component() {
        assert_eq!(
            Handle::from_backend_path(b"backend/vbd/3/769"),
            Ok(Handle(769))
        );
        assert_eq!(
            Handle::from_backend_path(b"/268439552"),
            Ok(Handle(268_439_552))
        );
        let invalid: [&[u8]; 7] = [
            b"",
            b"769",
            b"backend/vbd/3/",
            b"backend/vbd/3/xvda",
            b"backend/vbd/3/-1",
            b"backend/vbd/3/769 ",
            b"a/4294967296",
        ];
        for path in invalid {
            assert_eq!(
                Handle::from_backend_path(path),
                Err(InvalidPath),
                "{path:?}"
            );
        }
    }

    #[test]
    fn the_longest_interface_name_fits() {
        assert_eq!(
            interface_name(DomainId(3), Handle(51712)).as_str(),
            "xbdback3i51712"
        );
        assert_eq!(
            interface_name(DomainId(u16::MAX), Handle(u32::MAX)).as_c_str(),
            c"xbdback65535i4294967295"
        );
    }
}
