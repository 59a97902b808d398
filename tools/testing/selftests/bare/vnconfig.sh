#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vnconfig(8) with the driver it is for: what it does, prints, and refuses.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/images.sh
. lib/vnd.sh

PATH=/src/build/tools:$PATH

# Sets `image` to a new file in a file system in memory, with the directory `fs`.
make_file() { # SIZE
    make_tmpfs
    make_image "$1"
}

# says TEXT COMMAND…: fails unless the command succeeds, and prints this.
says() { expect "$1" "$("${@:2}")" "what '${*:2}' prints"; }

# fails TEXT COMMAND…: fails unless the command fails, with status 1 and this sentence.
fails() {
    local said status=0
    said=$("${@:2}" 2>&1) || status=$?
    expect "$1" "$said" "what '${*:2}' prints"
    expect 1 "$status" "the status of '${*:2}'"
}

# field UNIT NAME: prints what the program says of a unit to other programs; it says one thing a line.
field() { vnconfig -l --json "$1" | sed -n "s/^ *\"$2\": \"\?\([^\",]*\)\"\?,\?\$/\1/p"; }

end() { vnconfig -uF "$1" 2>/dev/null || :; }

test_a_unit_is_configured_listed_and_cleared_under_both_names() {
    make_file 4M
    at_end end vnd0
    says "/dev/vnd0: 4194304 bytes on $image" vnconfig -v vnd0 "$image"
    says "vnd0: $fs (memory) inode $(stat -c %i "$image")" vnconfig -l vnd0
    dd if=/dev/urandom of=/dev/vnd0 bs=64k count=16 oflag=direct status=none
    cmp "$image" /dev/vnd0
    says "/dev/vnd0: cleared" vndconfig -uv vnd0
    says "vnd0: not in use" vndconfig -l vnd0
    # By its other names, and its file by a name from here.
    (cd "$fs" && says "" vndconfig -c /dev/rvnd0d "${image##*/}")
    says "$image" field vnd0d file
    says "" vnconfig -u /dev/vnd0
}

test_a_unit_that_has_just_been_cleared_is_configured_again() {
    make_file 4M
    at_end end vnd0
    for _ in {1..20}; do
        vnconfig vnd0 "$image"
        vnconfig -u vnd0
    done
}

test_a_unit_that_is_being_cleared_is_configured_when_it_is_free() {
    local other adder
    make_file 4M
    other=$image
    make_ext4 size=64
    make_image 4M
    configure "$image" fileio
    begin_to_clear
    vnconfig "$unit" "$other" &
    adder=$!
    patiently waits_in "$adder" "$ADD"
    thaw
    wait "$clearer" "$adder"
    says "$other" field "${unit#/dev/}" file
}

test_the_list_has_four_lines_or_as_many_as_are_asked_for() {
    make_file 4M
    at_end end vnd2
    vnconfig vnd2 "$image"
    local used
    used="vnd2: $fs (memory) inode $(stat -c %i "$image")"
    says "$(printf '%s\n' "vnd0: not in use" "vnd1: not in use" "$used" "vnd3: not in use")" vnconfig -l
    says "$used" vnconfig -lm 0
    says "$(printf '%s\n' "vnd0: not in use" "$used")" vnconfig -l -m 1
    says "$(printf '%s\n' "vnd5: not in use" "$used")" vnconfig -l vnd5 /dev/vnd2
    vnconfig -l --json vnd2 vnd3 | python3 -m json.tool >/dev/null
    expect 4194304 "$(field vnd2 bytes)"
    expect "$(stat -c %i "$image")" "$(field vnd2 inode)"
    expect false "$(field vnd7 configured)"
}

test_flags_and_geometries_reach_the_kernel() {
    make_file 4M
    at_end end vnd0
    says "/dev/vnd0: 327680 bytes on $image using geometry 1024/8/4/10" vnconfig -v vnd0 "$image" 1024/8/4/10
    expect 640 "$(sectors_of /dev/vnd0)"
    vnconfig -u vnd0
    printf 'floppy|a floppy:\\\n\t:ns#18:nt#2:nc#80:\n' >"$fs/disktab"
    says "/dev/vnd0: 1474560 bytes on $image using geometry 512/18/2/80" \
        vnconfig -v -f "$fs/disktab" -t floppy vnd0 "$image"
    vnconfig -u vnd0
    vnconfig -ri vnd0 "$image"
    expect "true true" "$(field vnd0 read_only) $(field vnd0 file_io)"
    expect 1 "$(blockdev --getro /dev/vnd0)"
    expect_failure dd if=/dev/zero of=/dev/vnd0 count=1 status=none
    vnconfig -u vnd0
}

test_a_compressed_image_is_read() {
    make_contents
    compress 65536
    at_end end vnd0
    says "/dev/vnd0: $((24 * 65536)) bytes on $archive" vnconfig -zv vnd0 "$archive"
    expect "true true" "$(field vnd0 compressed) $(field vnd0 read_only)"
    cmp "$image" <(head -c "$(stat -c %s "$image")" /dev/vnd0)
    local reader
    for reader in 4k 60k 1M; do
        cmp <(dd if=/dev/vnd0 bs="$reader" iflag=direct status=none) \
            <(cat "$image" && head -c "$tail" /dev/zero)
    done
    vnconfig -u vnd0
    poke 136 0000000000000000
    fails "vnconfig: /dev/vnd0: VNDIOCSET: Invalid argument" vnconfig -z vnd0 "$archive"
}

test_what_cannot_be_is_refused_in_netbsds_words() {
    make_file 4M
    at_end end vnd0
    vnconfig vnd0 "$image"
    fails "vnconfig: /dev/vnd0: VNDIOCSET: Device busy" vnconfig vnd0 "$image"
    fails "vnconfig: /dev/vnd6: VNDIOCSET: Device busy" vnconfig vnd6 "$image"
    fails "vnconfig: /dev/vnd6: VNDIOCSET: No such file or directory" vnconfig vnd6 "$fs/none"
    fails "vnconfig: /dev/vnd6: VNDIOCSET: Operation not supported" vnconfig vnd6 "$fs"
    touch "$fs/other"
    fails "vnconfig: /dev/vnd6: VNDIOCSET: Invalid argument" vnconfig vnd6 "$fs/other" 512/32/64/1
    fails "vnconfig: /dev/vnd6: VNDIOCSET: Invalid argument" vnconfig vnd6 "$fs/other" 0/0/0/0
    # Nothing is left of the unit.
    [ ! -e /dev/vnd6 ]
    fails "vndconfig: /dev/vnd6: VNDIOCCLR: Device not configured" vndconfig -u vnd6
}

test_a_unit_in_use_is_cleared_by_force_only() {
    make_file 32M
    at_end end vnd0
    vnconfig vnd0 "$image"
    exec 7</dev/vnd0
    fails "vnconfig: /dev/vnd0: VNDIOCCLR: Device busy" vnconfig -u vnd0
    vnconfig -uF vnd0
    exec 7<&-
    says "vnd0: not in use" vnconfig -l vnd0
}

load_vnd
ktap_run
