"""Peak memory of fit beyond X and y, each fit in a process of its own."""

import subprocess
import sys
import tempfile

import harness
import numpy as np

SOLVERS = ("gd", "sgd", "minibatch", "momentum", "adagrad", "rmsprop", "newton")
CONTAINERS = {
    "dense float64": (harness.dense, (1_000_000, 50)),
    "dense float32": (harness.dense, (1_000_000, 50, "float32")),
    "memmap": (harness.dense, (1_000_000, 50)),
    "CSR": (harness.csr, (1_000_000, 10_000, 20)),
}
ALLOWED = "5% of X + 20 MB"
# Linux hands ru_maxrss on from the parent process, so it is asked only elsewhere.
CHILD = """
import sys, warnings
import numpy as np
from scipy import sparse
from sklearn_gd import GDRegressor

def peak():
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    except FileNotFoundError:
        import resource
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 2**20 if sys.platform == "darwin" else used / 2**10

folder, container, solver, columns = sys.argv[1:]
mode = "r" if container == "memmap" else None
X, y = np.load(f"{folder}/data.npy", mmap_mode=mode), np.load(f"{folder}/y.npy")
if container == "CSR":
    parts = X, np.load(f"{folder}/indices.npy"), np.load(f"{folder}/indptr.npy")
    X = sparse.csr_array(parts, shape=(len(y), int(columns)))
X.sum()  # reads a memmap
warnings.simplefilter("ignore")
before = peak()
GDRegressor(solver, max_iter=3, random_state=0).fit(X, y)
print(peak() - before)
"""


def megabytes(container, make, n, *shape):
    """Yield the size of X, then a function that measures a solver."""
    X, y = make(n, *shape)
    folder = tempfile.TemporaryDirectory()
    names = ("data", "indices", "indptr") if container == "CSR" else ()
    arrays = {name: getattr(X, name) for name in names} or {"data": X}
    for name, array in {**arrays, "y": y}.items():
        np.save(f"{folder.name}/{name}.npy", array)

    def grown(solver):
        arguments = [folder.name, container, solver, str(X.shape[1])]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments],
            env=harness.one_thread_environment(),
            stdout=subprocess.PIPE,
            check=True,
        )
        return float(done.stdout)

    return sum(array.nbytes for array in arrays.values()) / 2**20, grown


def contenders(container, quick):
    make, (n, *shape) = CONTAINERS[container]
    size, grown = megabytes(container, make, harness.rows(n, quick), *shape)
    solvers = SOLVERS[:1] if quick else SOLVERS
    return {
        ALLOWED: harness.Number(lambda: 0.05 * size + 20, "MB"),
        **{
            solver: harness.Number(lambda solver=solver: grown(solver), "MB")
            for solver in solvers
        },
    }


CASES = [
    harness.Case(
        f"{container}, {n:,} × {shape[0]:,}",
        lambda quick, container=container: contenders(container, quick),
        [(s, ALLOWED, None if s == "newton" else "≤ 1") for s in SOLVERS],
        rounds=1,
        quick_rounds=1,
    )
    for container, (_, (n, *shape)) in CONTAINERS.items()
]

if __name__ == "__main__":
    harness.main(CASES)
