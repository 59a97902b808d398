# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the kernel logged since a moment; to be sourced after ktap.sh.

# From now on, log_lines prints what comes.
log_mark() { log_start=$(($(dmesg | wc -l) + 1)); }

# The lines since log_mark, without the time.
log_lines() { dmesg --notime | tail -n "+$log_start"; }

# How often a line is exactly LINE.
log_count() { # LINE
    dmesg --notime | line=$1 awk -v "start=$log_start" 'NR >= start && $0 == ENVIRON["line"] { n++ } END { print n + 0 }'
}

# Sets `log_found` to how often a line is exactly LINE; fails when none is.
log_has() { # LINE
    log_found=$(log_count "$1")
    [ "$log_found" -gt 0 ]
}

# Fails unless LINE comes, once.
expect_logged_once() { # LINE
    patiently log_has "$1" || { log_lines && fail "the kernel did not log: $1"; }
    expect 1 "$log_found" "the number of lines '$1'"
}
