#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks come and go many times, and nothing accumulates (R9, R15).
# timeout: 600

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/leaks.sh
. lib/client.sh

cycles=${CYCLES:-$((100 * SCALE))} kills=${KILLS:-$((200 * SCALE))} ends=${ENDS:-$((100 * SCALE))}
# Kilobytes that the count may move by itself.
noise=64

cycle() { # DEVICE COUNT
    for _ in $(seq "$2"); do
        vbd_attach 51712 "$1"
        vbd_detach 51712
        patiently test ! -e /dev/xvda
    done
}

# Does COMMAND COUNT times, and fails if the kernel keeps memory of the second half: the first warms up.
expect_no_growth() { # COUNT COMMAND…
    local before after half=$(($1 / 2))
    "${@:2}" "$half"
    before=$(kernel_memory)
    "${@:2}" "$half"
    after=$(kernel_memory)
    echo "kernel memory: $before KiB before, $after KiB after $half rounds"
    # A page kept by every round is twice as much.
    [ $((after - before)) -lt $((noise + 2 * half)) ] || fail "the kernel has $((after - before)) KiB more"
}

test_attached_and_detached_many_times_with_xen_blkfront() {
    modprobe xen-blkfront
    make_loop 4
    expect_no_growth "$cycles" cycle "$loop"
    rmmod xen-blkfront
}

kill_frontends() { "$client" soak --peer xbdback --check-grants --end kill --count "$1"; }
end_in_every_way() { "$client" soak --peer xbdback --check-grants --count "$1"; }

test_frontend_killed_many_times_with_requests_in_flight() {
    modprobe loop
    expect_no_growth "$kills" kill_frontends
}

test_connections_end_in_every_way_many_times_with_requests_in_flight() {
    modprobe loop
    expect_no_growth "$ends" end_in_every_way
}

modprobe xbdback
ktap_run
