#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest is offered the discard that its disk's device has, and what it discards goes there.
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

attach() { # DEVICE [MODE]
    vbd_attach 51712 "$@"
    at_end vbd_detach 51712
}

offered() { # NODE
    vbd_says 51712 "$1" | grep . || echo 0
}

test_granularity_and_alignment_are_those_of_the_device() {
    # In blocks of 512 bytes.
    make_scsi unmap_granularity=16 unmap_alignment=3
    attach "$scsi"
    expect 1 "$(offered feature-discard)" "feature-discard"
    expect 8192 "$(offered discard-granularity)" "the granularity"
    expect 1536 "$(offered discard-alignment)" "the alignment"
    expect 0 "$(offered discard-secure)" "secure discard"
    expect 8192 "$(queue_limit /dev/xvda discard_granularity)" "the granularity that the frontend has"
}

test_a_hole_is_made_where_the_frontend_discards_and_nowhere_else() {
    make_loop 8
    head -c 8M /dev/urandom >"$file"
    sync "$file"
    cp "$file" /tmp/wanted
    at_end rm -f /tmp/wanted
    attach "$loop"
    blkdiscard --offset 1M --length 2M /dev/xvda
    fallocate --punch-hole --offset 1M --length 2M /tmp/wanted
    expect 6144 "$(du -k "$file" | cut -f 1)" "the kilobytes that the file takes"
    cmp "$file" /tmp/wanted
    cmp /dev/xvda /tmp/wanted
}

test_a_whole_disk_is_discarded_while_it_is_read() {
    make_null discard=1
    dd if=/dev/urandom of="$null" bs=1M count=64 oflag=direct
    attach "$null"
    fio --name=reader --filename=/dev/xvda --rw=randread --bs=4k --iodepth=16 --ioengine=libaio --direct=1 \
        --time_based --runtime=3 >/tmp/fio &
    sleep 1
    blkdiscard /dev/xvda
    wait $! || { cat /tmp/fio && return 1; }
    cmp -n 67108864 /dev/zero "$null"
}

test_none_is_offered_when_the_device_has_none() {
    make_null
    attach "$null"
    expect_none
}

expect_none() {
    expect 0 "$(offered feature-discard)" "feature-discard"
    expect 0 "$(queue_limit /dev/xvda discard_max_bytes)" "the bytes that the frontend may discard"
    expect_failure blkdiscard /dev/xvda
}

test_none_is_offered_when_the_toolstack_forbids_it() {
    make_null discard=1
    vbd_create 51712
    xenstore-write "$vbd_backends/51712/discard-enable" 0
    vbd_name_device 51712 "$null"
    vbd_wait 51712 4
    at_end vbd_detach 51712
    patiently test -b /dev/xvda
    expect_none
}

test_a_disk_that_is_read_only_is_not_discarded() {
    make_loop 8
    head -c 8M /dev/urandom >"$file"
    attach "$loop" r
    expect_failure blkdiscard /dev/xvda
    cmp "$file" /dev/xvda
    expect 8192 "$(du -k "$file" | cut -f 1)" "the kilobytes that the file takes"
}

test_a_read_only_disk_is_offered_none() {
    [ "$backend" = xbdback ] || skip "xen-blkback offers it and then refuses it"
    make_null discard=1
    attach "$null" r
    expect 0 "$(offered feature-discard)" "feature-discard"
}

modprobe "$backend"
modprobe xen-blkfront
ktap_run
