#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Many disks on files at once.
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/many.sh

test_sixteen_disks_on_files_have_their_parts_of_what_there_is() {
    local handle
    make_ext4 size=128
    for handle in $(seq 51712 16 51952); do
        make_image 4M
        vbd_create "$handle" "$image"
        at_end vbd_detach "$handle"
        many+=("$(vbd_node "$handle")") files+=("$image")
    done
    for handle in $(seq 51712 16 51952); do vbd_wait "$handle" 4; done
    for node in "${many[@]}"; do patiently test -b "$node"; done
    use_many
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
