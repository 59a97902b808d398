// SPDX-License-Identifier: GPL-2.0

//! The fuzzer's game with random moves.

use proptest::prelude::*;

use crate::{
    frontend,
    offer, //
};

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn a_random_frontend_breaks_nothing(input in proptest::collection::vec(any::<u8>(), 0..1000)) {
        frontend::play(&input);
    }

    /// R28. The first nodes say what there is; the others are numbers nearly always, or hardly any
    /// offer would be read to its end.
    #[test]
    fn random_nodes_break_nothing(
        offered in any::<[u8; 3]>(),
        first in proptest::collection::vec(
            prop_oneof![3 => Just(16u8), 4 => 0u8..8, 1 => any::<u8>()],
            0..5,
        ),
        others in proptest::collection::vec(prop_oneof![50 => Just(0xff), 1 => any::<u8>()], 0..300),
    ) {
        offer::play(&[offered.as_slice(), &first, &others].concat());
    }
}
