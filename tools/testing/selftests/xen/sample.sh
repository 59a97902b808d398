#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The sample driver, samples/xenbus_sample.rs: what a driver on the xenbus crate gets to see.
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh

readonly back=/local/domain/0/backend/xbdsample/0/7 front=/local/domain/0/device/xbdsample/7

make_device() {
    xenstore-write "$front/backend" "$back" "$front/backend-id" 0 "$front/state" 1 \
        "$back/frontend" "$front" "$back/frontend-id" 0 "$back/online" 1 "$back/state" 1
    at_end xenstore-rm "$back" "$front"
}

backend_is_in() { [ "$(xenstore-read "$back/state")" = "$1" ]; }

# said LINE: the kernel log has it, with the module's name before.
said() { dmesg --notime | grep -qxF -- "xenbus_sample: backend/xbdsample/0/7: $1"; }

test_the_sample_driver_follows_the_other_end() {
    dmesg --clear
    make_device
    modprobe xenbus_sample
    patiently backend_is_in 2
    said "for domain 0, whose end is $front"

    xenstore-write "$front/state" 4
    patiently backend_is_in 4
    said "domain 0 is there"

    xenstore-write "$front/state" 6
    patiently backend_is_in 6
    said "domain 0 has left"

    rmmod xenbus_sample
    said "unbound"
}

ktap_run
