#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Files as disks, /dev/vndN: data, sizes, and what they are under load.
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/images.sh
. lib/leaks.sh
. lib/log.sh
. lib/vnd.sh

test_what_is_written_is_read_and_is_in_the_file() {
    make_ext4
    make_image 16M
    configure "$image"
    fio_verify --size=16M
    compare
    fio_verify --size=4M --direct=0 --ioengine=psync --fsync=16
    compare
}

test_a_file_that_has_all_its_blocks_past_the_page_cache() {
    make_ext4
    make_image 8M
    dd if=/dev/urandom of="$image" bs=1M count=8 conv=notrunc,fsync
    configure "$image"
    [[ $(vnd get "$unit" -1) == "${unit#/dev/vnd} 0x30000 "* ]] || fail "it does not go past the page cache"
    compare
    fio_verify --size=8M
    compare
    # As much at once as a program likes.
    dd if=/dev/urandom of="$unit" bs=8M count=1 oflag=direct
    compare
}

test_through_the_page_cache() {
    make_ext4
    make_image 8M
    configure "$image" fileio
    [[ $(vnd get "$unit" -1) == *" 0x10008 "* ]] || fail "it goes past the page cache"
    fio_verify --size=8M
    compare
}

test_sectors_of_4096_bytes() {
    make_ext4 blocksize=4096
    make_image 8M
    configure "$image"
    expect 512 "$(queue_limit "$unit" logical_block_size)"
    [[ $(vnd get "$unit" -1) == *" 0x10000 "* ]] || fail "units of 512 bytes go past the page cache"
    fio_verify --bsrange=512-16k --size=2M
    compare
    clear "$unit"
    configure "$image" hasgeom 4096/1/1/0
    expect 4096 "$(queue_limit "$unit" logical_block_size)"
    [[ $(vnd get "$unit" -1) == *" 0x30001 "* ]] || fail "units of 4096 bytes do not go past the page cache"
    expect_failure dd if="$unit" of=/dev/null bs=512 count=1 iflag=direct
    fio_verify --bsrange=4k-128k --size=4M
    compare
}

test_a_file_system_with_partitions_and_its_check() {
    make_ext4
    make_image 64M
    partition "$image"
    configure "$image"
    [ -b "${unit}p2" ]
    refuse ENOTTY clear "${unit}p1"
    mkfs.ext4 -q "${unit}p1"
    mkdir /tmp/above
    at_end rmdir /tmp/above
    mount "${unit}p1" /tmp/above
    tar -C /src/xenbus -cf - . | tar -C /tmp/above -xf -
    refuse EBUSY clear "$unit"
    umount /tmp/above
    fsck.ext4 -fn "${unit}p1"
    clear "$unit"
    # They are found again.
    configure "$image" readonly
    [ -b "${unit}p2" ]
    mount -o ro "${unit}p1" /tmp/above
    at_end umount /tmp/above
    diff -r --exclude=lost+found /src/xenbus /tmp/above
}

# A large page is parted where a request may have no more. In the place of such a part, which begins in the middle of its
# page, comes a request of several small ones, which begins at the beginning.
test_requests_of_parts_of_pages_and_of_several_pages() {
    make_ext4
    make_image 32M
    configure "$image"
    for _ in {1..8}; do dd if=/dev/zero of="$unit" bs=32M count=1 iflag=fullblock oflag=direct; done
    fio_verify --rw=write --bsrange=4k-4k --size=8M --iodepth_batch=32 --iodepth_batch_complete_min=32
    compare
}

# A file system above, and one below, each with a journal: neither takes the other's transactions for its own.
test_journals_above_and_below() {
    make_ext4
    make_image 64M
    configure "$image"
    mkfs.ext4 -q "$unit"
    mkdir /tmp/above
    at_end rmdir /tmp/above
    mount -o data=journal "$unit" /tmp/above
    fio --name=churn --directory=/tmp/above --rw=randwrite --bs=4k --size=4M --nrfiles=20 --numjobs=2 --fsync=8 \
        --verify=crc32c --do_verify=1 --verify_state_save=0
    umount /tmp/above
    fsck.ext4 -fn "$unit"
}

test_a_discard_gives_room_back() {
    make_ext4
    make_image 16M
    configure "$image"
    dd if=/dev/urandom of="$unit" bs=1M count=16 oflag=direct
    blkdiscard --offset 4M --length 8M "$unit"
    sync "$image"
    expect 8192 "$(kilobytes_of "$image")" "what the file takes"
    cmp --bytes 8M <(dd if="$unit" bs=1M skip=4 iflag=direct) /dev/zero
    blkdiscard --zeroout --offset 0 --length 1M "$unit"
    cmp --bytes 1M <(dd if="$unit" bs=1M iflag=direct) /dev/zero
    compare
}

test_a_full_file_system_fails_what_it_cannot_write() {
    make_ext4 size=32
    make_image 64M
    dd if=/dev/urandom of="$image" bs=1M count=4 conv=notrunc,fsync
    configure "$image"
    expect_failure dd if=/dev/zero of="$unit" bs=1M seek=4 oflag=direct
    dd if=/dev/urandom of="$unit" bs=64k count=64 oflag=direct
    dd if="$unit" of=/dev/null bs=1M iflag=direct
    compare
}

test_what_the_disk_below_fails_is_an_error_for_a_helper_too() {
    local blocks
    make_ext4
    make_image 1M
    fallocate -l 1M "$image"
    blocks=$(filefrag -b512 -v "$image" | sed -n 's/^ *0:[^:]*: *\([0-9]*\)\.\. *\([0-9]*\):.*/\1-\2/p')
    configure "$image"
    # Not yet written, so the file system has to note more than the data.
    echo "+$blocks" >"$null_attributes/badblocks"
    expect_failure dd if=/dev/zero of="$unit" bs=64k count=1 oflag=direct
    echo "-$blocks" >"$null_attributes/badblocks"
    dd if=/dev/zero of="$unit" bs=1M count=1 oflag=direct
    # Where the blocks are is not in memory any more.
    echo "+$blocks" >"$null_attributes/badblocks"
    echo 2 >/proc/sys/vm/drop_caches
    expect_failure dd if="$unit" of=/dev/null bs=64k count=1 iflag=direct
}

# The file system would count what is written to the file as the program's own.
test_what_a_program_may_write_to_files_is_no_limit_for_a_disk() {
    make_ext4
    make_image 4M
    configure "$image"
    (
        ulimit -f 64
        dd if=/dev/zero of="$unit" bs=64k seek=8 count=1 oflag=direct
    )
}

# One that is killed while it waits for its turn has the disk read all the same: others may need what it asked for.
test_a_program_that_is_killed_is_no_error_of_the_disk() {
    local reader
    make_ext4
    make_image 16M
    configure "$image" fileio
    queue_set "$unit" nr_requests 4
    log_mark
    fsfreeze --freeze "$fs"
    at_end thaw
    taskset --cpu-list 0 dd if=/dev/zero of="$unit" bs=16M count=1 oflag=direct &
    patiently has_all_in_flight
    taskset --cpu-list 0 dd if="$unit" of=/dev/null bs=4k count=1 iflag=direct &
    reader=$!
    patiently is_stuck "$reader"
    kill -KILL "$reader"
    thaw
    expect_failure wait "$reader"
    wait
    expect_failure grep "error, dev ${unit#/dev/}" <(log_lines)
}

has_all_in_flight() { [ "$(awk '{ print $2 }' "/sys/class/block/${unit#/dev/}/inflight")" = 4 ]; }
is_stuck() { grep -q '^State:.*D' "/proc/$1/status"; }

test_a_file_grows_and_shrinks_under_load() {
    make_ext4
    make_image 8M
    configure "$image"
    fio --name=load --filename="$unit" --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio --direct=1 --size=4M \
        --time_based --runtime=6 >/dev/null &
    truncate -s 12M "$image"
    patiently size_is 24576
    fio_verify --offset=8M --size=4M
    truncate -s 4M "$image"
    patiently size_is 8192
    wait $!
    expect_failure dd if=/dev/zero of="$unit" bs=4k seek=1024 count=1 oflag=direct
    compare
}

test_the_page_cache_of_the_file_says_the_same() {
    make_ext4
    make_image 4M
    configure "$image"
    cat "$image" >/dev/null
    dd if=/dev/urandom of="$unit" bs=64k count=64 oflag=direct
    compare
    # One who has mapped it sees it, too, and the disk what that one writes.
    python3 - "$image" "$unit" <<'END'
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
mapped = mmap.mmap(file, 4096, prot=mmap.PROT_READ)
before = mapped[:512]
disk = os.open(sys.argv[2], os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
page.write(bytes(255 - byte for byte in before) * 8)
assert os.pwritev(disk, [page], 0) == 4096
assert mapped[:] == page[:], "what was mapped is stale"
END
}

test_what_was_flushed_survives_a_power_cut() {
    make_ext4 cache_size=64
    make_image 8M
    configure "$image"
    head -c 2M /dev/urandom >/tmp/flushed
    at_end rm -f /tmp/flushed
    dd if=/tmp/flushed of="$unit" bs=64k iflag=fullblock oflag=direct conv=fsync
    echo 0 >"$null_attributes/power"
    clear "$unit"
    umount "$fs"
    echo 1 >"$null_attributes/power"
    mount "$null" "$fs"
    cmp --bytes 2M /tmp/flushed "$image"
}

test_clearing_under_load_is_refused_and_forced() {
    local try
    make_ext4
    make_image 8M
    for try in $(seq $((2 * SCALE))); do
        configure "$image"
        fio --name=load --filename="$unit" --rw=randrw --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --size=8M \
            --time_based --runtime=60 >"/tmp/load.$try" 2>&1 &
        patiently is_busy
        refuse EBUSY clear "$unit"
        cleared "$unit" force
        # What was in flight came back, and nothing else is started.
        expect_failure wait $!
        [ ! -b "$unit" ]
        rm "/tmp/load.$try"
    done
    # Nothing holds the file any more.
    umount "$fs"
    mount "$null" "$fs"
}

# What somebody else would write meanwhile would go to the next file.
test_nobody_opens_a_unit_that_is_being_cleared_but_all_may_ask_for_it() {
    local number first
    make_ext4
    make_image 64M
    partition "$image"
    configure "$image" fileio
    number=${unit#/dev/vnd} first=$image
    begin_to_clear
    refuse ENXIO get "${unit}p1" -1
    refuse ENXIO get "$unit" -1
    says_at_once "$number 0x10008 * $image" get $control "$number"
    says_at_once "[0-9]*" get-free
    [ "$said" != "$number" ]
    remove "$said"
    waits_in "$clearer" "$CLEAR"
    thaw
    wait "$clearer"
    make_image 4M
    vnd add "$number"
    vnd set "$unit" "$image"
    cmp --bytes 4M "$unit" /dev/zero
    clear "$unit"
    cmp <(head -c 4096 /dev/zero | tr '\0' x) <(dd if="$first" bs=4k skip=256 count=1)
}

# says_at_once PATTERN COMMAND…: fails unless the request says this, also in `said`, though others wait.
says_at_once() {
    local pattern=$1
    shift
    ./lib/vnd-ioctl "$@" >/tmp/said &
    at_end rm -f /tmp/said
    patiently has_ended $!
    said=$(cat /tmp/said)
    # shellcheck disable=SC2053 # it is a pattern
    [[ $said == $pattern ]] || fail "'$*' says '$said'"
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# The disk below counts for whoever wrote, not for the threads that did it: so their limits hold there.
test_what_a_cgroup_writes_is_its_own_on_the_disk_below() {
    make_ext4
    make_image 16M
    configure "$image"
    echo +io >/sys/fs/cgroup/cgroup.subtree_control
    group=$(mktemp -d /sys/fs/cgroup/vnd.XXXXXX)
    at_end rmdir "$group"
    # Into holes: a helper has to allocate.
    in_group dd if=/dev/zero of="$unit" bs=1M count=16 oflag=direct
    expect_below 16
    # Into pages, which the kernel writes later, and at once.
    mkfs.ext4 -q -E nodiscard "$unit"
    mkdir /tmp/above
    at_end rmdir /tmp/above
    mount "$unit" /tmp/above
    at_end umount /tmp/above
    in_group dd if=/dev/zero of=/tmp/above/file bs=1M count=4
    sync
    expect_below 20
}

in_group() { (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@"); }

# Fails unless the group has written so many mebibytes to the disk below.
expect_below() {
    local written
    written=$(sed -n "s/^$(cat "/sys/class/block/${null#/dev/}/dev") .*wbytes=\([0-9]*\).*/\1/p" "$group/io.stat")
    [ "${written:-0}" -ge $(($1 << 20)) ] || fail "it has written ${written:-0} bytes, of $1 MiB"
}

is_busy() { awk '{ exit !($9 > 0) }' "/sys/class/block/${unit#/dev/}/stat"; }

test_a_compressed_image_is_what_it_uncompresses_to() {
    make_contents
    compress_otherwise 65536
    configure "$archive" comp
    [[ $(vnd get "$unit" -1) == *" 0x10402 "*" $((24 << 16)) "* ]] || fail "it is $(vnd get "$unit" -1)"
    expect 1 "$(blockdev --getro "$unit")"
    cmp "$unit" <(cat "$image" && head -c "$tail" /dev/zero)
    # A part of a request, and of a block.
    dd if="$unit" bs=12k skip=5 count=1 iflag=direct | cmp --bytes 12288 - <(tail -c +61441 "$image")
    unit=/dev/vnd$(vnd add -1)
    refuse EINVAL set "$unit" "$image" comp
    remove "${unit#/dev/vnd}"
}

test_many_cycles_keep_no_memory() {
    local slab_before
    make_ext4
    make_image 8M
    cycles 10
    weigh_kernel
    slab_before=$slab
    cycles $((60 * SCALE))
    weigh_kernel
    echo "slab: $((slab - slab_before)) KiB more"
    # The tags of one disk are some hundred. Each processor keeps a little of everything, but not each time.
    [ $((slab - slab_before)) -lt $((64 * $(nproc) + 30 * SCALE)) ]
}

# In one process: a request is much quicker than an interpreter.
cycles() { ./lib/vnd-ioctl cycle "$image" "$1"; }

load_vnd
ktap_run
