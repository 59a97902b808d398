// SPDX-License-Identifier: GPL-2.0

//! The fuzzer's game with random moves.

use proptest::prelude::*;

use crate::frontend;

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn a_random_frontend_breaks_nothing(input in proptest::collection::vec(any::<u8>(), 0..1000)) {
        frontend::play(&input);
    }
}
