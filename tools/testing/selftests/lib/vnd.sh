# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Units of vnd(4) for tests, gone when the test ends; to be sourced after ktap.sh and vbd.sh.

# shellcheck disable=SC2034 # for the tests
readonly vnd_modules=${MODULES:-/src/build/modules} control=/dev/vnd-control CLEAR=0x40284601 ADD=0x4680

# Asks by one request: see vnd-ioctl.
vnd() { ./lib/vnd-ioctl "$@"; }

load_vnd() {
    insmod "$vnd_modules/xenbus-rs.ko"
    insmod "$vnd_modules/vnd-bridge.ko"
}

# configure FILE [FLAGS [GEOMETRY]]: sets `unit` to the node of a unit that has the file.
configure() {
    unit=$(vnd configure "$@")
    at_end clear_by_force "$unit"
}

# clear UNIT [FLAGS]: udev may be looking at it just now.
clear() { patiently cleared "$@"; }
cleared() { vnd clear "$@" >/dev/null; }
# remove NUMBER: takes an unconfigured unit away, which udev may be looking at too.
remove() { patiently vnd remove "$1"; }
clear_by_force() { [ ! -b "$1" ] || cleared "$1" force || :; }

# Begins to clear `unit`, whose file is written through the page cache, and waits until that waits for `fs`, which is
# frozen: sets `clearer`.
# shellcheck disable=SC2154 # make_ext4 sets fs
begin_to_clear() {
    # It looks at a disk that has come.
    udevadm settle
    fsfreeze --freeze "$fs"
    at_end thaw
    ./lib/vnd-ioctl write-and-clear "$unit" &
    clearer=$!
    patiently waits_in "$clearer" "$CLEAR"
}
waits_in() { grep -q "^16 0x[0-9a-f]* $2 " "/proc/$1/syscall"; } # PROCESS REQUEST
# shellcheck disable=SC2154 # as above
thaw() { fsfreeze --unfreeze "$fs" || :; }

# refuse ERRNO COMMAND…: fails unless the request fails with this error.
refuse() {
    local wanted=$1 got
    shift
    if got=$(vnd "$@"); then fail "this should fail: $*"; fi
    expect "$wanted" "$got" "the error of '$*'"
}

fio_verify() { # OPTION…
    # shellcheck disable=SC2154 # configure sets it
    fio --name=verify --filename="$unit" --rw=randwrite --bsrange=512-128k --iodepth=32 --ioengine=libaio \
        --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 "$@"
}

# Fails unless the disk and the file have the same contents.
# shellcheck disable=SC2154 # make_image sets it
compare() { cmp "$image" "$unit"; }

# Gives a file a partition of 32 MiB, and one of 16.
partition() { # FILE
    python3 -c 'import struct, sys
entry = lambda start, count: struct.pack("<8BII", 0, 0, 0, 0, 0x83, 0, 0, 0, start, count)
sys.stdout.buffer.write(bytes(446) + entry(2048, 65536) + entry(67584, 32768) + bytes(32) + b"\x55\xaa")' |
        dd of="$1" conv=notrunc status=none
}

size_is() { [ "$(sectors_of "$unit")" = "$1" ]; }
