#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Everything blkif-client knows to do to a backend, done to ours.
# timeout: 700

cd "$(dirname "$0")/.." || exit
. lib/client.sh
run_scenarios xbdback
