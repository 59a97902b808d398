#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a disk shows of itself is there while the driver has it, and can be read whatever happens (R27).
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/statistics.sh

test_a_disk_has_all_that_xen_blkback_shows() {
    local theirs
    rmmod xbdback
    at_end modprobe xbdback
    modprobe xen-blkback
    at_end rmmod xen-blkback
    attached
    theirs=$(cd "$disk" && echo physical_device mode statistics/*)
    vbd_detach 51712
    rmmod xen-blkback
    modprobe xbdback
    attached
    # shellcheck disable=SC2086 # names have no spaces
    (cd "$disk" && cat $theirs)
    expect "$(device_number "$loop")" "$(cat "$disk/physical_device")" "physical_device"
    expect w "$(cat "$disk/mode")" "mode"
    vbd_detach 51712
    rmmod xbdback
    modprobe xen-blkback
}

test_unbinding_takes_the_files_away_and_binding_brings_them_back() {
    attached
    echo vbd-0-51712 >"$driver/unbind"
    expect_failure test -e "$disk/statistics"
    expect_failure test -e "$disk/mode"
    expect_failure test -e "$debug/xbdback0i51712"
    echo vbd-0-51712 >"$driver/bind"
    test -e "$disk/statistics/rd_req"
    test -e "$debug/xbdback0i51712"
}

# Reads every file of the disk over and over. Those that vanish meanwhile are no error.
read_all() {
    while :; do
        cat "$disk/mode" "$disk/physical_device" "$disk"/statistics/* "$debug"/xbdback0i51712/* || :
    done
}

test_files_can_be_read_while_disks_come_and_go() {
    local readers=()
    make_loop 4
    for _ in 1 2; do
        read_all >/dev/null 2>&1 &
        readers+=($!)
        at_end kill $!
    done
    for _ in $(seq $((8 * SCALE))); do
        vbd_attach 51712 "$loop"
        dd if=/dev/xvda of=/dev/null bs=64k count=4 iflag=direct status=none
        vbd_detach 51712
        patiently test ! -e /dev/xvda
    done
    kill -0 "${readers[@]}"
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
