# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Disks that complete at once, and a file system on one that keeps nothing: what is read and written in its files costs what
# the way there costs, and no copying. To be sourced.
#
# The file system's own blocks are in the page cache of its disk, from when it is made until the machine ends: so the disk
# stays open, and memory must not be short. ext4 would drop them when it sets the disk's block size, which is 1024 before it
# knows better: so it is that already, and the file system's own.

# Makes a null_blk that completes at once, and takes a megabyte at a time, as real disks do: by default it is half a KiB
# less than 128. configfs is mounted.
make_null_disk() { # DEVICE [ATTRIBUTE=VALUE…]
    local config=/sys/kernel/config/nullb/${1##*/} attribute
    mkdir "$config"
    for attribute in queue_mode=2 irqmode=0 size=256 max_sectors=2048 "${@:2}" power=1; do
        echo "${attribute#*=}" >"$config/${attribute%%=*}"
    done
}

# Makes such a disk with a file system, and mounts it.
make_null_fs() { # DEVICE FOLDER
    make_null_disk "$1"
    # shellcheck disable=SC2034 # to stay open
    exec {null_fs_disk}<"$1"
    blockdev --setbsz 1024 "$1"
    # Nothing of it is left to be made while something is measured.
    mkfs.ext4 -q -b 1024 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$1"
    mkdir -p "$2"
    mount -o noatime "$1" "$2"
}
