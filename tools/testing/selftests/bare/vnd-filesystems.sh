#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# File systems other than ext4 on units of vnd(4), and below them.
# timeout: 300

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/log.sh
. lib/vnd.sh

# Uses a new file system on a unit, and checks it.
use_fs_above() { # TYPE CHECK…
    local check=("${@:2}")
    make_ext4 size=512
    make_image 448M
    configure "$image"
    above=$(mktemp -d /tmp/above.XXXXXX)
    at_end rmdir "$above"
    "mkfs.$1" -q "$unit"
    mount "$unit" "$above"
    fio --name=churn --directory="$above" --rw=randwrite --bs=4k --size=1M --nrfiles=8 --numjobs=2 --fsync=32 \
        --verify=crc32c --do_verify=1 --verify_state_save=0
    tar -C /src/xenbus -cf - . | tar -C "$above" -xf -
    rm -r "$above"/churn.*
    fstrim "$above"
    umount "$above"
    "${check[@]}" "$unit"
    clear "$unit"
    # What is in the file is all of it.
    configure "$image" readonly
    mount -o ro "$unit" "$above"
    at_end umount "$above"
    diff -r --exclude=lost+found /src/xenbus "$above"
}

test_xfs_on_a_unit() { use_fs_above xfs xfs_repair -n; }
test_btrfs_on_a_unit() { use_fs_above btrfs btrfs check; }

# make_fs_below TYPE [OPTIONS]: sets `image` to a new file in a new file system, mounted with the options.
make_fs_below() {
    make_null size=512
    make_fs "$1" "$null"
    mount -o "remount,${2:-rw}" "$fs"
    make_image 8M
}

# Writes and reads a unit in all ways; fails unless the file is the same.
use_unit() {
    fio_verify --size=$((4 * SCALE))M
    compare
    fio_verify --size=1M --direct=0 --ioengine=psync --fsync=16
    dd if=/dev/urandom of="$unit" bs=1M count=8 oflag=direct
    blkdiscard --offset 2M --length 4M "$unit"
    cmp --bytes 4M <(dd if="$unit" bs=1M skip=2 iflag=direct) /dev/zero
    blkdiscard --zeroout --offset 0 --length 1M "$unit"
    cmp --bytes 1M <(dd if="$unit" bs=1M iflag=direct) /dev/zero
    compare
    truncate -s 12M "$image"
    patiently size_is 24576
    fio_verify --offset=8M --size=2M
    compare
}

size_is() { [ "$(sectors_of "$unit")" = "$1" ]; }

# way UNIT: prints how its data gets to the file.
way() {
    local flags
    read -r _ flags _ < <(vnd get "$1" -1)
    if ((flags & 0x20000)); then echo direct; else echo buffered; fi
}

test_a_file_on_xfs() {
    make_fs_below xfs
    configure "$image"
    expect direct "$(way "$unit")"
    use_unit
    sync "$image"
    clear "$unit"
    umount "$fs"
    xfs_repair -n "$null"
    mount "$null" "$fs"
}

# Somebody copies the file by sharing its blocks: from then on, they are copied when they are written.
test_a_file_on_xfs_that_comes_to_share_its_blocks() {
    make_fs_below xfs
    configure "$image" fileio
    use_unit
    clear "$unit"
    configure "$image"
    cp --reflink=always "$image" "$image.other"
    sha256sum <"$image.other" >/tmp/other
    at_end rm -f "$image.other" /tmp/other
    fio_verify --size=4M
    compare
    sha256sum --check --quiet /tmp/other <"$image.other"
}

test_a_file_on_btrfs() {
    make_fs_below btrfs
    configure "$image"
    use_unit
    sync "$image"
    clear "$unit"
    umount "$fs"
    btrfs check "$null"
    mount "$null" "$fs"
    compare_sums
}

# btrfs notices data that changed while it was on its way to the disk.
compare_sums() { btrfs scrub start -B "$fs" && ! dmesg | grep 'csum failed'; }

test_a_file_on_btrfs_that_is_compressed() {
    make_fs_below btrfs compress-force=zstd
    configure "$image"
    use_unit
    compare_sums
}

test_a_file_on_btrfs_without_copies() {
    make_fs_below btrfs
    rm "$image"
    touch "$image"
    chattr +C "$image"
    truncate -s 8M "$image"
    configure "$image"
    use_unit
}

# Makes an empty FAT16 of a disk of 64 MiB.
make_fat() { # DEVICE
    python3 -c 'import struct, sys
disk = open(sys.argv[1], "r+b")
sector, cluster, reserved, root, sectors, fat = 512, 8, 1, 512, 131072, 65
shape = struct.pack("<HBHBHHBHHHII", sector, cluster, reserved, 1, root, 0, 0xF8, fat, 32, 2, 0, sectors)
disk.write(b"\xeb\x3c\x90selftest" + shape + bytes(474) + b"\x55\xaa" + struct.pack("<HH", 0xFFF8, 0xFFFF))' "$1"
}

test_a_file_that_cannot_have_holes() {
    make_null
    make_fat "$null"
    mount_fs vfat "$null"
    make_image 8M
    configure "$image"
    log_mark
    dd if=/dev/urandom of="$unit" bs=1M count=8 oflag=direct
    blkdiscard "$unit"
    blkdiscard --zeroout --length 1M "$unit"
    cmp --bytes 1M "$unit" /dev/zero
    compare
    # It is not asked for any more, and there was no need to complain.
    expect 0 "$(queue_limit "$unit" discard_max_bytes)"
    expect 0 "$(queue_limit "$unit" write_zeroes_max_bytes)"
    expect_failure grep "dev ${unit#/dev/}" <(log_lines)
}

load_vnd
ktap_run
