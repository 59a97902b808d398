// SPDX-License-Identifier: GPL-2.0

//! Discards: one that is right, and wrong ones.

use super::{ErrorIfFeature, Feature, Material, Row};
use crate::request::Discard;
use crate::wire::offers::DISCARD;

macro_rules! discard {
    (|$material:ident| $sector:expr, $count:expr) => {
        |$material: &mut Material, id: u64| {
            $material.encode(&Discard {
                id,
                flag: 0,
                sector: $sector,
                count: $count,
            })
        }
    };
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    ("discard", discard!(|_m| 1024, 1024), Feature(DISCARD)),
    ("discard-at-the-end", discard!(|m| m.sectors, 8), ErrorIfFeature(DISCARD)),
    ("discard-across-the-end", discard!(|m| m.sectors - 8, 16), ErrorIfFeature(DISCARD)),
    ("discard-of-more-than-there-is", discard!(|m| 0, m.sectors + 1), ErrorIfFeature(DISCARD)),
    ("discard-wraps", discard!(|_m| u64::MAX - 7, 16), ErrorIfFeature(DISCARD)),
    ("discard-wraps-to-0", discard!(|_m| u64::MAX - 7, 8), ErrorIfFeature(DISCARD)),
    ("discard-count-wraps", discard!(|_m| 8, u64::MAX - 7), ErrorIfFeature(DISCARD)),
    ("discard-in-bytes-wraps", discard!(|_m| 8, 1 << 55), ErrorIfFeature(DISCARD)),
];
