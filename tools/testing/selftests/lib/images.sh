# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Compressed images for tests; to be sourced after ktap.sh.

# Sets `image` to a file of 24 blocks of 64 KiB, the last of them short: noise, zeroes, and text; `tail` to what the last
# block lacks; and `archive` to where it is to be compressed.
make_contents() {
    image=$(mktemp /tmp/image.XXXXXX) tail=321
    archive=$image.izo
    at_end rm -f "$image" "$archive"
    {
        head -c 320k /dev/urandom
        head -c 512k /dev/zero
        head -c $((704 * 1024 - tail)) <(seq 200000)
    } >"$image"
}

# compress BLOCKSIZE: makes `archive` of `image` by our own tool.
compress() { /src/build/tools/vndcompress -b "$1" "$image" "$archive"; }

# The same by the other writer of the format, the one of the tool's tests.
compress_otherwise() {
    python3 /src/tools/vnd/vndcompress/tests/cloop2.py write "$image" "$archive" "$1"
}

# peek OFFSET BYTES: prints bytes of the archive in hexadecimal.
peek() { od -A n -t x1 -v -j "$1" -N "$2" "$archive" | tr -d ' \n'; }

# poke OFFSET HEX: overwrites bytes of the archive.
poke() { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$2" |
    dd of="$archive" bs=1 seek="$1" conv=notrunc status=none; }

# entry NUMBER: prints an entry of the offset table.
entry() { echo $((0x$(peek $((136 + 8 * $1)) 8))); }

# flipped OFFSET: prints the byte there, changed.
flipped() { printf '%02x' $((0x$(peek "$1" 1) ^ 1)); }
