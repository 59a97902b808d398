#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module's parameters can be set when it is loaded and later, and never to what makes no sense.
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh

readonly parameters=/sys/module/xbdback/parameters

parameter() { cat "$parameters/$1"; }
load() { modprobe xbdback "$@" && at_end rmmod xbdback; }

# Every parameter of xen-blkback but log_stats, whose figures are in sysfs.
test_it_has_the_parameters_of_xen_blkback() {
    local ours name
    ours=$(modinfo --parameters xbdback | cut -d: -f1)
    for name in $(modinfo --parameters xen-blkback | cut -d: -f1); do
        [ "$name" = log_stats ] || grep -qx "$name" <<<"$ours" || fail "there is no $name"
    done
}

test_each_is_described_with_its_default() {
    local undescribed
    undescribed=$(modinfo --parameters xbdback | grep -vE '^[a-z_]+:[A-Z].* Default is .*\((uint|bool)\)$' || :)
    expect '' "$undescribed" "the list of those not described"
}

test_what_is_given_when_loading_is_taken() {
    load max_queues=3 feature_persistent=0 discard=n copy_max_bytes=8192 max_ring_page_order=2
    expect 3 "$(parameter max_queues)" max_queues
    expect N "$(parameter feature_persistent)" feature_persistent
    expect N "$(parameter discard)" discard
    expect 8192 "$(parameter copy_max_bytes)" copy_max_bytes
    expect 2 "$(parameter max_ring_page_order)" max_ring_page_order
}

test_a_number_out_of_range_is_brought_into_it_and_the_log_says_so() {
    load max_queues=1000
    expect 16 "$(parameter max_queues)" max_queues
    dmesg | grep -q 'xbdback: max_queues=1000 is out of range, 16 is taken' || fail "the log does not say so"
    echo 99999 >"$parameters/max_indirect_segments"
    expect 4096 "$(parameter max_indirect_segments)" max_indirect_segments
}

test_what_is_no_number_is_refused() {
    load
    local text
    for text in -1 x 1x '' 4294967296; do
        expect_failure bash -c "echo '$text' >$parameters/max_queues"
    done
    expect_failure bash -c "echo maybe >$parameters/discard"
    expect 0 "$(parameter max_queues)" max_queues
    expect Y "$(parameter discard)" discard
}

test_ring_page_order_is_fixed_once_loaded() {
    load
    expect_failure bash -c "echo 1 >$parameters/max_ring_page_order"
    expect 4 "$(parameter max_ring_page_order)" max_ring_page_order
}

ktap_run
