# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What xen-run and bare-run do on the host alike: their options' files, our modules, the sandbox.
#
# To be sourced. The sourcing script sets `program` to its own name.

# shellcheck disable=SC2154 # the sourcing script sets program
readonly harness_failed=125
top=$(realpath "${BASH_SOURCE[0]%/*}/../../..")
readonly top
copies=()

die() {
	echo "$program: $*" >&2
	exit "$harness_failed"
}

need_number() { # OPTION VALUE
	[[ $2 =~ ^[0-9]+$ ]] || die "$1 takes a whole number, not '$2'"
}

# Remembers SRC:DEST for copied_files.
add_copy() {
	local source=${1%%:*} destination=${1#*:}
	[[ $1 == *:/* ]] || die "--copy takes SRC:DEST with an absolute DEST, not '$1'"
	[ -e "$source" ] || die "there is no $source to copy"
	copies+=("$(realpath "$source")" "$destination")
}

# Writes the files of --copy as tar archives, one after the other, that unpack at their destinations.
copied_files() {
	local i source name
	for ((i = 0; i < ${#copies[@]}; i += 2)); do
		source=${copies[i]}
		name=$(printf %s "${copies[i + 1]#/}" | sed 's/[&\\,]/\\&/g')
		if [ -d "$source" ]; then
			tar -C "$source" -c --transform "s,^\\.\(/\|\$\),$name\1,S" .
		else
			tar -C "${source%/*}" -c --transform "s,.*,$name,S" "./${source##*/}"
		fi
	done
}

# Prints where a file of this checkout is in the sandbox.
in_checkout() { # FILE
	local file
	file=$(realpath "$1")
	if ! [ -f "$file" ] || [[ $file != "$top"/* ]]; then die "there is no file $1 in this checkout"; fi
	echo "/src/${file#"$top/"}"
}

# Sets interpreter to what the first line of a script asks for, or to a shell.
interpreter() { # SCRIPT
	local line=''
	IFS= read -r line <"$1" || :
	interpreter=(sh)
	if [[ $line == '#!'* ]]; then read -ra interpreter <<<"${line#'#!'}"; fi
}

# Sets job to the script and its arguments as the machine will see them.
set_job() { # SCRIPT [ARG...]
	local script
	[ -f "$1" ] || die "there is no script $1"
	script=$(realpath "$1")
	if [[ $script == "$top"/* ]]; then
		job=("/src/${script#"$top"/}")
	else
		job=("/run/job/${script##*/}")
		add_copy "$script:${job[0]}"
	fi
	if ! [ -x "$script" ]; then
		interpreter "$script"
		job=("${interpreter[@]}" "${job[@]}")
	fi
	job+=("${@:2}")
}

modules_are_stale() {
	local module
	for module in xenbus-rs xbdback vnd-bridge; do
		[ -e "$top/build/modules/$module.ko" ] || return 0
	done
	[ -n "$(find "$top/Kbuild" "$top/xenbus" "$top/xbdback" "$top/vnd-bridge" -type f \
		-newer "$top/build/modules/xbdback.ko" -print -quit)" ]
}

ensure_modules() {
	! modules_are_stale || make -s -C "$top" modules >&2 || die "the modules do not build; see above"
}

sandbox() { "$top/tools/sandbox" "$@"; }

# Replaces this process by COMMAND inside the sandbox, with the copied files on descriptor 3.
enter_sandbox() { # COMMAND...
	exec 3< <(copied_files)
	# A mount namespace of its own, also when this is already the sandbox: the run mounts things.
	exec "$top/tools/sandbox" run -- unshare --mount --propagation unchanged "$@"
}
