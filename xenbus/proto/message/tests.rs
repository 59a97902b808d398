// SPDX-License-Identifier: GPL-2.0

//! The exact text of every line.

use super::*;
use crate::abi::Abi;

const PATH: &[u8] = b"backend/vbd/3/769";
const GUEST: DomainId = DomainId(3);
const SDA3: DeviceNumber = DeviceNumber { major: 8, minor: 3 };

#[test]
fn the_three_of_the_manual_page_are_verbatim() {
    let connected = |protocol| Message::Connected {
        handle: Handle(51712),
        domain: GUEST,
        port: Port(17),
        protocol,
    };
    let table = [
        (
            Message::Attach {
                device: b"sda3",
                size: 1 << 41,
                domain: GUEST,
            },
            "xbd backend: attach device sda3 (size 2199023255552) for domain 3",
        ),
        (
            connected(Protocol::Named(Abi::X86_32)),
            "xbd backend 0xca00 for domain 3 using event channel 17, protocol x86_32-abi",
        ),
        (
            connected(Protocol::Named(Abi::X86_64)),
            "xbd backend 0xca00 for domain 3 using event channel 17, protocol x86_64-abi",
        ),
        (
            connected(Protocol::Unspecified),
            "xbd backend 0xca00 for domain 3 using event channel 17, protocol unspecified",
        ),
        (
            Message::CannotOpen {
                path: PATH,
                device: SDA3,
                errno: Errno::new(-16),
            },
            "xbdback backend/vbd/3/769: can't VOP_OPEN device 0x803: 16",
        ),
    ];
    for (message, text) in table {
        assert_eq!(message.to_string(), text);
        assert!(!message.guest_can_provoke());
    }
}

#[test]
fn the_others_are_in_the_words_of_netbsd() {
    let errno = Errno::new(-2);
    let unknown = Protocol::parse(Some(b"arm-abi\n")).unwrap_err();
    let table = [
        (
            Message::Detach {
                device: b"sda3",
                domain: GUEST,
            },
            "xbd backend: detach device sda3 for domain 3",
        ),
        (
            Message::CannotParsePath {
                path: b"backend/vbd/3/x",
            },
            "xbdback: can't parse backend/vbd/3/x",
        ),
        (
            Message::CannotWatchDevice { path: PATH, errno },
            "failed to watch on backend/vbd/3/769/physical-device: 2",
        ),
        (
            Message::CannotSwitchToInitWait { path: PATH, errno },
            "failed to switch state on backend/vbd/3/769: 2",
        ),
        (
            Message::ChangingDevice {
                path: PATH,
                from: SDA3,
                to: DeviceNumber { major: 7, minor: 0 },
            },
            "xbdback backend/vbd/3/769: changing physical device from 0x803 to 0x700 not supported",
        ),
        (
            Message::CannotReadMode { path: PATH, errno },
            "xbdback: failed to read backend/vbd/3/769/mode: 2",
        ),
        (
            Message::CannotWrite {
                path: PATH,
                key: b"sectors",
                errno,
            },
            "xbdback: failed to write backend/vbd/3/769/sectors: 2",
        ),
        (
            Message::CannotEndTransaction { path: PATH, errno },
            "xbdback backend/vbd/3/769: can't end transaction: 2",
        ),
        (
            Message::CannotSwitchState { path: PATH, errno },
            "xbdback backend/vbd/3/769: can't switch state: 2",
        ),
        (
            Message::InvalidFrontendState {
                path: PATH,
                state: 7,
            },
            "xbdback backend/vbd/3/769: invalid frontend state 7",
        ),
        (
            Message::UnknownProtocol {
                domain: GUEST,
                protocol: unknown,
            },
            r"xbd domain 3: unknown proto arm-abi\x0a",
        ),
        (
            Message::CannotMapRing { path: PATH },
            "xbdback backend/vbd/3/769: can't map grant ref",
        ),
        (
            Message::CannotBindEventChannel {
                frontend: b"/local/domain/3/device/vbd/769",
                errno,
            },
            "blkback /local/domain/3/device/vbd/769: can't get event channel: 2",
        ),
        (
            Message::Rejected {
                name: "xbdback3i769",
                reason: Reason::NoSegments,
            },
            "xbdback3i769: invalid number of segments",
        ),
        (
            Message::FlushFailed { path: PATH, errno },
            "xbdback backend/vbd/3/769: DIOCCACHESYNC returned 2",
        ),
        (
            Message::CorruptBlock {
                file: b"/srv/cd.izo",
                block: 7,
            },
            "/srv/cd.izo: block 7 is corrupt",
        ),
        (
            Message::IoError {
                domain: GUEST,
                errno,
            },
            "xbd IO domain 3: error 2",
        ),
    ];
    for (message, text) in table {
        assert_eq!(message.to_string(), text);
    }
}

/// R29: these need a rate limit.
#[test]
fn what_a_guest_can_cause_at_will_is_known() {
    let errno = Errno::new(5);
    let (name, path, domain) = ("xbdback3i769", PATH, GUEST);
    let reason = Reason::TooManySegments;
    let protocol = Protocol::parse(Some(b"")).unwrap_err();
    for message in [
        Message::Rejected { name, reason },
        Message::IoError { domain, errno },
        Message::FlushFailed { path, errno },
        Message::CorruptBlock {
            file: path,
            block: 0,
        },
        Message::InvalidFrontendState { path, state: 2 },
        Message::UnknownProtocol { domain, protocol },
        Message::CannotMapRing { path },
    ] {
        assert!(message.guest_can_provoke(), "{message}");
    }
}

/// R29: whatever a toolstack or guest put into a name stays on its line.
#[test]
fn no_line_has_a_line_break() {
    let message = Message::Attach {
        device: b"x\n<0>Kernel panic",
        size: 0,
        domain: GUEST,
    };
    assert!(!message.to_string().contains('\n'));
}
