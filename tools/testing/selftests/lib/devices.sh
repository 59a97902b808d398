# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Backing devices for tests, gone when the test ends; to be sourced after ktap.sh.

# Sets `loop` to a loop device over a new file of MIB mebibytes, and `file` to the file.
make_loop() { # [MIB]
    modprobe loop
    file=$(mktemp "${TMPDIR:-/tmp}/disk.XXXXXX")
    truncate -s "${1:-64}M" "$file"
    loop=$(losetup --find --show "$file")
    at_end rm -f "$file"
    at_end losetup --detach "$loop"
}

# make_dm NAME TABLE: sets `dm` to a device-mapper device.
make_dm() {
    modprobe dm-mod
    dmsetup create "$1" --noudevsync --noudevrules --table "$2"
    at_end dmsetup remove --noudevsync --noudevrules --force "$1"
    # shellcheck disable=SC2034 # for the test
    dm=/dev/$(basename "$(readlink -f "/sys/dev/block/$(dmsetup info -c --noheadings -o major,minor --separator : "$1")")")
}

# Whether nobody has claimed a device.
is_free() { python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$1" 2>/dev/null; }

sectors_of() { blockdev --getsz "$1"; }

# Sets `slow` to a null_blk device that answers after MICROSECONDS and keeps what is written to it.
make_slow() { # MICROSECONDS
    local dir=/sys/kernel/config/nullb/slow$BASHPID
    [ -d /sys/kernel/config/nullb ] || modprobe null_blk nr_devices=0
    [ -d /sys/kernel/config/nullb ] || mount -t configfs none /sys/kernel/config
    mkdir "$dir"
    at_end rmdir "$dir"
    echo 1024 >"$dir/size"
    echo 512 >"$dir/blocksize"
    echo 1 >"$dir/memory_backed"
    echo 2 >"$dir/irqmode"
    echo $(($1 * 1000)) >"$dir/completion_nsec"
    echo 1 >"$dir/power"
    slow=/dev/${dir##*/}
    [ -b "$slow" ] || slow=/dev/nullb$(cat "$dir/index")
}
