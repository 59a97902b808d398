# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Runs the test files of a folder of selftests/ in emulated machines; prints KTAP.
#
# As many files as possible share a boot. When one hangs, crashes the machine or leaves something
# behind, a new boot goes on with the rest. To be sourced by a level.

set -u -o pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../../..")
readonly here top selftests=$top/tools/testing/selftests

# Prints the files of FOLDER whose names contain one of the patterns; all without patterns.
chosen_files() { # FOLDER [PATTERN…]
    local file pattern folder=$1
    shift
    for file in "$selftests/$folder"/*.sh; do
        file=${file#"$selftests/"}
        if [ $# -eq 0 ]; then echo "$file"; fi
        for pattern; do
            if [[ $file == *$pattern* ]]; then echo "$file" && break; fi
        done
    done
}

# A machine may take as long as its files may, and some time to boot.
boot_limit() { # FILE…
    local file seconds sum=120
    for file; do
        seconds=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "$selftests/$file")
        sum=$((sum + ${seconds:-300} + 60))
    done
    echo $((sum * PATIENCE))
}

# run_in_machines FOLDER "COMMAND THAT BOOTS" [PATTERN…]
run_in_machines() {
    local folder=$1 boot=$2 files status ended current boots=0
    shift 2
    mapfile -t files < <(chosen_files "$folder" "$@")
    output=$(mktemp)
    trap 'rm -f "$output"' EXIT
    while [ "${#files[@]}" -gt 0 ]; do
        boots=$((boots + 1))
        echo "# boot $boots: ${files[*]}"
        # shellcheck disable=SC2086 # the command is words
        $boot --timeout "$(boot_limit "${files[@]}")" --keep-log "$top/build/check/$folder-boot$boots.log" \
            "$selftests/run" "SCALE=$SCALE" "PATIENCE=$PATIENCE" "${files[@]}" 2>&1 | tee "$output"
        status=${PIPESTATUS[0]}
        ended=$(grep -c '^# file .* ended$' "$output")
        current=$(grep '^# file .* begins$' "$output" | tail -n 1 | cut -d' ' -f3)
        if [ "$ended" -lt "${#files[@]}" ] && [ "$status" -ne 99 ]; then
            if [ -z "$current" ]; then
                echo "not ok - $folder: the machine boots (status $status)"
                return 1
            fi
            echo "not ok - $current runs to its end in a machine that stays up (status $status)"
            ended=$((ended + 1))
        elif [ "$status" -eq 126 ]; then
            echo "not ok - $folder: no kernel complains during boot $boots"
        elif [ "$status" -ne 0 ] && [ "$status" -ne 99 ]; then
            echo "not ok - $folder: boot $boots ends well (status $status)"
        else
            echo "ok - $folder: no kernel complains during boot $boots"
        fi
        files=("${files[@]:ended}")
    done
}
