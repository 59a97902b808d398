# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Test guests: creates a PV guest with xl in dom0, runs a job in it, fetches its status and output.
#
# To be sourced by a script that xen-run runs:
#
#     . /src/tools/testing/vm/guest.sh
#     guest_start g1 ./job.sh phy:/dev/loop0,xvda,w || exit
#     guest_wait g1 60; echo "the job exited with status $?"
#     guest_output g1
#
# The guest boots Debian's kernel and the initramfs of guest-initrd: busybox, mkfs.ext4, e2fsck, the
# modules xen-blkfront and ext4. It powers off when the job ends. Change these before guest_start:

guest_memory=192      # MiB
guest_vcpus=1
guest_options=()      # more lines for xl's configuration
guest_programs=()     # more programs the job needs, by name
guest_modules=()      # more kernel modules the job needs, by name
guest_initrd=''       # an initramfs of guest-initrd that is ready, job and all
guest_kernel_args=''  # more words for the guest's command line

# shellcheck source=tools/testing/vm/pause.sh
. "$(dirname "${BASH_SOURCE[0]}")/pause.sh"

guest_dir() { echo "/run/guests/$1"; }
guest_console() { echo "/var/log/xen/console/guest-$1.log"; }

# guest_start NAME JOB [DISK...]: creates the guest; fails as xl create does, with its words.
guest_start() {
	local name=$1 job=$2 dir disk disks=''
	shift 2
	for disk; do disks+="\"$disk\", "; done
	dir=$(guest_dir "$name")
	rm -rf "$dir" && mkdir -p "$dir" || return
	# A console log of an earlier guest of this name would answer for this one.
	rm -f "$(guest_console "$name")"
	if [ -n "$guest_initrd" ]; then
		ln -s "$guest_initrd" "$dir/initrd"
	else
		guest_make_initrd "$dir/initrd" "$job" || return
	fi
	cat >"$dir/config" <<-END
		name = "$name"
		type = "pv"
		kernel = "/usr/lib/xen-run/vmlinux"
		ramdisk = "$dir/initrd"
		cmdline = "console=hvc0 loglevel=5 panic=-1 $guest_kernel_args"
		memory = $guest_memory
		vcpus = $guest_vcpus
		# Otherwise Xen emulates every reading of the clock.
		tsc_mode = "native"
		on_crash = "destroy"
		disk = [ $disks ]
	END
	printf '%s\n' "${guest_options[@]}" >>"$dir/config"
	xl create -q "$dir/config"
}

guest_make_initrd() { # OUT JOB
	local arguments=() name
	for name in "${guest_programs[@]}"; do arguments+=(--program "$name"); done
	for name in "${guest_modules[@]}"; do arguments+=(--module "$name"); done
	/src/tools/testing/vm/guest-initrd --base /usr/lib/xen-run/guest.cpio "${arguments[@]}" "$1" "$2"
}

guest_exists() { xl domid "$1" >/dev/null 2>&1; }

# guest_wait NAME SECONDS: waits until the guest is gone and returns its job's status; 124 when it is
# still there after SECONDS, 125 when it went without reporting a status.
guest_wait() {
	local name=$1 deadline=$((SECONDS + $2)) directory status
	directory=/local/domain/$(xl domid "$name" 2>/dev/null || :)
	# xl takes much longer to ask: it is asked in the end.
	while [ "$directory" != /local/domain/ ] && xenstore-exists "$directory" || guest_exists "$name"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "guest $name is still there after $2 s" >&2
			return 124
		fi
		pause 0.5
	done
	status=$(guest_status "$name")
	if [ -z "$status" ]; then
		echo "guest $name ended without a status" >&2
		return 125
	fi
	return "$status"
}

# guest_wait_for NAME SECONDS PATTERN: waits until a line of the guest's console matches PATTERN.
guest_wait_for() {
	local deadline=$((SECONDS + $2))
	until grep -aqE -- "$3" "$(guest_console "$1")" 2>/dev/null; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "guest $1 did not say '$3' within $2 s" >&2
			return 124
		fi
		pause 0.5
	done
}

# guest_status NAME: prints the job's exit status, nothing while it runs.
guest_status() {
	tr -d '\r' <"$(guest_console "$1")" | sed -n 's/^guest-job: exited with status \([0-9]*\)$/\1/p'
}

# guest_output NAME: prints what the job printed, and the kernel's messages of that time.
guest_output() {
	tr -d '\r' <"$(guest_console "$1")" |
		sed -n '/^guest-job: begins$/,/^guest-job: exited/{/^guest-job: /!p}'
}

# guest_destroy NAME: takes the guest away at once.
guest_destroy() { xl destroy "$1"; }
