"""Run all benchmarks, or compare our own times in two environments.

python docs/benchmarks/run.py [epoch small …] [--quick]
python docs/benchmarks/run.py --write
python docs/benchmarks/run.py --base old/bin/python --head new/bin/python [--quick]
"""

import argparse
import csv
import datetime
import importlib
import io
import json
import math
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import harness

HERE = Path(__file__).parent
SCRIPTS = {
    "epoch": "One stochastic epoch",
    "batches": "An epoch in batches",
    "sgd_defaults": "sgd with all defaults",
    "full_batch": "Full-batch solvers with their defaults",
    "one_pass": "One pass over X",
    "memory": "Memory",
    "streams": "A row of a stream",
    "small": "Small fits and the import",
    "matrix": "Losses, penalties and targets",
}
SLOWER = 1.1  # head over base, from which on it is marked
TURNS = 5  # of base and head, twice as many for what is marked


def measured(scripts, quick):
    """Return {script: Rows}, printing them as they come."""
    if quick:
        print(
            f"Quick: shapes are {harness.QUICK_SHRINKS} times smaller than their "
            "names, the rounds few, and the targets those of the full run."
        )
    print("\n≥ or no target: the other's over ours. ≤: ours over the other's.")
    return {
        name: harness.print_table(
            harness.run(importlib.import_module(name).CASES, quick), SCRIPTS[name]
        )
        for name in scripts
    }


# --- the results page -----------------------------------------------------------------

PAGE = """\
.. Written by run.py --write. What is to last stands in where_the_time_goes.rst.

Benchmarks
==========

{machine}.
{versions}.
{date}, one thread.

Contenders take turns in one process. *Ratio* is that of their fastest rounds: with a
target ≥, or none, the other's over ours; with a target ≤ ours over the other's. *Over
rounds* is where the ratios of single rounds lie. *R² gaps* are how far the fits end
from ordinary least squares. One command measures all of it again::

    python docs/benchmarks/run.py
{tables}{pictures}
.. include:: where_the_time_goes.rst
"""

# Drawn by scaling.py.
PICTURES = """
How time grows
--------------

.. image:: scaling_n.png
   :alt: Seconds against the number of rows, with 20 columns.

.. image:: scaling_d.png
   :alt: Seconds against the number of columns, with 20,000 rows.
"""


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(li.split(":")[1].strip() for li in lines if "model name" in li)
    except (OSError, StopIteration):
        pass
    try:
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return platform.machine()


def caches():
    found = []
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (cache / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found) or "caches unknown"


def page(tables):
    """Return the text of results.rst."""
    packages = ("numpy", "scipy", "scikit-learn", "sklearn-gd")
    versions = [f"{name} {version(name)}" for name in packages]
    return PAGE.format(
        machine=f"{processor()}, {os.cpu_count()} cores, {caches()}",
        versions=", ".join([f"Python {platform.python_version()}", *versions]),
        date=datetime.date.today(),
        tables="".join(section(name, found) for name, found in tables.items()),
        pictures=PICTURES if (HERE / "scaling_n.png").exists() else "",
    )


def section(name, found):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([harness.HEADER, *map(harness.cells, found)])
    lines = [f"   {line}" for line in text.getvalue().splitlines()]
    title = SCRIPTS[name]
    what = importlib.import_module(name).__doc__.strip()
    table = ["", ".. csv-table::", "   :header-rows: 1", "", *lines, ""]
    return "\n".join(["", title, "-" * len(title), "", what, *table])


# --- base against head ----------------------------------------------------------------


def times(python, script, quick):
    """Return {case: time} of our own contenders, measured in a child process."""
    environment = harness.one_thread_environment()
    environment.pop("PYTHONPATH", None)  # each has its own sklearn_gd
    done = subprocess.run(
        [python, HERE / f"{script}.py", "--ours", *["--quick"] * quick],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"{script} fails with {python}: {done.stderr.splitlines()[-1:]}")
        return {}
    return json.loads(done.stdout)


def keep_smaller(found, times):
    for key, time in times.items():
        found[key] = min(time, found.get(key, time))


def base_against_head(base, head, scripts, quick):
    """Print head's times over base's; return what became slower or fails."""
    bad = []
    print(f"{'head/base':>9}  {'base, ms':>9}  {'head, ms':>9}")
    for script in scripts:
        of_base, of_head = {}, {}

        def slower(of_base=of_base, of_head=of_head):
            both = of_base.keys() & of_head.keys()
            return {key for key in both if of_head[key] > SLOWER * of_base[key]}

        print(f"\n{SCRIPTS[script]}\n")
        # What looks slower is looked at once more: noise goes away, a cause does not.
        for turn in range(2 * TURNS):
            if turn < TURNS or slower():
                keep_smaller(of_base, times(base, script, quick))
                keep_smaller(of_head, times(head, script, quick))
        for key, time in of_head.items():
            before = of_base.get(key, math.nan)
            mark = f"  SLOWER than {SLOWER}" if key in slower() else ""
            print(f"{time / before:9.2f}  {before:9.3g}  {time:9.3g}  {key}{mark}")
        bad += sorted(slower()) if of_head else [script]
    return bad


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scripts", nargs="*", help=f"some of: {', '.join(SCRIPTS)}")
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--write", action="store_true", help="write results.rst")
    parser.add_argument("--base", metavar="PYTHON", help="with the old sklearn_gd")
    parser.add_argument("--head", metavar="PYTHON", help="with the new sklearn_gd")
    options = parser.parse_args()
    scripts = options.scripts or list(SCRIPTS)
    if unknown := set(scripts) - set(SCRIPTS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if (options.base is None) != (options.head is None):
        parser.error("--base and --head come together")
    if options.write and (options.quick or options.base or options.scripts):
        parser.error("--write is for a full run of everything")
    if options.base:
        timed = [script for script in scripts if script != "memory"]
        bad = base_against_head(options.base, options.head, timed, options.quick)
        return 1 if bad else 0
    tables = measured(scripts, options.quick)
    rows = [row for found in tables.values() for row in found if row.bound]
    print(f"\n{sum(row.met for row in rows)} of {len(rows)} targets met")
    if options.write:
        (HERE / "results.rst").write_text(page(tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
