// SPDX-License-Identifier: GPL-2.0

//! A xenstore client: the wire protocol of `xs_wire.h` over `/dev/xen/xenbus`.
//!
//! Only what a disk needs: read, write, list, remove. Values are bytes, since a hostile frontend writes bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::slice;
use std::sync::Mutex;

use anyhow::{anyhow, bail, Context, Result};

/// The message types of `xs_wire.h` used here.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Message {
    Directory = 1,
    Read = 2,
    TransactionStart = 6,
    TransactionEnd = 7,
    Write = 11,
    Rm = 13,
}

const ERROR: u32 = 16;
const HEADER: usize = 16;

/// How often a transaction is tried.
const TRANSACTION_TRIES: u32 = 100;

/// How many messages may wait for an answer at a time.
const AT_ONCE: usize = 8;

/// A connection to xenstore, shared by all objects of a process.
pub struct XenStore {
    /// One for each message that waits for an answer: the kernel keeps a message where it has it from one `write()`,
    /// which the next would overwrite.
    devices: Mutex<Vec<File>>,
}

/// A change of one node.
pub struct Change {
    path: String,
    value: Option<Vec<u8>>,
}

impl Change {
    /// Sets `path` to `value`, making the node and its parents.
    pub fn write(path: String, value: impl AsRef<[u8]>) -> Self {
        let value = Some(value.as_ref().to_vec());
        Self { path, value }
    }

    /// Removes `path` and everything below it; a node that is not there is no error.
    pub fn remove(path: String) -> Self {
        Self { path, value: None }
    }
}

impl XenStore {
    /// Opens the kernel's xenstore device.
    pub fn open() -> Result<Self> {
        let devices = (0..AT_ONCE)
            .map(|_| {
                let path = "/dev/xen/xenbus";
                OpenOptions::new().read(true).write(true).open(path)
            })
            .collect::<io::Result<_>>()
            .context("cannot open /dev/xen/xenbus: is this a Xen domain with xenfs or xen-privcmd loaded?")?;
        Ok(Self {
            devices: Mutex::new(devices),
        })
    }

    /// Returns the value of `path`, or `None` when there is no such node.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.call(&Call::on(Message::Read, path))
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
        self.change(&[Change::write(path.to_owned(), value)])
    }

    /// Removes `path` and everything below it; a node that is not there is no error.
    pub fn remove(&self, path: &str) -> Result<()> {
        self.change(&[Change::remove(path.to_owned())])
    }

    /// Makes changes in this order, which others may see one by one. None waits for the answer to another.
    pub fn change(&self, changes: &[Change]) -> Result<()> {
        let calls: Vec<Call> = changes.iter().map(Call::to_make).collect();
        self.exchange(&calls)?
            .into_iter()
            .try_for_each(|answer| answer.map(|_| ()))
    }

    /// Makes changes in a transaction: others see none of them, or all.
    pub fn change_together(&self, changes: &[Change]) -> Result<()> {
        for _ in 0..TRANSACTION_TRIES {
            let id = self.call(&Call::on(Message::TransactionStart, ""))?;
            let id = String::from_utf8(id.context("there is no transaction")?)?;
            let transaction = id.trim_end_matches('\0').parse()?;
            for change in changes {
                let call = Call::to_make(change);
                // What is not there is removed already.
                self.call(&Call {
                    transaction,
                    ..call
                })?;
            }
            let end = Call::on(Message::TransactionEnd, "T");
            match self.call(&Call { transaction, ..end }) {
                Err(error) if error.to_string().ends_with("EAGAIN") => {}
                ended => return ended.map(|_| ()),
            }
        }
        bail!("others change the same nodes all the time")
    }

    /// Returns the names of the children of `path`; none when it does not exist.
    pub fn list(&self, path: &str) -> Result<Vec<String>> {
        let names = self
            .call(&Call::on(Message::Directory, path))?
            .unwrap_or_default();
        Ok(names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }

    /// Sends one message and returns the answer's body, or `None` when xenstore says `ENOENT`.
    fn call(&self, call: &Call) -> Result<Option<Vec<u8>>> {
        let answer = self.exchange(slice::from_ref(call))?.pop();
        answer.context("xenstore gave no answer")?
    }

    /// Sends messages in this order, and returns what [`XenStore::call`] does for each.
    fn exchange(&self, calls: &[Call]) -> Result<Vec<Result<Option<Vec<u8>>>>> {
        let mut devices = self
            .devices
            .lock()
            .map_err(|_| anyhow!("a thread panicked"))?;
        let mut answers = Vec::new();
        for calls in calls.chunks(AT_ONCE) {
            for (device, call) in devices.iter_mut().zip(calls) {
                device.write_all(&call.packet()?).with_context(|| {
                    format!("xenstore does not take what is about {}", call.path)
                })?;
            }
            for (device, call) in devices.iter_mut().zip(calls) {
                let (kind, answer) = read_answer(device)
                    .with_context(|| format!("xenstore did not answer for {}", call.path))?;
                answers.push(call.result(kind, answer));
            }
        }
        Ok(answers)
    }
}

/// A message to xenstore about a node.
struct Call<'a> {
    message: Message,
    /// 0 is none.
    transaction: u32,
    path: &'a str,
    value: &'a [u8],
}

impl<'a> Call<'a> {
    fn on(message: Message, path: &'a str) -> Self {
        Self {
            message,
            transaction: 0,
            path,
            value: &[],
        }
    }

    fn to_make(change: &'a Change) -> Self {
        match &change.value {
            Some(value) => Self {
                value,
                ..Self::on(Message::Write, &change.path)
            },
            None => Self::on(Message::Rm, &change.path),
        }
    }

    fn packet(&self) -> Result<Vec<u8>> {
        let length = u32::try_from(self.path.len() + 1 + self.value.len())?;
        let mut packet = Vec::new();
        // Type, request id, transaction, length.
        for word in [self.message as u32, 0, self.transaction, length] {
            packet.extend_from_slice(&word.to_ne_bytes());
        }
        packet.extend_from_slice(self.path.as_bytes());
        packet.push(0);
        packet.extend_from_slice(self.value);
        Ok(packet)
    }

    fn result(&self, kind: u32, answer: Vec<u8>) -> Result<Option<Vec<u8>>> {
        if kind != ERROR {
            return Ok(Some(answer));
        }
        match answer.strip_suffix(b"\0").unwrap_or(&answer) {
            b"ENOENT" => Ok(None),
            error => bail!(
                "xenstore: {}: {}",
                self.path,
                String::from_utf8_lossy(error)
            ),
        }
    }
}

/// Reads an answer: its type and its body.
fn read_answer(device: &mut impl Read) -> io::Result<(u32, Vec<u8>)> {
    let mut header = [0; HEADER];
    device.read_exact(&mut header)?;
    let word = |at: usize| {
        u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let mut answer = vec![0; word(12) as usize];
    device.read_exact(&mut answer)?;
    Ok((word(0), answer))
}
