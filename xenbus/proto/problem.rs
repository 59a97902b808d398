// SPDX-License-Identifier: GPL-2.0

//! What an administrator reads in xenstore's `error/` node: what happened, and what to do.
//!
//! The node holds an error number, positive, and a sentence; the number is the caller's part.

use core::fmt;

use crate::budget::Refused;
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
    /// `physical-device-format` names no format.
    UnknownFormat {
        /// What it says.
        node: &'a [u8],
    },
    /// Xenstore does not say which device it is.
    CannotRead {
        /// The node that should.
        node: &'a [u8],
        /// Why it cannot be read.
        errno: Errno,
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
    /// The frontend's rings cannot be taken up, for another reason.
    CannotConnect {
        /// Which.
        errno: Errno,
    },
    /// The frontend broke its ring.
    RingHalted(BadProducer),
    /// The guest has as much of something as it may have.
    OverBudget(Refused),
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
            Self::UnknownFormat { node } => write!(
                f,
                "physical-device-format is \"{}\", which is neither raw nor cloop2; \
                 check the disk's script",
                Escaped(node),
            ),
            Self::CannotRead { node, errno } => write!(
                f,
                "{} cannot be read, error {errno}; write it again",
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
            Self::CannotConnect {
                errno: Errno::EACCES,
            } => f.write_str(
                "the guest's driver does not let this domain read its nodes; look for a fault in it",
            ),
            Self::CannotConnect { errno } => write!(
                f,
                "the guest's rings cannot be taken up, error {errno}; attach the disk again",
            ),
            Self::RingHalted(bad) => write!(
                f,
                "{bad}; the disk is halted until the guest closes it, \
                 look for a fault in its driver",
            ),
            Self::OverBudget(refused) => write!(f, "{refused}"),
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
        Errno::ENOENT => write!(
            f,
            "{device} does not exist in the backend's domain: create it, then attach the disk again",
        ),
        Errno::EROFS => write!(f, "{device} is read-only: attach the disk with mode r"),
        Errno::EISDIR => write!(f, "{device} is a directory: name a file in it"),
        Errno::EMEDIUMTYPE => write!(
            f,
            "{device} is no regular file and no block device: name one of these",
        ),
        Errno::ETXTBSY => write!(
            f,
            "{device} is in use, as swap space or as a program: end that, then attach the disk again",
        ),
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
            "the guest's driver has not written {key}; look for a fault in it",
        ),
        Unusable::Number(key, error) => write!(
            f,
            "{key} of the guest's driver is {error}; look for a fault in it",
        ),
        Unusable::TooMuch { key, value, max } => write!(
            f,
            "{key} of the guest's driver is {value}, this backend offered at most {max}; \
             look for a fault in it",
        ),
        Unusable::SamePort(key, port) => write!(
            f,
            "{key} of the guest's driver is {port}, which is another queue's too; \
             look for a fault in it",
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
    use crate::negotiation::Key;
    use crate::number::{
        NumberError,
        Port, //
    };

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
        assert!(open(-2).contains("create it"));
        assert!(open(-21).contains("is a directory"));
        assert!(open(-26).contains("swap"));
        assert!(open(-124).contains("no regular file"));
        assert!(open(-5).contains("error 5"));
        assert!(Problem::InvalidDevice { node: b"x\n" }
            .to_string()
            .contains(r#"is "x\x0a", which"#));
        let connect = |errno| {
            let errno = Errno::new(errno);
            Problem::CannotConnect { errno }.to_string()
        };
        assert!(connect(-13).contains("does not let this domain read its nodes"));
        assert!(connect(-4).contains("cannot be taken up, error 4; attach the disk again"));
        assert!(Problem::UnknownFormat { node: b"vhd" }
            .to_string()
            .contains(r#"is "vhd", which is neither raw nor cloop2"#));
    }

    #[test]
    fn a_sentence_names_the_node() {
        let key = Key::new("queue-1/ring-ref0");
        let table = [
            (
                Unusable::Missing(key),
                "the guest's driver has not written queue-1/ring-ref0;",
            ),
            (
                Unusable::Number(key, NumberError::OutOfRange),
                "queue-1/ring-ref0 of the guest's driver is out of range;",
            ),
            (
                Unusable::TooMuch {
                    key: Key::new("ring-page-order"),
                    value: 31,
                    max: 4,
                },
                "ring-page-order of the guest's driver is 31, this backend offered at most 4;",
            ),
            (
                Unusable::SamePort(Key::new("queue-2/event-channel"), Port(15)),
                "queue-2/event-channel of the guest's driver is 15, which is another queue's too;",
            ),
        ];
        let unread = Problem::CannotRead {
            node: b"physical-device-path",
            errno: Errno::new(-22),
        };
        let text = unread.to_string();
        assert!(text.starts_with("physical-device-path cannot be read, error 22;"));
        for (unusable, start) in table {
            let text = Problem::FrontendNodes(unusable).to_string();
            assert!(text.starts_with(start), "{text}");
        }
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
