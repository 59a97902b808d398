#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What cannot be mapped, since Xen gives this domain no more handles for it, is copied (R13).
# machine: few-handles
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/client.sh
. lib/backend.sh

# There are 512 handles: four rings of as many pages as one may keep mapped want more.
test_what_cannot_be_mapped_for_want_of_handles_is_copied() {
    make_null size=256
    backend_load max_queues=4 max_domain_pages=8192 copy_max_bytes=1
    "$client" io --device "$null" --queues 4 --order 4 --indirect --segments 64 --depth 64 --requests 200 --persistent both
    "$client" io --device "$null" --queues 4 --order 4 --indirect --segments 64 --depth 64 --requests 200 both
}

modprobe xbdback
ktap_run
