# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What tests run all the time, and poll with: a machine has it in memory, since to open a file of the tree, or to read one
# that is not kept, it asks the host several times.
#
# To be sourced.

readonly busy_programs=(bash sh awk basename blockdev cat chmod cmp cp cut dd dirname dmesg env expr flock grep head id
	kmod losetup ls mkdir mkfifo mknod mktemp mount od perl pgrep readlink realpath rm rmdir sed seq setsid sleep sort
	stat sync tail tee timeout touch tr truncate udevadm umount wc
	xenstore-chmod xenstore-exists xenstore-ls xenstore-read xenstore-rm xenstore-write)

# Prints an archive of these programs, with their libraries.
archive_busy_programs() {
	local name paths=()
	for name in "${busy_programs[@]}"; do paths+=("$(type -P "$name")"); done
	{
		printf '%s\n' "${paths[@]}" /etc/ld.so.cache
		ldd "${paths[@]}" | sed -n 's|.*[[:space:]]\(/[^ ]*\) (.*|\1|p'
	} | sort -u | tar --create --dereference --files-from=- 2>/dev/null
}
