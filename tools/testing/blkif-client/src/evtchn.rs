// SPDX-License-Identifier: GPL-2.0

//! One event channel, by `/dev/xen/evtchn`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result};

const fn ioctl_number(number: u64, size: usize) -> u64 {
    // _IOC(_IOC_NONE, 'E', number, size)
    ((size as u64) << 16) | ((b'E' as u64) << 8) | number
}

const BIND_UNBOUND_PORT: u64 = ioctl_number(2, 4);
const NOTIFY: u64 = ioctl_number(4, 4);

/// A port of ours that domain 0 may bind to; closed when dropped.
pub struct EventChannel {
    file: File,
    port: u32,
}

impl EventChannel {
    /// Allocates an unbound port for domain 0.
    pub fn new() -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/xen/evtchn")
            .context("cannot open /dev/xen/evtchn: is the module xen-evtchn loaded?")?;
        let mut remote_domain: u32 = 0;
        // SAFETY: BIND_UNBOUND_PORT reads one `unsigned int`, the remote domain.
        let port =
            unsafe { libc::ioctl(file.as_raw_fd(), BIND_UNBOUND_PORT, &raw mut remote_domain) };
        if port < 0 {
            return Err(std::io::Error::last_os_error())
                .context("cannot allocate an event channel");
        }
        Ok(Self {
            file,
            port: u32::try_from(port)?,
        })
    }

    /// Our port number.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Sends an event to the peer; one that nobody is bound to is lost.
    pub fn notify(&self) {
        let mut port = self.port;
        // SAFETY: NOTIFY reads one `unsigned int`, the port.
        unsafe { libc::ioctl(self.file.as_raw_fd(), NOTIFY, &raw mut port) };
    }

    /// Waits for an event and acknowledges it; false when none came in time.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        wait_any(std::iter::once(self), timeout)
    }

    fn acknowledge(&mut self) -> Result<()> {
        let mut port = [0; 4];
        self.file.read_exact(&mut port)?;
        // Writing the port back unmasks it.
        Ok(self.file.write_all(&port)?)
    }
}

/// Waits for an event of any channel and acknowledges what came; false when none came in time.
pub fn wait_any<'a>(
    channels: impl Iterator<Item = &'a mut EventChannel>,
    timeout: Duration,
) -> Result<bool> {
    let mut channels: Vec<_> = channels.collect();
    let mut polls: Vec<_> = channels
        .iter()
        .map(|channel| libc::pollfd {
            fd: channel.file.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(polls.len())?;
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `polls` is as many valid `pollfd`s as `count` says.
    let ready = unsafe { libc::poll(polls.as_mut_ptr(), count, milliseconds) };
    for (channel, poll) in channels.iter_mut().zip(&polls) {
        if poll.revents & libc::POLLIN != 0 {
            channel.acknowledge()?;
        }
    }
    Ok(ready > 0)
}
