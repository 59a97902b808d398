# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts at any moment, from a log of what had become durable; to be sourced after ktap.sh and devices.sh.
#
# A device logs which writes had become durable, and when. The device as it would have been found after a cut is made
# from the log; there, a file system must be whole and every file that had been synced by then must be right.

readonly upper=/tmp/upper after_cut=/tmp/after-cut

# make_logged MIB: sets `dm` to a disk whose writes are logged, and `log` to the log.
make_logged() {
    make_null size=256
    # shellcheck disable=SC2154 # make_null sets it
    log=$null
    make_null size="$1"
    logged_size=$1
    make_dm logged "0 $(sectors_of "$null") log-writes $null $log"
}

# fill_synced DISK COUNT: writes files to a new file system on a disk whose data ends on the logged one. After the mark
# N in the log, file N of the list in `sums` is synced.
fill_synced() {
    local number
    sums=$(mktemp)
    at_end rm -f "$sums"
    mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 -J size=4 "$1"
    mkdir -p $upper
    mount "$1" $upper
    for number in $(seq "$2"); do
        head -c $((number * 1777)) /dev/urandom >$upper/"$number"
        sync $upper/"$number"
        dmsetup message logged 0 mark "$number"
        (cd $upper && sha256sum "$number") >>"$sums"
        # What is not synced may be lost, and is in the way of what is.
        head -c 20000 /dev/urandom >$upper/unsynced"$((number % 5))"
    done
    umount $upper
}

# Prints the last entry before a cut and how many files were synced by then: at every flush, write of FUA and mark.
possible_cuts() {
    lib/replay-log.py list "$log" |
        awk '$2 == "mark" && $3 + 0 { synced = $3 } / (flush|fua|mark)/ && synced { print $1, synced }'
}

# COUNT of the lines, which are more, the last one among them.
spread() { awk -v count="$1" '{ line[NR] = $0 } END { for (i = 1; i <= count; i++) print line[int(i * NR / count)] }'; }

# is_whole IMAGE SYNCED: whether the disk found after a cut has the first files and a sound file system.
is_whole() {
    mount -o loop "$1" $after_cut || return
    (cd $after_cut && head -n "$2" "$sums" | sha256sum --check --quiet)
    local files_are_wrong=$?
    umount $after_cut || return
    is_sound "$1" || return
    return $files_are_wrong
}

is_sound() { # IMAGE
    e2fsck -fn "$1" >/tmp/e2fsck 2>&1 || { cat /tmp/e2fsck && return 1; }
}

# cut_power COUNT CHECK: cuts the power at moments spread over the log; fails at the first after which
# `CHECK IMAGE SYNCED` does.
cut_power() {
    local image done=0 last synced count=0
    image=$(mktemp -u)
    at_end rm -f "$image" "$image.cut"
    truncate -s "${logged_size}M" "$image"
    mkdir -p $after_cut
    modprobe loop
    while read -r last synced; do
        lib/replay-log.py replay "$log" "$image" $((done + 1)) "$last"
        done=$last
        cp --sparse=always "$image" "$image.cut"
        "$2" "$image.cut" "$synced" || { echo "cut after entry $last with $synced files synced" && return 1; }
        count=$((count + 1))
    done < <(possible_cuts | spread "$1")
    echo "whole after $count of $(possible_cuts | wc -l) possible cuts; $(lib/replay-log.py list "$log" | wc -l) entries"
    [ "$count" = "$1" ]
}
