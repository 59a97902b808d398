#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What programs ask of vnd(4): units that come and go, errors, and who may have a file.

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/vnd.sh

# A directory for files, which need no disk here.
make_files() {
    make_tmpfs
    make_image "${1:-4M}"
}

test_a_unit_says_what_it_is() {
    make_files 5000
    configure "$image"
    expect "${unit#/dev/vnd} 0x30000 $(stat -c '%Hd:%Ld %i' "$image") 4608 512/1/1/9 $image" "$(vnd get "$unit" -1)"
    expect 9 "$(sectors_of "$unit")"
    expect "$image" "$(cat "$(backing_file)")"
    refuse ERANGE get "$unit" -1 "${#image}"
    mv "$image" "$image.new"
    [[ $(vnd get $control "${unit#/dev/vnd}" $((${#image} + 5))) == *" $image.new" ]]
    expect "$image.new" "$(cat "$(backing_file)")"
    mv "$image.new" "$image"
    clear "$unit"
    [ ! -e "$(backing_file)" ]
    make_image 4M
    configure "$image" hasgeom 1024/8/4/10
    [[ $(vnd get "$unit" -1) == *" 327680 1024/8/4/10 $image" ]]
    expect 640 "$(sectors_of "$unit")"
    expect 1024 "$(queue_limit "$unit" logical_block_size)"
}

# Where sysfs shows the name of the unit's file.
backing_file() { echo "/sys/block/${unit#/dev/}/vnd/backing_file"; }

test_a_name_is_what_the_program_means_by_it() {
    local here=$PWD
    make_files
    unit=/dev/vnd$(vnd get-free)
    (cd "$fs" && "$here/lib/vnd-ioctl" set "$unit" "${image##*/}")
    at_end clear_by_force "$unit"
    [[ $(vnd get "$unit" -1) == *" $image" ]]
}

test_names_are_as_long_as_any_and_may_be_longer_by_now() {
    local here=$PWD slashes
    make_files
    unit=/dev/vnd$(vnd get-free)
    at_end clear_by_force "$unit"
    slashes=$(printf "%$((4095 - ${#image}))s" '' | tr ' ' /)
    refuse ENAMETOOLONG set "$unit" "$fs$slashes/${image#"$fs"}"
    vnd set "$unit" "$fs$slashes${image#"$fs"}"
    clear "$unit"
    vnd add "${unit#/dev/vnd}"
    # shellcheck disable=SC2016 # for Perl
    (cd "$fs" && perl -e 'my $name = "d" x 250; for (1 .. 17) { mkdir $name; chdir $name or die }
        open my $file, ">", "deep" or die; truncate $file, 1 << 20; exec @ARGV' "$here/lib/vnd-ioctl" set "$unit" deep)
    [[ $(vnd get "$unit" -1) == *" 1048576 512/32/64/1 " ]]
}

test_units_come_and_go() {
    expect 7 "$(vnd add 7)"
    [ -b /dev/vnd7 ]
    refuse EEXIST add 7
    expect 0 "$(vnd add -1)"
    expect 0 "$(vnd get-free)"
    expect "3 0x0 0:0 0 0 0/0/0/0 " "$(vnd get $control 3)"
    expect "7 0x0 0:0 0 0 0/0/0/0 " "$(vnd get $control 7)"
    refuse ENXIO get $control 8
    refuse EINVAL get $control -1
    refuse EINVAL add 65536
    refuse EINVAL add $(((1 << 32) + 8))
    exec 7<>/dev/vnd7
    refuse EBUSY remove 7
    exec 7>&-
    # Who asked for it keeps it.
    vnd get /dev/vnd7 -1
    remove 7
    [ ! -b /dev/vnd7 ]
    refuse ENODEV remove 7
    remove 0
    refuse ENXIO get $control 0
}

test_a_node_that_is_opened_makes_a_unit_until_it_is_closed() {
    local major
    major=$(awk '$2 == "vnd" { print $1 }' /proc/devices)
    mknod /tmp/vnd42 b "$major" 42
    at_end rm /tmp/vnd42
    exec 7<>/tmp/vnd42
    [ -b /dev/vnd42 ]
    exec 7>&-
    patiently test ! -b /dev/vnd42
    # One that is configured stays, until it is cleared.
    make_files
    vnd set /tmp/vnd42 "$image"
    [ -b /dev/vnd42 ]
    clear /dev/vnd42
    patiently test ! -b /dev/vnd42
}

test_a_unit_is_added_and_removed_while_its_node_is_opened_and_closed() {
    mknod /tmp/vnd43 b "$(awk '$2 == "vnd" { print $1 }' /proc/devices)" 43
    at_end rm /tmp/vnd43
    vnd churn /tmp/vnd43 43 $((60 * SCALE))
    # None is left that nobody knows.
    patiently rmmod vnd_bridge
    at_end insmod "$vnd_modules/vnd-bridge.ko"
    [ -z "$(find /sys/block -name 'vnd*')" ]
}

test_errors_are_netbsds() {
    make_files
    unit=/dev/vnd$(vnd get-free)
    refuse ENXIO clear "$unit"
    refuse EBADF set "$unit" "$image" rdonly
    refuse EBADF clear "$unit" rdonly
    refuse ENOENT set "$unit" "$fs/none"
    refuse EOPNOTSUPP set "$unit" "$fs"
    refuse EOPNOTSUPP set "$unit" /dev/null
    refuse EOPNOTSUPP set "$unit" /proc/version
    refuse EINVAL set "$unit" "$image" bad
    refuse EINVAL clear "$unit" bad
    refuse EINVAL set "$unit" "$image" hasgeom 0/1/1/1
    refuse EINVAL set "$unit" "$image" hasgeom 8192/1/1/1
    refuse EINVAL set "$unit" "$image" hasgeom 1000/1/1/1
    refuse EINVAL set "$unit" "$image" hasgeom 512/0/1/1
    refuse EINVAL set "$unit" "$image" hasgeom 512/32/64/5
    refuse ENAMETOOLONG set "$unit" "/$(printf '%05000d' 0)"
    refuse EBADF set "$unit" "$image" rdonly,readonly
    vnd set "$unit" "$image"
    refuse EBUSY set "$unit" "$image"
    refuse EBUSY remove "${unit#/dev/vnd}"
    expect_failure rmmod vnd_bridge
    clear "$unit"
    patiently test ! -b "$unit"
}

test_a_read_only_unit_and_file() {
    make_files
    mount -o remount,ro "$fs"
    unit=/dev/vnd$(vnd get-free)
    refuse EROFS set "$unit" "$image"
    vnd set "$unit" "$image" readonly
    at_end clear_by_force "$unit"
    expect 1 "$(blockdev --getro "$unit")"
    expect_failure dd if=/dev/zero of="$unit" count=1 oflag=direct
    compare
    mount -o remount,rw "$fs"
}

test_a_file_has_one_writer_or_many_readers() {
    local first
    make_files
    ln "$image" "$fs/other-name"
    configure "$image"
    first=$unit
    another
    refuse EBUSY set "$unit" "$fs/other-name"
    refuse EBUSY set "$unit" "$fs/other-name" readonly
    clear "$first"
    vnd set "$unit" "$image" readonly
    first=$unit
    another
    vnd set "$unit" "$fs/other-name" readonly
    clear "$first"
    clear "$unit"
    exec 7<>"$image"
    another
    refuse EBUSY set "$unit" "$image"
    exec 7>&-
}

# Sets `unit` to a new one.
another() {
    unit=/dev/vnd$(vnd add -1)
    at_end clear_by_force "$unit"
}

test_disks_lie_on_each_other_three_high() {
    local below=/tmp height
    make_files 64M
    for height in 1 2 3; do
        configure "$image"
        mkfs.ext4 -q -b 4096 "$unit"
        below=/tmp/above$height
        mkdir "$below"
        at_end rmdir "$below"
        mount "$unit" "$below"
        at_end umount "$below"
        image=$below/image
        truncate -s $((64 - 16 * height))M "$image"
    done
    unit=/dev/vnd$(vnd get-free)
    refuse ELOOP set "$unit" "$image"
    remove "${unit#/dev/vnd}"
    dd if=/dev/urandom of="$image" bs=1M count=4 conv=fsync
}

test_programs_hear_of_a_unit_and_its_partitions() {
    local heard=/tmp/heard
    make_files 64M
    partition "$image"
    unit=/dev/vnd$(vnd add -1)
    at_end clear_by_force "$unit"
    udevadm monitor --kernel --property --subsystem-match=block >"$heard" &
    at_end rm "$heard"
    at_end kill $!
    patiently grep -q '^KERNEL' "$heard"
    vnd set "$unit" "$image"
    truncate -s 80M "$image"
    patiently size_is 163840
    clear "$unit"
    patiently grep -q "remove .*/block/${unit#/dev/} " "$heard"
    expect "add p1 add p2 resize remove p1 remove p2 remove" "$(news <"$heard")"
}

# Of the kernel's words to udev: what comes and goes, of the unit, and changes of its size.
news() {
    sed -n "s#^KERNEL[^ ]* \(add\|remove\) .*/${unit#/dev/}\(p[0-9]*\)\? (block)#\1 \2#p; s/^RESIZE=1/resize/p" | xargs
}

# udev misses what is written while it looks: it is made anew then.
finds_what_is_made() { # LINK
    udevadm settle
    mkfs.ext4 -q -F -L "${1##*/}" "$unit"
    udevadm settle
    [ "$1" -ef "$unit" ]
}

use_our_rules() {
    local rules=/run/udev/rules.d
    mkdir -p "$rules"
    cp /src/udev/60-vnd.rules "$rules"
    at_end rm "$rules/60-vnd.rules"
    udevadm control --reload
}

test_programs_find_a_file_system_on_a_unit_by_its_label() {
    local link=/dev/disk/by-label/on-a-unit
    use_our_rules
    make_files
    configure "$image"
    patiently finds_what_is_made "$link"
    clear "$unit"
    patiently test ! -e "$link"
}

test_who_may_use_disks_may_make_them() {
    use_our_rules
    # What it would do: the machine's own udev gives nodes to no groups.
    [[ $(udevadm test --action=add /sys/class/misc/vnd-control 2>&1) == *"disk (gid="* ]]
}

load_vnd
ktap_run
