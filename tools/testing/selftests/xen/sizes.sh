#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest sees the sector sizes and the size of its disk's device, also when that changes while it uses it (R31).
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

attach() { # DEVICE
    vbd_attach 51712 "$1"
    at_end vbd_detach 51712
}

# Both ends say the same of the disk as the device does, which has these sizes.
expect_sectors_of() { # DEVICE LOGICAL PHYSICAL
    attach "$1"
    expect "$2 $3" "$(vbd_says 51712 sector-size) $(vbd_says 51712 physical-sector-size)" "what the backend says"
    expect "$2" "$(queue_limit /dev/xvda logical_block_size)" "the frontend's logical blocks"
    expect "$3" "$(queue_limit /dev/xvda physical_block_size)" "the frontend's physical blocks"
    # In 512 bytes, whatever the sectors are.
    expect "$(sectors_of "$1")" "$(vbd_says 51712 sectors)" "the size that the backend says"
    expect "$(sectors_of "$1")" "$(sectors_of /dev/xvda)" "the frontend's size"
    fio --name=verify --filename=/dev/xvda --rw=randwrite --bsrange="$2-64k" --size=2M --iodepth=16 --ioengine=libaio \
        --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 >/tmp/fio ||
        { cat /tmp/fio && return 1; }
}

test_sectors_of_512_bytes() {
    make_null
    expect_sectors_of "$null" 512 512
}

test_sectors_of_512_bytes_on_blocks_of_4096() {
    make_scsi physblk_exp=3
    expect_sectors_of "$scsi" 512 4096
}

test_sectors_of_4096_bytes() {
    make_null blocksize=4096
    expect_sectors_of "$null" 4096 4096
}

# Makes a disk of 8 MiB whose device can be resized.
attach_resizable() {
    make_loop 16
    make_dm resizable "0 16384 linear $loop 0"
    attach "$dm"
}

# Gives the device another size and fails when the frontend has not seen it within a second.
resize() { # SECTORS
    local began
    dmsetup reload resizable --table "0 $1 linear $loop 0"
    # Waits for the requests that are under way.
    dmsetup suspend --nolockfs --noudevsync --noudevrules resizable
    dmsetup resume --noudevsync --noudevrules resizable
    began=$(date +%s%3N)
    patiently frontend_has "$1"
    local took=$(($(date +%s%3N) - began))
    echo "$1 sectors after $took ms"
    expect "$1" "$(vbd_says 51712 sectors)" "the size that the backend says"
    [ "$took" -le $((1000 * ${PATIENCE:-1})) ] || fail "it took more than a second"
}

frontend_has() { [ "$(sectors_of /dev/xvda)" = "$1" ]; }

read_sector() { [ "$(dd if=/dev/xvda bs=512 count=1 iflag=direct skip="$1" status=none | wc -c)" = 512 ]; }

test_a_disk_grows_while_it_is_attached() {
    attach_resizable
    expect_failure read_sector 20000
    resize 32768
    dd if=/dev/urandom of=/dev/xvda bs=64k oflag=direct status=none || :
    cmp /dev/xvda "$loop"
}

test_a_disk_shrinks_while_it_is_used() {
    attach_resizable
    fio --name=user --filename=/dev/xvda --rw=randread --bs=4k --size=2M --iodepth=16 --ioengine=libaio --direct=1 \
        --rate_iops=500 --time_based --runtime=4 >/tmp/fio &
    local user=$!
    resize 8192
    resize 4096
    expect_failure read_sector 4096
    read_sector 4095
    wait "$user" || { cat /tmp/fio && return 1; }
}

test_an_idle_disk_of_a_loop_device_grows() {
    make_loop 8
    attach "$loop"
    truncate -s 12M "$file"
    losetup --set-capacity "$loop"
    patiently frontend_has 24576
}

modprobe "$backend"
modprobe xen-blkfront
ktap_run
