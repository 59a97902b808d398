// SPDX-License-Identifier: GPL-2.0

//! What holds for every input, tried on many: `PROPTEST_CASES` says on how many.

use proptest::prelude::ProptestConfig;
use xenbus_proto::abi::Abi;
use xenbus_proto::response::Response;
use xenbus_proto::ring::{
    RingSize,
    SharedRing, //
};
use xenbus_proto::slot::RawSlot;

#[path = "../../../fuzz/src/frontend.rs"]
mod frontend;
mod fuzz;
mod grant_cache;
#[path = "../../../../../xenbus/proto/ring/mock.rs"]
mod mock;
#[path = "../../../fuzz/src/offer.rs"]
mod offer;
mod parser;
mod ring;
mod state;

/// A run of this many cases, unless the environment says otherwise.
fn cases(count: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    // A failure is printed with its input, which belongs in a table test.
    config.failure_persistence = None;
    config
}
