#!/usr/bin/python3 -SE
# SPDX-License-Identifier: GPL-2.0
"""Asks vnd(4) by the requests of its header, one at a time.

  vnd-ioctl.py set NODE FILE [FLAGS [SECSIZE/SECTORS/TRACKS/CYLINDERS]]    prints the size in bytes
  vnd-ioctl.py clear NODE [FLAGS]
  vnd-ioctl.py get NODE UNIT [ROOM]    prints: unit flags device inode size geometry name
  vnd-ioctl.py cycle FILE TIMES    configures and clears a unit, and reads it meanwhile
  vnd-ioctl.py add UNIT | remove UNIT | get-free    print the number

FLAGS are those of the header, and `rdonly` to open the node only to read it. On an error it prints its name, and
exits with 1.
"""

import array
import errno
import fcntl
import os
import struct
import sys

FLAGS = {"hasgeom": 1, "readonly": 2, "force": 4, "fileio": 8, "comp": 0x400, "bad": 0x8000}
SETTING, USER = "=QII4IQ", "=iIQQQ4IQII"
SET, CLEAR, GET = 0xC0284600, 0x40284601, 0xC0404603
ADD, REMOVE, GET_FREE = 0x4680, 0x4681, 0x4682
CONTROL = "/dev/vnd-control"


def c_string(text):
    """The bytes of a C string, and their address, which is good as long as they are."""
    room = array.array("B", os.fsencode(text) + b"\0")
    return room, room.buffer_info()[0]


def parse_flags(words):
    names = [name for name in words.split(",") if name]
    flags = sum(FLAGS[name] for name in names if name != "rdonly")
    return flags, os.O_RDONLY if "rdonly" in names else os.O_RDWR


def ask(node, mode, request, argument=0):
    fd = os.open(node, mode)
    try:
        return fcntl.ioctl(fd, request, argument)
    finally:
        os.close(fd)


def configure(node, file, words="", geometry="0/0/0/0"):
    flags, mode = parse_flags(words)
    name, address = c_string(file)
    numbers = [int(number) for number in geometry.split("/")]
    setting = struct.pack(SETTING, address, flags, 0, *numbers, 0)
    print(struct.unpack(SETTING, ask(node, mode, SET, setting))[-1])


def clear(node, words=""):
    flags, mode = parse_flags(words)
    ask(node, mode, CLEAR, struct.pack(SETTING, 0, flags, 0, 0, 0, 0, 0, 0))


def get(node, unit, room=4096):
    name, address = c_string("-" * 4095)
    user = struct.pack(USER, int(unit), 0, 0, 0, 0, 0, 0, 0, 0, address, int(room), 0)
    answer = struct.unpack(USER, ask(node, os.O_RDONLY, GET, user))
    unit, flags, device, inode, size = answer[:5]
    geometry = "/".join(str(number) for number in answer[5:9])
    print(unit, hex(flags), f"{os.major(device)}:{os.minor(device)}", inode, size, geometry, name.tobytes()[: max(0, answer[10] - 1)].decode())


def cycle(file, times):
    name, address = c_string(file)
    setting = struct.pack(SETTING, address, 0, 0, 0, 0, 0, 0, 0)
    for _ in range(int(times)):
        fd = os.open(f"/dev/vnd{ask(CONTROL, os.O_RDWR, GET_FREE)}", os.O_RDWR)
        fcntl.ioctl(fd, SET, setting)
        os.pread(fd, 4096, 0)
        while True:
            try:
                fcntl.ioctl(fd, CLEAR, setting)
                break
            except OSError as error:
                # Somebody who watches disks is looking at it.
                if error.errno != errno.EBUSY:
                    raise
        os.close(fd)


def number(request):
    return lambda unit="0": print(ask(CONTROL, os.O_RDWR, request, int(unit)))


COMMANDS = {
    "set": configure,
    "clear": clear,
    "cycle": cycle,
    "get": get,
    "add": number(ADD),
    "remove": number(REMOVE),
    "get-free": number(GET_FREE),
}

try:
    COMMANDS[sys.argv[1]](*sys.argv[2:])
except OSError as error:
    # It has two names.
    print(errno.errorcode[error.errno].replace("ENOTSUP", "EOPNOTSUPP"))
    sys.exit(1)
