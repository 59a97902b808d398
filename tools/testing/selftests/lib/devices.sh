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

# dm_hold NAME: has a device-mapper device keep the requests that it gets, until dm_release or the end of the test.
dm_hold() {
    dmsetup suspend --nolockfs --noflush --noudevsync --noudevrules "$1"
    at_end dm_release "$1"
}

dm_release() { dmsetup resume --noudevsync --noudevrules "$1"; }

# Whether nobody has claimed a device.
is_free() { perl -MFcntl -e 'sysopen(my $disk, shift, O_RDWR | O_EXCL) or exit 1' "$1"; }

sectors_of() { blockdev --getsz "$1"; }

# make_null ATTRIBUTE=VALUE…: sets `null` to a null_blk device of 64 MiB that keeps what is written to it, unless its
# attributes say otherwise, and `null_attributes` to their directory.
make_null() {
    local attribute
    null_attributes=/sys/kernel/config/nullb/null$BASHPID-$((made_nulls += 1))
    [ -d /sys/kernel/config/nullb ] || modprobe null_blk nr_devices=0
    [ -d /sys/kernel/config/nullb ] || mount -t configfs none /sys/kernel/config
    mkdir "$null_attributes"
    at_end rmdir "$null_attributes"
    for attribute in size=64 blocksize=512 memory_backed=1 "$@" power=1; do
        echo "${attribute#*=}" >"$null_attributes/${attribute%%=*}"
    done
    null=/dev/${null_attributes##*/}
    [ -b "$null" ] || null=/dev/nullb$(cat "$null_attributes/index")
}
made_nulls=0

# Sets `slow` to a null_blk device that answers after MICROSECONDS and keeps what is written to it.
make_slow() { # MICROSECONDS
    make_null size=1024 irqmode=2 completion_nsec=$(($1 * 1000))
    # shellcheck disable=SC2034 # for the test
    slow=$null
}

# make_scsi PARAMETER=VALUE…: sets `scsi` to a disk of 8 MiB by scsi_debug; there is one at a time.
make_scsi() {
    modprobe sd_mod
    modprobe scsi_debug dev_size_mb=8 delay=0 lbpu=1 "$@"
    at_end patiently rmmod scsi_debug
    patiently scsi_disk_is_there
}

scsi_disk_is_there() {
    scsi=/dev/$(ls -1 /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block 2>/dev/null)
    [ -b "$scsi" ]
}

# queue_limit DEVICE NAME: prints what the kernel says of a disk's queue, e.g. logical_block_size.
queue_limit() { cat "/sys/class/block/${1#/dev/}/queue/$2"; }

# queue_set DEVICE NAME VALUE
queue_set() { echo "$3" >"/sys/class/block/${1#/dev/}/queue/$2"; }
