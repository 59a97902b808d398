#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest gets what it may have of this machine and no more, and does all its work with it (R20, R21).

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/client.sh
. lib/leaks.sh
. lib/backend.sh
. lib/statistics.sh

# Connects a disk of four queues with rings of 16 pages, until the end of the test.
attach_large() { client_attach "$1" "$null" --mode 'w!' --queues 4 --order 4; }

# Fails unless a second such disk is refused, by xenstore and by the log, for this reason.
expect_refusal() { # REASON
    local said
    log_said=$(dmesg | grep -cF "$1" || :)
    if said=$("$client" attach --handle 51728 --device "$null" --mode 'w!' --queues 4 --order 4 2>&1 </dev/null); then
        fail "a second disk was connected: $said"
    fi
    echo "$said"
    grep -qF "error node: Some(\"122 $1" <<<"$said" || fail "xenstore does not say: $1"
    [ "$(dmesg | grep -cF "xbdback0i51728: $1" || :)" -gt "$log_said" ] || fail "the log does not say: $1"
    expect 4 "$(pgrep -c '^xbdback0i517')" "the number of threads"
}

test_queues_beyond_the_limit_are_refused_until_others_are_given_back() {
    make_null
    backend_load max_queues=4 max_domain_queues=6
    attach_large 51712
    expect_refusal "the guest asks for 4 queues and has 4, with all its disks it may have 6;"
    client_detach
    attach_large 51728
}

test_ring_pages_beyond_the_limit_are_refused() {
    make_null
    backend_load max_queues=4 max_domain_ring_pages=100
    attach_large 51712
    expect_refusal "the guest asks for 64 pages of rings and has 64, with all its disks it may have 100;"
}

test_a_disk_without_pages_for_its_data_is_refused() {
    make_null
    backend_load max_queues=4 max_domain_pages=64
    attach_large 51712
    expect_refusal "the guest asks for 48 pages of data and has 48, with all its disks it may have 64;"
}

# Six disks ask for 24 queues with 384 ring pages, and may have 4 with 64.
test_disks_that_are_refused_take_little_memory() {
    local handle handles before
    handles=$(seq 51728 16 51808)
    make_null
    backend_load max_queues=4 max_domain_queues=4
    attach_large 51712
    weigh_kernel
    # shellcheck disable=SC2154 # weigh_kernel sets it
    before=$memory
    clients_attach "$handles" --device "$null" --mode 'w!' --queues 4 --order 4
    for handle in $handles; do vbd_wait_error "$handle"; done
    weigh_kernel
    echo "six disks that were refused take $((memory - before)) KiB"
    expect 4 "$(pgrep -c '^xbdback0i51')" "the number of threads"
    # The frontends are in this domain too: 256 KiB of rings each. The rest may move by two megabytes.
    [ $((memory - before)) -le $((6 * 300 + 2048)) ] || fail "they take too much"
    expect_failure clients_end
}

# queue_pages WHAT: a number of pages, as debugfs has it.
queue_pages() { sed -n "s/^pages $1: //p" "$debug/xbdback0i51712/queue-0"; }

are_given_back() { [ "$(queue_pages 'idle or kept mapped')" = 0 ]; }

# Attaches a disk of 64 MiB until the end of the test.
attach_null() {
    make_null
    vbd_attach 51712 "$null"
    at_end vbd_detach 51712
}

# Writes and checks, with requests of up to 128 KiB that want a thousand pages together.
work() {
    fio --name=work --filename=/dev/xvda --rw=randwrite --bsrange=4k-128k --size=16M --iodepth=32 --ioengine=libaio \
        --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 >/dev/null
}

expect_work_within_a_small_budget() {
    attach_null
    work
    echo "$(statistic oo_req) requests waited, $(queue_pages charged) pages are charged"
    [ "$(statistic oo_req)" -gt 0 ] || fail "no request had to wait: the budget was not small"
    [ "$(queue_pages charged)" -le 64 ] || fail "more is charged than the guest may have"
}

test_a_guest_with_a_small_budget_does_all_its_work_by_copy() {
    backend_load max_domain_pages=64 feature_persistent=0
    expect_work_within_a_small_budget
}

test_a_guest_with_a_small_budget_does_all_its_work_by_mapping() {
    backend_load max_domain_pages=64 feature_persistent=0 copy_max_bytes=1
    expect_work_within_a_small_budget
}

test_a_guest_with_a_small_budget_does_all_its_work_by_kept_mappings() {
    backend_load max_domain_pages=64
    expect_work_within_a_small_budget
}

# The whole ring at once, in requests of a quarter of a megabyte, on four rings.
test_a_frontend_with_a_small_budget_does_all_its_work_on_large_rings() {
    local option
    make_null size=256
    backend_load max_queues=4 max_domain_pages=64
    for option in '' --persistent; do
        # shellcheck disable=SC2086 # perhaps no option
        "$client" io --device "$null" --queues 4 --order 4 --indirect --segments 64 --depth 64 --requests 500 $option both
    done
}

expect_given_back_when_memory_is_short() {
    attach_null
    work
    expect_failure are_given_back
    echo 2 >/proc/sys/vm/drop_caches
    # What was used since the last time is kept the first time.
    patiently are_given_back_by_now
    expect 0 "$(queue_pages charged)" "the number of pages charged"
}

are_given_back_by_now() { echo 2 >/proc/sys/vm/drop_caches && are_given_back; }

test_idle_pages_are_given_back_when_memory_is_short() {
    backend_load feature_persistent=0
    expect_given_back_when_memory_is_short
}

test_kept_mappings_are_given_back_when_memory_is_short() {
    backend_load
    expect_given_back_when_memory_is_short
}

test_what_is_not_used_for_a_while_is_given_back_though_the_ring_is_never_empty() {
    backend_load persistent_grant_unused_seconds=1
    make_null
    make_dm held "0 131072 linear $null 0"
    vbd_attach 51712 "$dm"
    at_end vbd_detach 51712
    dd if=/dev/zero of=/dev/xvda bs=64k count=16 oflag=direct status=none
    expect_failure are_given_back
    dm_hold held
    dd if=/dev/xvda of=/dev/null bs=4k count=1 iflag=direct status=none &
    # What was used since the last time is kept the first time.
    patiently are_given_back
    expect 1 "$(awk '{ print $1 + $2 }' /sys/class/block/xvda/inflight)" "the number of requests"
    dm_release held
    wait $!
}

test_no_more_idle_pages_are_kept_than_may_be() {
    backend_load feature_persistent=0 max_buffer_pages=16
    attach_null
    work
    [ "$(queue_pages 'idle or kept mapped')" -le 16 ] || fail "$(queue_pages 'idle or kept mapped') pages are idle"
}

test_no_idle_pages_are_kept_for_a_while_after_memory_was_short() {
    backend_load feature_persistent=0 buffer_squeeze_duration_ms=60000
    attach_null
    work
    echo 2 >/proc/sys/vm/drop_caches
    patiently are_given_back
    work
    expect 0 "$(queue_pages 'idle or kept mapped')" "the number of idle pages"
}

modprobe xen-blkfront
modprobe xbdback
ktap_run
