# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A file system on a disk that keeps nothing: what is read and written in its files costs what the way there costs, and
# no copying. To be sourced.
#
# Its own blocks are in the page cache of the disk, from when it is made until the machine ends: so the disk stays open, and
# memory must not be short. ext4 would drop them when it sets the disk's block size, which is 1024 before it knows better:
# so it is that already, and the file system's own.

# Makes a null_blk that completes at once, and takes a megabyte at a time: by default it is half a KiB less than 128.
make_null_disk() { # DEVICE
    local config=/sys/kernel/config/nullb/${1##*/}
    mkdir "$config"
    echo 2 >"$config/queue_mode"
    echo 0 >"$config/irqmode"
    echo 256 >"$config/size"
    echo 2048 >"$config/max_sectors"
    echo 1 >"$config/power"
}

# Makes the file system and mounts it.
make_null_fs() { # DEVICE FOLDER
    # shellcheck disable=SC2034 # to stay open
    exec {null_fs_disk}<"$1"
    blockdev --setbsz 1024 "$1"
    # Nothing of it is left to be made while something is measured.
    mkfs.ext4 -q -b 1024 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$1"
    mkdir -p "$2"
    mount -o noatime "$1" "$2"
}
