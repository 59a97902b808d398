#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# GRUB's own driver for Xen disks, written from the protocol's description: it reads and writes.
# timeout: 120

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. ../vm/guest.sh

# Makes a kernel of GRUB that runs grub.cfg from a memory disk.
make_grub() { # OUT
    local dir
    dir=$(mktemp -d)
    at_end rm -rf "$dir"
    cat >"$dir/grub.cfg" <<'END'
echo "reads:"
sha256sum (xen/xvda)/data
load_env -f (xen/xvda)/grubenv
echo "dom0 wrote ${from_dom0}."
set from_grub=written-by-grub
save_env -f (xen/xvda)/grubenv from_grub
echo "done."
halt
END
    tar -C "$dir" -cf "$dir/memdisk.tar" grub.cfg
    echo 'normal (memdisk)/grub.cfg' >"$dir/early.cfg"
    grub-mkimage -O x86_64-xen -o "$1" -c "$dir/early.cfg" -m "$dir/memdisk.tar" -p '(memdisk)/' \
        memdisk tar normal ext2 hashsum gcry_sha256 loadenv echo halt test cat ls
}

run_grub() { # NAME KERNEL DISK
    rm -f "$(guest_console "$1")"
    cat >"/tmp/$1.xl" <<-END
		name = "$1"
		type = "pv"
		kernel = "$2"
		memory = 128
		disk = [ "$3" ]
		on_crash = "destroy"
	END
    xl create -q "/tmp/$1.xl"
}

guest_is_gone() { ! guest_exists "$1"; }

test_reads_a_file_and_writes_another() {
    local sum said
    make_loop 16
    mkfs.ext2 -q "$loop"
    mount "$loop" /mnt
    head -c 3000001 /dev/urandom >/mnt/data
    sum=$(sha256sum </mnt/data | cut -d' ' -f1)
    grub-editenv /mnt/grubenv create
    grub-editenv /mnt/grubenv set from_dom0=hello
    umount /mnt
    make_grub /tmp/grub.bin
    run_grub grub /tmp/grub.bin "phy:$loop,xvda,w"
    at_end eval 'guest_exists grub && guest_destroy grub'
    guest_wait_for grub $((60 * PATIENCE)) 'done\.' || { cat "$(guest_console grub)" && fail "GRUB did not come to its end"; }
    said=$(tr -d '\r' <"$(guest_console grub)")
    echo "$said" | tail -n 20
    [[ $said == *"$sum"* ]] || fail "GRUB read something else than $sum"
    [[ $said == *"dom0 wrote hello."* ]] || fail "GRUB did not read what dom0 wrote"
    patiently guest_is_gone grub || guest_destroy grub
    patiently disk_is_mountable "$loop"
    at_end umount /mnt
    grub-editenv /mnt/grubenv list
    [[ $(grub-editenv /mnt/grubenv list) == *from_grub=written-by-grub* ]] || fail "what GRUB wrote is not on the device"
}

disk_is_mountable() { mount "$1" /mnt 2>/dev/null; }

modprobe xbdback
ktap_run
