#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Data integrity: fio with checksums, from dom0 to dom0 and in a guest.
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. ../vm/guest.sh

fio_verify() { # DEVICE OPTION…
    fio --name=verify --filename="$1" --rw=randwrite --bsrange=512-128k --iodepth=32 --ioengine=libaio --direct=1 \
        --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 "${@:2}"
}

test_dom0_to_dom0_many_sizes_and_32_at_once() {
    make_loop $((16 * SCALE))
    vbd_attach 51712 "$loop"
    at_end vbd_detach 51712
    fio_verify /dev/xvda --size=$((16 * SCALE))M
}

test_two_disks_at_the_same_time() {
    make_loop 16
    local first=$loop pids=() pid
    make_loop 16
    vbd_attach 51712 "$first"
    at_end vbd_detach 51712
    vbd_attach 51728 "$loop"
    at_end vbd_detach 51728
    fio_verify /dev/xvda --size=8M & pids+=($!)
    fio_verify /dev/xvdb --size=8M & pids+=($!)
    for pid in "${pids[@]}"; do wait "$pid"; done
}

test_through_the_page_cache_with_fsync() {
    make_loop 32
    vbd_attach 51712 "$loop"
    at_end vbd_detach 51712
    fio --name=cached --filename=/dev/xvda --rw=write --bs=64k --size=16M --fsync=16 --verify=crc32c --verify_fatal=1 \
        --do_verify=1 --verify_state_save=0
}

test_what_was_written_is_on_the_device() {
    make_loop 16
    vbd_attach 51712 "$loop"
    at_end vbd_detach 51712
    head -c 16M /dev/urandom >/tmp/random
    at_end rm -f /tmp/random
    dd if=/tmp/random of=/dev/xvda bs=100k oflag=direct iflag=fullblock conv=notrunc,fsync
    cmp /tmp/random "$file"
}

test_in_a_guest() {
    make_loop $((8 * SCALE))
    cat >/tmp/job <<-END
		#!/bin/sh
		exec fio --name=verify --filename=/dev/xvda --rw=randwrite --bsrange=512-128k --iodepth=32 --ioengine=libaio \\
			--direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --size=$((8 * SCALE))M \\
			--thread --lockmem=0
	END
    local guest_programs=(fio) guest_memory=512
    guest_start fio /tmp/job "phy:$loop,xvda,w"
    at_end eval 'guest_exists fio && guest_destroy fio'
    guest_wait fio $((240 * PATIENCE)) || { guest_output fio && fail "fio failed in the guest"; }
    guest_output fio | tail -n 30
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
