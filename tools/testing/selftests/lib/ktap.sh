# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Tests as shell functions, reported in KTAP.
#
# A test file sources this, defines functions named test_…, and ends with `ktap_run`. The tests run in
# the order in which they are written, each in a shell of its own, in which the first command that fails
# ends the test. The function's name says what the test shows. To be sourced.

set -u
readonly ktap_skipped=4

# Ends the test: it cannot be done here, for this reason.
skip() {
    echo "$*" >"$ktap_reason"
    exit "$ktap_skipped"
}

fail() {
    echo "$*"
    exit 1
}

# expect WANTED GOT [WHAT]: fails unless they are the same.
expect() {
    [ "$1" = "$2" ] || fail "${3:-the result} should be '$1' and is '$2'"
}

# expect_failure COMMAND…: fails if the command succeeds.
expect_failure() {
    if "$@"; then fail "this should fail: $*"; fi
}

# at_end COMMAND…: has the command run when the test ends, however it ends; the last one first.
at_end() {
    ktap_ends=("$(printf '%q ' "$@")" "${ktap_ends[@]}")
}

ktap_run_ends() {
    local status=$? command
    set +eE
    trap - ERR EXIT
    for command in "${ktap_ends[@]}"; do eval "$command"; done
    exit "$status"
}

# Runs one test in this shell, which it ends.
ktap_run_one() {
    ktap_ends=()
    trap ktap_run_ends EXIT
    trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: failed: $BASH_COMMAND"' ERR
    set -eE -o pipefail
    "$1"
    exit 0
}

# Runs the tests of this file; its status says whether one failed.
ktap_run() {
    local subject tests test name number=0 failed=0 status began
    subject=$(basename "$0" .sh)
    mapfile -t tests < <(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$0")
    # The log has this name so that the runner can show it when a test hangs.
    local log=${KTAP_LOG:-$(mktemp)}
    ktap_reason=$log.reason
    echo "KTAP version 1"
    echo "1..${#tests[@]}"
    for test in "${tests[@]}"; do
        number=$((number + 1)) name=${test#test_}
        name="$subject: ${name//_/ }" began=$SECONDS
        echo "# begins: $name"
        # Not in a condition: there, bash would ignore set -e.
        (ktap_run_one "$test") >"$log" 2>&1
        status=$?
        sed 's/^/# /' "$log"
        echo "# took $((SECONDS - began)) s"
        case $status in
        0) echo "ok $number $name" ;;
        "$ktap_skipped") echo "ok $number $name # SKIP $(cat "$ktap_reason")" ;;
        *)
            failed=$((failed + 1))
            echo "not ok $number $name"
            ;;
        esac
    done
    [ "$failed" -eq 0 ]
}
