# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Counts what a machine executes: what the comparisons share on the host.
#
# To be sourced after lib.sh, by a script that sets `top`, the checkout, and `jobs`, `job_file` and `name` as its
# options say: the wanted lines of which file, and where the results go.

# shellcheck disable=SC2154 # the sourcing script sets them
readonly build=$top/build/bench bench=$top/tools/testing/bench

in_sandbox() { "$top/tools/sandbox" run -- "$@"; }

# Fails unless the jobs that are wanted are there.
check_jobs() {
    local job
    for job in ${jobs//,/ }; do
        grep -q "^$job " "$job_file" || die "there is no job $job in $job_file."
    done
}

# The lines of the jobs that are wanted, but for comments.
wanted_jobs() {
    grep -v '^#' "$job_file" | while read -r job rest; do
        if [ -z "$jobs" ] || [[ ,$jobs, == *,$job,* ]]; then echo "$job $rest"; fi
    done
}

# Makes room for the results, and builds what counts: the plugin, and the program that executes its markers.
prepare_count() {
    "$top/tools/sandbox" make
    rm -rf "${build:?}/$name"
    mkdir -p "$build/$name"
    umask 022
    # shellcheck disable=SC2016 # expanded in the sandbox
    in_sandbox sh -euc '
        bench=tools/testing/bench build=build/bench
        gcc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -o $build/count.so $bench/plugin/count.c
        gcc -O2 -Wall -Wextra -static -o $build/mark $bench/mark.c'
}

# Runs a script in a dom0 with one processor, all in memory, and gets the results.
#
# What the machine has in memory changes what its timers meet: it gets no more than it needs.
count_in_dom0() { # PROCESSORS-OF-THE-MACHINE WORDS-IN-MEMORY SCRIPT ARG…
    say "measuring: some minutes in which nothing is said"
    TERM=linux "$bench/../vm/xen-run" --icount --smp "$1" --timeout 7200 --plugin "$build/count.so" \
        --in-memory "/src/tools/testing/vm /src/build/bench/mark $2" \
        --xen-args 'dom0_max_vcpus=1 dom0_vcpus_pin' --keep-log "$build/log" \
        --results "$build/results.tar" "${@:3}" >&2
    tar -C "$build/$name" -xf "$build/results.tar"
}

# Prints what was counted. Fails when a ratio is below its floor.
report_count() { # LINES-OF-PROFILES
    in_sandbox env PYTHONPATH=/src/tools/testing/bench python3 -B -m report "build/bench/$name" \
        --profile "$1" --floors /src/tools/testing/bench/floors
}
