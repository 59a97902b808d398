# SPDX-License-Identifier: GPL-2.0
"""What the counting plugin counted: blocks of instructions, by processor, for one I/O of a job."""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .symbols import Symbols

DOM0_CPU = 0


def read_window(path):
    """The executions of each block: {(processor, address, instructions): executions}."""
    window = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            cpu, address, instructions, executions = line.split()
            key = int(cpu), int(address, 16), int(instructions)
            window[key] = window.get(key, 0) + int(executions)
    return window


@dataclass
class Round:
    """A job done once on one backend. Figures are for one I/O: the difference of the larger and the smaller
    window divided by the difference of their numbers of I/Os, so that what a run costs by itself is not in
    it."""

    small: dict
    large: dict
    ios: float
    symbols: dict  # of dom0 and of a guest
    # Fio's latencies in virtual time, if it told them, in ns: as many instructions of the machine.
    p50: int
    p99: int

    def blocks(self):
        """Yields (processor, address, instructions, executions for one I/O)."""
        for key in self.small.keys() | self.large.keys():
            executions = self.large.get(key, 0) - self.small.get(key, 0)
            yield *key, executions / self.ios

    def symbols_of(self, cpu):
        return self.symbols["dom0" if cpu == DOM0_CPU else "guest"]

    def by_place(self):
        """Instructions as {(processor, place): instructions}."""
        places = defaultdict(float)
        for cpu, address, instructions, executions in self.blocks():
            places[cpu, self.symbols_of(cpu).place(address)] += instructions * executions
        return places

    def by_function(self):
        """Instructions as {(processor, module, function): instructions}."""
        functions = defaultdict(float)
        for cpu, address, instructions, executions in self.blocks():
            name, module = self.symbols_of(cpu).find(address)
            functions[cpu, module or self.symbols_of(cpu).place(address), name] += instructions * executions
        return functions

    def calls(self):
        """How often functions were entered, as {(processor, function): entries}."""
        entries = defaultdict(float)
        for cpu, address, _, executions in self.blocks():
            symbols = self.symbols_of(cpu)
            if symbols.starts_at(address):
                entries[cpu, symbols.find(address)[0]] += executions
        return entries


@dataclass
class Measurement:
    """All rounds of a job on one backend."""

    backend: str
    job: str
    rounds: list

    def mean(self, what):
        """The mean of what(round), a dictionary of numbers, over the rounds."""
        total = defaultdict(float)
        for each in map(what, self.rounds):
            for key, value in each.items():
                total[key] += value / len(self.rounds)
        return total


def read_latencies(path):
    """Yields (p50, p99) in ns of each job's larger window from fio's terse results."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.split(";")[2:3] == ["job"]:
            # Once for reads, for writes and for discards: what a job did not do is 0.
            yield tuple(1000 * max(map(int, re.findall(rf"\b{p}\.0+%=(\d+)", line)), default=0) for p in (50, 99))


def read_symbols(folder, load):
    """The symbols of dom0 with the modules of one load, and of a guest."""
    common = [folder / "xen.symbols", folder / "linux.symbols"]
    return {
        "dom0": Symbols(*common, folder / f"{load}.symbols"),
        "guest": Symbols(*common, folder / "guest.symbols"),
    }


def read_results(folder):
    """Reads all measurements of a run from the folder of its results."""
    folder = Path(folder)
    symbols_of = cache(lambda load: read_symbols(folder, load))
    measurements = {}
    latencies = list(read_latencies(folder / "fio"))
    jobs = (folder / "jobs").read_text(encoding="ascii").splitlines()
    if len(list(folder.glob("window-*"))) != 2 * len(jobs):
        sys.exit(f"{folder} has not two windows for each job: something failed in the midst of it")
    for number, line in enumerate(jobs):
        backend, job, count, load = line.split()
        small, large = (read_window(folder / f"window-{2 * number + i:03}") for i in (0, 1))
        measurement = measurements.setdefault((job, backend), Measurement(backend, job, []))
        measurement.rounds.append(Round(small, large, 2 * float(count), symbols_of(load), *latencies[number]))
    return list(measurements.values())
