# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# File systems and files for tests, gone when the test ends; to be sourced after ktap.sh and devices.sh.

# mount_fs TYPE DEVICE: sets `fs` to the directory where this file system is mounted.
mount_fs() {
    fs=$(mktemp -d /tmp/fs.XXXXXX)
    at_end rmdir "$fs"
    mount -t "$1" "$2" "$fs"
    at_end umount "$fs"
}

# make_fs TYPE DEVICE: sets `fs` to the directory where a new file system is mounted.
make_fs() {
    "mkfs.$1" -q "$2"
    mount_fs "$@"
}

# make_tmpfs: sets `fs` to the directory of a new file system in memory, for files that need no disk.
make_tmpfs() { mount_fs tmpfs memory; }

# make_ext4 [ATTRIBUTE=VALUE…]: sets `fs` to a new ext4 on a null_blk device with these attributes.
make_ext4() {
    make_null size=256 "$@"
    # shellcheck disable=SC2154 # make_null sets it
    make_fs ext4 "$null"
}

# make_image SIZE: sets `image` to a new sparse file below `fs`.
make_image() {
    image=$(mktemp "$fs/image.XXXXXX")
    truncate -s "$1" "$image"
    at_end rm -f "$image"
}

# Kilobytes that a file takes on the disk.
kilobytes_of() { du -k "$1" | cut -f 1; }
