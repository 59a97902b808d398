# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the kernel logged since a moment; to be sourced after ktap.sh.

# From now on, log_lines prints what comes.
log_mark() { log_start=$(($(dmesg | wc -l) + 1)); }

# The lines since log_mark, without the time.
log_lines() { dmesg --notime | tail -n "+$log_start"; }

# How often a line is exactly LINE.
log_count() { log_lines | grep -cxF -- "$1" || :; }

log_has() { [ "$(log_count "$1")" -gt 0 ]; }

# Fails unless LINE comes, once, with nothing before or after it.
expect_logged_once() { # LINE
    patiently log_has "$1" || { log_lines && fail "the kernel did not log: $1"; }
    expect 1 "$(log_count "$1")" "the number of lines '$1'"
}
