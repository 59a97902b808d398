#!/usr/bin/python3 -SE
# SPDX-License-Identifier: GPL-2.0
"""Fills so many MiB of memory, a different word in each page, and looks twice whether they are all as they were."""

import mmap
import struct
import sys

PAGE = 4096
pages = (int(sys.argv[1]) << 20) // PAGE
memory = mmap.mmap(-1, pages * PAGE)
WORD = struct.Struct("<QQ")

for page in range(pages):
    WORD.pack_into(memory, page * PAGE + 8 * (page % 500), page, ~page & (1 << 64) - 1)
for _ in range(2):
    for page in range(pages):
        found = WORD.unpack_from(memory, page * PAGE + 8 * (page % 500))
        if found != (page, ~page & (1 << 64) - 1):
            sys.exit(f"page {page} was lost: {found}")
