# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What a disk shows of itself; to be sourced after ktap.sh, vbd.sh and devices.sh.

# shellcheck disable=SC2034 # for the tests
readonly devices=/sys/bus/xen-backend/devices driver=/sys/bus/xen-backend/drivers/xbdback
readonly debug=/sys/kernel/debug/xbdback disk=$devices/vbd-0-51712

mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug

statistic() { cat "$disk/statistics/$1"; }

# Attaches the disk 51712 until the end of the test.
attached() {
    make_loop 8
    # shellcheck disable=SC2154 # make_loop sets it
    vbd_attach 51712 "$loop"
    at_end detached
}

detached() { [ ! -e "$disk/statistics" ] || vbd_detach 51712; }
