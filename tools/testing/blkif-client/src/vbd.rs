// SPDX-License-Identifier: GPL-2.0

//! The toolstack's part: the xenstore directories of one disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Context, Result};

use crate::backing::Device;
use crate::wait::{patience, wait_for};
use crate::wire::state;
use crate::xenstore::{Change, XenStore};

/// Outside `device/`, so that no kernel frontend takes our disks.
const FRONTENDS: &str = "/local/domain/0/blkif-client/vbd";
const BACKENDS: &str = "/local/domain/0/backend/vbd/0";
const ERRORS: &str = "/local/domain/0/error/backend/vbd/0";

/// How long a disk that is told to go may take to say that it is closed, before its directory is removed anyway.
const STUCK: Duration = Duration::from_millis(1500);

/// What a disk's directories start with.
pub struct Spec {
    /// The number of the disk: the last component of both directories.
    pub handle: u32,
    /// `physical-device`, or nothing, as before a hotplug script has run.
    pub device: Option<Device>,
    /// `r`, `w` or `w!`.
    pub mode: &'static str,
    /// The frontend's first state.
    pub frontend_state: &'static str,
}

/// The pair of directories; taken away again when dropped.
pub struct Vbd {
    store: Arc<XenStore>,
    handle: u32,
    frontend: String,
    backend: String,
}

impl Vbd {
    /// Makes the directories as `xl block-attach` does; the backend's state comes last and starts its driver.
    pub fn create(store: &Arc<XenStore>, spec: &Spec) -> Result<Self> {
        let vbd = Self::adopt(store, spec.handle);
        store.change(&vbd.creation(spec))?;
        Ok(vbd)
    }

    /// Makes another disk of this number in one transaction, in which the directories of this one go.
    pub fn replace(&self, spec: &Spec) -> Result<()> {
        let mut changes = [&self.backend, &self.frontend]
            .map(|path| Change::remove(path.clone()))
            .into_iter()
            .collect::<Vec<_>>();
        changes.extend(self.creation(spec));
        self.store.change_together(&changes)
    }

    /// What makes the directories.
    fn creation(&self, spec: &Spec) -> Vec<Change> {
        let handle = self.handle.to_string();
        let frontend = [
            ("backend", self.backend.as_str()),
            ("backend-id", "0"),
            ("virtual-device", &handle),
            ("device-type", "disk"),
            ("state", spec.frontend_state),
        ];
        let backend = [
            ("frontend", self.frontend.as_str()),
            ("frontend-id", "0"),
            ("online", "1"),
            ("removable", "0"),
            ("bootable", "0"),
            ("dev", "xvda"),
            ("type", "phy"),
            ("device-type", "disk"),
            ("mode", spec.mode),
        ];
        let mut changes: Vec<Change> = frontend
            .map(|(node, value)| self.change(node, Some(value)))
            .into_iter()
            .chain(backend.map(|(node, value)| self.backend_change(node, value)))
            .collect();
        if let Some(device) = spec.device {
            changes.extend(self.plug_changes(device));
        }
        changes.push(self.backend_change("state", "1"));
        changes
    }

    fn change(&self, node: &str, value: Option<impl AsRef<[u8]>>) -> Change {
        let path = format!("{}/{node}", self.frontend);
        match value {
            Some(value) => Change::write(path, value),
            None => Change::remove(path),
        }
    }

    fn backend_change(&self, node: &str, value: impl AsRef<[u8]>) -> Change {
        Change::write(format!("{}/{node}", self.backend), value)
    }

    fn plug_changes(&self, device: Device) -> [Change; 2] {
        [
            self.backend_change("physical-device", device.to_string()),
            self.backend_change("hotplug-status", "connected"),
        ]
    }

    /// Takes over the directories of a disk that somebody else has made.
    pub fn adopt(store: &Arc<XenStore>, handle: u32) -> Self {
        Self {
            store: store.clone(),
            handle,
            frontend: format!("{FRONTENDS}/{handle}"),
            backend: format!("{BACKENDS}/{handle}"),
        }
    }

    /// The number of the disk.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// What a hotplug script does when the device is ready.
    pub fn plug(&self, device: Device) -> Result<()> {
        self.store.change(&self.plug_changes(device))
    }

    /// Writes a node of the frontend.
    pub fn set(&self, node: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.store.change(&[self.change(node, Some(value))])
    }

    /// Writes nodes of the frontend, or removes those that are to have no value, in this order.
    pub fn set_all(&self, nodes: &[(String, Option<String>)]) -> Result<()> {
        let changes: Vec<Change> = nodes
            .iter()
            .map(|(node, value)| self.change(node, value.as_ref()))
            .collect();
        self.store.change(&changes)
    }

    /// Writes nodes of the frontend in one transaction.
    pub fn set_together(&self, nodes: &[(&str, &str)]) -> Result<()> {
        let changes: Vec<Change> = nodes
            .iter()
            .map(|(node, value)| self.change(node, Some(value)))
            .collect();
        self.store.change_together(&changes)
    }

    /// Removes a node of the frontend.
    pub fn unset(&self, node: &str) -> Result<()> {
        self.store.remove(&format!("{}/{node}", self.frontend))
    }

    /// Writes a node of the backend.
    pub fn set_backend(&self, node: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.store.write(&format!("{}/{node}", self.backend), value)
    }

    /// Removes a node of the backend.
    pub fn unset_backend(&self, node: &str) -> Result<()> {
        self.store.remove(&format!("{}/{node}", self.backend))
    }

    /// Reads a node of the backend.
    pub fn backend_node(&self, node: &str) -> Result<Option<String>> {
        self.store.read_text(&format!("{}/{node}", self.backend))
    }

    /// Reads a number the backend publishes; what is not there is 0, as for the `feature-` nodes.
    pub fn backend_number(&self, node: &str) -> Result<u64> {
        match self.backend_node(node)? {
            None => Ok(0),
            Some(text) => text
                .parse()
                .with_context(|| format!("the backend's {node} is \"{text}\"")),
        }
    }

    /// The sentence the backend left for the administrator, if any.
    pub fn error_node(&self) -> Result<Option<String>> {
        self.store
            .read_text(&format!("{ERRORS}/{}/error", self.handle))
    }

    /// Sets the frontend's state.
    pub fn set_state(&self, state: u32) -> Result<()> {
        self.set("state", state.to_string())
    }

    /// The backend's state; 0 when it has none.
    pub fn backend_state(&self) -> Result<u32> {
        let text = self.backend_node("state")?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Waits until the backend's state is one of `wanted`.
    pub fn wait_backend(&self, wanted: &[u32]) -> Result<u32> {
        let reached = wait_for(patience(), || {
            Ok(Some(self.backend_state()?).filter(|now| wanted.contains(now)))
        })?;
        match reached {
            Some(now) => Ok(now),
            None => bail!(
                "the backend is in state {}, not {wanted:?}, after {:?} (error node: {:?})",
                self.backend_state()?,
                patience(),
                self.error_node()?
            ),
        }
    }

    /// The directory of the backend's kernel device, which exists while a driver may hold something for it.
    pub fn sysfs(&self) -> PathBuf {
        PathBuf::from(format!(
            "/sys/bus/xen-backend/devices/vbd-0-{}",
            self.handle
        ))
    }

    /// Reads a number from the kernel device's directory.
    pub fn sysfs_number(&self, attribute: &str) -> Result<u64> {
        let path = self.sysfs().join(attribute);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.trim()
            .parse()
            .with_context(|| format!("{} is \"{text}\"", path.display()))
    }

    /// Removes the frontend's directory.
    pub fn remove_frontend(&self) -> Result<()> {
        self.store.remove(&self.frontend)
    }

    /// Removes the backend's directory.
    pub fn remove_backend(&self) -> Result<()> {
        self.store.remove(&self.backend)
    }

    /// Waits until the kernel has let go of the disk.
    pub fn wait_gone(&self) -> Result<()> {
        let gone = wait_for(patience(), || Ok((!self.sysfs().exists()).then_some(())))?;
        match gone {
            Some(()) => Ok(()),
            None => bail!(
                "the backend still holds {} after {:?}; its directory has {:?}",
                self.sysfs().display(),
                patience(),
                self.store.list(&self.backend)?
            ),
        }
    }

    /// Takes the disk away from any state, as a toolstack does with a domain that is gone, and waits for the kernel.
    pub fn destroy(&self) -> Result<()> {
        if self.store.exists(&self.backend)? {
            self.set_backend("online", "0")?;
        }
        if self.store.exists(&self.frontend)? {
            self.set_state(state::CLOSED)?;
        }
        // Some drivers let the kernel device go by themselves, some only with its directory.
        let _closed_or_stuck = wait_for(STUCK, || {
            let closed = self.backend_state()? == state::CLOSED;
            Ok((closed || !self.sysfs().exists()).then_some(()))
        })?;
        let errors = format!("{ERRORS}/{}", self.handle);
        self.store
            .change(&[self.backend.clone(), self.frontend.clone(), errors].map(Change::remove))?;
        self.wait_gone()
    }

    /// What is left of disk `handle` that should not be there.
    pub fn leftover(store: &XenStore, handle: u32) -> Result<Option<String>> {
        for path in [
            format!("{FRONTENDS}/{handle}"),
            format!("{BACKENDS}/{handle}"),
        ] {
            if store.exists(&path)? {
                return Ok(Some(format!("xenstore still has {path}")));
            }
        }
        let device = PathBuf::from(format!("/sys/bus/xen-backend/devices/vbd-0-{handle}"));
        Ok(device
            .exists()
            .then(|| format!("the kernel still has {}", device.display())))
    }
}

impl Drop for Vbd {
    fn drop(&mut self) {
        if let Err(error) = self.destroy() {
            println!("# disk {}: {error:#}", self.handle);
        }
    }
}
