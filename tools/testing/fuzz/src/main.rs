// SPDX-License-Identifier: GPL-2.0

//! libFuzzer plays the frontend: the first bit says whether before it is connected or after.

#![no_main]

use xenbus_proto::abi::Abi;
use xenbus_proto::response::Response;
use xenbus_proto::ring::{
    RingSize,
    SharedRing, //
};
use xenbus_proto::slot::RawSlot;

mod frontend;
#[path = "../../../../xenbus/proto/ring/mock.rs"]
#[expect(dead_code, reason = "the fuzzer writes to the ring by itself")]
mod mock;
mod offer;

libfuzzer_sys::fuzz_target!(|input: &[u8]| match input {
    [0x80..=0xff, nodes @ ..] => offer::play(nodes),
    moves => frontend::play(moves),
});
