# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Watches a machine that runs a job: shows the output, notices the end, judges, keeps the log.
#
# To be sourced by boot/xen and boot/bare, which set program, timeout, interactive, work, logs (where
# the machine leaves output, up, status, dmesg and the guests' consoles), console (a file) and, once
# the machine runs, machine (its process).

# shellcheck disable=SC2154 # see above
readonly timed_out=124 harness_failed=125 complained=126
machine='' up='' end=''

say() { echo "$program: $*" >&2; }

# The machine, the mounts and the log: all are settled however this process ends.
end_with_this_process() {
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

stop_machine() {
	[ -n "$machine" ] || return 0
	kill -KILL "$machine" 2>/dev/null || :
	wait "$machine" 2>/dev/null || :
	machine=
	[ -z "${terminal-}" ] || stty "$terminal"
}

show_new_output() { cat <&5; }

# Waits for the end of the run and sets `end` to finished, crashed, exited or timed-out.
watch_run() {
	local tick=0
	exec 5<"$logs/output"
	until [ -e "$logs/status" ]; do
		sleep 0.1
		[ "$interactive" = 1 ] || show_new_output
		tick=$((tick + 1))
		if [ -z "$up" ] && [ -e "$logs/up" ]; then
			up=$SECONDS
			say "the machine is up after $up s"
		elif ! kill -0 "$machine" 2>/dev/null; then
			end=exited
			return
		elif [ "$SECONDS" -ge "$timeout" ] && [ "$timeout" -gt 0 ]; then
			end=timed-out
			! declare -F ask_for_blocked_tasks >/dev/null || ask_for_blocked_tasks
			return
		elif [ $((tick % 10)) -eq 0 ] && grep -aqE 'Panic on CPU|Hardware Dom0 (crashed|halted)|Kernel panic' "$console"; then
			# The reason comes in the lines that follow.
			sleep 1
			end=crashed
			return
		fi
	done
	[ "$interactive" = 1 ] || show_new_output
	end=finished
}

write_log() {
	local file
	echo "==> console"
	cat "$console"
	for file in "$logs/dmesg" "$logs"/console/guest-*.log; do
		[ ! -e "$file" ] || { echo "==> ${file#"$logs"/}" && cat "$file"; }
	done
}

show_guest_consoles() {
	local file
	for file in "$logs"/console/guest-*.log; do
		[ ! -e "$file" ] || { say "console of ${file##*/}:" && cat "$file" >&2; }
	done
}

# Says in one sentence how the run ended and sets the exit status of the whole.
judge() {
	local status=$harness_failed lines
	case $end in
	finished)
		status=$(cat "$logs/status")
		[ "$status" -eq 0 ] || say "the script exited with status $status"
		;;
	timed-out)
		status=$timed_out
		say "timed out after $timeout s; the last lines of the console:"
		tail -n 20 "$console" >&2
		;;
	crashed | exited)
		[ "$end" != crashed ] || status=$complained
		say "the machine ${end/exited/stopped} before the script ended; the last lines of the console:"
		tail -n 40 "$console" >&2
		[ "$end" = crashed ] || cat "$work/qemu.log" >&2
		;;
	esac
	lines=$("$here/complaints" "$console" "$logs")
	if [ -n "$lines" ]; then
		[ "$end" != finished ] || status=$complained
		say "failed because a kernel complained:"
		head -n 20 <<<"$lines" | sed "s|^$work/||; s|^logs/||" >&2
	fi
	[ "$status" -eq 0 ] || show_guest_consoles
	return "$status"
}

finish() {
	local status=$?
	trap - EXIT
	stop_machine
	write_log >&4 2>/dev/null || :
	# Without an end there is no verdict either: something above failed, or a signal came.
	if [ -z "$end" ] && [ "$status" -lt 128 ]; then
		say "could not start the machine"
		status=$harness_failed
	fi
	exit "$status"
}
