#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Without Xen the modules refuse to load, say why in a sentence, and leave nothing behind.

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/leaks.sh
. lib/log.sh

modules=${MODULES:-/src/build/modules}

test_this_machine_is_without_xen() { [ ! -e /proc/xen/capabilities ] && [ ! -e /sys/hypervisor/type ]; }

test_xenbus_rs_refuses_and_says_why() {
    log_mark
    expect_failure insmod "$modules/xenbus-rs.ko"
    log_lines
    log_lines | grep -iE 'not .*xen|no xen|xen .*(missing|needed|domain)'
    [ ! -d /sys/module/xenbus_rs ]
}

test_xbdback_does_not_load_without_xenbus_rs() {
    expect_failure insmod "$modules/xbdback.ko"
    [ ! -d /sys/module/xbdback ]
}

# R36: what a failed load allocated is given back.
test_refusing_200_times_keeps_no_memory() {
    local slab_before memory_before try
    for try in $(seq 10); do insmod "$modules/xenbus-rs.ko" 2>/dev/null || :; done
    weigh_kernel
    slab_before=$slab memory_before=$memory
    for try in $(seq $((200 * SCALE))); do insmod "$modules/xenbus-rs.ko" 2>/dev/null || :; done
    weigh_kernel
    echo "after $try times: slab $((slab - slab_before)) KiB more, all memory $((memory - memory_before)) KiB more"
    # A work queue each would be two kilobytes of slabs, the module itself dozens of pages.
    [ $((slab - slab_before)) -lt $((200 * SCALE)) ]
    [ $((memory - memory_before)) -lt $((2048 + 400 * SCALE)) ]
}

test_the_modules_say_what_they_are() {
    local module
    for module in xenbus-rs xbdback; do
        expect GPL "$(modinfo -F license "$modules/$module.ko")" "the licence of $module"
        [ -n "$(modinfo -F description "$modules/$module.ko")" ]
    done
    expect xen-backend:vbd "$(modinfo -F alias "$modules/xbdback.ko" | grep xen-backend)"
    expect xenbus-rs "$(modinfo -F depends "$modules/xbdback.ko" | tr _ - )"
}

ktap_run
