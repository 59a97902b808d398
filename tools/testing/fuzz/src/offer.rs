// SPDX-License-Identifier: GPL-2.0

//! A frontend whose every node is read from a string of bytes, against the reading of its offer.
//!
//! The host tests play it too, with random strings, so that it is tried where there is no fuzzer.

use xenbus_proto::negotiation::{
    Abilities,
    FrontendOffer,
    Unusable,
    MAX_QUEUES, //
};
use xenbus_proto::problem::Problem;

/// Texts that a frontend might write, good and bad; others are made of the input.
const TEXTS: [&[u8]; 16] = [
    b"1",
    b"2",
    b"3",
    b"4",
    b"8",
    b"16",
    b"0",
    b"15",
    b"17",
    b"31",
    b"4294967295",
    b"4294967296",
    b"-1",
    b"",
    b"x86_32-abi",
    b"x86_64-abi",
];

/// What one byte of the input makes of a node: nothing, one of the texts, or a number of its own.
fn text(choice: u8, number: usize) -> Option<Vec<u8>> {
    match choice {
        0..16 => Some(TEXTS[usize::from(choice)].to_vec()),
        16..24 => None,
        24 => Some(vec![0xff, b'%', b's', 0]),
        25 => Some(vec![b'9'; 4096]),
        _ => Some(number.to_string().into_bytes()),
    }
}

/// Reads an offer; panics when it is not what the frontend wrote, or more than it was offered.
pub fn play(input: &[u8]) {
    let [order, queues, features, choices @ ..] = input else {
        return;
    };
    let abilities = Abilities {
        ring_page_order: u32::from(*order % 8),
        queues: u32::from(*queues % 32),
        indirect_segments: 0,
        persistent_grants: features & 1 != 0,
        discard: false,
    };
    let mut written = Vec::new();
    let offer = FrontendOffer::read(&abilities, |key| {
        let number = written.len();
        let choice = choices.get(number).copied().unwrap_or(0xff);
        let text = text(choice, number);
        written.push((key.to_str().unwrap().to_owned(), text.clone()));
        Ok::<_, ()>(text)
    });
    match offer.unwrap() {
        Ok(offer) => check(&offer, &abilities, &written),
        Err(unusable) => check_refusal(unusable, &written),
    }
}

/// The nodes that were asked for, in that order.
type Written = [(String, Option<Vec<u8>>)];

/// The number that the frontend wrote.
fn number(written: &Written, key: &str) -> Option<u32> {
    let (_, text) = written.iter().find(|(name, _)| name == key)?;
    let text = String::from_utf8(text.clone()?).unwrap();
    Some(text.parse().unwrap())
}

fn check(offer: &FrontendOffer, abilities: &Abilities, written: &Written) {
    let pages = offer.ring_size().pages();
    let count = offer.queues().len();
    assert!(pages <= 1 << abilities.ring_page_order && pages <= 16);
    assert!(count <= MAX_QUEUES && count <= abilities.queues.max(1) as usize);
    assert!(abilities.persistent_grants || !offer.persistent());
    let wanted = number(written, "multi-queue-num-queues").unwrap_or(1);
    assert_eq!(count, wanted as usize);

    for (place, queue) in offer.queues().iter().enumerate() {
        let dir = match count {
            1 => String::new(),
            _ => format!("queue-{place}/"),
        };
        assert_eq!(queue.pages().len(), pages);
        let port = number(written, &format!("{dir}event-channel"));
        assert_eq!(Some(queue.port().0), port);
        for (number_of_page, page) in queue.pages().iter().enumerate() {
            let numbered = number(written, &format!("{dir}ring-ref{number_of_page}"));
            let plain = || number(written, &format!("{dir}ring-ref"));
            assert_eq!(Some(page.0), numbered.or_else(plain));
        }
        let others = offer.queues().iter().skip(place + 1);
        assert!(others.into_iter().all(|other| other.port() != queue.port()));
    }
}

/// What is refused is named, and was read last.
fn check_refusal(unusable: Unusable, written: &Written) {
    let text = Problem::FrontendNodes(unusable).to_string();
    assert!(text.len() < 256 && text.is_ascii() && !text.contains('\n'));
    let key = match unusable {
        Unusable::Missing(key) | Unusable::Number(key, _) => key,
        Unusable::TooMuch { key, value, max } => {
            assert!(value > max);
            key
        }
        Unusable::SamePort(key, _) => {
            assert!(written.iter().any(|(name, _)| name == key.as_str()));
            return;
        }
        Unusable::Protocol(_) => {
            assert_eq!(written.len(), 1);
            return;
        }
    };
    assert_eq!(
        written.last().map(|(name, _)| name.as_str()),
        Some(key.as_str())
    );
}
