#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks come and go many times, and nothing accumulates (R9, R15).
# timeout: 900

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/leaks.sh
. lib/client.sh

cycles=${CYCLES:-$((48 * SCALE))} kills=${KILLS:-$((60 * SCALE))} ends=${ENDS:-$((30 * SCALE))}
# Kilobytes that each may grow by itself.
slab_noise=64 memory_noise=1024

cycle() { # DEVICE COUNT
    for _ in $(seq "$2"); do
        vbd_attach 51712 "$1"
        vbd_detach 51712
        patiently test ! -e /dev/xvda
    done
}

# Does COMMAND COUNT times, and fails if the kernel keeps something each time: the first third warms up. What is lost
# is lost in every third, what the kernel moves by itself is not, so one third without growth is enough.
expect_no_growth() { # COUNT COMMAND…
    local third=$((($1 + 2) / 3)) slab_before memory_before
    "${@:2}" "$third"
    for _ in 2 3; do
        weigh_kernel
        slab_before=$slab memory_before=$memory
        "${@:2}" "$third"
        weigh_kernel
        # shellcheck disable=SC2154 # weigh_kernel sets them
        local slab_growth=$((slab - slab_before)) memory_growth=$((memory - memory_before))
        echo "after $third rounds: slab ${slab_growth} KiB more, all memory ${memory_growth} KiB more"
        # What a disk or a connection is made of would be more than a kilobyte in slabs, and dozens in pages.
        if [ "$slab_growth" -lt $((slab_noise + third / 2)) ] &&
            [ "$memory_growth" -lt $((memory_noise + third)) ]; then
            return 0
        fi
    done
    fail "the kernel's memory grows"
}

test_attached_and_detached_many_times_with_xen_blkfront() {
    modprobe xen-blkfront
    make_loop 4
    expect_no_growth "$cycles" cycle "$loop"
    rmmod xen-blkfront
}

kill_frontends() { "$client" soak --peer xbdback --check-grants --end kill --count "$1"; }
end_in_every_way() {
    "$client" soak --peer xbdback --check-grants --count "$1" --queues 2 --order 2 --indirect --persistent
}

test_frontend_killed_many_times_with_requests_in_flight() {
    modprobe loop
    expect_no_growth "$kills" kill_frontends
}

test_connections_end_in_every_way_many_times_with_requests_in_flight() {
    modprobe loop
    expect_no_growth "$ends" end_in_every_way
}

modprobe xbdback max_queues=4
ktap_run
