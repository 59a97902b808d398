# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts of a disk below the file system whose file is another disk; to be sourced after powercut.sh.

readonly lower=/tmp/lower lower_after_cut=/tmp/lower-after-cut

# Sets `image` to a sparse file in an ext4 on a disk whose writes are logged.
make_logged_image() {
    make_logged 64
    # shellcheck disable=SC2154 # make_logged sets it
    mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 -J size=4 "$dm"
    mkdir -p $lower
    mount "$dm" $lower
    at_end umount $lower
    image=$lower/image
    truncate -s 32M "$image"
}

# Whether the disk found after a cut has a sound file system with a file that is_whole.
is_whole_below() { # IMAGE SYNCED
    mkdir -p $lower_after_cut
    mount -o loop "$1" $lower_after_cut || return
    is_whole $lower_after_cut/image "$2"
    local upper_is_wrong=$?
    umount $lower_after_cut || return
    is_sound "$1" || return
    return $upper_is_wrong
}
