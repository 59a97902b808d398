#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Everything blkif-client knows to do to a backend, done to Linux's own.
# timeout: 900
#
# proves: tools/testing/blkif-client tools/testing/selftests/lib/client.sh tools/testing/vm
#
# In one layout of the ring, which is enough to know whether they ask for the right thing.
# Some of what is done to it makes it warn of itself: no failure of ours.
# known complaint: WARNING: drivers/block/xen-blkback/

cd "$(dirname "$0")/.." || exit
. lib/client.sh
run_scenarios xen-blkback --abi x86_64
