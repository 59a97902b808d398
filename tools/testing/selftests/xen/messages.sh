#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The three messages of xbdback(4), word for word, and the sentences in xenstore.
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/log.sh
. lib/client.sh

handle=51728 hex=0xca10

# The kernel's number of a device, in hexadecimal.
encoded() { printf '0x%x' $((0x$(stat -c %t "$1") << 8 | 0x$(stat -c %T "$1"))); }

test_attach_for_a_loop_device() {
    make_loop 3
    log_mark
    vbd_create "$handle" "$loop"
    at_end vbd_remove "$handle"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 3145728) for domain 0"
}

test_attach_for_a_device_of_odd_size() {
    make_loop 1
    make_dm odd "0 777 linear $loop 0"
    log_mark
    vbd_create "$handle" "$dm" r
    at_end vbd_remove "$handle"
    expect_logged_once "xbd backend: attach device ${dm#/dev/} (size 397824) for domain 0"
}

test_attach_for_a_device_larger_than_4_gib() {
    make_loop 6144
    log_mark
    vbd_create "$handle" "$loop"
    at_end vbd_remove "$handle"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 6442450944) for domain 0"
}

test_attach_for_a_decimal_device_number() {
    make_loop 1
    log_mark
    vbd_create "$handle" $((0x$(stat -c %t "$loop") << 8 | 0x$(stat -c %T "$loop")))
    at_end vbd_remove "$handle"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 1048576) for domain 0"
}

test_attach_again_when_the_device_is_named_again_is_not_said() {
    make_loop 1
    log_mark
    vbd_create "$handle" "$loop"
    at_end vbd_remove "$handle"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 1048576) for domain 0"
    vbd_name_device "$handle" "$loop"
    sleep 1
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 1048576) for domain 0"
}

# Connects in one layout and looks for the message with the port that dom0 has bound.
connect_and_expect() { # ABI-OF-CLIENT PROTOCOL
    local lsevtchn port
    lsevtchn=$(echo /usr/lib/xen-*/bin/lsevtchn)
    make_loop 4
    log_mark
    client_attach "$handle" "$loop" --abi "$1"
    # Both ends are dom0's: one port belongs to the client, the other is the backend's.
    local line client_port=${client_said##*port }
    patiently grep -qE "^xbd backend $hex for domain 0 using event channel [0-9]+, protocol $2\$" <(log_lines) ||
        { log_lines && fail "no message"; }
    line=$(log_lines | grep "^xbd backend $hex ")
    port=${line##*event channel }
    port=${port%%,*}
    expect "xbd backend $hex for domain 0 using event channel $port, protocol $2" "$line"
    "$lsevtchn" 0 | tee /dev/stderr | grep -E "^ *$port:.*Interdomain.*, Port $client_port\$" >/dev/null ||
        fail "port $port is not the backend's end of the client's port $client_port"
    client_detach
}

test_event_channel_x86_64_abi() { connect_and_expect x86_64 x86_64-abi; }
test_event_channel_x86_32_abi() { connect_and_expect x86_32 x86_32-abi; }
test_event_channel_unspecified() { connect_and_expect unspecified unspecified; }

# The backend refuses DEVICE with ERRNO, says so in the log, and in xenstore with words like PATTERN.
expect_refusal() { # DEVICE NUMBER ERRNO PATTERN
    log_mark
    vbd_create "$handle" "$1"
    at_end vbd_remove "$handle"
    expect_logged_once "xbdback backend/vbd/0/$handle: can't VOP_OPEN device $2: $3"
    vbd_wait_error "$handle"
    vbd_error "$handle"
    [[ $(vbd_error "$handle") == *$4* ]] || fail "xenstore's error does not say '$4'"
    vbd_wait "$handle" 2
    log_lines | expect_failure grep 'attach device'
}

test_cannot_open_a_mounted_device_16() {
    make_loop 8
    mkfs.ext4 -q "$loop"
    mount -t ext4 "$loop" /mnt
    at_end umount /mnt
    expect_refusal "$loop" "$(encoded "$loop")" 16 "$loop is in use: unmount it"
}

test_cannot_open_a_missing_device_6() {
    # Major 240 is for local use: nobody serves it.
    expect_refusal f0:7 0xf007 6 'does not exist'
}

test_cannot_open_a_read_only_device_for_writing_30() {
    make_loop 1
    blockdev --setro "$loop"
    at_end blockdev --setrw "$loop"
    log_mark
    vbd_create "$handle" "$loop" w
    at_end vbd_remove "$handle"
    vbd_wait_error "$handle"
    vbd_error "$handle"
    [[ $(vbd_error "$handle") == *'is read-only: attach the disk with mode r'* ]]
}

test_a_mounted_device_serves_after_it_is_unmounted_and_named_again() {
    make_loop 8
    mkfs.ext4 -q "$loop"
    mount -t ext4 "$loop" /mnt
    vbd_create "$handle" "$loop"
    at_end vbd_remove "$handle"
    vbd_wait_error "$handle"
    umount /mnt
    log_mark
    vbd_name_device "$handle" "$loop"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 8388608) for domain 0"
    expect "" "$(vbd_error "$handle")" "the error in xenstore"
}

test_a_device_that_is_named_later() {
    make_loop 2
    log_mark
    vbd_create "$handle"
    at_end vbd_remove "$handle"
    vbd_wait "$handle" 2
    sleep 1
    log_lines | expect_failure grep -E 'attach|VOP_OPEN'
    vbd_name_device "$handle" "$loop"
    expect_logged_once "xbd backend: attach device ${loop#/dev/} (size 2097152) for domain 0"
}

modprobe xbdback
ktap_run
