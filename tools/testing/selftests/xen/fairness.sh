#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A guest that asks for all it can get does not make another wait for more than twice as long (R20).
#
# On a clock that other work on the machine stops, this says nothing: it wants a machine that counts instructions.
#
#     tools/testing/vm/xen-run --icount tools/testing/selftests/run MACHINE='xen icount' xen/fairness.sh
#
# machine: icount
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

readonly seconds=2

# Attaches a quiet disk and a greedy one.
attach_both() {
    make_slow 2000
    vbd_attach 51712 "$slow"
    at_end vbd_detach 51712
    make_slow 2000
    vbd_attach 51728 "$slow"
    at_end vbd_detach 51728
}

# Microseconds that 99 of 100 reads of the quiet disk take at most.
quiet_p99() {
    fio --name=quiet --filename=/dev/xvda --rw=randread --bs=4k --iodepth=1 --ioengine=psync --direct=1 --time_based \
        --runtime="$seconds" --output-format=json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["jobs"][0]["read"]["clat_ns"]["percentile"]["99.000000"] // 1000)'
}

be_greedy() { # OPTION…
    fio --name=greedy --filename=/dev/xvdb --iodepth=32 --ioengine=libaio --direct=1 --time_based --runtime=600 "$@" \
        >/dev/null 2>&1 &
    greedy=$!
    at_end kill "$greedy"
    sleep 1
}

expect_no_more_than_twice() { # OPTION…
    local alone disturbed
    [ "${MACHINE:-}" = 'xen icount' ] || skip "the machine's clock is not its own: it was not started with --icount"
    attach_both
    alone=$(quiet_p99)
    be_greedy "$@"
    disturbed=$(quiet_p99)
    kill -0 "$greedy"
    echo "99 of 100 reads take at most $alone us alone, $disturbed us beside the greedy disk"
    [ "$disturbed" -le $((2 * alone)) ] || fail "the quiet disk waits too long"
}

test_beside_small_random_reads() { expect_no_more_than_twice --rw=randread --bs=4k; }
test_beside_large_writes() { expect_no_more_than_twice --rw=write --bs=128k; }

modprobe "$backend"
modprobe xen-blkfront
ktap_run
