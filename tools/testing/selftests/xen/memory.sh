#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What an idle disk costs the machine that serves it: no more than Documentation/architecture.rst says.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/client.sh
. lib/leaks.sh
. lib/backend.sh

readonly disks=20 most=${MOST:-192}

handles() { seq 51712 16 $((51712 + 16 * (disks - 1))); }

# Lets the backend forget the disks, while the frontends are still there.
close_all() {
    local handle
    for handle in $(handles); do
        xenstore-write "$vbd_backends/$handle/online" 0 "$vbd_backends/$handle/state" 5
        xenstore-write "$(vbd_says "$handle" frontend)/state" 6
    done
    for handle in $(handles); do
        vbd_wait "$handle" 6 none
        vbd_remove "$handle"
    done
}

test_20_idle_disks_take_no_more_than_is_said() {
    local with with_slab handle
    make_null
    clients_attach "$(handles)" --device "$null" --mode w!
    for handle in $(handles); do vbd_wait "$handle" 4; done
    weigh_kernel
    # shellcheck disable=SC2154 # weigh_kernel sets them
    with=$memory with_slab=$slab
    close_all
    weigh_kernel
    local each=$(((with - memory) / disks))
    echo "an idle disk takes $each KiB, $(((with_slab - slab) / disks)) KiB of them in slabs"
    # Less than its thread's stack would be no measurement.
    [ "$each" -ge 16 ] || fail "this cannot be"
    [ "$backend" = xbdback ] || skip "an idle disk of $backend takes $each KiB"
    [ "$each" -le "$most" ] || fail "an idle disk takes $each KiB and may take $most"
}

modprobe "$backend"
ktap_run
