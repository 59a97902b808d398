// SPDX-License-Identifier: GPL-2.0

//! Every line the backend says in the kernel's log.
//!
//! The texts are interface: those of xbdback(4) verbatim, and NetBSD's other ones where the event
//! exists here. They carry no prefix and no line break. Error numbers are positive. What comes from
//! a guest or from xenstore is escaped and bounded.

use core::fmt;

use crate::abi::{
    Protocol,
    UnknownProtocol, //
};
use crate::device::{
    DeviceNumber,
    Handle, //
};
use crate::number::{
    DomainId,
    Port, //
};
use crate::request::Reason;
use crate::text::Escaped;

/// An error number, always positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(u32);

impl Errno {
    /// No such file.
    pub const ENOENT: Self = Self(2);
    /// No such device or address.
    pub const ENXIO: Self = Self(6);
    /// Not permitted.
    pub const EACCES: Self = Self(13);
    /// In use.
    pub const EBUSY: Self = Self(16);
    /// No such device.
    pub const ENODEV: Self = Self(19);
    /// A directory.
    pub const EISDIR: Self = Self(21);
    /// In use as a program, or as swap space.
    pub const ETXTBSY: Self = Self(26);
    /// Read-only.
    pub const EROFS: Self = Self(30);
    /// Not the kind of thing that is wanted.
    pub const EMEDIUMTYPE: Self = Self(124);

    /// From an error number of either sign.
    pub const fn new(errno: i32) -> Self {
        Self(errno.unsigned_abs())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something was refused.
    Warning,
    /// Something was done.
    Info,
}

/// A line of the log.
///
/// `path` is the backend's path relative to its domain, such as `backend/vbd/3/769`; `name` is the
/// interface, such as `xbdback3i769`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The device was opened. Once per open, before `sectors` is written.
    Attach {
        /// Its name without `/dev/`, or the file's path.
        device: &'a [u8],
        /// Its size in bytes.
        size: u64,
        /// The guest.
        domain: DomainId,
    },
    /// The guest's ring is in use. Once per connection.
    Connected {
        /// The disk.
        handle: Handle,
        /// The guest.
        domain: DomainId,
        /// Our port.
        port: Port,
        /// The layout of entries.
        protocol: Protocol,
    },
    /// The device cannot be opened.
    CannotOpen {
        /// The backend.
        path: &'a [u8],
        /// The device.
        device: DeviceNumber,
        /// Why.
        errno: Errno,
    },
    /// The device was closed.
    Detach {
        /// Its name, as when it was attached.
        device: &'a [u8],
        /// The guest.
        domain: DomainId,
    },
    /// The backend's path holds no handle.
    CannotParsePath {
        /// The backend.
        path: &'a [u8],
    },
    /// `physical-device` cannot be watched.
    CannotWatchDevice {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// The first state cannot be written.
    CannotSwitchToInitWait {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// The device was changed while in use.
    ChangingDevice {
        /// The backend.
        path: &'a [u8],
        /// What it is.
        from: DeviceNumber,
        /// What it was to be.
        to: DeviceNumber,
    },
    /// There is no `mode`.
    CannotReadMode {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// A node cannot be written.
    CannotWrite {
        /// The backend.
        path: &'a [u8],
        /// The node.
        key: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// The nodes could not be written together.
    CannotEndTransaction {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// A later state cannot be written.
    CannotSwitchState {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// The frontend is in a state that a frontend cannot be in.
    InvalidFrontendState {
        /// The backend.
        path: &'a [u8],
        /// The state.
        state: u32,
    },
    /// The frontend speaks an unknown protocol.
    UnknownProtocol {
        /// The guest.
        domain: DomainId,
        /// Its word for it.
        protocol: UnknownProtocol,
    },
    /// The ring's page cannot be mapped.
    CannotMapRing {
        /// The backend.
        path: &'a [u8],
    },
    /// The event channel cannot be bound. (The prefix is NetBSD's.)
    CannotBindEventChannel {
        /// The frontend's path.
        frontend: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// A request is refused.
    Rejected {
        /// The interface.
        name: &'a str,
        /// Why.
        reason: Reason,
    },
    /// The disk could not flush its cache. (The name is that of NetBSD's ioctl.)
    FlushFailed {
        /// The backend.
        path: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// A block of a compressed image is not what was once compressed.
    CorruptBlock {
        /// The file.
        file: &'a [u8],
        /// The block's number.
        block: u32,
    },
    /// A request failed.
    IoError {
        /// The guest.
        domain: DomainId,
        /// Why.
        errno: Errno,
    },
}

impl Message<'_> {
    /// How much it matters.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Attach { .. } | Self::Connected { .. } | Self::Detach { .. } => Severity::Info,
            Self::Rejected { .. }
            | Self::ChangingDevice { .. }
            | Self::InvalidFrontendState { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Whether a guest can cause it as often as it likes, so that its rate has to be limited.
    ///
    /// The attach and detach messages are the toolstack's doing. A guest can reconnect at will, but
    /// each time takes a round of xenstore, and the manual page promises the message for every
    /// connection.
    pub const fn guest_can_provoke(&self) -> bool {
        match self {
            Self::InvalidFrontendState { .. }
            | Self::UnknownProtocol { .. }
            | Self::CannotMapRing { .. }
            | Self::CannotBindEventChannel { .. }
            | Self::Rejected { .. }
            | Self::FlushFailed { .. }
            | Self::CorruptBlock { .. }
            | Self::IoError { .. } => true,
            Self::Attach { .. }
            | Self::Connected { .. }
            | Self::CannotOpen { .. }
            | Self::Detach { .. }
            | Self::CannotParsePath { .. }
            | Self::CannotWatchDevice { .. }
            | Self::CannotSwitchToInitWait { .. }
            | Self::ChangingDevice { .. }
            | Self::CannotReadMode { .. }
            | Self::CannotWrite { .. }
            | Self::CannotEndTransaction { .. }
            | Self::CannotSwitchState { .. } => false,
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Attach {
                device,
                size,
                domain,
            } => write!(
                f,
                "xbd backend: attach device {} (size {size}) for domain {domain}",
                Escaped(device),
            ),
            Self::Connected {
                handle,
                domain,
                port,
                protocol,
            } => write!(
                f,
                "xbd backend 0x{:x} for domain {domain} using event channel {port}, protocol {}",
                handle.0, protocol,
            ),
            Self::CannotOpen {
                path,
                device,
                errno,
            } => write!(
                f,
                "xbdback {}: can't VOP_OPEN device 0x{:x}: {errno}",
                Escaped(path),
                device.encode(),
            ),
            Self::Detach { device, domain } => {
                write!(
                    f,
                    "xbd backend: detach device {} for domain {domain}",
                    Escaped(device)
                )
            }
            Self::CannotParsePath { path } => write!(f, "xbdback: can't parse {}", Escaped(path)),
            Self::CannotWatchDevice { path, errno } => {
                write!(
                    f,
                    "failed to watch on {}/physical-device: {errno}",
                    Escaped(path)
                )
            }
            Self::CannotSwitchToInitWait { path, errno } => {
                write!(f, "failed to switch state on {}: {errno}", Escaped(path))
            }
            Self::ChangingDevice { path, from, to } => write!(
                f,
                "xbdback {}: changing physical device from {:#x} to {:#x} not supported",
                Escaped(path),
                from.encode(),
                to.encode()
            ),
            Self::CannotReadMode { path, errno } => {
                write!(f, "xbdback: failed to read {}/mode: {errno}", Escaped(path))
            }
            Self::CannotWrite { path, key, errno } => {
                write!(
                    f,
                    "xbdback: failed to write {}/{}: {errno}",
                    Escaped(path),
                    Escaped(key)
                )
            }
            Self::CannotEndTransaction { path, errno } => {
                write!(
                    f,
                    "xbdback {}: can't end transaction: {errno}",
                    Escaped(path)
                )
            }
            Self::CannotSwitchState { path, errno } => {
                write!(f, "xbdback {}: can't switch state: {errno}", Escaped(path))
            }
            Self::InvalidFrontendState { path, state } => {
                write!(
                    f,
                    "xbdback {}: invalid frontend state {state}",
                    Escaped(path)
                )
            }
            Self::UnknownProtocol { domain, protocol } => {
                write!(f, "xbd domain {domain}: unknown proto {}", protocol.0)
            }
            Self::CannotMapRing { path } => {
                write!(f, "xbdback {}: can't map grant ref", Escaped(path))
            }
            Self::CannotBindEventChannel { frontend, errno } => {
                write!(
                    f,
                    "blkback {}: can't get event channel: {errno}",
                    Escaped(frontend)
                )
            }
            Self::Rejected { name, reason } => write!(f, "{name}: {reason}"),
            Self::FlushFailed { path, errno } => {
                write!(
                    f,
                    "xbdback {}: DIOCCACHESYNC returned {errno}",
                    Escaped(path)
                )
            }
            Self::CorruptBlock { file, block } => {
                write!(f, "{}: block {block} is corrupt", Escaped(file))
            }
            Self::IoError { domain, errno } => write!(f, "xbd IO domain {domain}: error {errno}"),
        }
    }
}

#[cfg(test)]
mod tests;
