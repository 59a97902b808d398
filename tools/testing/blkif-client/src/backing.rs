// SPDX-License-Identifier: GPL-2.0

//! Block devices behind a disk.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{bail, ensure, Context, Result};

use crate::gntalloc::PAGE_SIZE;
use crate::pattern::SECTOR_SIZE;

/// The number of a block device; printed as the hotplug script writes it, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which device of the driver.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}:{:x}", self.major, self.minor)
    }
}

/// What a device discards at a time, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscardUnit {
    /// The size of a unit.
    pub granularity: u64,
    /// Where the first whole unit begins.
    pub alignment: u64,
}

/// Memory aligned as direct I/O wants it.
#[repr(C, align(4096))]
pub struct Aligned(pub [u8; PAGE_SIZE]);

/// A block device that exists.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its number.
    pub device: Device,
    /// Its node.
    pub path: PathBuf,
}

impl Disk {
    /// Takes the block device at `path`.
    pub fn at(path: &Path) -> Result<Self> {
        let meta = fs::metadata(path).with_context(|| format!("there is no {}", path.display()))?;
        ensure!(
            meta.file_type().is_block_device(),
            "{} is not a block device",
            path.display()
        );
        let number = meta.rdev();
        Ok(Self {
            device: Device {
                major: libc::major(number),
                minor: libc::minor(number),
            },
            path: path.to_path_buf(),
        })
    }

    /// The size in sectors of 512 bytes.
    pub fn sectors(&self) -> Result<u64> {
        Ok(self.sysfs("size")?.parse()?)
    }

    /// The bytes of its blocks.
    pub fn block_size(&self) -> Result<u64> {
        Ok(self.sysfs("queue/logical_block_size")?.parse()?)
    }

    /// Whether the device has a volatile write cache, so that flushes mean something.
    pub fn has_write_cache(&self) -> Result<bool> {
        Ok(self.sysfs("queue/write_cache")? == "write back")
    }

    /// What the device says of discards, if it knows them.
    pub fn discard(&self) -> Result<Option<DiscardUnit>> {
        let number = |attribute: &str| -> Result<u64> { Ok(self.sysfs(attribute)?.parse()?) };
        if number("queue/discard_max_bytes")? == 0 {
            return Ok(None);
        }
        Ok(Some(DiscardUnit {
            granularity: number("queue/discard_granularity")?,
            alignment: number("discard_alignment")?,
        }))
    }

    /// Whether the device is a file.
    pub fn is_loop(&self) -> bool {
        self.sysfs("loop/backing_file").is_ok()
    }

    /// Whether nobody claims the device.
    pub fn is_free(&self) -> bool {
        let open = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_EXCL)
            .open(&self.path);
        open.is_ok()
    }

    /// Shows `act` the number and the contents of `count` sectors from `start` on, read past the page cache.
    pub fn each_sector(
        &self,
        start: u64,
        count: u64,
        mut act: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let device = self.open_direct()?;
        let mut memory = Aligned([0; PAGE_SIZE]);
        let per_page = (PAGE_SIZE / SECTOR_SIZE) as u64;
        // Whole pages: the device's blocks may be as large.
        for page in start / per_page..(start + count).div_ceil(per_page) {
            device.read_exact_at(&mut memory.0, page * PAGE_SIZE as u64)?;
            for (number, sector) in (page * per_page..).zip(memory.0.chunks_exact(SECTOR_SIZE)) {
                if (start..start + count).contains(&number) {
                    act(number, sector)?;
                }
            }
        }
        Ok(())
    }

    /// Opens the device past the page cache.
    pub fn open_direct(&self) -> Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT)
            .open(&self.path)
            .with_context(|| format!("cannot open {}", self.path.display()))
    }

    fn sysfs(&self, attribute: &str) -> Result<String> {
        let path = format!(
            "/sys/dev/block/{}:{}/{attribute}",
            self.device.major, self.device.minor
        );
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(text.trim().to_owned())
    }
}

impl FromStr for Disk {
    type Err = anyhow::Error;

    /// Accepts a path or `MAJOR:MINOR` in decimal.
    fn from_str(text: &str) -> Result<Self> {
        let Some((major, minor)) = text.split_once(':') else {
            return Self::at(Path::new(text));
        };
        let (major, minor): (u32, u32) = (major.parse()?, minor.parse()?);
        let events = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent"))
            .with_context(|| format!("there is no block device {text}"))?;
        let name = events
            .lines()
            .find_map(|line| line.strip_prefix("DEVNAME="));
        let name = name.with_context(|| format!("block device {text} has no name"))?;
        Self::at(&Path::new("/dev").join(name))
    }
}

/// A loop device over a temporary file, gone when dropped.
pub struct LoopDisk {
    /// The device.
    pub disk: Disk,
    file: PathBuf,
}

impl LoopDisk {
    /// Makes a file of `mib` MiB and a loop device over it.
    pub fn new(mib: u64) -> Result<Self> {
        let file =
            std::env::temp_dir().join(format!("blkif-client-{}-{mib}.img", std::process::id()));
        File::create(&file)?.set_len(mib << 20)?;
        // Without udev nobody else loads the driver.
        if !Path::new("/dev/loop-control").exists() {
            run("modprobe", &["loop"])?;
        }
        let name = run("losetup", &["--find", "--show", &file.to_string_lossy()])?;
        Ok(Self {
            disk: Disk::at(Path::new(&name))?,
            file,
        })
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if let Err(error) = run("losetup", &["--detach", &self.disk.path.to_string_lossy()]) {
            println!("# {error:#}");
        }
        // A file left behind is only an annoyance.
        let _ = fs::remove_file(&self.file);
    }
}

/// Runs a tool and returns what it printed.
pub fn run(tool: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {tool}"))?;
    if !output.status.success() {
        bail!(
            "{tool} {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
