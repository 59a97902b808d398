#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A disk has as many rings as its guest has processors, and no more than the backend offers.
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh
. ../vm/guest.sh

# Starts a guest with two processors and a disk, whose job ends with COMMAND. With one processor, as domain 0 has it
# here, xen-blkfront takes one queue.
start_guest() { # COMMAND [PARAMETER-OF-ITS-MODULES…]
    local guest_programs=(fio) guest_memory=512 guest_vcpus=2 guest_kernel_args=${*:2}
    make_null
    cat >/tmp/job <<-END
		#!/bin/sh
		echo "queues: \$(ls /sys/block/xvda/mq | wc -l)"
		echo "kilobytes: \$(cat /sys/block/xvda/queue/max_hw_sectors_kb)"
		exec $1
	END
    guest_start queues /tmp/job "phy:$null,xvda,w"
    at_end eval 'guest_exists queues && guest_destroy queues'
    guest_wait queues $((120 * PATIENCE)) || { guest_output queues && fail "the guest's job failed"; }
    guest_output queues
}

guest_said() { guest_output queues | sed -n "s/^$1: //p"; }

# Two jobs, one for each processor, write and check their halves of the disk.
test_two_queues_with_rings_of_4_pages_indirect_requests_and_persistent_grants() {
    backend_load max_queues=4
    start_guest "fio --filename=/dev/xvda --rw=randwrite --bsrange=4k-256k --size=2M --offset_increment=2M --iodepth=32 \
        --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --thread \
        --lockmem=0 --cpus_allowed=0,1 --cpus_allowed_policy=split --numjobs=2 --name=verify" \
        xen_blkfront.max_ring_page_order=2 xen_blkfront.max_indirect_segments=64
    expect 2 "$(guest_said queues)" "the number of queues"
    expect 256 "$(guest_said kilobytes)" "the kilobytes of a request"
}

test_as_many_queues_are_offered_as_the_administrator_allows() {
    local number
    make_null
    at_end vbd_remove 51712
    for number in 1 3; do
        backend_load max_queues=$number
        vbd_create 51712 "$null"
        vbd_wait 51712 2
        # One need not be mentioned.
        expect "$number" "$(vbd_says 51712 multi-queue-max-queues | grep . || echo 1)" "the number of queues"
        vbd_remove 51712
    done
}

ktap_run
