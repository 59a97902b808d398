#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flushes are offered when the device has a volatile cache, and only then; each one reaches it (R32).
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

attach_null() { # ATTRIBUTE=VALUE…
    make_null "$@"
    vbd_attach 51712 "$null"
    at_end vbd_detach 51712
}

# What the backend offers of flushes and barriers.
offered() { echo "$(vbd_says 51712 feature-flush-cache) $(vbd_says 51712 feature-barrier)"; }

# How many flushes a device has done, merges of them not counted.
flushes_of() { awk '{ print $16 }' "/sys/class/block/${1#/dev/}/stat"; }

write_and_sync() { dd if=/dev/zero of=/dev/xvda bs=4k count=1 oflag=direct conv=fsync status=none; }

test_a_device_with_a_volatile_cache_is_flushed() {
    local before
    attach_null cache_size=16
    expect "write back" "$(queue_limit "$null" write_cache)" "the device's cache"
    expect "1 1" "$(offered)" "what is offered"
    expect "write back" "$(queue_limit /dev/xvda write_cache)" "the cache that the frontend sees"
    before=$(flushes_of "$null")
    for _ in 1 2 3 4 5; do write_and_sync; done
    expect 5 $(($(flushes_of "$null") - before)) "the number of flushes for five calls of fsync"
}

test_a_device_without_a_volatile_cache_is_not_flushed() {
    attach_null
    expect "write through" "$(queue_limit "$null" write_cache)" "the device's cache"
    expect "0 0" "$(offered)" "what is offered"
    expect "write through" "$(queue_limit /dev/xvda write_cache)" "the cache that the frontend sees"
    write_and_sync
    expect 0 "$(flushes_of "$null")" "the number of flushes"
}

# A cache of one MiB: what is written before a flush is on the medium after it, however much it was.
test_fsync_waits_until_everything_is_on_the_medium() {
    attach_null cache_size=1
    dd if=/dev/urandom of=/dev/xvda bs=64k count=32 conv=fsync
    cmp -n 2097152 /dev/xvda "$null"
}

modprobe "$backend"
modprobe xen-blkfront
ktap_run
