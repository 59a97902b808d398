#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Disks are attached sooner on files than on loop devices.
#
# On a clock that other work on the machine stops, this says little: it wants a machine that counts instructions.
#
#     tools/testing/vm/xen-run --icount tools/testing/selftests/run MACHINE='xen icount' DISKS=50 xen/file-attach.sh
#
# machine: icount
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh

readonly disks=${DISKS:-10}
# What they are on.
files=()

# The handles of disks, as where there are more than sixteen of them.
handles() { seq $((1 << 28)) 256 $(((1 << 28) + 256 * (disks - 1))); }

# milliseconds_to_attach COMMAND: sets `took` to how long it takes to attach the disks, each on what `COMMAND FILE` sets
# `device` to. They are detached again.
milliseconds_to_attach() {
    local handle began
    began=${EPOCHREALTIME/[.,]/}
    for handle in $(handles); do
        "$1" "${files[(handle - (1 << 28)) / 256]}"
        vbd_create "$handle" "$device"
    done
    for handle in $(handles); do vbd_wait "$handle" 4; done
    took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
    for handle in $(handles); do
        xenstore-write "$vbd_backends/$handle/online" 0 "$vbd_backends/$handle/state" 5
    done
    for handle in $(handles); do
        vbd_wait "$handle" 6 none
        vbd_remove "$handle"
    done
}

by_itself() { device=$1; }

on_a_loop_device() {
    device=$(losetup --find --show --direct-io=on "$1")
    loops+=("$device")
}

test_disks_on_files_are_attached_in_less_time_than_on_loop_devices() {
    local loops=() on_files
    [ "${MACHINE:-}" = 'xen icount' ] || skip "the machine's clock is not its own: it was not started with --icount"
    make_ext4 size=128
    modprobe loop
    for _ in $(seq "$disks"); do
        make_image 1M
        files+=("$image")
    done
    milliseconds_to_attach by_itself
    on_files=$took
    milliseconds_to_attach on_a_loop_device
    losetup --detach "${loops[@]}"
    echo "$disks disks on files: $on_files ms; on loop devices: $took ms"
    [ "$on_files" -lt "$took" ]
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
