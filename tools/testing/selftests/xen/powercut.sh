#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# After a power cut, at whatever moment, a guest's file system has what it was promised to have (R32).
#
# The device logs which writes had become durable, and when. The disk as it would have been found after a cut is made
# from the log; there, ext4 must be whole and every file that had been synced by then must be right.
# timeout: 180

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/backend.sh

readonly files=30 cuts=25 size=32 guest=/mnt/guest after=/mnt/after

# A disk at 51712 whose writes are logged. A file system is on it.
attach_logged() {
    make_null size=256
    log=$null
    make_null size=$size
    make_dm logged "0 $(sectors_of "$null") log-writes $null $log"
    vbd_attach 51712 "$dm"
    at_end vbd_detach 51712
}

# Fills a file system on the disk. After the mark N in the log, file N of the list in `sums` is synced.
fill() {
    local number
    sums=$(mktemp)
    mkfs.ext4 -q -E nodiscard,lazy_itable_init=0 -J size=4 /dev/xvda
    mkdir -p $guest
    mount /dev/xvda $guest
    for number in $(seq $files); do
        head -c $((number * 1777)) /dev/urandom >$guest/"$number"
        sync $guest/"$number"
        dmsetup message logged 0 mark "$number"
        (cd $guest && sha256sum "$number") >>"$sums"
        # What is not synced may be lost, and is in the way of what is.
        head -c 20000 /dev/urandom >$guest/unsynced"$((number % 5))"
    done
    umount $guest
}

# Prints the last entry before a cut and how many files were synced by then: at every flush, write of FUA and mark.
possible_cuts() {
    lib/replay-log.py list "$log" |
        awk '$2 == "mark" && $3 + 0 { synced = $3 } / (flush|fua|mark)/ && synced { print $1, synced }'
}

# COUNT of the lines, which are more, the last one among them.
spread() { awk -v count="$1" '{ line[NR] = $0 } END { for (i = 1; i <= count; i++) print line[int(i * NR / count)] }'; }

# Whether the disk IMAGE, found after a cut, has the first SYNCED files and a sound file system.
is_whole() { # IMAGE SYNCED
    mount -o loop "$1" $after || return
    (cd $after && head -n "$2" "$sums" | sha256sum --check --quiet)
    local files_are_wrong=$?
    umount $after || return
    e2fsck -fn "$1" >/tmp/e2fsck 2>&1 || { cat /tmp/e2fsck && return 1; }
    return $files_are_wrong
}

# Cuts the power at moments spread over the log; fails at the first that the file system does not survive.
cut_power() {
    local image done=0 last synced count=0
    image=$(mktemp -u)
    at_end rm -f "$image" "$image.cut"
    truncate -s ${size}M "$image"
    mkdir -p $after
    modprobe loop
    while read -r last synced; do
        lib/replay-log.py replay "$log" "$image" $((done + 1)) "$last"
        done=$last
        cp --sparse=always "$image" "$image.cut"
        is_whole "$image.cut" "$synced" || { echo "cut after entry $last with $synced files synced" && return 1; }
        count=$((count + 1))
    done < <(possible_cuts | spread $cuts)
    echo "whole after $count of $(possible_cuts | wc -l) possible cuts; $(lib/replay-log.py list "$log" | wc -l) entries"
    [ "$count" = $cuts ]
}

test_ext4_is_whole_after_a_power_cut_at_any_flush() {
    attach_logged
    fill
    cut_power
}

# A frontend that is told not to flush loses what it synced: the test above would see it.
test_a_disk_that_is_not_flushed_is_found_out() {
    attach_logged
    queue_set /dev/xvda write_cache "write through"
    fill
    expect_failure cut_power
}

modprobe "$backend"
modprobe xen-blkfront
modprobe ext4
ktap_run
