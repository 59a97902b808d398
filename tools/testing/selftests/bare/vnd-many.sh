#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Many units of vnd(4) at once.
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/many.sh
. lib/vnd.sh

test_sixteen_units_have_their_parts_of_what_there_is() {
    make_ext4 size=128
    for _ in $(seq 16); do
        make_image 4M
        configure "$image"
        many+=("$unit") files+=("$image")
    done
    use_many
}

load_vnd
ktap_run
