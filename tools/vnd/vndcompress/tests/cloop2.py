# SPDX-License-Identifier: GPL-2.0
"""Another writer and reader of the cloop2 format, to compare the tools with.

    cloop2.py write IMAGE ARCHIVE BLOCKSIZE    as strange as the format allows
    cloop2.py read ARCHIVE IMAGE               as strict as the format is
"""

import struct
import sys
import zlib

SCRIPT = b"""#!/bin/sh
#V2.0 Format
insmod cloop.o file=$0 && mount -r -t iso9660 /dev/cloop $1
exit $?
"""


def write(image, archive, block_size):
    """No preamble, other levels of compression, a padded last block, and nothing behind it."""
    block_size = int(block_size)
    with open(image, "rb") as file:
        data = file.read()
    blocks = [data[at : at + block_size] for at in range(0, len(data), block_size)]
    streams = [zlib.compress(block.ljust(block_size, b"\0"), n % 10) for n, block in enumerate(blocks)]
    offsets = [136 + 8 * (len(blocks) + 1)]
    for stream in streams:
        offsets.append(offsets[-1] + len(stream))
    with open(archive, "wb") as file:
        file.write(struct.pack(">128xII", block_size, len(blocks)))
        file.write(struct.pack(f">{len(offsets)}Q", *offsets))
        file.write(b"".join(streams))


def read(archive, image):
    """Everything is where it must be, and nothing else is there."""
    with open(archive, "rb") as file:
        data = file.read()
    script, block_size, count = struct.unpack_from(">128sII", data)
    assert script == SCRIPT.ljust(128, b"\0"), script
    offsets = struct.unpack_from(f">{count + 1}Q", data, 136)
    assert offsets[0] == 136 + 8 * (count + 1), offsets[0]
    assert len(data) == -(-offsets[-1] // 512) * 512, len(data)
    assert not any(data[offsets[-1] :])
    blocks = [zlib.decompress(data[start:end]) for start, end in zip(offsets, offsets[1:])]
    assert all(len(block) == block_size for block in blocks[:-1])
    assert 0 < len(blocks[-1]) <= block_size
    with open(image, "wb") as file:
        file.write(b"".join(blocks))


{"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
