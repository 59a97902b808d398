#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What guests can do to the log and to the machine is bounded (R16, R17, R29).

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/leaks.sh
. lib/log.sh
. lib/client.sh

test_thousands_of_bad_requests_make_few_lines() {
    modprobe loop
    log_mark
    # Ten rings full of each kind, on two disks: ten lines for each, and a count of the others.
    local lines
    "$client" run --abi x86_64 malformed/segments malformed/sectors
    lines=$(log_lines | grep -vcE '^(xbd backend|loop)' || :)
    echo "$lines lines"
    log_lines | sort | uniq -c | sort -rn | head -n 20
    [ "$lines" -gt 0 ] || fail "bad requests are not mentioned at all"
    local disks
    disks=$(log_lines | grep -c '^xbd backend 0x')
    [ "$lines" -le $((12 * disks)) ] || fail "$lines lines for $disks disks"
}

test_random_state_sequences_leave_disks_attachable() {
    modprobe loop
    "$client" storm --peer xbdback --check-grants --count $((20 * SCALE)) --seed "${SEED:-1}"
}

# R16: a frontend that toggles its state as fast as xenstore allows.
test_a_frontend_that_connects_and_closes_500_times_makes_few_lines_of_complaint() {
    make_loop 4
    log_mark
    vbd_create 51728 "$loop"
    at_end vbd_remove 51728
    vbd_wait 51728 2
    local round
    for round in $(seq 250); do xenstore-write "$vbd_frontends/51728/state" 3 "$vbd_frontends/51728/state" 6; done
    vbd_wait 51728 2 5 6
    local lines
    lines=$(log_lines | wc -l)
    log_lines | tail -n 5
    echo "$lines lines after $round rounds"
    [ "$lines" -le 100 ]
}

modprobe xbdback
ktap_run
