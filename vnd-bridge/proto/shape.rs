// SPDX-License-Identifier: GPL-2.0

//! What a disk on a file is like: the size of its sectors, how many it has, and the geometry that it shows.

use crate::ioctl::Geom;

/// Bytes of the smallest sectors, which disks have unless others are asked for; and of the largest.
const SECSIZE_MIN: u32 = 512;
const SECSIZE_MAX: u32 = 4096;

/// Sectors of a cylinder that is made up: a mebibyte.
const MADE_UP_SECTORS: u32 = 32;
const MADE_UP_TRACKS: u32 = 64;

/// What a disk is like.
///
/// # Invariants
///
/// `secsize` is a power of two from 512 to 4096; cylinders have at least one sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    secsize: u32,
    cylinders: Cylinders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cylinders {
    /// Nobody asked for any: the disk has all sectors of the file.
    MadeUp,
    /// Of this many sectors and tracks, as many as the file has room for.
    Fitting { nsectors: u32, ntracks: u32 },
    /// Exactly these.
    Fixed(Geom),
}

/// No disk can be like that, or the file is too small for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadGeometry;

impl Default for Shape {
    fn default() -> Self {
        Self {
            secsize: SECSIZE_MIN,
            cylinders: Cylinders::MadeUp,
        }
    }
}

impl Shape {
    /// With the geometry that was asked for, on a file of `bytes` bytes.
    pub fn new(geom: &Geom, bytes: u64) -> Result<Self, BadGeometry> {
        let good_size =
            geom.secsize.is_power_of_two() && (SECSIZE_MIN..=SECSIZE_MAX).contains(&geom.secsize);
        if !good_size || geom.nsectors == 0 || geom.ntracks == 0 {
            return Err(BadGeometry);
        }
        let cylinders = match geom.ncylinders {
            0 => Cylinders::Fitting {
                nsectors: geom.nsectors,
                ntracks: geom.ntracks,
            },
            _ => Cylinders::Fixed(*geom),
        };
        let shape = Self {
            secsize: geom.secsize,
            cylinders,
        };
        match u64::try_from(shape.wanted_bytes()) {
            Ok(wanted) if wanted <= bytes => Ok(shape),
            _ => Err(BadGeometry),
        }
    }

    /// Bytes of a sector.
    pub fn secsize(&self) -> u32 {
        self.secsize
    }

    /// What the file has to have at least.
    fn wanted_bytes(&self) -> u128 {
        let cylinder = |nsectors: u32, ntracks: u32| {
            u128::from(self.secsize)
                .saturating_mul(nsectors.into())
                .saturating_mul(ntracks.into())
        };
        match self.cylinders {
            Cylinders::MadeUp => 0,
            Cylinders::Fitting { nsectors, ntracks } => cylinder(nsectors, ntracks),
            Cylinders::Fixed(geom) => {
                cylinder(geom.nsectors, geom.ntracks).saturating_mul(geom.ncylinders.into())
            }
        }
    }

    /// The disk's bytes when the file has `bytes`. A file that has become too small has less than was asked for.
    pub fn bytes(&self, bytes: u64) -> u64 {
        let wanted = u64::try_from(self.wanted_bytes()).unwrap_or(u64::MAX);
        let whole = |unit: u64| bytes.saturating_sub(bytes.checked_rem(unit).unwrap_or(0));
        match self.cylinders {
            Cylinders::MadeUp => whole(self.secsize.into()),
            Cylinders::Fitting { .. } => whole(wanted),
            Cylinders::Fixed(_) => whole(self.secsize.into()).min(wanted),
        }
    }

    /// The geometry of a disk on a file of `bytes` bytes. The last cylinder of one that is made up may be missing.
    pub fn geom(&self, bytes: u64) -> Geom {
        let secsize = self.secsize;
        let cylinders = |nsectors: u32, ntracks: u32| {
            let cylinder = u64::from(secsize)
                .saturating_mul(nsectors.into())
                .saturating_mul(ntracks.into());
            let ncylinders = bytes.checked_div(cylinder).unwrap_or(0);
            Geom {
                secsize,
                nsectors,
                ntracks,
                ncylinders: u32::try_from(ncylinders).unwrap_or(u32::MAX),
            }
        };
        match self.cylinders {
            Cylinders::Fixed(geom) => geom,
            Cylinders::Fitting { nsectors, ntracks } => cylinders(nsectors, ntracks),
            Cylinders::MadeUp => match cylinders(MADE_UP_SECTORS, MADE_UP_TRACKS) {
                Geom { ncylinders: 0, .. } => cylinders(1, 1),
                geom => geom,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geom(numbers: [u32; 4]) -> Geom {
        let [secsize, nsectors, ntracks, ncylinders] = numbers;
        Geom {
            secsize,
            nsectors,
            ntracks,
            ncylinders,
        }
    }

    #[test]
    fn without_a_geometry_the_disk_has_all_whole_sectors() {
        let shape = Shape::default();
        for (file, disk, shown) in [
            (0, 0, [512, 1, 1, 0]),
            (511, 0, [512, 1, 1, 0]),
            (5000, 4608, [512, 1, 1, 9]),
            (1 << 20, 1 << 20, [512, 32, 64, 1]),
            ((3 << 20) + 1024, (3 << 20) + 1024, [512, 32, 64, 3]),
            (u64::MAX, u64::MAX - 511, [512, 32, 64, u32::MAX]),
        ] {
            assert_eq!(shape.bytes(file), disk);
            assert_eq!(shape.geom(file), geom(shown));
        }
    }

    #[test]
    fn a_geometry_counts_and_stays() {
        let asked = geom([1024, 8, 4, 10]);
        let shape = Shape::new(&asked, 1 << 20).unwrap();
        assert_eq!(shape.secsize(), 1024);
        assert_eq!(shape.geom(1 << 20), asked);
        for (file, disk) in [(1 << 20, 327_680), (327_680, 327_680), (327_679, 326_656)] {
            assert_eq!(shape.bytes(file), disk);
        }
    }

    #[test]
    fn cylinders_are_counted_when_they_are_not_given() {
        let shape = Shape::new(&geom([4096, 4, 4, 0]), 200_000).unwrap();
        assert_eq!(shape.bytes(200_000), 3 << 16);
        assert_eq!(shape.geom(200_000), geom([4096, 4, 4, 3]));
        assert_eq!(shape.bytes(1 << 20), 1 << 20);
    }

    #[test]
    fn what_no_disk_can_be_is_refused() {
        for numbers in [
            [0, 1, 1, 1],
            [256, 1, 1, 1],
            [1000, 1, 1, 1],
            [8192, 1, 1, 1],
            [512, 0, 1, 1],
            [512, 1, 0, 1],
            [512, 32, 64, 11],
            [512, 1 << 20, 1, 0],
            [u32::MAX; 4],
            [4096, u32::MAX, u32::MAX, u32::MAX],
            [4096, u32::MAX, u32::MAX, 0],
        ] {
            assert_eq!(Shape::new(&geom(numbers), 10 << 20), Err(BadGeometry));
        }
        assert!(Shape::new(&geom([512, 32, 64, 10]), 10 << 20).is_ok());
    }
}
