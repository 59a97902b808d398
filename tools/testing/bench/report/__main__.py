# SPDX-License-Identifier: GPL-2.0
"""Prints what a run of the bench counted: python3 -m report FOLDER [--profile LINES]"""

import argparse

from .symbols import demangle
from .windows import DOM0_CPU, read_results

REFERENCE, OURS = "xen-blkback", "xbdback"


def figures(measurement):
    """What is said of a measurement, for one I/O."""
    places, calls = measurement.by_place(), measurement.calls()
    at = lambda place: sum(count for (cpu, where), count in places.items() if cpu == DOM0_CPU and where == place)
    called = lambda name, on_dom0: sum(
        count for (cpu, function), count in calls.items() if function == name and (cpu == DOM0_CPU) == on_dom0
    )
    return {
        "all": sum(places.values()),
        "dom0": sum(count for (cpu, _), count in places.items() if cpu == DOM0_CPU),
        "backend": at("backend"),
        "kernel": at("kernel"),
        "xen": at("xen"),
        "hypercalls": called("pv_hypercall", True),
        "to_guest": called("evtchn_send", True),
        "to_dom0": called("evtchn_send", False),
        "wakeups": called("do_block", True),
    }


def print_table(rows):
    names = list(next(iter(rows.values())))
    print(f"{'job':28} {'backend':12}" + "".join(f"{name:>11}" for name in names))
    for (job, backend), row in sorted(rows.items()):
        cells = "".join(f"{row[name]:11.{0 if row[name] >= 100 else 3}f}" for name in names)
        print(f"{job:28} {backend:12}{cells}")


def print_ratios(rows):
    for job in sorted({job for job, _ in rows}):
        theirs, ours = rows.get((job, REFERENCE)), rows.get((job, OURS))
        if theirs and ours:
            print(f"ratio {job} all={theirs['all'] / ours['all']:.3f} dom0={theirs['dom0'] / ours['dom0']:.3f}")


def print_profile(measurement, lines):
    functions = measurement.by_function()
    calls = measurement.calls()
    for title, mine in (("dom0", lambda cpu: cpu == DOM0_CPU), ("guests", lambda cpu: cpu != DOM0_CPU)):
        found = {}
        for (cpu, module, name), count in functions.items():
            if mine(cpu):
                found[module, name] = found.get((module, name), 0) + count
        print(f"\n{measurement.job} on {measurement.backend}, {title}: {sum(found.values()):.0f} instructions for one I/O")
        print(f"{'instructions':>12} {'calls':>8}  function")
        for (module, name), count in sorted(found.items(), key=lambda item: -item[1])[:lines]:
            called = sum(n for (cpu, function), n in calls.items() if mine(cpu) and function == name)
            print(f"{count:12.1f} {called:8.3f}  {module}: {demangle(name)}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder")
    arguments.add_argument("--profile", type=int, default=0, metavar="LINES")
    options = arguments.parse_args()
    measurements = read_results(options.folder)
    rows = {(m.job, m.backend): figures(m) for m in measurements}
    print_table(rows)
    print_ratios(rows)
    for measurement in measurements if options.profile else ():
        print_profile(measurement, options.profile)


main()
