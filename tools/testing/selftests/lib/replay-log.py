#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads what the device-mapper target log-writes has logged.

    replay-log.py list LOG                        what was logged, one "NUMBER KIND…" a line
    replay-log.py replay LOG DEVICE FIRST LAST    writes the entries FIRST to LAST to DEVICE

A KIND is write, flush, fua, discard, metadata or "mark NAME". The format is that of drivers/md/dm-log-writes.c.
"""

import os
import struct
import sys

SUPER = struct.Struct("<QQQI")  # magic, version, entries, bytes of a sector
ENTRY = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of data in the entry's own sector
MAGIC, VERSION = 0x6A736677736872, 1
FLAGS = {1: "flush", 2: "fua", 4: "discard", 16: "metadata"}
DISCARD, MARK = 4, 8


class Entry:
    """One write, flush, discard or mark; `data` is where its data begins in the log."""

    def __init__(self, log, position, sector_size):
        header = os.pread(log, sector_size, position)
        sector, sectors, self.flags, inline = ENTRY.unpack_from(header)
        self.start, self.bytes = sector * sector_size, sectors * sector_size
        self.data = position + sector_size
        self.name = header[ENTRY.size : ENTRY.size + inline].rstrip(b"\0").decode()
        self.end = self.data + (0 if self.flags & DISCARD else self.bytes)

    def kinds(self):
        """What it is, for people and awk."""
        if self.flags & MARK:
            return "mark " + self.name
        return " ".join(name for flag, name in FLAGS.items() if self.flags & flag) or "write"

    def replay(self, log, device):
        """Does to the device what was done when it was logged."""
        if self.flags & DISCARD:
            os.pwrite(device, bytes(self.bytes), self.start)
        elif self.bytes:
            os.pwrite(device, os.pread(log, self.bytes, self.data), self.start)


def entries(log):
    """All entries in the order in which they became durable."""
    magic, version, count, sector_size = SUPER.unpack_from(os.pread(log, SUPER.size, 0))
    if (magic, version) != (MAGIC, VERSION):
        sys.exit("this is no log of log-writes")
    position = sector_size
    for _ in range(count):
        entry = Entry(log, position, sector_size)
        yield entry
        position = entry.end


def main(command, log, *arguments):
    """Does what the command line says."""
    log = os.open(log, os.O_RDONLY)
    if command == "list":
        for number, entry in enumerate(entries(log), 1):
            print(number, entry.kinds())
        return
    device, first, last = arguments
    device = os.open(device, os.O_WRONLY)
    for number, entry in enumerate(entries(log), 1):
        if int(first) <= number <= int(last):
            entry.replay(log, device)


main(*sys.argv[1:])
