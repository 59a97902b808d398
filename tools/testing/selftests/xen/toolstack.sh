#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# xl and its stock scripts with our backend: phy: disks attached and detached.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh

test_xl_attaches_and_detaches_a_phy_disk() {
    make_loop 8
    xl block-attach 0 "phy:$loop" xvda w
    patiently test -b /dev/xvda
    expect "$(sectors_of "$loop")" "$(sectors_of /dev/xvda)" "the disk's size"
    dd if=/dev/urandom of=/dev/xvda bs=64k count=16 oflag=direct
    cmp -n 1048576 /dev/xvda "$loop"
    xl block-detach 0 xvda
    patiently test ! -e /dev/xvda
    expect "" "$(xenstore-ls /local/domain/0/backend/vbd/0 2>/dev/null || :)" "what is left in xenstore"
}

test_xl_lists_the_disk_as_connected() {
    make_loop 8
    xl block-attach 0 "phy:$loop" xvdb r
    at_end xl block-detach 0 xvdb
    xl block-list 0
    expect 4 "$(xl block-list 0 | awk '$1 == 51728 { print $4 }')" "the state that xl lists"
}

test_xl_serves_a_plain_file_by_a_loop_device() {
    modprobe loop
    truncate -s 5M /tmp/plain.img
    at_end rm -f /tmp/plain.img
    xl block-attach 0 phy:/tmp/plain.img xvda w
    patiently test -b /dev/xvda
    dd if=/dev/urandom of=/dev/xvda bs=4k count=16 oflag=direct
    cmp -n 65536 /dev/xvda /tmp/plain.img
    xl block-detach 0 xvda
    expect "" "$(losetup --associated /tmp/plain.img)" "the loop device that is left"
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
