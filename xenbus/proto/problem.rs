// SPDX-License-Identifier: GPL-2.0

//! What an administrator reads in xenstore's `error/` node: what happened, and what to do.
//!
//! The node holds an error number, positive, and a sentence; the number is the caller's part.

use core::fmt;

use crate::message::Errno;
use crate::negotiation::Unusable;
use crate::ring::BadProducer;
use crate::text::Escaped;

/// Something that keeps a disk from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem<'a> {
    /// The device or file cannot be opened.
    CannotOpen {
        /// As the toolstack named it.
        device: &'a [u8],
        /// Why.
        errno: Errno,
    },
    /// `physical-device` names no device.
    InvalidDevice {
        /// What it says.
        node: &'a [u8],
    },
    /// The toolstack has not said whether the guest may write.
    NoMode {
        /// Why its node cannot be read.
        errno: Errno,
    },
    /// The frontend's nodes describe no ring.
    FrontendNodes(Unusable),
    /// The frontend's ring cannot be mapped.
    CannotMapRing,
    /// The frontend's event channel cannot be bound.
    CannotBindEventChannel,
    /// The frontend broke its ring.
    RingHalted(BadProducer),
    /// We ran out of something.
    OutOfMemory,
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CannotOpen { device, errno } => cannot_open(f, device, errno),
            Self::InvalidDevice { node } => write!(
                f,
                "physical-device is \"{}\", which is neither MAJOR:MINOR in hexadecimal \
                 nor a decimal device number; check the disk's script",
                Escaped(node),
            ),
            Self::NoMode { errno } => write!(
                f,
                "mode cannot be read, error {errno}; write r, w or w! to it, \
                 then physical-device again",
            ),
            Self::FrontendNodes(unusable) => frontend_nodes(f, unusable),
            Self::CannotMapRing => f.write_str(
                "the guest's ring cannot be mapped; its driver did not grant it to this domain, \
                 or the grant limits are reached",
            ),
            Self::CannotBindEventChannel => f.write_str(
                "the guest's event channel cannot be bound; \
                 its driver did not offer it to this domain",
            ),
            Self::RingHalted(bad) => write!(
                f,
                "{bad}; the disk is halted until the guest closes it, \
                 look for a fault in its driver",
            ),
            Self::OutOfMemory => f.write_str(
                "out of memory; free some in the backend's domain and attach the disk again",
            ),
        }
    }
}

/// Why a device cannot be opened.
fn cannot_open(f: &mut fmt::Formatter<'_>, device: &[u8], errno: Errno) -> fmt::Result {
    let device = Escaped(device);
    match errno {
        Errno::EBUSY => write!(
            f,
            "{device} is in use: unmount it, detach it from the other guest, \
             or share it with mode w! if that is safe",
        ),
        Errno::ENXIO | Errno::ENODEV => write!(
            f,
            "{device} does not exist: create it, then attach the disk again",
        ),
        Errno::EROFS => write!(f, "{device} is read-only: attach the disk with mode r"),
        _ => write!(
            f,
            "{device} cannot be opened, error {errno}: \
             see that it can be read in the backend's domain",
        ),
    }
}

/// What is wrong with a frontend's nodes.
fn frontend_nodes(f: &mut fmt::Formatter<'_>, unusable: Unusable) -> fmt::Result {
    match unusable {
        Unusable::Missing(key) => write!(
            f,
            "the guest's driver has not written {}; this backend offers one ring of one page",
            key.to_str().unwrap_or_default(),
        ),
        Unusable::Number(key, error) => write!(
            f,
            "{} of the guest's driver is {error}; look for a fault in it",
            key.to_str().unwrap_or_default(),
        ),
        Unusable::Protocol(protocol) => write!(
            f,
            "the guest speaks protocol \"{}\", known are x86_32-abi and x86_64-abi",
            protocol.0,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::NumberError;

    #[test]
    fn a_sentence_says_what_to_do() {
        let open = |errno| {
            Problem::CannotOpen {
                device: b"/dev/sda3",
                errno: Errno::new(errno),
            }
            .to_string()
        };
        assert!(open(-16).starts_with("/dev/sda3 is in use: unmount it"));
        assert!(open(-6).contains("does not exist: create it"));
        assert!(open(-30).contains("mode r"));
        assert!(open(-5).contains("error 5"));
        assert!(Problem::InvalidDevice { node: b"x\n" }
            .to_string()
            .contains(r#"is "x\x0a", which"#));
        let unusable = Unusable::Number(c"ring-ref", NumberError::OutOfRange);
        assert!(Problem::FrontendNodes(unusable)
            .to_string()
            .starts_with("ring-ref of the guest's driver is out of range;"));
    }

    /// Nodes of xenstore are short, and one line.
    #[test]
    fn a_sentence_fits_the_node() {
        let text = Problem::CannotOpen {
            device: &[b'\n'; 4096],
            errno: Errno::new(5),
        }
        .to_string();
        assert!(text.len() < 1024 && !text.contains('\n'));
    }
}
