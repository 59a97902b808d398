// SPDX-License-Identifier: GPL-2.0

//! Where a file system is: a device number becomes the name of a mount point, or of a device.

use std::fmt::{
    self,
    Display, //
};
use std::fs;

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file system that is mounted.
    Mounted {
        /// Where.
        on: String,
        /// What.
        from: String,
    },
    /// In a file system on this device.
    Device(String),
    /// In one of which only the number is known.
    Number(u32, u32),
}

/// As NetBSD says it.
impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { on, from } => write!(f, "{on} ({from})"),
            Self::Device(name) => f.write_str(name),
            Self::Number(major, minor) => write!(f, "dev {major},{minor}"),
        }
    }
}

impl Place {
    /// Of the file system with this device number.
    pub fn of(device: u64) -> Self {
        let number = (libc::major(device), libc::minor(device));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        mounted(&mounts, number)
            .or_else(|| named(number).map(Self::Device))
            .unwrap_or(Self::Number(number.0, number.1))
    }
}

/// Finds where a device is mounted, as a whole if it is.
fn mounted(mounts: &str, (major, minor): (u32, u32)) -> Option<Place> {
    let number = format!("{major}:{minor}");
    let on_it = || {
        mounts
            .lines()
            .filter_map(Mount::read)
            .filter(|mount| mount.number == number)
    };
    let mount = on_it()
        .find(|mount| mount.root == "/")
        .or_else(|| on_it().next())?;
    Some(Place::Mounted {
        on: unescape(mount.on),
        from: unescape(mount.from),
    })
}

/// A line of /proc/self/mountinfo.
struct Mount<'a> {
    number: &'a str,
    root: &'a str,
    on: &'a str,
    from: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (fields, more) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(2);
        Some(Self {
            number: fields.next()?,
            root: fields.next()?,
            on: fields.next()?,
            from: more.split(' ').nth(1)?,
        })
    }
}

/// Spaces and the like are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                plain.push(code.into());
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// The name of a block device.
fn named((major, minor): (u32, u32)) -> Option<String> {
    let path = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:2 /home /home rw,relatime shared:1 - ext4 /dev/sda2 rw
23 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
24 1 0:40 /a /mnt/with\\040space rw master:2 - btrfs /dev/sdb\\134x rw
25 1 0:41 /
";

    #[test]
    fn a_file_system_is_named_by_its_root() {
        let place = mounted(MOUNTS, (8, 2)).unwrap();
        assert_eq!(place.to_string(), "/ (/dev/sda2)");
    }

    #[test]
    fn a_part_of_one_is_better_than_nothing() {
        let place = mounted(MOUNTS, (0, 40)).unwrap();
        assert_eq!(place.to_string(), "/mnt/with space (/dev/sdb\\x)");
        assert_eq!(mounted(MOUNTS, (0, 41)), None);
    }

    #[test]
    fn a_device_that_is_not_mounted_is_named_or_numbered() {
        assert_eq!(Place::Device("sda1".into()).to_string(), "sda1");
        // No driver has this number.
        let place = Place::of(libc::makedev(4095, 3));
        assert_eq!(place.to_string(), "dev 4095,3");
    }
}
