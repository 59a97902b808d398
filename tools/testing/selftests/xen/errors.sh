#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A bad sector fails the request that it is part of, and none of those that are in flight beside it (R33).
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

# How much of the disk is gone through in blocks of so many bytes: few hundred of the small, and no more than 1 MiB.
span() { # BLOCK
    echo $((($1 < 4096 ? 131072 : 1048576) / $1 * $1))
}

# Puts a disk of 8 MiB with one bad SECTOR behind 51712. Whatever merges requests above and below the backend is off:
# what is merged is merged by the backend.
attach_bad_dm() { # SECTOR
    make_loop 8
    make_dm bad "0 $1 linear $loop 0
$1 1 error
$(($1 + 1)) $((16384 - $1 - 1)) linear $loop $(($1 + 1))"
    vbd_attach 51712 "$dm"
    at_end vbd_detach 51712
    queue_set /dev/xvda nomerges 2
}

attach_bad_null() { # SECTOR
    make_null size=8
    queue_set "$null" nomerges 2
    loop=$null dm=$null
    echo "+$1-$1" >"$null_attributes/badblocks"
    vbd_attach 51712 "$null"
    at_end vbd_detach 51712
    queue_set /dev/xvda nomerges 2
}

# fio_failures DEVICE read|write BLOCK: goes through the start, 32 requests at once; prints the offsets of those
# that fail, or read something else than was written.
fio_failures() {
    local run=/tmp/fio span
    span=$(span "$3")
    rm -f "$run"*
    fio --name=bad --filename="$1" --rw="$2" --bs="$3" --size="$span" --ioengine=libaio --direct=1 \
        --iodepth=32 --iodepth_batch_submit=32 --iodepth_batch_complete_min=32 --iodepth_low=1 \
        --verify=crc32c --do_verify=0 --verify_state_save=0 --continue_on_error=all \
        --write_lat_log=$run --log_offset=1 >$run.out 2>&1 || :
    [ -s ${run}_lat.1.log ] || fail "fio did nothing: $(cat $run.out)"
    # It logs the requests that succeed, and says which data is wrong: what is good is named twice.
    {
        seq 0 "$3" $((span - $3))
        awk -F ', *' '{ print $5 }' ${run}_lat.1.log
        sed -nE 's/.*verify.* offset ([0-9]+),.*/\1/p' $run.out | sort -u | sed p
    } | sort -n | uniq -c | awk '$1 != 2 { print $2 }' | xargs
}

# One pass over the disk fails at the bad sector's request only; what else was written is on the device.
expect_one_failure() { # SECTOR BLOCK
    local owner=$(($1 * 512 / $2 * $2)) before
    expect "$owner" "$(fio_failures /dev/xvda write "$2")" "the offsets of writes of $2 bytes that fail"
    expect "$owner" "$(fio_failures "$dm" read "$2")" "the offsets on the device that are bad or not written"
    before=$(reads_of "$dm")
    expect "$owner" "$(fio_failures /dev/xvda read "$2")" "the offsets of reads of $2 bytes that fail"
    echo "$(($(span "$2") / $2)) reads of $2 bytes were $(($(reads_of "$dm") - before)) reads of the device"
}

reads_of() { awk '{ print $1 }' "/sys/class/block/${1#/dev/}/stat"; }

test_only_the_owner_of_a_bad_sector_among_512_byte_requests_fails() {
    attach_bad_dm 21
    expect_one_failure 21 512
}

test_only_the_owner_of_a_bad_sector_among_4k_requests_fails() {
    attach_bad_dm 205
    expect_one_failure 205 4096
}

test_only_the_owner_of_a_bad_sector_among_44k_requests_fails() {
    attach_bad_dm 1000
    expect_one_failure 1000 45056
}

test_only_the_owner_of_a_bad_sector_among_128k_requests_fails() {
    attach_bad_dm 700
    expect_one_failure 700 131072
}

test_only_the_owner_of_a_bad_sector_fails_when_the_device_fails_all_that_it_is_asked_at_once() {
    attach_bad_null 205
    expect_one_failure 205 4096
}

test_the_first_sector_of_a_request_is_its_own() {
    attach_bad_null 16
    expect_one_failure 16 4096
}

test_the_last_sector_of_a_request_is_its_own() {
    attach_bad_null 23
    expect_one_failure 23 4096
}

test_data_that_is_not_what_was_written_would_be_seen() {
    attach_bad_dm 4000
    expect "" "$(fio_failures /dev/xvda write 4096)" "the offsets of writes that fail"
    dd if=/dev/zero of="$dm" bs=512 seek=100 count=1 oflag=direct
    expect 49152 "$(fio_failures /dev/xvda read 4096)" "the offsets where the data is wrong"
}

modprobe "$backend"
modprobe xen-blkfront
ktap_run
