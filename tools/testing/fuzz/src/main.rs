// SPDX-License-Identifier: GPL-2.0

//! libFuzzer plays the frontend.

#![no_main]

use xenbus_proto::abi::Abi;
use xenbus_proto::ring::{
    RingSize,
    SharedRing, //
};
use xenbus_proto::slot::RawSlot;

mod frontend;
#[path = "../../../../xenbus/proto/ring/mock.rs"]
#[expect(dead_code, reason = "the fuzzer writes to the ring by itself")]
mod mock;

libfuzzer_sys::fuzz_target!(|input: &[u8]| frontend::play(input));
