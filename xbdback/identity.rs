// SPDX-License-Identifier: GPL-2.0

//! Which disk of which guest: what the toolstack has fixed for the disk's life.

use crate::say::say;
use kernel::{
    device::Core,
    prelude::*,
    str::CString,
    sync::aref::ARef, //
};
use xenbus::device::Device;
use xenbus_proto::{
    device::{
        interface_name,
        Handle,
        InterfaceName, //
    },
    message::Message,
    number::DomainId, //
};

/// Which disk it is.
pub(crate) struct Identity {
    /// The backend's device.
    pub(crate) dev: ARef<Device>,
    /// The frontend's directory.
    pub(crate) frontend: CString,
    pub(crate) domain: DomainId,
    pub(crate) handle: Handle,
    /// `xbdback<domain>i<handle>`.
    pub(crate) name: InterfaceName,
}

impl Identity {
    /// The disk of a device that has just been probed.
    pub(crate) fn new(dev: &Device<Core<'_>>) -> Result<Self> {
        let path = dev.nodename();
        let handle = Handle::from_backend_path(path.to_bytes()).map_err(|_| {
            say(&Message::CannotParsePath {
                path: path.to_bytes(),
            });
            EINVAL
        })?;
        let domain = dev.otherend_id();
        Ok(Self {
            dev: dev.into(),
            frontend: CString::try_from_fmt(format_args!("{}", dev.otherend().to_str()?))?,
            domain,
            handle,
            name: interface_name(domain, handle),
        })
    }
}
