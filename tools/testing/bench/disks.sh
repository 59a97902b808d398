# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Gives a guest disks and takes them away, by writing xenstore as a toolstack does.
#
# Not with xl: its scripts have time limits, and the time that a machine counts by its instructions
# jumps while programs are read from the host. To be sourced.

disk_backend() { echo "/local/domain/0/backend/vbd/$1/$2"; }   # DOMAIN HANDLE
disk_frontend() { echo "/local/domain/$1/device/vbd/$2"; }     # DOMAIN HANDLE

disk_wait() { # DOMAIN HANDLE STATE…
    local node patience=300
    node=$(disk_backend "$1" "$2")/state
    until [[ " ${*:3} " == *" $(xenstore-read "$node" 2>/dev/null || echo none) "* ]]; do
        patience=$((patience - 1))
        [ "$patience" -gt 0 ] || { echo "disk $2 of domain $1 does not come to state $3" >&2 && return 1; }
        sleep 0.1
    done
}

disk_attach() { # DOMAIN HANDLE DEVICE-OR-FILE
    local back front named=(physical-device-path "$3")
    back=$(disk_backend "$1" "$2") front=$(disk_frontend "$1" "$2")
    [ ! -b "$3" ] || named=(physical-device "$(stat -L -c '%t:%T' "$3")")
    xenstore-write "$back/frontend" "$front" "$back/frontend-id" "$1" "$back/online" 1 "$back/removable" 0 \
        "$back/bootable" 0 "$back/dev" "vbd$2" "$back/type" phy "$back/mode" w "$back/device-type" disk \
        "$back/params" "$3" "$back/${named[0]}" "${named[1]}" "$back/hotplug-status" connected \
        "$front/backend" "$back" "$front/backend-id" 0 "$front/virtual-device" "$2" "$front/device-type" disk
    xenstore-chmod -r "$back" n0 "r$1"
    xenstore-chmod -r "$front" "n$1" r0
    # In this order: a backend that finds a frontend without a state takes it for one that is gone.
    xenstore-write "$front/state" 1 "$back/state" 1
    disk_wait "$1" "$2" 4
}

disk_detach() { # DOMAIN HANDLE
    local back
    back=$(disk_backend "$1" "$2")
    xenstore-write "$back/online" 0 "$back/state" 5
    disk_wait "$1" "$2" 6 none
    xenstore-rm "$(disk_frontend "$1" "$2")"
    xenstore-rm "$back"
}
