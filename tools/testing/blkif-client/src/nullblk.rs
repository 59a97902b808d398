// SPDX-License-Identifier: GPL-2.0

//! A slow disk: null_blk with a completion delay, so that requests are certainly in flight when something happens.
//!
//! It keeps what is written, has a volatile write cache and knows discards, so that every request means something.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::backing::{run, Disk};

const CONFIGURATION: &str = "/sys/kernel/config/nullb";

/// A null_blk device; gone when dropped.
pub struct SlowDisk {
    /// The device.
    pub disk: Disk,
    directory: PathBuf,
}

impl SlowDisk {
    /// Makes a device that answers every request after `delay`.
    pub fn new(delay: Duration) -> Result<Self> {
        if !Path::new(CONFIGURATION).exists() {
            run("modprobe", &["null_blk", "nr_devices=0"])?;
            if !Path::new(CONFIGURATION).exists() {
                run("mount", &["-t", "configfs", "none", "/sys/kernel/config"])?;
            }
        }
        let directory = PathBuf::from(format!(
            "{CONFIGURATION}/blkif-client-{}",
            std::process::id()
        ));
        fs::create_dir(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        for (setting, value) in [
            ("size", "64".to_owned()),
            ("blocksize", "512".to_owned()),
            // Complete by timer.
            ("irqmode", "2".to_owned()),
            ("completion_nsec", delay.as_nanos().to_string()),
            ("hw_queue_depth", "128".to_owned()),
            ("memory_backed", "1".to_owned()),
            ("discard", "1".to_owned()),
            ("cache_size", "8".to_owned()),
            ("power", "1".to_owned()),
        ] {
            let path = directory.join(setting);
            fs::write(&path, value).with_context(|| format!("cannot set {}", path.display()))?;
        }
        // Devices made by configfs carry the directory's name from Linux 6.x on, nullbN before.
        let index = fs::read_to_string(directory.join("index"))?;
        let by_index = format!("/dev/nullb{}", index.trim());
        let by_name = Path::new("/dev").join(directory.file_name().unwrap_or_default());
        let path = if by_name.exists() {
            by_name
        } else {
            by_index.into()
        };
        Ok(Self {
            disk: Disk::at(&path)?,
            directory,
        })
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.directory) {
            println!("# cannot remove {}: {error}", self.directory.display());
        }
    }
}
