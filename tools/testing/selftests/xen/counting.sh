#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a disk does is counted, measured and traced.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/statistics.sh

readonly events=/sys/kernel/tracing/events/xbdback trace=/sys/kernel/tracing/trace
readonly measure=/sys/module/xbdback/parameters/measure_latency

test_requests_and_sectors_are_counted() {
    attached
    local reads read writes written
    reads=$(statistic rd_req) read=$(statistic rd_sect)
    dd if=/dev/xvda of=/dev/null bs=4k count=200 iflag=direct status=none
    expect $((reads + 200)) "$(statistic rd_req)" "rd_req"
    expect $((read + 1600)) "$(statistic rd_sect)" "rd_sect"
    writes=$(statistic wr_req) written=$(statistic wr_sect)
    dd if=/dev/zero of=/dev/xvda bs=4k count=100 oflag=direct status=none
    expect $((writes + 100)) "$(statistic wr_req)" "wr_req"
    expect $((written + 800)) "$(statistic wr_sect)" "wr_sect"
    dd if=/dev/zero of=/dev/xvda bs=4k count=1 oflag=direct conv=fsync status=none
    [ "$(statistic f_req)" -ge 1 ] || fail "no flush was counted"
}

test_errors_are_counted_by_class() {
    make_dm flawed "0 16384 error"
    vbd_attach 51712 "$dm"
    at_end detached
    expect_failure dd if=/dev/xvda of=/dev/null bs=4k count=1 iflag=direct
    [ "$(statistic errors_device)" -ge 1 ] || fail "no error of the disk was counted"
    expect 0 "$(statistic errors_invalid)" "errors_invalid"
    expect 0 "$(statistic errors_grant)" "errors_grant"
}

test_no_figure_goes_back_when_the_guest_connects_again() {
    attached
    local reads
    dd if=/dev/xvda of=/dev/null bs=4k count=50 iflag=direct status=none
    reads=$(statistic rd_req)
    [ "$reads" -ge 50 ] || fail "rd_req is $reads"
    # While a disk has the driver it cannot be unloaded; bound to it again, it would not wait for our state.
    echo vbd-51712 >/sys/bus/xen/drivers/vbd/unbind
    rmmod xen-blkfront
    at_end modprobe xen-blkfront
    vbd_wait 51712 6 2
    [ "$(statistic rd_req)" -ge "$reads" ] || fail "rd_req went back from $reads to $(statistic rd_req)"
    # The disk stays for the next driver of the guest.
    xenstore-write "$vbd_frontends/51712/state" 1
    vbd_wait 51712 2
    modprobe xen-blkfront
    vbd_wait 51712 4
    [ "$(statistic rd_req)" -ge "$reads" ] || fail "rd_req went back from $reads to $(statistic rd_req)"
}

test_each_queue_has_a_file_in_debugfs() {
    attached
    echo 1 >"$measure"
    at_end eval "echo 0 >$measure"
    dd if=/dev/xvda of=/dev/null bs=4k count=100 iflag=direct status=none
    cat "$debug"/xbdback0i51712/queue-0
    expect 3 "$(grep -c '^[a-z ]*, nanoseconds: count 100 mean [1-9]' "$debug"/xbdback0i51712/queue-0)" "stages with 100 requests"
    echo 0 >"$measure"
    dd if=/dev/xvda of=/dev/null bs=4k count=100 iflag=direct status=none
    expect 3 "$(grep -c '^[a-z ]*, nanoseconds: count 100 ' "$debug"/xbdback0i51712/queue-0)" "stages with no more requests"
    vbd_detach 51712
    expect_failure test -e "$debug/xbdback0i51712"
}

test_a_request_can_be_traced_from_ring_to_response() {
    attached
    echo 1 >"$events/enable"
    at_end eval "echo 0 >$events/enable; echo >$trace"
    echo >"$trace"
    dd if=/dev/xvda of=/dev/null bs=4k count=1 skip=77 iflag=direct status=none
    echo 0 >"$events/enable"
    local event
    for event in taken submitted completed answered; do
        grep -q "xbdback_request_$event: xbdback0i51712 queue=.* operation=0 sector=616 sectors=8" "$trace" ||
            fail "there is no event '$event': $(grep xbdback_ "$trace")"
    done
    grep -q "xbdback_drain: xbdback0i51712 .* answered=1" "$trace" || fail "there is no drain"
}

test_a_file_held_open_does_not_outlive_the_module() {
    attached
    local file
    exec {file}<"$debug/xbdback0i51712/queue-0"
    vbd_detach 51712
    rmmod xbdback
    at_end modprobe xbdback
    expect_failure cat <&"$file"
    # What runs when it is closed is in xenbus-rs.
    expect_failure rmmod xenbus_rs
    exec {file}<&-
    rmmod xenbus_rs
    expect_failure test -e "$debug"
}

modprobe xbdback
modprobe xen-blkfront
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
ktap_run
