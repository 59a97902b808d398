#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Without Xen the backend refuses to load, says why in a sentence, and leaves nothing behind.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/leaks.sh
. lib/vbd.sh
. lib/log.sh

modules=${MODULES:-/src/build/modules}

test_this_machine_is_without_xen() { [ ! -e /proc/xen/capabilities ] && [ ! -e /sys/hypervisor/type ]; }

test_xenbus_rs_loads_for_what_needs_no_xen() {
    insmod "$modules/xenbus-rs.ko"
    at_end rmmod xenbus_rs
    [ -d /sys/module/xenbus_rs ]
}

test_xbdback_refuses_and_says_why() {
    insmod "$modules/xenbus-rs.ko"
    at_end rmmod xenbus_rs
    log_mark
    expect_failure insmod "$modules/xbdback.ko"
    expect_logged_once "xenbus_rs: this kernel does not run under Xen: boot Xen first, and Linux as its dom0"
    [ ! -d /sys/module/xbdback ]
    [ ! -d /sys/kernel/debug/xbdback ]
}

test_xbdback_does_not_load_without_xenbus_rs() {
    expect_failure insmod "$modules/xbdback.ko"
    [ ! -d /sys/module/xbdback ]
}

load_and_unload() { # TIMES
    local _
    for _ in $(seq "$1"); do
        insmod "$modules/xenbus-rs.ko"
        insmod "$modules/xbdback.ko" 2>/dev/null || :
        rmmod xenbus_rs
    done
}

# R36: what a failed load allocated is given back, and what one that succeeded did.
test_loading_many_times_keeps_no_memory() {
    local slab_before memory_before times=$((15 * SCALE))
    load_and_unload 10
    weigh_kernel
    slab_before=$slab memory_before=$memory
    load_and_unload "$times"
    weigh_kernel
    echo "after $times times: slab $((slab - slab_before)) KiB more, all memory $((memory - memory_before)) KiB more"
    # A work queue each would be two kilobytes of slabs, the module itself dozens of pages.
    [ $((slab - slab_before)) -lt $((40 + times)) ]
    [ $((memory - memory_before)) -lt $((2048 + 2 * times)) ]
}

test_the_modules_say_what_they_are() {
    local module
    for module in xenbus-rs xbdback vnd-bridge; do
        expect GPL "$(modinfo -F license "$modules/$module.ko")" "the licence of $module"
        [ -n "$(modinfo -F description "$modules/$module.ko")" ]
    done
    expect xen-backend:vbd "$(modinfo -F alias "$modules/xbdback.ko" | grep xen-backend)"
    expect xenbus-rs "$(modinfo -F depends "$modules/xbdback.ko" | tr _ - )"
}

ktap_run
