# SPDX-License-Identifier: GPL-2.0
"""Names of addresses: which function of Xen, of a kernel or of a module an instruction is in."""

import bisect
import subprocess
from functools import cache

# Xen lies in this part of the address space, below all that a paravirtual kernel may use.
XEN = range(0xFFFF800000000000, 0xFFFF880000000000)
BACKENDS = ("xen_blkback", "loop", "xbdback", "xenbus_rs", "vnd_bridge")


@cache
def demangle(name):
    if not name.startswith("_R"):
        return name
    found = subprocess.run(["c++filt", "-i", name], capture_output=True, text=True, check=False)
    return found.stdout.strip() or name


def read_symbols(path):
    """Yields (address, name, module) of the code in a file in the format of /proc/kallsyms."""
    with open(path, encoding="ascii", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if len(words) < 3 or words[1] not in "tTwW" or words[2].startswith((".L", "__pfx_")):
                continue
            yield int(words[0], 16), words[2], words[3].strip("[]") if len(words) > 3 else ""


class Symbols:
    """The code of one domain: Xen, the kernel and its modules."""

    def __init__(self, *paths):
        # Of several names for one address, the shortest.
        found = {}
        for path in paths:
            for address, name, module in read_symbols(path):
                if address not in found or len(name) < len(found[address][0]):
                    found[address] = (name, module)
        self.addresses = sorted(found)
        self.names = [found[address] for address in self.addresses]

    def find(self, address):
        """The (name, module) of the function at an address."""
        if not address:
            return "(programs)", ""
        index = bisect.bisect_right(self.addresses, address) - 1
        return self.names[index] if index >= 0 else ("(unknown)", "")

    def starts_at(self, address):
        """Whether a function begins at an address."""
        index = bisect.bisect_right(self.addresses, address) - 1
        return index >= 0 and self.addresses[index] == address

    def place(self, address):
        """One of user, xen, backend, kernel."""
        if not address:
            return "user"
        if address in XEN:
            return "xen"
        return "backend" if self.find(address)[1] in BACKENDS else "kernel"
