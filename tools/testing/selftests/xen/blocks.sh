#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Guests that read and write 512 bytes are served on devices with blocks of 4096 bytes, or refused as configured (R31).
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/devices.sh
. lib/log.sh
. lib/client.sh

readonly parameter=/sys/module/xbdback/parameters/partial_blocks

# The scenarios compare with what the device has.
test_parts_of_blocks_are_read_and_written() {
    make_null blocksize=4096
    "$client" run --peer xbdback --device "$null" --check-grants 'io/*' >/tmp/client ||
        { cat /tmp/client && return 1; }
    grep -c '^ok' /tmp/client
}

# Neighbours in a block are written at the same time: none is lost.
keeps_neighbours() { # REQUESTS [OPTION…]
    make_null blocksize=4096
    "$client" io both --handle 51728 --device "$null" --ragged --depth 32 --requests "$@"
}

test_neighbours_in_a_block() { keeps_neighbours 2000; }
test_neighbours_in_a_block_with_persistent_grants() { keeps_neighbours 2000 --persistent; }
test_neighbours_in_a_block_in_indirect_requests() { keeps_neighbours 300 --indirect --segments 64; }
test_neighbours_in_a_block_in_two_queues() { keeps_neighbours 2000 --queues 2; }

test_parts_of_blocks_are_refused_if_so_configured() {
    make_null blocksize=4096
    echo N >"$parameter"
    at_end eval "echo Y >$parameter"
    log_mark
    expect_failure "$client" run --peer xbdback --device "$null" io/ragged-segments >/tmp/client
    log_lines | grep 'misaligned access to sector'
}

modprobe xbdback max_queues=4
ktap_run
