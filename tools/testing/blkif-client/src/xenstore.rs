// SPDX-License-Identifier: GPL-2.0

//! A xenstore client: the wire protocol of `xs_wire.h` over `/dev/xen/xenbus`.
//!
//! Only what a disk needs: read, write, list, remove. Values are bytes, since a hostile frontend writes bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::Mutex;

use anyhow::{bail, Context, Result};

/// The message types of `xs_wire.h` used here.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Message {
    Directory = 1,
    Read = 2,
    Write = 11,
    Rm = 13,
}

const ERROR: u32 = 16;
const HEADER: usize = 16;

/// A connection to xenstore, shared by all objects of a process.
pub struct XenStore {
    device: Mutex<File>,
}

impl XenStore {
    /// Opens the kernel's xenstore device.
    pub fn open() -> Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/xen/xenbus")
            .context("cannot open /dev/xen/xenbus: is this a Xen domain with xenfs or xen-privcmd loaded?")?;
        Ok(Self {
            device: Mutex::new(device),
        })
    }

    /// Returns the value of `path`, or `None` when there is no such node.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.call(Message::Read, &[path.as_bytes(), b"\0"])
    }

    /// Returns the value of `path` as text, or `None` when there is no such node.
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        Ok(self
            .read(path)?
            .map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    /// Says whether there is a node called `path`.
    pub fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.read(path)?.is_some())
    }

    /// Sets `path` to `value`, making the node and its parents.
    pub fn write(&self, path: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.call(Message::Write, &[path.as_bytes(), b"\0", value.as_ref()])?;
        Ok(())
    }

    /// Removes `path` and everything below it; a node that is not there is no error.
    pub fn remove(&self, path: &str) -> Result<()> {
        self.call(Message::Rm, &[path.as_bytes(), b"\0"])?;
        Ok(())
    }

    /// Returns the names of the children of `path`; none when it does not exist.
    pub fn list(&self, path: &str) -> Result<Vec<String>> {
        let names = self
            .call(Message::Directory, &[path.as_bytes(), b"\0"])?
            .unwrap_or_default();
        Ok(names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }

    /// Sends one message and returns the answer's body, or `None` when xenstore says `ENOENT`.
    fn call(&self, message: Message, parts: &[&[u8]]) -> Result<Option<Vec<u8>>> {
        let body = parts.concat();
        let name = String::from_utf8_lossy(parts[0]).into_owned();
        let (kind, answer) = self
            .exchange(message as u32, &body)
            .with_context(|| format!("xenstore did not answer for {name}"))?;
        if kind != ERROR {
            return Ok(Some(answer));
        }
        match answer.strip_suffix(b"\0").unwrap_or(&answer) {
            b"ENOENT" => Ok(None),
            error => bail!("xenstore: {name}: {}", String::from_utf8_lossy(error)),
        }
    }

    fn exchange(&self, kind: u32, body: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut packet = Vec::with_capacity(HEADER + body.len());
        // Type, request id, transaction, length.
        for word in [kind, 0, 0, length] {
            packet.extend_from_slice(&word.to_ne_bytes());
        }
        packet.extend_from_slice(body);

        let mut device = self.device.lock().map_err(|_| io::ErrorKind::Other)?;
        // The kernel takes a message from one write() only when it is whole.
        device.write_all(&packet)?;
        let mut header = [0; HEADER];
        device.read_exact(&mut header)?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let mut answer = vec![0; word(12) as usize];
        device.read_exact(&mut answer)?;
        Ok((word(0), answer))
    }
}
