# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The backend that a test is about: ours, unless BACKEND names Linux's own; to be sourced after ktap.sh.
#
# The tests that take either ask for what the protocol and the device say, and xen-blkback shows whether they ask for
# the right thing:
#
#     tools/testing/vm/xen-run tools/testing/selftests/run BACKEND=xen-blkback xen/discard.sh

readonly backend=${BACKEND:-xbdback}

# backend_load PARAMETER=VALUE…: loads the backend anew.
backend_load() {
    [ ! -d "/sys/module/${backend//-/_}" ] || rmmod "$backend"
    modprobe "$backend" "$@"
}
