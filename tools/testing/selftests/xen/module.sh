#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The driver comes and goes while disks are there and in use (R36).
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/client.sh

# A frontend that writes with 32 requests in flight until it is left alone, and does not care that its
# backend closes. Sets `writer`.
start_writing() { # DEVICE
    "$client" io --handle 51712 --device "$1" --depth 32 --segments 1 --requests 100000000 write &
    writer=$!
    at_end stop_writing
    patiently disk_is_busy "$1"
}

stop_writing() { kill -KILL "$writer" 2>/dev/null || :; }

disk_is_busy() { awk '{ exit !($5 > 100) }' "/sys/class/block/${1#/dev/}/stat"; }

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
    start_writing "$slow"
    echo vbd-0-51712 | timeout 60 tee /sys/bus/xen-backend/drivers/xbdback/unbind
    expect 6 "$(vbd_state 51712)" "the state of an unbound disk"
    is_free "$slow"
    stop_writing
    vbd_remove 51712
    use_once "$slow"
}

test_unloaded_with_io_running_then_loaded_again() {
    make_slow 1000
    start_writing "$slow"
    timeout 60 rmmod xbdback
    [ ! -d /sys/module/xbdback ]
    is_free "$slow"
    stop_writing
    modprobe xbdback
    vbd_remove 51712
    use_once "$slow"
}

test_a_frontend_that_is_idle_sees_the_driver_go() {
    make_loop 8
    local other=$loop
    make_loop 8
    vbd_attach 51712 "$loop"
    # That it was to have another device then does not matter any more.
    vbd_name_device 51712 "$other"
    timeout 60 rmmod xbdback
    expect 6 "$(vbd_state 51712)" "the backend's state"
    patiently frontend_is_closed
    vbd_remove 51712
    patiently test ! -e /dev/xvda
    modprobe xbdback
    use_once "$loop"
}

frontend_is_closed() { [ "$(xenstore-read "$vbd_frontends/51712/state")" = 6 ]; }

# Linux's frontend closes when it sees the backend closing, but it does not end requests that nobody has
# answered: they have to be answered until then.
test_users_of_a_disk_get_errors_when_the_driver_goes() {
    make_loop 32
    vbd_attach 51712 "$loop"
    fio --name=user --filename=/dev/xvda --rw=randrw --bsrange=512-64k --iodepth=32 --ioengine=libaio \
        --direct=1 --norandommap --time_based --runtime=600 >/dev/null 2>&1 &
    writer=$!
    at_end stop_writing
    patiently disk_is_busy "$loop"
    timeout 60 rmmod xbdback
    patiently writer_has_ended
    vbd_remove 51712
    modprobe xbdback
    use_once "$loop"
}

writer_has_ended() { ! kill -0 "$writer" 2>/dev/null; }

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

test_unloaded_and_loaded_10_times_with_a_disk() {
    make_loop 8
    local round
    for round in $(seq $((10 * SCALE))); do
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
