#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the two ends can agree on is used when both want it and only then, and the data is right in every combination.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh
. lib/leaks.sh

# connect BACKEND-PARAMETERS FRONTEND-PARAMETERS: loads both ends with them and attaches a disk.
connect() {
    local ours theirs
    read -ra ours <<<"$1"
    read -ra theirs <<<"$2"
    backend_load "${ours[@]}"
    modprobe xen-blkfront "${theirs[@]}"
    at_end rmmod xen-blkfront
    at_end patiently test ! -e /dev/xvda
    make_null
    vbd_attach 51712 "$null"
    at_end vbd_detach 51712
}

verify() {
    fio --name=verify --filename=/dev/xvda --rw=randwrite --bsrange=4k-1m --size=2M --iodepth=32 \
        --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 >/tmp/fio ||
        { cat /tmp/fio && return 1; }
}

expect_ring_pages_of_order() { # ORDER
    verify
    # The frontend does not mention an order of 0.
    expect "$1" "$(vbd_frontend_says 51712 ring-page-order | grep . || echo 0)" "the order of the ring's pages"
    if [ "$1" -gt 0 ]; then
        xenstore-exists "$vbd_frontends/51712/ring-ref$(((1 << $1) - 1))"
    fi
}

test_ring_of_16_pages() {
    connect max_ring_page_order=4 max_ring_page_order=4
    expect 4 "$(vbd_says 51712 max-ring-page-order)" "what the backend offers"
    expect_ring_pages_of_order 4
}

test_ring_as_large_as_the_backend_lets_it_be() {
    connect max_ring_page_order=1 max_ring_page_order=4
    expect_ring_pages_of_order 1
}

test_ring_of_one_page_with_a_backend_that_offers_more() {
    connect max_ring_page_order=4 max_ring_page_order=0
    expect_ring_pages_of_order 0
}

expect_segments() { # COUNT
    verify
    expect "$1" "$(queue_limit /dev/xvda max_segments)" "the segments of a request"
    expect $(($1 * 4)) "$(queue_limit /dev/xvda max_hw_sectors_kb)" "the kilobytes of a request"
}

test_indirect_requests_of_1_mib() {
    connect '' max_indirect_segments=256
    expect 256 "$(vbd_says 51712 feature-max-indirect-segments)" "what the backend offers"
    expect_segments 256
}

test_indirect_requests_as_large_as_the_frontend_likes() {
    connect '' max_indirect_segments=32
    expect_segments 32
}

test_no_indirect_requests_with_a_frontend_that_has_none() {
    connect '' max_indirect_segments=0
    expect_segments 11
}

# How many of the guest's pages are mapped while nothing happens, besides those of the ring.
idle_mappings() { sleep 1 && mapped_grants | wc -l; }

test_persistent_grants_stay_mapped() {
    connect feature_persistent=1 feature_persistent=1
    expect "1 1" "$(vbd_says 51712 feature-persistent) $(vbd_frontend_says 51712 feature-persistent)" "what both offer"
    verify
    [ "$(idle_mappings)" -gt 20 ] || fail "only $(idle_mappings) grants are mapped"
}

test_no_grant_stays_mapped_when_the_backend_does_not_offer_it() {
    connect feature_persistent=0 feature_persistent=1
    expect 0 "$(vbd_says 51712 feature-persistent | grep . || echo 0)" "what the backend offers"
    verify
    expect 1 "$(idle_mappings)" "the number of grants that are mapped"
}

test_no_grant_stays_mapped_when_the_frontend_does_not_offer_it() {
    connect '' feature_persistent=0
    expect 0 "$(vbd_frontend_says 51712 feature-persistent)" "what the frontend offers"
    verify
    expect 1 "$(idle_mappings)" "the number of grants that are mapped"
}

test_everything_at_once() {
    # The frontend allocates every page that can be in flight.
    connect 'max_ring_page_order=4 feature_persistent=1' 'max_ring_page_order=2 max_indirect_segments=64'
    expect_ring_pages_of_order 2
    expect_segments 64
}

ktap_run
