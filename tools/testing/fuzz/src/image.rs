// SPDX-License-Identifier: GPL-2.0

//! libFuzzer makes compressed images.

#![no_main]

mod cloop2;

libfuzzer_sys::fuzz_target!(|input: &[u8]| cloop2::play(input));
