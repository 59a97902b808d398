#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Real guests that end badly: destroyed while they write (XSA-350, R9, R15).
# timeout: 420

cd "$(dirname "$0")/.." || exit
. lib/ktap.sh
. lib/vbd.sh
. lib/devices.sh
. lib/leaks.sh
. ../vm/guest.sh

# A guest that writes to its disk as fast as it can, for ever.
start_writer() { # NAME DISK…
    cat >/tmp/job <<'END'
#!/bin/sh
for number in 1 2 3 4 5 6 7 8; do
    while dd if=/dev/zero of=/dev/xvda bs=256k count=64 conv=fsync; do :; done 2>/dev/null &
done
until [ "$(awk '{ print $9 }' /sys/block/xvda/stat)" -ge 8 ]; do sleep 0.1; done
echo "writing"
wait
# Whoever started this ends it.
sleep 1000
END
    guest_start "$1" /tmp/job "${@:2}"
    guest_wait_for "$1" $((60 * PATIENCE)) '^writing'
}

domains_are_gone() { [ -z "$(other_domains)" ]; }

destroy_one() { # NAME
    start_writer "$1" "phy:$slow,xvda,w"
    timeout 60 xl destroy "$1"
    patiently domains_are_gone || { xl list && fail "the domain is not gone"; }
    patiently is_free "$slow" || fail "the device is still claimed"
    expect "" "$(disks_in_xenstore)" "the disks left in xenstore"
}

test_destroyed_while_writing() {
    local round
    make_slow 5000
    for round in $(seq "${GUESTS:-$((2 * SCALE))}"); do destroy_one "writer$round"; done
}

test_destroyed_with_a_disk_that_was_never_named() {
    make_slow 5000
    start_writer half "phy:$slow,xvda,w"
    local domain back
    domain=$(xl domid half)
    back=/local/domain/0/backend/vbd/$domain/51744
    xenstore-write "/local/domain/$domain/device/vbd/51744/backend" "$back" "$back/frontend" \
        "/local/domain/$domain/device/vbd/51744" "$back/frontend-id" "$domain" "$back/online" 1 "$back/mode" w "$back/state" 1
    sleep 1
    timeout 60 xl destroy half
    patiently domains_are_gone || { xl list && fail "the domain is not gone"; }
    xenstore-rm "/local/domain/0/backend/vbd/$domain" 2>/dev/null || :
    patiently is_free "$slow" || fail "the device is still claimed"
}

test_the_driver_is_unloaded_while_a_guest_writes() {
    local domain
    make_slow 5000
    start_writer orphan "phy:$slow,xvda,w"
    domain=$(xl domid orphan)
    timeout 60 rmmod xbdback
    [ ! -d /sys/module/xbdback ]
    is_free "$slow" || fail "the device is still claimed"
    patiently guest_sees_closing "$domain"
    timeout 60 xl destroy orphan
    patiently domains_are_gone || { xl list && fail "the domain is not gone"; }
    modprobe xbdback
}

guest_sees_closing() { [[ $(xenstore-read "/local/domain/$1/device/vbd/51712/state") == [56] ]]; }

modprobe xbdback
ktap_run
