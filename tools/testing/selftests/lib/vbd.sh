# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Disks of dom0 served by dom0, made by writing xenstore as a toolstack does.
#
# A disk has a handle, its number: 51712 is xvda, 51728 xvdb, and so on by 16. Frontends are found by
# xen-blkfront when it is loaded. To be sourced.

# shellcheck source=tools/testing/vm/pause.sh
. "${BASH_SOURCE[0]%/*}/../../vm/pause.sh"

readonly vbd_backends=/local/domain/0/backend/vbd/0 vbd_frontends=/local/domain/0/device/vbd

# The number of a device node as the toolstack's script writes it, in hexadecimal.
device_number() { stat -L -c '%t:%T' "$1"; }

# vbd_create HANDLE [DEVICE [MODE [FORMAT]]]: makes a disk; without DEVICE, or with -, it is not yet named.
# DEVICE is a block node, a number as physical-device takes it, or the path of a file, in FORMAT.
vbd_create() {
    local handle=$1 device=${2:--} mode=${3:-w} back=$vbd_backends/$1 front=$vbd_frontends/$1
    local nodes=("$front/backend" "$back" "$front/backend-id" 0 "$front/virtual-device" "$handle"
        "$front/device-type" disk "$front/state" 1 "$back/frontend" "$front" "$back/frontend-id" 0
        "$back/online" 1 "$back/removable" 0 "$back/bootable" 0 "$back/dev" "vbd$handle" "$back/type" phy
        "$back/mode" "$mode" "$back/device-type" disk "$back/params" "$device")
    [ "$device" = - ] || nodes+=("$back/$(vbd_node_for "$device")" "$(vbd_name_of "$device")" "$back/hotplug-status" connected)
    [ -z "${4:-}" ] || nodes+=("$back/physical-device-format" "$4")
    # Written last: a backend driver looks at the disk when its state appears.
    xenstore-write "${nodes[@]}" "$back/state" 1
}

# vbd_name_device HANDLE DEVICE: says which device an unnamed disk is made of.
vbd_name_device() {
    local back=$vbd_backends/$1
    xenstore-write "$back/params" "$2" "$back/$(vbd_node_for "$2")" "$(vbd_name_of "$2")" "$back/hotplug-status" connected
}

# How a script would name DEVICE: in which node, and what it writes there.
vbd_node_for() {
    case $1 in
    /dev/*) echo physical-device ;;
    /*) echo physical-device-path ;;
    *) echo physical-device ;;
    esac
}
vbd_name_of() { if [ -b "$1" ]; then device_number "$1"; else echo "$1"; fi; }

vbd_state() { xenstore-read "$vbd_backends/$1/state" 2>/dev/null || echo none; }

# vbd_says HANDLE NODE, vbd_frontend_says HANDLE NODE: print what the backend, or the frontend, has published;
# nothing when there is no such node.
vbd_says() { xenstore-read "$vbd_backends/$1/$2" 2>/dev/null || :; }
vbd_frontend_says() { xenstore-read "$vbd_frontends/$1/$2" 2>/dev/null || :; }

# vbd_error HANDLE: prints what the backend says is wrong; nothing when nothing is.
vbd_error() { xenstore-read "/local/domain/0/error/backend/vbd/0/$1/error" 2>/dev/null || :; }

# patiently COMMAND…: tries COMMAND until it succeeds; fails when it does not within 30 s.
patiently() {
    local deadline=$((SECONDS + 30 * ${PATIENCE:-1}))
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "did not come to hold: $*"
            return 1
        fi
        pause 0.1
    done
}

vbd_is_in() { [[ " ${*:2} " == *" $(vbd_state "$1") "* ]]; }
vbd_has_error() { [ -n "$(vbd_error "$1")" ]; }

# vbd_wait HANDLE STATE…: waits until the backend is in one of the states.
vbd_wait() { patiently vbd_is_in "$@"; }
vbd_wait_error() { patiently vbd_has_error "$1"; }

# vbd_attach HANDLE DEVICE [MODE [FORMAT]]: makes a disk and waits until xen-blkfront uses it.
vbd_attach() {
    vbd_create "$@"
    vbd_wait "$1" 4
    patiently test -b "$(vbd_node "$1")"
}

# The block node that xen-blkfront makes.
vbd_node() {
    local letters=(a b c d e f g h i j k l m n o p)
    echo "/dev/xvd${letters[($1 - 51712) / 16]}"
}

# vbd_detach HANDLE: takes a connected disk away as xl block-detach does.
vbd_detach() {
    local back=$vbd_backends/$1
    xenstore-write "$back/online" 0 "$back/state" 5
    vbd_wait "$1" 6 none
    vbd_remove "$1"
}

# vbd_remove HANDLE: removes what xenstore has of a disk, whatever state it is in.
vbd_remove() {
    xenstore-rm "$vbd_backends/$1" "$vbd_frontends/$1" 2>/dev/null || :
    xenstore-rm "/local/domain/0/error/backend/vbd/0/$1" 2>/dev/null || :
}
