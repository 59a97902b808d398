#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo, which is what somebody new runs first. What it shows of the modules others test: this is about its scripts.
# timeout: 240
# proves: tools/testing/vm tools/testing/selftests/lib

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh

test_all_that_the_demo_shows_holds() {
    ../vm/demo/in-dom0
}

ktap_run
