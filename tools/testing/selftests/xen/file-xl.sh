#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# xl and the script for disks on files, samples/block-vnd.

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/files.sh
. lib/images.sh
. ../vm/guest.sh

# The target takes the rest of the line.
disk() { echo "script=block-vnd,vdev=$1,access=${3:-rw},target=$2"; } # VDEV FILE [ACCESS]

nodes() { xenstore-ls /local/domain/0/backend/vbd/0 2>/dev/null || :; }

test_xl_attaches_and_detaches_a_file() {
    make_ext4 size=64
    make_image 8M
    xl block-attach 0 "$(disk xvda "$image")"
    patiently test -b /dev/xvda
    dd if=/dev/urandom of=/dev/xvda bs=64k count=16 oflag=direct
    cmp -n 1048576 /dev/xvda "$image"
    expect "" "$(losetup --associated "$image")" "a loop device"
    xl block-detach 0 xvda
    patiently test ! -e /dev/xvda
    expect "" "$(nodes)" "what is left in xenstore"
}

test_xl_attaches_a_compressed_image() {
    make_contents
    compress 65536
    xl block-attach 0 "$(disk xvda "cloop2:$archive" ro)"
    patiently test -b /dev/xvda
    cmp -n $((23 * 65536)) /dev/xvda "$image"
    xl block-detach 0 xvda
    patiently test ! -e /dev/xvda
    refused "cloop2:$archive" "is read-only: attach the disk with mode r"
    refused "cloop2:/dev/null" "is not a regular file"
}

# refused FILE WORDS: fails unless xl refuses the file with these words, and the script leaves nothing. xl itself leaves
# the disk, with the reason, to be detached.
refused() {
    local said
    said=$(expect_failure xl block-attach 0 "$(disk xvdb "$1")" 2>&1)
    [[ $said == *"$2"* ]] || fail "xl says: $said"
    expect error "$(vbd_says 51728 hotplug-status)"
    [[ $(vbd_says 51728 hotplug-error) == *"$2"* ]] || fail "the script says: $(vbd_says 51728 hotplug-error)"
    expect "" "$(vbd_says 51728 physical-device-path)" "the path that is left"
    expect "" "$(ls /var/run/xen-hotplug)" "the lock that is left"
    xl block-detach 0 xvdb
    patiently test ! -e /sys/bus/xen-backend/devices/vbd-0-51728
}

test_a_file_that_cannot_be_served_is_refused_with_a_sentence() {
    make_ext4 size=64
    make_image 8M
    refused "$fs/none" "$fs/none does not exist in the backend's domain: create it"
    expect 2 "$(vbd_error 51728 | cut -d' ' -f1)" "the error number in xenstore"
    refused "$fs/none/file" "does not exist"
    refused "$fs" "is not a regular file"
    xl block-attach 0 "$(disk xvda "$image")"
    at_end xl block-detach 0 xvda
    patiently test -b /dev/xvda
    refused "$image" "is in use"
}

test_a_guest_uses_a_file() {
    make_ext4 size=64
    make_image 32M
    cat >/tmp/job <<-'END'
		#!/bin/sh
		set -e
		mkfs.ext4 -q /dev/xvda
		mkdir -p /mnt
		mount -t ext4 /dev/xvda /mnt
		echo from the guest >/mnt/file
		umount /mnt
	END
    guest_start file /tmp/job "$(disk xvda "$image")"
    at_end eval 'guest_exists file && guest_destroy file'
    guest_wait file $((120 * PATIENCE)) || { guest_output file && fail "the guest failed"; }
    mkdir /tmp/inside
    at_end rmdir /tmp/inside
    modprobe loop
    mount -o loop,ro "$image" /tmp/inside
    at_end umount /tmp/inside
    expect "from the guest" "$(cat /tmp/inside/file)"
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
