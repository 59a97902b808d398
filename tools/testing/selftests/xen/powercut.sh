#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# After a power cut, at whatever moment, a guest's file system has what it was promised to have (R32).
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/powercut.sh
. lib/powercut-below.sh
. lib/backend.sh

# A disk at 51712 whose writes are logged. A file system is on it.
attach_logged() {
    make_logged 32
    vbd_attach 51712 "$dm"
    at_end vbd_detach 51712
}

test_ext4_is_whole_after_a_power_cut_at_any_flush() {
    attach_logged
    fill_synced /dev/xvda 30
    cut_power 25 is_whole
}

# A frontend that is told not to flush loses what it synced: the test above would see it.
test_a_disk_that_is_not_flushed_is_found_out() {
    attach_logged
    queue_set /dev/xvda write_cache "write through"
    fill_synced /dev/xvda 30
    expect_failure cut_power 25 is_whole
}

test_ext4_on_a_file_is_whole_after_a_power_cut_at_any_flush() {
    [ "$backend" = xbdback ] || skip "$backend serves no files"
    make_logged_image
    vbd_attach 51712 "$image"
    at_end vbd_detach 51712
    fill_synced /dev/xvda 15
    cut_power 8 is_whole_below
}

modprobe "$backend"
modprobe xen-blkfront
modprobe ext4
ktap_run
