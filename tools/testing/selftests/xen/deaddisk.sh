#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A disk that does not answer holds up nothing but itself (R12, R20).
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/client.sh

# Puts a disk behind 51712 that has requests which it does not answer; sets `stuck` to who waits for them.
attach_dead_disk() {
    make_loop 8
    make_dm dead "0 16384 linear $loop 0"
    vbd_attach 51712 "$dm"
    dm_hold dead
    dd if=/dev/zero of=/dev/xvda bs=64k count=16 oflag=direct &
    stuck=$!
    sleep 1
    kill -0 "$stuck"
}

revive() {
    dm_release dead
    wait "$stuck"
}

# Attaches, uses and detaches another disk; all that goes through xenwatch.
other_disk_works() {
    local began=$SECONDS
    make_loop 8
    vbd_attach 51728 "$loop"
    dd if=/dev/urandom of=/dev/xvdb bs=64k count=8 oflag=direct
    vbd_detach 51728
    echo "attached, used and detached in $((SECONDS - began)) s"
    [ $((SECONDS - began)) -le $((15 * PATIENCE)) ]
}

test_another_disk_is_attached_used_and_detached_meanwhile() {
    attach_dead_disk
    other_disk_works
    revive
    vbd_detach 51712
}

test_detaching_the_dead_disk_does_not_hold_up_another() {
    attach_dead_disk
    xenstore-write "$vbd_backends/51712/online" 0 "$vbd_backends/51712/state" 5
    sleep 1
    other_disk_works
    dm_release dead
    wait "$stuck" || :
    vbd_wait 51712 6 none
    vbd_remove 51712
}

# With blkif-client: xen-blkfront, when its backend vanishes, keeps xenwatch until its requests are answered.
test_a_dead_disk_whose_directory_vanishes_does_not_hold_up_another() {
    local writer
    make_loop 8
    make_dm dead "0 16384 linear $loop 0"
    dm_hold dead
    "$client" io --handle 51744 --device "$dm" --segments 1 --requests 1000 write &
    writer=$!
    at_end eval "kill -KILL $writer 2>/dev/null"
    vbd_wait 51744 4
    # A suspended device does not count what waits in it.
    sleep 2
    expect 0 "$(writes_of "$dm")" "the number of writes that the dead disk has done"
    xenstore-rm "$vbd_backends/51744"
    sleep 1
    other_disk_works
    dm_release dead
    patiently is_free "$dm"
    [ "$(writes_of "$dm")" -gt 0 ] || fail "there was nothing that the dead disk had to do"
    vbd_remove 51744
}

writes_of() { awk '{ print $5 }' "/sys/class/block/${1#/dev/}/stat"; }

modprobe xbdback
modprobe xen-blkfront
ktap_run
