#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Units of vnd(4) when memory is short: they clean it, and must not wait for it.
# timeout: 300

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/vnd.sh

# Sets `image` to a file that has all its blocks, on a disk that takes no more memory when they are written.
make_full_image() { # MIB
    make_null size=$(($1 + 48))
    dd if=/dev/zero of="$null" bs=1M oflag=direct 2>/dev/null || :
    mkfs.ext4 -q -E nodiscard "$null"
    mount_fs ext4 "$null"
    image=$fs/image
    dd if=/dev/zero of="$image" bs=1M count="$1" conv=fsync
}

# Takes all memory but so much, which cannot be swapped out.
leave_memory() { # MIB
    local free pages
    sync
    echo 3 >/proc/sys/vm/drop_caches
    free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    pages=$(((free - $1) / 2))
    at_end set_huge_pages 0
    set_huge_pages "$pages"
    awk '/^(MemAvailable|HugePages_Total|SwapFree):/' /proc/meminfo
}

set_huge_pages() { echo "$1" >/proc/sys/vm/nr_hugepages; }

# Fills more memory than there is, and looks twice whether all of it is as it was.
swap_on_unit() { # [FLAGS]
    make_full_image 112
    configure "$image" "$@"
    mkswap "$unit"
    swapon "$unit"
    at_end swapoff "$unit"
    leave_memory 60
    python3 lib/fill-memory.py 110
    vmstat -s | grep swapped
}

test_swap_on_a_unit() { swap_on_unit; }
test_swap_on_a_unit_through_the_page_cache() { swap_on_unit fileio; }

# Writes more than there is memory, so that pages are cleaned to have others.
write_behind() { # [FLAGS]
    make_full_image 80
    configure "$image" "$@"
    leave_memory 50
    fio_verify --direct=0 --ioengine=psync --bsrange=4k-128k --size=80M
    compare
}

test_writes_through_the_page_cache_above() { write_behind; }
test_writes_through_both_page_caches() { write_behind fileio; }

test_a_group_of_tasks_that_may_have_little() {
    local group=/sys/fs/cgroup/little
    make_full_image 64
    configure "$image"
    mkdir -p /sys/fs/cgroup
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control
    mkdir "$group"
    at_end rmdir "$group"
    echo 16M >"$group/memory.max"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        fio_verify --direct=0 --ioengine=psync --bsrange=4k-128k --size=64M
    )
    compare
}

load_vnd
ktap_run
