#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# After a power cut, at whatever moment, the file system on a unit of vnd(4) has what it was promised to have, and so
# does the one below, in which its file lies.
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/powercut.sh
. lib/powercut-below.sh
. lib/vnd.sh

test_both_are_whole_after_a_power_cut_at_any_flush() {
    make_logged_image
    configure "$image"
    fill_synced "$unit" 15
    cut_power 8 is_whole_below
}

test_both_are_whole_through_the_page_cache() {
    make_logged_image
    configure "$image" fileio
    fill_synced "$unit" 15
    cut_power 4 is_whole_below
}

# A disk that is told not to flush loses what was synced: the tests above would see it.
test_a_unit_that_is_not_flushed_is_found_out() {
    make_logged_image
    configure "$image"
    queue_set "$unit" write_cache "write through"
    fill_synced "$unit" 15
    expect_failure cut_power 8 is_whole_below
}

load_vnd
ktap_run
