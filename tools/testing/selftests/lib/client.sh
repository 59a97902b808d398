# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# blkif-client, the frontend in user space; to be sourced.

readonly client=/src/tools/testing/target/release/blkif-client

# client_attach HANDLE DEVICE [OPTION…]: connects a disk, until client_detach or the end of the test; sets
# `client_said` to what the client said of it. To be sourced after ktap.sh and vbd.sh.
client_attach() {
    local keyboard
    keyboard=$(mktemp -u)
    mkfifo "$keyboard"
    client_output=$(mktemp)
    "$client" attach --handle "$1" --device "$2" "${@:3}" <"$keyboard" >"$client_output" &
    client_pid=$!
    at_end client_detach
    # It detaches when its input ends.
    exec {client_input}>"$keyboard"
    rm "$keyboard"
    patiently client_has_spoken
    client_said=$(head -n 1 "$client_output")
    [[ $client_said == attached* ]] || fail "blkif-client did not connect: $client_said"
}

client_has_spoken() { [ -s "$client_output" ] || ! kill -0 "$client_pid" 2>/dev/null; }

# Detaches the disk and waits until it is gone.
client_detach() {
    local pid=$client_pid
    [ -n "$pid" ] || return 0
    client_pid=''
    exec {client_input}>&-
    wait "$pid"
}

# clients_attach HANDLES [OPTION…]: starts a client for each of the handles; they end, with their disks, at clients_end
# or at the end of the test. Whether they connect is not waited for. To be sourced after ktap.sh.
clients_attach() {
    local keyboard handle
    keyboard=$(mktemp -u)
    mkfifo "$keyboard"
    at_end rm "$keyboard"
    clients=()
    for handle in $1; do
        "$client" attach --handle "$handle" "${@:2}" <"$keyboard" >/dev/null 2>&1 &
        clients+=($!)
    done
    exec {clients_input}>"$keyboard"
    at_end clients_end
}

# Fails when one of the clients does.
clients_end() {
    local pid failed=0
    [ ${#clients[@]} -gt 0 ] || return 0
    exec {clients_input}>&-
    for pid in "${clients[@]}"; do wait "$pid" || failed=1; done
    clients=()
    return "$failed"
}

# Runs the scenarios of blkif-client, which reports by itself, against PEER; says the peer with every result.
# PEER offers several queues, whatever the number of processors.
run_scenarios() { # PEER [OPTION…]
    modprobe "$1" max_queues=4
    modprobe loop
    "$client" run --peer "$1" --check-grants "${@:2}" | sed -u -E "s/^((not )?ok [0-9]+) /\\1 $1: /"
    return "${PIPESTATUS[0]}"
}
