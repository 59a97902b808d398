#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks of guests on units of vnd(4), and files that both could serve.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/log.sh
. lib/vnd.sh

handle=51712

detach() { [ "$(vbd_state "$handle")" = none ] || vbd_detach "$handle"; }

attach() { # DEVICE
    vbd_attach "$handle" "$1"
    at_end detach
}

test_a_guest_has_a_unit_for_a_disk() {
    make_ext4 size=64
    make_image 8M
    configure "$image"
    log_mark
    attach "$unit"
    expect_logged_once "xbd backend: attach device ${unit#/dev/} (size 8388608) for domain 0"
    fio --name=verify --filename=/dev/xvda --rw=randwrite --bsrange=512-128k --iodepth=32 --ioengine=libaio \
        --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --size=8M
    cmp "$image" /dev/xvda
    refuse EBUSY clear "$unit"
    # A file's new size goes all the way.
    truncate -s 12M "$image"
    patiently size_is 24576
    detach
    clear "$unit"
}

size_is() { [ "$(sectors_of /dev/xvda)" = "$1" ]; }

test_a_unit_is_taken_away_by_force_from_a_guest() {
    make_ext4
    make_image 8M
    configure "$image"
    attach "$unit"
    cleared "$unit" force
    expect_failure dd if=/dev/xvda of=/dev/null bs=4k count=1 iflag=direct
    detach
    umount "$fs"
    mount "$null" "$fs"
}

test_a_file_is_a_units_or_a_guests() {
    make_ext4
    make_image 4M
    configure "$image"
    vbd_create "$handle" "$image"
    vbd_wait_error "$handle"
    [[ $(vbd_error "$handle") == "16 $image is in use"* ]] || fail "xenstore says: $(vbd_error "$handle")"
    vbd_remove "$handle"
    clear "$unit"
    attach "$image"
    unit=/dev/vnd$(vnd add -1)
    at_end vnd remove "${unit#/dev/vnd}"
    refuse EBUSY set "$unit" "$image"
    refuse EBUSY set "$unit" "$image" readonly
}

modprobe xbdback
modprobe vnd-bridge
modprobe xen-blkfront
ktap_run
