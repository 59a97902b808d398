# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What must not be left when nothing uses the drivers: the questions, and how they are asked of Xen.
#
# To be sourced.

# The hypervisor's list of grants of any domain that are mapped, without those of xenstore and console
# which the toolstack keeps for a guest; nothing when there are none.
mapped_grants() {
    xl debug-keys g
    xl dmesg | awk '
        /gnttab_usage_print_all \[/ { lines = "" }
        /\[0x[0-9a-f]+\]/ { sub(/^\(XEN\) */, ""); lines = lines $0 "\n" }
        END { printf "%s", lines }'
}

# How many event channels dom0 has that go to a domain.
interdomain_channels() {
    local tool
    tool=$(echo /usr/lib/xen-*/bin/lsevtchn)
    "$tool" 0 | grep -c -i interdomain || :
}

# Domains other than dom0; (null) is one that something of it still holds.
other_domains() { xl list | tail -n +2 | grep -v '^Domain-0 ' || :; }

# Directories of disks in xenstore.
disks_in_xenstore() { xenstore-ls -f /local/domain/0/backend/vbd 2>/dev/null | grep -E '^[^=]*/state = ' || :; }

# Threads of the backend.
backend_threads() { pgrep -l '^xbdback' || :; }

# Weighs the kernel. Sets `slab`, the kilobytes of small objects, repeatable to some dozens; and `memory`, all that it
# has for itself, which moves by one or two megabytes on its own.
# shellcheck disable=SC2034 # for whoever weighs
weigh_kernel() {
    local deferred=/sys/module/grant_table/parameters/free_per_iteration
    # Pages of frontends that were killed are given back a few a second: have it done at once.
    if [ -w "$deferred" ]; then echo 100000 >"$deferred" && sleep 3; fi
    sync
    for _ in 1 2 3; do
        echo 3 >/proc/sys/vm/drop_caches
        echo 1 >/proc/sys/vm/compact_memory
        sleep 0.2
    done
    slab=$(awk '/^Slab:/ { print $2 }' /proc/meminfo)
    # What each processor keeps for itself is free as well, page by page.
    memory=$(awk '/^(MemFree|Buffers|Cached|AnonPages|SwapCached):/ { sum += $2 } /^MemTotal:/ { all = $2 }
        /^ +count:/ { sum += 4 * $2 } END { print all - sum }' /proc/meminfo /proc/zoneinfo)
}

# Prints what is left of disks and guests, one line each; nothing when all is clean.
leftovers() {
    local found
    # shellcheck disable=SC2154 # whoever asks has counted them while nothing was in use
    {
        found=$(interdomain_channels)
        [ "$found" -le "$channels_before" ] || echo "$((found - channels_before)) event channels are left"
    }
    mapped_grants | sed 's/^/a grant is mapped: /'
    other_domains | sed 's/^/a domain is left: /'
    disks_in_xenstore | sed 's/^/a disk is left: /'
    backend_threads | sed 's/^/a thread is left: /'
}

nothing_is_left() { [ -z "$(leftovers)" ]; }
