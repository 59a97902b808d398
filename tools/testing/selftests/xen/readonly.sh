#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A disk of mode r is read and never written (R23), and readers share a device.
# timeout: 240

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. ../vm/guest.sh

make_filled_loop() {
    make_loop 8
    head -c 8M /dev/urandom >"$file"
    sum=$(sha256sum <"$file")
}

test_dom0_cannot_write_it() {
    make_filled_loop
    vbd_attach 51712 "$loop" r
    at_end vbd_detach 51712
    expect 1 "$(blockdev --getro /dev/xvda)" "the disk's read-only flag"
    cmp "$file" /dev/xvda
    expect_failure dd if=/dev/zero of=/dev/xvda bs=4k count=1 oflag=direct
    expect "$sum" "$(sha256sum <"$file")" "the device's checksum"
}

test_a_guest_cannot_write_its_two_disks_on_one_device() {
    make_filled_loop
    cat >/tmp/job <<'END'
#!/bin/sh
for disk in xvda xvdb; do
    [ "$(cat /sys/block/$disk/ro)" = 1 ] || exit 2
    sha256sum </dev/$disk
    dd if=/dev/zero of=/dev/$disk bs=4k count=1 conv=fsync && exit 3
done
exit 0
END
    guest_start reader /tmp/job "phy:$loop,xvda,r" "phy:$loop,xvdb,r"
    at_end eval 'guest_exists reader && guest_destroy reader'
    guest_wait reader $((120 * PATIENCE)) || { guest_output reader && fail "the guest's job failed"; }
    expect 2 "$(guest_output reader | grep -cF "$sum")" "the number of disks that read right"
    expect "$sum" "$(sha256sum <"$file")" "the device's checksum"
}

test_a_writer_waits_until_the_readers_are_gone() {
    make_filled_loop
    vbd_attach 51712 "$loop" r
    vbd_create 51728 "$loop" w
    at_end vbd_remove 51728
    vbd_wait_error 51728
    vbd_detach 51712
    vbd_name_device 51728 "$loop"
    vbd_wait 51728 4
}

modprobe xbdback
modprobe xen-blkfront
ktap_run
