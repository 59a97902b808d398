#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks on compressed images, with no block device between.
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/leaks.sh
. lib/log.sh
. lib/images.sh

handle=51712

attach() { # ARCHIVE
    vbd_attach "$handle" "$1" r cloop2
    at_end detach
}

detach() {
    [ "$(vbd_state "$handle")" = none ] || vbd_detach "$handle"
}

# Fails unless the disk has the contents of $image, and zeroes up to the end of the last block; by several readers at
# once, with requests of several sizes.
compare() { # BLOCKSIZE
    local bytes size reader readers=()
    bytes=$(stat -c %s "$image")
    expect $(((bytes + $1 - 1) / $1 * $1 / 512)) "$(sectors_of /dev/xvda)" "the size in sectors"
    for size in 4k 60k 1M; do
        cmp <(dd if=/dev/xvda bs="$size" iflag=direct status=none) <(cat "$image" && head -c $((-bytes % $1 + $1)) /dev/zero) &
        readers+=($!)
    done
    for reader in "${readers[@]}"; do wait "$reader"; done
}

test_what_vndcompress_wrote_is_read_back_at_every_block_size() {
    local size
    make_contents
    for size in 512 98304 1048576; do
        compress "$size"
        attach "$archive"
        expect "uncompressed $size" "$(cat "/sys/bus/xen-backend/devices/vbd-0-$handle/access")"
        compare "$size"
        detach
    done
}

test_what_another_program_wrote_is_read_back() {
    make_contents
    compress_otherwise 65536
    attach "$archive"
    compare 65536
}

test_the_messages_name_the_file_and_the_size_of_the_disk() {
    make_contents
    compress 65536
    log_mark
    attach "$archive"
    expect_logged_once "xbd backend: attach device $archive (size $((24 * 65536))) for domain 0"
    expect 1 "$(blockdev --getro /dev/xvda)" "read-only"
    expect "" "$(losetup --associated "$archive")" "a loop device"
    expect_failure dd if=/dev/zero of=/dev/xvda count=1 oflag=direct
    detach
    expect_logged_once "xbd backend: detach device $archive for domain 0"
}

test_many_random_reads_at_once() {
    make_contents
    compress 65536
    attach "$archive"
    fio --name=read --filename=/dev/xvda --readonly --rw=randread --bsrange=512-128k --iodepth=32 --ioengine=libaio \
        --direct=1 --loops=$((4 * SCALE))
    compare 65536
}

test_two_guests_share_an_image() {
    make_contents
    compress 65536
    attach "$archive"
    vbd_attach 51728 "$archive" r cloop2
    at_end vbd_detach 51728
    cmp /dev/xvda /dev/xvdb
}

test_without_the_format_the_file_itself_is_the_disk() {
    make_contents
    compress 65536
    vbd_attach "$handle" "$archive" r
    at_end detach
    cmp "$archive" /dev/xvda
}

# A request of this size is not split.
read_block() { # NUMBER
    dd if=/dev/xvda of=/dev/null bs=4k iflag=direct skip=$(($1 * 16)) count=1 status=none
}

# says_corrupt BLOCK: fails unless the kernel logs that.
says_corrupt() { patiently log_has "$archive: block $1 is corrupt"; }

# failures_of_sectors FIRST COUNT: reads sectors one by one, and prints how many cannot be read.
failures_of_sectors() {
    dd if=/dev/xvda of=/dev/null bs=512 skip="$1" count="$2" iflag=direct conv=noerror 2>&1 |
        grep -c "Input/output error"
}

test_a_corrupt_block_fails_its_reads_and_nothing_else() {
    make_contents
    compress 65536
    # Its checksum is at the end.
    poke $(($(entry 14) - 1)) "$(flipped $(($(entry 14) - 1)))"
    attach "$archive"
    log_mark
    expect_failure read_block 13
    says_corrupt 13
    read_block 12
    read_block 14
    # Ten lines in five seconds, and a slow machine may take some.
    expect 128 "$(failures_of_sectors $((13 * 128)) 128)" "how many reads fail"
    [ "$(log_count "$archive: block 13 is corrupt")" -le 60 ] || fail "the log has a line for every read"
    # No other block is affected, and none stands in for this one.
    cmp <(dd if=/dev/xvda bs=64k count=13 iflag=direct) <(head -c $((13 * 65536)) "$image")
    cmp <(dd if=/dev/xvda bs=64k skip=14 iflag=direct) <(tail -c +$((14 * 65536 + 1)) "$image" && head -c "$tail" /dev/zero)
}

test_a_block_of_another_length_is_corrupt() {
    make_contents
    compress_otherwise 4096
    local claimed
    # As if blocks were larger, and smaller.
    for claimed in 00002000 00000c00; do
        poke 128 "$claimed"
        log_mark
        attach "$archive"
        expect_failure read_block 0
        says_corrupt 0
        detach
    done
}

test_a_file_that_is_cut_while_it_is_attached_fails_what_is_gone() {
    make_contents
    compress 65536
    attach "$archive"
    truncate -s "$(entry 4)" "$archive"
    read_block 3
    expect_failure read_block 4
    expect $((24 * 128)) "$(sectors_of /dev/xvda)" "the size"
}

# refused ERRNO WORDS [MODE [FORMAT]]: fails unless the archive is refused, with this error and these words in xenstore.
refused() {
    log_mark
    vbd_create "$handle" "$archive" "${3:-r}" "${4:-cloop2}"
    vbd_wait_error "$handle"
    [[ $(vbd_error "$handle") == "$1 "*"$2"* ]] || fail "xenstore says: $(vbd_error "$handle")"
    vbd_remove "$handle"
    patiently test ! -e "/sys/bus/xen-backend/devices/vbd-0-$handle"
}

test_it_cannot_be_written_nor_be_in_an_unknown_format() {
    make_contents
    compress 65536
    refused 30 "is read-only: attach the disk with mode r" w
    refused 30 "is read-only: attach the disk with mode r" w!
    refused 22 'physical-device-format is "vhd"' r vhd
}

# spoiled OFFSET HEX WORDS: fails unless the archive is refused with these words when it has these bytes there.
spoiled() {
    local before
    before=$(peek "$1" $((${#2} / 2)))
    poke "$1" "$2"
    refused 22 "$archive cannot be served as a compressed image: $3"
    poke "$1" "$before"
}

test_a_damaged_header_or_table_is_refused_with_a_sentence() {
    make_contents
    compress 65536
    spoiled 128 00000000 "the block size is 0"
    spoiled 128 00000201 "the block size is 513, which is no multiple of 512"
    spoiled 128 00100200 "the block size is 1049088, which is more than 1048576"
    spoiled 132 00300000 "the offset table of 3145728 blocks does not fit into a file of"
    spoiled 136 0000000000000000 "the first block begins at byte 0, and the offset table ends at 336"
    # Blocks that overlap, or come in another order, end before they begin.
    spoiled 160 "$(peek 144 8)" "block 2 begins at byte"
    spoiled 160 ffffffffffffffff "the image is partial: block 2 and those behind it were not written"
    # What was undone is good again.
    attach "$archive"
    compare 65536
}

test_a_file_that_ends_early_is_refused_with_a_sentence() {
    make_contents
    compress 65536
    truncate -s $(($(entry 24) - 1)) "$archive"
    refused 22 "block 23 ends at byte"
    truncate -s 300 "$archive"
    refused 22 "the offset table of 24 blocks does not fit into a file of 300 bytes"
    truncate -s 135 "$archive"
    refused 22 "a file of 135 bytes has no header"
}

cycles() { # COUNT
    for _ in $(seq "$1"); do
        vbd_attach "$handle" "$archive" r cloop2
        read_block 0
        vbd_detach "$handle"
        patiently test ! -e /dev/xvda
    done
}

test_its_memory_is_given_back() {
    local before
    make_contents
    compress 1048576
    cycles 2
    weigh_kernel
    # shellcheck disable=SC2154 # weigh_kernel sets it
    before=$memory
    cycles 4
    weigh_kernel
    echo "$((memory - before)) KiB more"
    # Four times what an image takes would be 16 MiB and more.
    [ $((memory - before)) -lt 4096 ] || fail "the kernel's memory grows"
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
