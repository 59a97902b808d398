# SPDX-License-Identifier: GPL-2.0
"""Prints what a run of the bench counted, and compares it with the floors."""

import argparse
import json
import statistics
import sys
from pathlib import Path

from .symbols import demangle
from .windows import DOM0_CPU, Round, read_results

# What ours is compared with.
REFERENCES = {"xbdback": "xen-blkback", "vnd": "loop"}


def round_figures(each):
    """What is said of one round, for one I/O."""
    places, calls = each.by_place(), each.calls()
    at = lambda place: sum(count for (cpu, where), count in places.items() if cpu == DOM0_CPU and where == place)
    called = lambda name, on_dom0: sum(
        count for (cpu, function), count in calls.items() if function == name and (cpu == DOM0_CPU) == on_dom0
    )
    return {
        "all": sum(places.values()),
        "programs": at("user"),
        "dom0": at("backend") + at("kernel") + at("xen"),
        "module": at("backend"),
        "kernel": at("kernel"),
        "xen": at("xen"),
        "hypercalls": called("pv_hypercall", True),
        "to_guest": called("evtchn_send", True),
        "to_dom0": called("evtchn_send", False),
        "wakeups": called("vcpu_block", True),
        "p50_us": each.p50 / 1000 or None,
        "p99_us": each.p99 / 1000 or None,
    }


def figures(measurement):
    """What is said of a measurement: of its rounds, the one in the middle, for each figure."""
    rounds = [round_figures(each) for each in measurement.rounds]
    return {
        name: None if value is None else statistics.median(each[name] for each in rounds)
        for name, value in rounds[0].items()
    }


def cell(value):
    if value is None:
        return f"{'-':>11}"
    return f"{value:11.{0 if value >= 100 else 3}f}"


def print_table(rows):
    names = list(next(iter(rows.values())))
    print(f"{'job':38} {'backend':12}" + "".join(f"{name:>11}" for name in names))
    for (job, backend), row in sorted(rows.items()):
        print(f"{job:38} {backend:12}" + "".join(cell(row[name]) for name in names))


def ratios(rows):
    """What the reference costs, divided by what ours costs: {job: {"all": ratio, "dom0": ratio}}."""
    found = {}
    for (job, backend), ours in sorted(rows.items()):
        theirs = rows.get((job, REFERENCES.get(backend)))
        if theirs:
            found[job] = {what: theirs[what] / ours[what] for what in ("all", "dom0")}
    return found


def below_floor(found, path):
    """Yields a sentence for each ratio below its floor; a line of the file is JOB all=RATIO dom0=RATIO."""
    for line in Path(path).read_text(encoding="ascii").splitlines():
        if not line or line.startswith("#"):
            continue
        job, *floors = line.split()
        for what, floor in (floor.split("=") for floor in floors):
            if job in found and found[job][what] < float(floor):
                yield f"below its floor: {job} {what}={found[job][what]:.3f}, floor {floor}"


def woken_idle(rows):
    """Yields a sentence for each disk that nobody used and for which our backend ran."""
    for (job, backend), row in rows.items():
        if job.startswith("idle") and backend in REFERENCES and row["module"]:
            yield f"not idle: {job}, {row['module']:.0f} instructions of {backend}"


def print_profile(measurement, lines):
    functions = measurement.mean(Round.by_function)
    calls = measurement.mean(Round.calls)
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
    arguments.add_argument("--floors", metavar="FILE")
    options = arguments.parse_args()
    measurements = read_results(options.folder)
    rows = {(m.job, m.backend): figures(m) for m in measurements}
    print_table(rows)
    found = ratios(rows)
    for job, ratio in found.items():
        print(f"ratio {job} all={ratio['all']:.3f} dom0={ratio['dom0']:.3f}")
    for measurement in measurements if options.profile else ():
        print_profile(measurement, options.profile)
    figures_file = {"figures": [{"job": job, "backend": backend, **row} for (job, backend), row in rows.items()]}
    (Path(options.folder) / "figures.json").write_text(json.dumps(figures_file | {"ratios": found}, indent=1))
    failures = list(woken_idle(rows))
    failures += below_floor(found, options.floors) if options.floors else []
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))


main()
