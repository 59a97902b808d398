// SPDX-License-Identifier: GPL-2.0

//! The nodes of units, opened; and what the kernel has against it, in NetBSD's words.

use std::ffi::CString;
use std::fs::{
    File,
    OpenOptions, //
};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{
    Path,
    PathBuf, //
};
use std::thread;
use std::time::{
    Duration,
    Instant, //
};

use anyhow::{
    anyhow,
    Context,
    Error,
    Result, //
};
use vnd_proto::ioctl::{
    Geom,
    User, //
};

use crate::ioctl;
use crate::unit::Unit;

/// The node that knows all units.
const CONTROL: &str = "/dev/vnd-control";

/// How long a unit may be in use by those who look at every new disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of the longest name of a file, and a zero byte.
const NAME_BYTES: usize = 4096;

/// A node that is open.
pub struct Device {
    // Closed before the unit is removed.
    file: File,
    made: Option<Made>,
    node: PathBuf,
}

/// A unit that was made to be configured. It is removed when this is dropped.
struct Made(u32);

impl Drop for Made {
    fn drop(&mut self) {
        if let Ok(control) = open(CONTROL.as_ref(), true) {
            // One that stays does no harm.
            let _ = while_busy(|| ioctl::remove(&control, self.0));
        }
    }
}

impl Device {
    /// Opens a unit to be configured; one that does not exist is made.
    pub fn make(unit: &Unit) -> Result<Self> {
        let node = unit.node();
        let deadline = Instant::now() + PATIENCE;
        let mut made = None;
        loop {
            match (open(&node, true), unit) {
                (Ok(file), _) => return Ok(Self { file, made, node }),
                // Adding it waits for one that is just going, or being cleared; which may go, too.
                (Err(error), Unit::Number(number))
                    if is_absent(&error) && made.is_none() && Instant::now() < deadline =>
                {
                    made = add(*number)?;
                }
                (Err(error), _) => return Err(complain(&node, "opendisk", error)),
            }
        }
    }

    /// Opens a unit to be unconfigured.
    pub fn open(unit: &Unit) -> Result<Self> {
        let node = unit.node();
        let file = open(&node, true).map_err(|error| match unit {
            // A unit without a file need not exist.
            Unit::Number(_) if is_absent(&error) && Path::new(CONTROL).exists() => complain(
                &node,
                "VNDIOCCLR",
                io::Error::from_raw_os_error(libc::ENXIO),
            ),
            _ => complain(&node, "opendisk", error),
        })?;
        Ok(Self {
            file,
            made: None,
            node,
        })
    }

    /// The path of the node.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Configures the unit. Returns the bytes of its disk.
    pub fn set(mut self, file: &Path, flags: u32, geom: Geom) -> Result<u64> {
        let name = CString::new(file.as_os_str().as_bytes())
            .with_context(|| file.display().to_string())?;
        let bytes = ioctl::set(&self.file, &name, flags, geom)
            .map_err(|error| complain(&self.node, "VNDIOCSET", error))?;
        // It stays.
        std::mem::forget(self.made.take());
        Ok(bytes)
    }

    /// Unconfigures the unit. Whoever looks at a disk that has just come is waited for.
    pub fn clear(&self, flags: u32) -> Result<()> {
        while_busy(|| ioctl::clear(&self.file, flags))
            .map_err(|error| complain(&self.node, "VNDIOCCLR", error))
    }
}

/// What a unit is, and what its file is called; nothing when neither it nor any after it exists.
pub type Answer = io::Result<Option<(User, PathBuf)>>;

/// Those who know what units there are.
pub struct Units {
    control: File,
    name: Vec<u8>,
}

impl Units {
    /// Opens the control node.
    pub fn open() -> Result<Self> {
        let control =
            open(CONTROL.as_ref(), false).map_err(|error| complain(CONTROL, "opendisk", error))?;
        Ok(Self {
            control,
            name: vec![0; NAME_BYTES],
        })
    }

    /// Asks for a unit.
    pub fn get(&mut self, number: u32) -> Answer {
        let unit = i32::try_from(number).map_err(io::Error::other)?;
        self.name.fill(0);
        match ioctl::get(&self.control, unit, &mut self.name) {
            Ok(user) => {
                let name = self.name.split(|&byte| byte == 0).next();
                let name = std::ffi::OsStr::from_bytes(name.unwrap_or_default());
                Ok(Some((user, name.into())))
            }
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The number of the unit that a node belongs to.
pub fn number_of(node: &Path) -> Result<u32> {
    let file = open(node, false).map_err(|error| complain(node, "opendisk", error))?;
    let user = ioctl::get(&file, -1, &mut [0; NAME_BYTES])
        .map_err(|error| complain(node, "VNDIOCGET", error))?;
    Ok(u32::try_from(user.unit)?)
}

fn open(node: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(write).open(node)
}

/// Whether there is no such unit, or one that is just going or being cleared.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENXIO))
}

/// Makes a unit, unless it exists by now.
fn add(number: u32) -> Result<Option<Made>> {
    let control =
        open(CONTROL.as_ref(), true).map_err(|error| complain(CONTROL, "opendisk", error))?;
    match ioctl::add(&control, number) {
        Ok(()) => Ok(Some(Made(number))),
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(None),
        Err(error) => Err(complain(CONTROL, "VND_CTL_ADD", error)),
    }
}

/// Tries until the unit is not in use any more, but not for long.
fn while_busy(attempt: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let result = attempt();
        let busy = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EBUSY));
        if !busy || Instant::now() >= deadline {
            return result;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What was done to which node, and why it failed.
pub fn complain(node: impl AsRef<Path>, what: &str, error: io::Error) -> Error {
    anyhow!("{}: {what}: {}", node.as_ref().display(), sentence(error))
}

/// An error of the kernel's as NetBSD says it.
pub fn sentence(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::ENXIO) => anyhow!("Device not configured"),
        Some(libc::EBUSY) => anyhow!("Device busy"),
        Some(libc::ENODEV) => anyhow!("Operation not supported by device"),
        _ => {
            let text = error.to_string();
            let end = text.find(" (os error").unwrap_or(text.len());
            anyhow!("{}", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_as_netbsd_says_them() {
        let table = [
            (libc::EBUSY, "Device busy"),
            (libc::ENXIO, "Device not configured"),
            (libc::ENOENT, "No such file or directory"),
            (libc::EACCES, "Permission denied"),
            (libc::EROFS, "Read-only file system"),
            (libc::EOPNOTSUPP, "Operation not supported"),
            (libc::EINVAL, "Invalid argument"),
            (libc::EBADF, "Bad file descriptor"),
        ];
        for (number, text) in table {
            let error = sentence(io::Error::from_raw_os_error(number));
            assert_eq!(error.to_string(), text);
        }
    }
}
