# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Many disks that are used at once; to be sourced after ktap.sh.

# The disks, and the files that they are on.
many=() files=()

# Writes all disks at once, and compares them with their files; then fails if one has much less of the time than others.
use_many() {
    local number
    fio_on_many --rw=randwrite --bsrange=512-64k --size=2M --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0
    for number in "${!many[@]}"; do cmp "${files[number]}" "${many[number]}"; done
    fio_on_many --rw=randrw --bs=4k --size=2M --time_based --runtime=3 --output-format=json |
        python3 -c 'import json, sys
done = [job["read"]["total_ios"] + job["write"]["total_ios"] for job in json.load(sys.stdin)["jobs"]]
print("I/Os:", *done)
sys.exit(min(done) < sum(done) / len(done) / 3)' || fail "a disk was starved"
}

fio_on_many() { # OPTION…
    local disk jobs=()
    for disk in "${many[@]}"; do jobs+=("--name=${disk#/dev/}" "--filename=$disk" --ioengine=libaio --direct=1 --iodepth=8 "$@"); done
    fio "${jobs[@]}"
}
