"""Fits of a file that is larger than memory, each in a process with 1 GB of its own.

``--solvers sgd newton gd ...`` chooses, ``--rows`` is the size: 100 columns of float64
are 0.8 kB a row. The file is written to ``--folder`` (a temporary one), and deleted.
What is in memory of the file belongs to the system, which takes it back as it needs.
To limit that as well, ``--group`` is the folder of a control group that has a limit of
memory, which the fits join.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import harness
import numpy as np

SOLVERS = ("gd", "sgd", "minibatch", "momentum", "adagrad", "rmsprop", "newton")
COLUMNS, SAMPLE = 100, 200_000
CHILD = """
import json, os, resource, sys, threading, time, warnings
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn_gd import GDRegressor

path, solver, options, step, limit, group = sys.argv[1:]
if group:
    with open(group + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))

def number(file, key):
    with open(file) as lines:
        return next(int(l.split()[1]) for l in lines if l.startswith(key))

def table():
    X = np.memmap(path + ".X", dtype=float, mode="r").reshape(-1, 100)
    return X, np.memmap(path + ".y", dtype=float, mode="r")

few = slice(None, None, int(step))
sample, targets = (array[few].copy() for array in table())
model = GDRegressor(solver, random_state=0, **json.loads(options))
warnings.simplefilter("ignore")
in_memory = model.fit(sample, targets).score(sample, targets)
del sample
peak, done = 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, number("/proc/self/status", "RssAnon"))

watcher = threading.Thread(target=watch)
watcher.start()
before = number("/proc/self/io", "read_bytes")
# What is mapped stays in memory.
file = os.open(path + ".X", os.O_RDONLY)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
X, y = table()
begun = time.perf_counter()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", ConvergenceWarning)
    model.fit(X, y)
seconds = time.perf_counter() - begun
read = number("/proc/self/io", "read_bytes") - before
done.set()
watcher.join()
print(json.dumps({
    "seconds": seconds,
    "read": read,
    "r2": model.score(X[few], targets),
    "in_memory": in_memory,
    "n_iter": model.n_iter_,
    "warned": bool(caught),
    "reason": model.stop_reason_,
    "peak": peak / 2**10,
}))
"""


def write(path, rows):
    """Write X, of columns of several scales far from 0, and y, in blocks."""
    rng = np.random.default_rng(0)
    w, scale = rng.standard_normal(COLUMNS), np.exp(rng.standard_normal(COLUMNS))
    mean = rng.standard_normal(COLUMNS)
    with open(path + ".X", "wb") as file, open(path + ".y", "wb") as targets:
        for first in range(0, rows, 50_000):
            block = rng.standard_normal((min(50_000, rows - first), COLUMNS))
            noise = rng.standard_normal(len(block))
            (block @ w + 4.0 * noise).tofile(targets)
            block *= scale
            block += mean
            block.tofile(file)
        for each in (file, targets):
            each.flush()
            os.fsync(each.fileno())


def read(path):
    """Return the seconds that reading the file takes, from the disk."""
    room = bytearray(1 << 23)
    with open(path + ".X", "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

        def whole():
            while file.readinto(room):
                pass

        return harness.seconds(whole)


def add_up(path):
    """Return the seconds that adding up the memmap takes."""
    with open(path + ".X", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    X = np.memmap(path + ".X", dtype=float, mode="r")
    return harness.seconds(X.sum)


def fit(path, solver, options):
    step = max(1, options.rows // SAMPLE)
    parameters = json.dumps({"max_iter": options.max_iter})
    arguments = [path, solver, parameters, *map(str, (step, options.limit))]
    arguments.append(options.group)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        env=harness.one_thread_environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--solvers", nargs="+", default=["sgd", "newton"])
    parser.add_argument("--max-iter", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=2**30, help="bytes")
    parser.add_argument("--group", default="")
    parser.add_argument("--folder", help="where there is room for the file")
    options = parser.parse_args()
    solvers = SOLVERS if options.solvers == ["all"] else options.solvers
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = os.path.join(folder, "table")
        write(path, options.rows)
        report(path, options, solvers)


def report(path, options, solvers):
    size = os.path.getsize(path + ".X") / 1e9
    print(f"{options.rows:,} rows, {size:.1f} GB", flush=True)
    for solver in solvers:
        # The disk is not as fast every minute.
        begun = read(path)
        found = fit(path, solver, options)
        sequential = min(begun, read(path))
        passes = found["read"] / 1e9 / size
        speed = found["read"] / 1e9 / found["seconds"]
        print(
            f"{solver}: {found['seconds']:.0f} s, {passes:.1f} passes of the file, "
            f"{speed:.2f} GB/s ({speed * sequential / size:.2f} of read(), "
            f"{size / sequential:.2f} GB/s); n_iter_ {found['n_iter']}"
            f"{', warned' if found['warned'] else ''} ({found['reason']}); "
            f"R² {found['r2']:.6f}, of the sample in memory {found['in_memory']:.6f}; "
            f"at most {found['peak']:.0f} MB of its own",
            flush=True,
        )
    print(f"X.sum(): {size / add_up(path):.2f} GB/s")


if __name__ == "__main__":
    main()
