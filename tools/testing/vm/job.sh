# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Runs the job inside the machine and leaves output, kernel log and status for the host.
#
# To be sourced by dom0/init and bare/init, which set `run`, the folder with what the host prepared, and
# `log`, a folder shared with the host: it reads the logs there even when the machine does not live
# to send them, and ends the machine when it sees the file status.

# shellcheck disable=SC2154 # see above
# Everything the kernel says goes to the console from here on: it is all that is left after a crash.
keep_kernel_log() {
	dmesg --console-level info
	dmesg --follow >"$log/dmesg" &
}

unpack_copied_files() {
	[ -s "$run/files.tar" ] || return 0
	tar --extract --ignore-zeros --keep-directory-symlink --file="$run/files.tar" --directory=/
}

# Linux may set a timer whenever it changes tasks, and an emulator asks the host for each: it need not here.
spare_timers() { echo NO_HRTICK >/sys/kernel/debug/sched/features || :; }

# The output goes through a pipe, not straight to the share, so that a job may reopen /dev/stderr.
# A daemon which the job leaves behind may hold the pipe open: it gets two seconds, then is ignored.
# In the C locale: any other is a dozen files of the host's for every process, a fifth of what a test takes.
run_job() {
	local relay status
	exec 3> >(exec cat >"$log/output")
	relay=$!
	LC_ALL=C setsid --wait "$@" <"/dev/null" >&3 2>&3 3>&-
	status=$?
	exec 3>&-
	timeout 2 tail --pid="$relay" --sleep-interval=0.05 -f /dev/null
	return "$status"
}

# The host takes the status for the end of everything: it comes last, and whole.
leave_status() { # STATUS
	dmesg >"$log/dmesg.whole" && mv "$log/dmesg.whole" "$log/dmesg"
	echo "$1" >"$log/status.new" && mv "$log/status.new" "$log/status"
}
