# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the scripts in this folder share: words for the user, progress, the cache folder.
#
# To be sourced. Messages go to stderr, so that stdout stays free for results.

me=$(basename "$0")

# The cache folder. It lives outside the checkout, so several checkouts can share it.
xbdback_cache() {
    realpath -m "${XBDBACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xbdback}"
}

# Says what is happening, with the seconds since the script began.
say() {
    printf '[%4ds] %s: %s\n' "$SECONDS" "$me" "$*" >&2
}

# Ends the script with one sentence that says what is missing and what to do.
die() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# Prints the comment that opens the calling script, as its manual.
show_help() {
    sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
}

# Makes a folder a mount point of its own, in which programs and devices work even when the cache is
# on a file system mounted without them, as /tmp often is. For use in a private mount namespace.
mount_on_itself() {
    mount --bind "$1" "$1"
    mount -o remount,bind,exec,dev,suid "$1"
}

# Ends with a sentence unless every named command exists: need_commands "what to do" CMD…
need_commands() {
    local remedy=$1 missing=() command
    shift
    for command; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    [ ${#missing[@]} -eq 0 ] || die "missing here: ${missing[*]}; $remedy."
}

# Ends with a sentence unless DIR's file system has MIB mebibytes free: need_space DIR MIB
need_space() {
    local free
    free=$(df --output=avail -BM "$1" | tail -n 1 | tr -dc 0-9)
    [ "$free" -ge "$2" ] ||
        die "$1 has $free MiB free and $2 MiB are needed; make room, or set XBDBACK_CACHE to a folder on another disk."
}

# Runs a long command with its output in a log, says every 15 seconds how far it is, and shows
# the end of the log when it fails: quietly LOG "what it does" CMD…
#
# bash ignores `set -e` in a function whose status is asked for: give it one command, or a function
# that joins its commands with &&.
quietly() {
    local log=$1 what=$2 status=0 watcher
    shift 2
    say "$what"
    : >"$log"
    watch_log "$log" &
    watcher=$!
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        echo "--- the last lines of $log:" >&2
        tail -n 15 "$log" >&2
        echo "---" >&2
    fi
    return "$status"
}

# The watcher of quietly. Its sleep outlives it for a moment: it must hold neither the caller's
# lock (descriptor 9) nor the user's terminal.
watch_log() {
    exec 9>&-
    local line
    while sleep 15 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        line=$(tail -n 1 "$1" | tr -dc '[:print:]' | cut -c -60)
        say "… ${line:-still at it}"
    done
}
