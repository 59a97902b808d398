#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The driver comes and goes while disks are there and in use (R36).

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/log.sh

# Writes to a disk until it fails or is told to stop; sets `writer`.
start_writing() { # NODE
    fio --name=load --filename="$1" --rw=randwrite --bs=16k --iodepth=32 --ioengine=libaio --direct=1 --size=8M \
        --time_based --runtime=600 >/tmp/load.log 2>&1 &
    writer=$!
    at_end eval "kill -KILL $writer 2>/dev/null"
    patiently disk_is_busy "$1"
}

disk_is_busy() { awk '{ exit !($5 > 100) }' "/sys/class/block/${1#/dev/}/stat"; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# A disk works from attaching to detaching.
use_once() { # DEVICE
    vbd_attach 51728 "$1"
    dd if=/dev/urandom of=/dev/xvdb bs=64k count=8 oflag=direct
    cmp -n 524288 /dev/xvdb "$1"
    vbd_detach 51728
}

test_disks_made_before_the_driver_is_loaded_are_served() {
    make_loop 8
    timeout 60 rmmod xbdback
    vbd_create 51712 "$loop"
    sleep 1
    expect 1 "$(vbd_state 51712)" "the state of a disk without a driver"
    modprobe xbdback
    vbd_wait 51712 4
    patiently test -b /dev/xvda
    vbd_detach 51712
}

test_unbound_by_sysfs_with_io_running_then_bound_again() {
    make_slow 1000
    vbd_attach 51712 "$slow"
    start_writing /dev/xvda
    echo vbd-0-51712 | timeout 60 tee /sys/bus/xen-backend/drivers/xbdback/unbind
    vbd_wait 51712 6
    patiently has_ended "$writer"
    # Nobody holds the device.
    blockdev --getsz "$slow"
    python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$slow"
    vbd_remove 51712
    patiently test ! -e /dev/xvda
    use_once "$slow"
}

test_unloaded_with_io_running_then_loaded_again() {
    make_slow 1000
    vbd_attach 51712 "$slow"
    start_writing /dev/xvda
    timeout 60 rmmod xbdback
    [ ! -d /sys/module/xbdback ]
    patiently has_ended "$writer"
    modprobe xbdback
    vbd_remove 51712
    patiently test ! -e /dev/xvda
    use_once "$slow"
}

test_unloaded_with_disks_in_every_early_state() {
    make_loop 8
    vbd_create 51712
    vbd_create 51728 f0:7
    vbd_create 51744 "$loop" r
    vbd_wait 51744 4
    timeout 60 rmmod xbdback
    vbd_remove 51712
    vbd_remove 51728
    vbd_remove 51744
    modprobe xbdback
    use_once "$loop"
}

test_unloaded_and_loaded_20_times_with_a_disk() {
    make_loop 8
    local round
    for round in $(seq $((20 * SCALE))); do
        vbd_create 51712 "$loop"
        vbd_wait 51712 4
        timeout 60 rmmod xbdback
        vbd_remove 51712
        modprobe xbdback
    done
    echo "$round rounds"
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
