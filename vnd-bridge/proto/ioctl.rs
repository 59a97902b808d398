// SPDX-License-Identifier: GPL-2.0

//! The requests of `vnd-bridge/uapi/vnd.h`, for both ends of them.
//!
//! The structures have the layout of the header's, so a program can hand out their address. The kernel copies bytes,
//! and makes them of those.

use core::fmt;

/// What a unit's number is at most.
pub const UNIT_MAX: u32 = 65535;

/// Flags of the requests.
pub mod flags {
    /// Use the geometry that is given.
    pub const HASGEOM: u32 = 0x01;
    /// The disk cannot be written.
    pub const READONLY: u32 = 0x02;
    /// Clear the unit although it is in use.
    pub const FORCE: u32 = 0x04;
    /// Go through the page cache.
    pub const FILEIO: u32 = 0x08;
    /// The file is a compressed image.
    pub const COMP: u32 = 0x400;
    /// Returned: there is a file.
    pub const CONFIGURED: u32 = 0x1_0000;
    /// Returned: data goes past the page cache.
    pub const DIRECT: u32 = 0x2_0000;

    /// What a file can be configured with.
    pub const OF_SET: u32 = HASGEOM | READONLY | FILEIO | COMP;
    /// What a unit can be cleared with.
    pub const OF_CLEAR: u32 = FORCE;
}

/// Numbers of the requests.
pub mod request {
    use super::{
        Setting,
        User, //
    };

    /// `VNDIOCSET`, with [`Setting`].
    pub const SET: u32 = number(READ | WRITE, size_of::<Setting>(), 0);
    /// `VNDIOCCLR`, with [`Setting`].
    pub const CLEAR: u32 = number(WRITE, size_of::<Setting>(), 1);
    /// `VNDIOCGET`, with [`User`].
    pub const GET: u32 = number(READ | WRITE, size_of::<User>(), 3);
    /// `VND_CTL_ADD`, with the number of a unit, or -1.
    pub const ADD: u32 = number(0, 0, 0x80);
    /// `VND_CTL_REMOVE`, with the number of a unit.
    pub const REMOVE: u32 = number(0, 0, 0x81);
    /// `VND_CTL_GET_FREE`, with nothing.
    pub const GET_FREE: u32 = number(0, 0, 0x82);

    const WRITE: u32 = 1;
    const READ: u32 = 2;

    /// The kernel's encoding of a request's direction, size, group and number.
    const fn number(direction: u32, size: usize, nr: u32) -> u32 {
        (direction << 30) | ((size as u32) << 16) | ((b'F' as u32) << 8) | nr
    }
}

/// `struct vnd_geom`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Geom {
    /// Bytes of a sector.
    pub secsize: u32,
    /// Sectors of a track.
    pub nsectors: u32,
    /// Tracks of a cylinder.
    pub ntracks: u32,
    /// Cylinders.
    pub ncylinders: u32,
}

/// As geometries are written: `512/32/64/8`.
impl fmt::Display for Geom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secsize,
            nsectors,
            ntracks,
            ncylinders,
        } = self;
        write!(f, "{secsize}/{nsectors}/{ntracks}/{ncylinders}")
    }
}

/// `struct vnd_ioctl`: what a unit is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Setting {
    /// Address of the file's name.
    pub file: u64,
    /// Of [`flags`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// With [`flags::HASGEOM`].
    pub geom: Geom,
    /// Returned: bytes of the disk.
    pub size: u64,
}

/// `struct vnd_user`: what a unit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct User {
    /// Which unit; -1 for the one that is open.
    pub unit: i32,
    /// Returned, of [`flags`].
    pub flags: u32,
    /// Returned: the file system's device.
    pub dev: u64,
    /// Returned: the file's inode.
    pub ino: u64,
    /// Returned: bytes of the disk.
    pub size: u64,
    /// Returned.
    pub geom: Geom,
    /// Address of room for the file's name, or 0.
    pub path: u64,
    /// Bytes of the room; returned: of the name.
    pub pathlen: u32,
    /// Zero.
    pub reserved: u32,
}

// An assertion of the header's, too.
const _: () = assert!(size_of::<Setting>() == 40 && align_of::<Setting>() == 8);
const _: () = assert!(size_of::<User>() == 64 && align_of::<User>() == 8);

/// A structure as the bytes that a program and the kernel exchange.
pub trait Exchanged<const SIZE: usize>: Sized {
    /// Of the bytes of a program.
    fn from_bytes(bytes: &[u8; SIZE]) -> Self;
    /// For a program.
    fn to_bytes(&self) -> [u8; SIZE];
}

/// Takes numbers out of bytes, one after the other.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        // There are as many as the caller's structure has bytes.
        let Some((first, rest)) = self.0.split_first_chunk() else {
            return [0; N];
        };
        self.0 = rest;
        *first
    }

    fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.take())
    }

    fn geom(&mut self) -> Geom {
        Geom {
            secsize: self.u32(),
            nsectors: self.u32(),
            ntracks: self.u32(),
            ncylinders: self.u32(),
        }
    }
}

/// Puts numbers into bytes, one after the other.
struct Bytes<const SIZE: usize> {
    bytes: [u8; SIZE],
    at: usize,
}

impl<const SIZE: usize> Bytes<SIZE> {
    fn new() -> Self {
        Self {
            bytes: [0; SIZE],
            at: 0,
        }
    }

    fn put(mut self, number: &[u8]) -> Self {
        let end = self.at.saturating_add(number.len());
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(number);
        }
        self.at = end;
        self
    }

    fn u32(self, number: u32) -> Self {
        self.put(&number.to_ne_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.put(&number.to_ne_bytes())
    }

    fn geom(self, geom: &Geom) -> Self {
        self.u32(geom.secsize)
            .u32(geom.nsectors)
            .u32(geom.ntracks)
            .u32(geom.ncylinders)
    }
}

impl Exchanged<40> for Setting {
    fn from_bytes(bytes: &[u8; 40]) -> Self {
        let mut numbers = Numbers(bytes);
        Self {
            file: numbers.u64(),
            flags: numbers.u32(),
            reserved: numbers.u32(),
            geom: numbers.geom(),
            size: numbers.u64(),
        }
    }

    fn to_bytes(&self) -> [u8; 40] {
        Bytes::new()
            .u64(self.file)
            .u32(self.flags)
            .u32(self.reserved)
            .geom(&self.geom)
            .u64(self.size)
            .bytes
    }
}

impl Exchanged<64> for User {
    fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut numbers = Numbers(bytes);
        Self {
            unit: i32::from_ne_bytes(numbers.take()),
            flags: numbers.u32(),
            dev: numbers.u64(),
            ino: numbers.u64(),
            size: numbers.u64(),
            geom: numbers.geom(),
            path: numbers.u64(),
            pathlen: numbers.u32(),
            reserved: numbers.u32(),
        }
    }

    fn to_bytes(&self) -> [u8; 64] {
        Bytes::new()
            .put(&self.unit.to_ne_bytes())
            .u32(self.flags)
            .u64(self.dev)
            .u64(self.ino)
            .u64(self.size)
            .geom(&self.geom)
            .u64(self.path)
            .u32(self.pathlen)
            .u32(self.reserved)
            .bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn numbers_and_places_are_those_of_the_header() {
        let numbers = [request::SET, request::CLEAR, request::GET];
        assert_eq!(numbers, [0xc028_4600, 0x4028_4601, 0xc040_4603]);
        let numbers = [request::ADD, request::REMOVE, request::GET_FREE];
        assert_eq!(numbers, [0x4680, 0x4681, 0x4682]);
        assert_eq!(offset_of!(Setting, flags), 8);
        assert_eq!(offset_of!(Setting, geom), 16);
        assert_eq!(offset_of!(Setting, size), 32);
        assert_eq!(offset_of!(User, dev), 8);
        assert_eq!(offset_of!(User, size), 24);
        assert_eq!(offset_of!(User, geom), 32);
        assert_eq!(offset_of!(User, path), 48);
        assert_eq!(offset_of!(User, pathlen), 56);
    }

    #[test]
    fn bytes_are_where_the_fields_are() {
        let bytes: [u8; 64] = core::array::from_fn(|at| at as u8);
        let user = User::from_bytes(&bytes);
        assert_eq!(user.unit.to_ne_bytes(), [0, 1, 2, 3]);
        assert_eq!(user.ino.to_ne_bytes(), [16, 17, 18, 19, 20, 21, 22, 23]);
        assert_eq!(user.geom.ncylinders.to_ne_bytes(), [44, 45, 46, 47]);
        assert_eq!(user.reserved.to_ne_bytes(), [60, 61, 62, 63]);
        assert_eq!(user.to_bytes(), bytes);

        let bytes: [u8; 40] = core::array::from_fn(|at| at as u8);
        let setting = Setting::from_bytes(&bytes);
        assert_eq!(setting.flags.to_ne_bytes(), [8, 9, 10, 11]);
        assert_eq!(setting.size.to_ne_bytes(), [32, 33, 34, 35, 36, 37, 38, 39]);
        assert_eq!(setting.to_bytes(), bytes);
    }

    #[test]
    fn a_geometry_is_written_as_it_is_given() {
        let geom = Geom {
            secsize: 512,
            nsectors: 32,
            ntracks: 64,
            ncylinders: 8,
        };
        assert_eq!(geom.to_string(), "512/32/64/8");
    }
}
