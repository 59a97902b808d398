#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks on regular files, with no block device between.
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/log.sh
. lib/client.sh

handle=51712

attach() { # FILE [MODE]
    vbd_attach "$handle" "$@"
    at_end detach
}

detach() {
    [ "$(vbd_state "$handle")" = none ] || vbd_detach "$handle"
}

fio_verify() { # OPTION…
    fio --name=verify --filename=/dev/xvda --rw=randwrite --bsrange=512-128k --iodepth=32 --ioengine=libaio --direct=1 \
        --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 "$@"
}

# Fails unless the disk and the file have the same contents.
compare() { cmp "$image" /dev/xvda; }

test_the_messages_name_the_file() {
    make_ext4
    make_image 8M
    log_mark
    attach "$image"
    expect_logged_once "xbd backend: attach device $image (size 8388608) for domain 0"
    expect 16384 "$(sectors_of /dev/xvda)" "the size"
    expect "" "$(losetup --associated "$image")" "a loop device"
    expect "$image" "$(cat "/sys/bus/xen-backend/devices/vbd-0-$handle/physical_device")"
    expect "direct 512" "$(cat "/sys/bus/xen-backend/devices/vbd-0-$handle/access")"
    detach
    expect_logged_once "xbd backend: detach device $image for domain 0"
}

test_the_page_cache_of_the_file_says_the_same() {
    make_ext4
    make_image 4M
    attach "$image"
    cat "$image" >/dev/null
    dd if=/dev/urandom of=/dev/xvda bs=64k count=64 oflag=direct
    compare
    dd if=/dev/urandom of="$image" bs=64k count=64 conv=notrunc
    # This end's own cache is another matter.
    cmp "$image" <(dd if=/dev/xvda bs=64k iflag=direct)
}

test_a_reader_cannot_write() {
    make_ext4
    make_image 4M
    attach "$image" r
    expect 1 "$(blockdev --getro /dev/xvda)"
    compare
}

test_the_file_system_is_free_when_the_disk_is_gone() {
    make_ext4
    make_image 4M
    for _ in 1 2 3; do
        vbd_attach "$handle" "$image"
        dd if=/dev/zero of=/dev/xvda bs=64k count=16
        vbd_detach "$handle"
        umount "$fs"
        mount -t ext4 "$null" "$fs"
    done
}

test_a_block_node_named_by_its_path_is_that_device() {
    make_loop 4
    vbd_create "$handle"
    at_end vbd_remove "$handle"
    vbd_wait "$handle" 2
    log_mark
    xenstore-write "$vbd_backends/$handle/physical-device-path" "$loop"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 4194304) for domain 0"
    vbd_wait "$handle" 4
    detach
}

# refused PATH ERRNO WORDS: fails unless the file is refused, with this error and these words in xenstore.
refused() {
    log_mark
    vbd_create "$handle" "$1"
    vbd_wait_error "$handle"
    expect_logged_once "xbdback backend/vbd/0/$handle: can't VOP_OPEN device 0x0: $2"
    [[ $(vbd_error "$handle") == *"$3"* ]] || fail "xenstore says: $(vbd_error "$handle")"
    vbd_remove "$handle"
    patiently test ! -e "/sys/bus/xen-backend/devices/vbd-0-$handle"
}

test_a_file_that_a_program_writes_is_refused() {
    make_ext4
    make_image 4M
    exec 7<>"$image"
    refused "$image" 16 "in use"
    exec 7>&-
    attach "$image"
}

test_what_is_no_regular_file_is_refused() {
    make_ext4
    refused "$fs" 21 "is a directory"
    refused "$fs/none" 2 "does not exist"
    mkfifo "$fs/fifo"
    refused "$fs/fifo" 124 "no regular file"
    ln -s /dev/null "$fs/null"
    refused "$fs/null" 124 "no regular file"
    # It looks like one.
    refused /proc/version 124 "no regular file"
}

test_only_one_guest_writes_a_file() {
    make_ext4
    make_image 4M
    ln "$image" "$fs/other-name"
    at_end rm -f "$fs/other-name"
    attach "$image"
    refuse_second "$fs/other-name" w
    refuse_second "$fs/other-name" r
    vbd_attach 51728 "$fs/other-name" w!
    vbd_detach 51728
    detach
    attach "$image" r
    vbd_attach 51728 "$fs/other-name" r
    vbd_detach 51728
    refuse_second "$image" w
}

# refuse_second PATH MODE: fails unless another disk of it is refused.
refuse_second() {
    vbd_create 51728 "$1" "$2"
    vbd_wait_error 51728
    [[ $(vbd_error 51728) == "16 $1 is in use"* ]] || fail "xenstore says: $(vbd_error 51728)"
    vbd_remove 51728
    patiently test ! -e /sys/bus/xen-backend/devices/vbd-0-51728
}

test_it_is_the_file_that_was_opened_whatever_has_its_name() {
    make_ext4
    make_image 4M
    attach "$image"
    mv "$image" "$image.old"
    truncate -s 4M "$image"
    dd if=/dev/urandom of=/dev/xvda bs=64k count=64 oflag=direct
    cmp "$image.old" /dev/xvda
    expect 0 "$(kilobytes_of "$image")" "what the new file takes"
    rm "$image.old"
}

test_a_discard_gives_room_back() {
    make_ext4
    make_image 16M
    attach "$image"
    expect 1 "$(vbd_says "$handle" feature-discard)"
    expect "$(stat -f -c %S "$fs")" "$(vbd_says "$handle" discard-granularity)" "the unit of discards"
    [ "$(vbd_says "$handle" discard-secure)" != 1 ] || fail "it offers to erase"
    dd if=/dev/urandom of=/dev/xvda bs=1M count=16 oflag=direct
    blkdiscard --offset 4M --length 8M /dev/xvda
    sync "$image"
    expect 8192 "$(kilobytes_of "$image")" "what the file takes"
    cmp --bytes 8M <(dd if=/dev/xvda bs=1M skip=4 iflag=direct) /dev/zero
    compare
}

test_a_guest_hears_of_another_size() {
    make_ext4
    make_image 8M
    attach "$image"
    truncate -s 12M "$image"
    patiently size_is 24576
    fio_verify --offset=8M --size=4M
    compare
    truncate -s 4M "$image"
    patiently size_is 8192
    compare
}

size_is() { [ "$(sectors_of /dev/xvda)" = "$1" ]; }

test_a_full_file_system_fails_what_it_cannot_write() {
    make_ext4 size=32
    make_image 64M
    dd if=/dev/urandom of="$image" bs=1M count=4 conv=notrunc,fsync
    attach "$image"
    expect_failure dd if=/dev/zero of=/dev/xvda bs=1M seek=4 oflag=direct
    # What has its place is written, and all is read.
    dd if=/dev/urandom of=/dev/xvda bs=64k count=64 oflag=direct
    dd if=/dev/xvda of=/dev/null bs=1M iflag=direct
    compare
}

test_what_was_flushed_survives_a_power_cut() {
    make_ext4 cache_size=64
    make_image 8M
    vbd_attach "$handle" "$image"
    head -c 2M /dev/urandom >/tmp/flushed
    at_end rm -f /tmp/flushed
    dd if=/tmp/flushed of=/dev/xvda bs=64k iflag=fullblock oflag=direct conv=fsync
    echo 0 >"$null_attributes/power"
    vbd_detach "$handle"
    umount "$fs"
    echo 1 >"$null_attributes/power"
    mount "$null" "$fs"
    cmp --bytes 2M /tmp/flushed "$image"
}

test_a_swap_file_in_use_is_refused() {
    make_ext4
    dd if=/dev/zero of="$fs/swap" bs=1M count=8
    chmod 600 "$fs/swap"
    mkswap "$fs/swap"
    swapon "$fs/swap" || skip "this kernel does not swap to a file here"
    at_end swapoff "$fs/swap"
    refused "$fs/swap" 26 "swap"
}

test_many_sizes_and_32_at_once_into_a_sparse_file() {
    make_ext4
    make_image $((8 * SCALE))M
    attach "$image"
    fio_verify --size=$((8 * SCALE))M
    compare
}

test_a_file_that_has_all_its_blocks() {
    make_ext4
    make_image 8M
    dd if=/dev/urandom of="$image" bs=1M count=8 conv=notrunc,fsync
    attach "$image"
    compare
    fio_verify --size=8M
    compare
}

test_requests_of_512_bytes_where_blocks_have_4096() {
    make_ext4 blocksize=4096
    make_image 8M
    attach "$image"
    expect 512 "$(queue_limit /dev/xvda logical_block_size)"
    expect buffered "$(cat "/sys/bus/xen-backend/devices/vbd-0-$handle/access")"
    fio_verify --bsrange=512-16k --size=4M
    compare
}

test_a_file_system_without_direct_access_or_starting() {
    make_tmpfs
    make_image 8M
    attach "$image"
    fio_verify --size=8M
    compare
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
