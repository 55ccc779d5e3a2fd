"""Data of extreme shapes, and fits of them in a process of its own.

``python tests/extremes.py SHAPE SIZE SOLVER PARAMETERS`` prints what came of one fit.
"""

import ctypes
import json
import mmap
import os
import subprocess
import sys
import time
import warnings

import numpy as np
from scipy import sparse

from sklearn_gd import GDRegressor

ROW = 10  # values in a sparse row
LAST = 500  # rows that are not 0
BLOCK = 1 << 17  # times that values are repeated before they are mapped
STRIP = 1 << 18  # values that are drawn at once: data take no more than they are


def long(n, d=5):
    """Return dense X, y and the w that y was made with."""
    rng = np.random.default_rng(0)
    X, y, w = np.empty((n, d)), np.empty(n), np.arange(1.0, d + 1.0)
    for first in range(0, n, max(1, STRIP // d)):
        some = slice(first, first + max(1, STRIP // d))
        X[some] = rng.standard_normal(X[some].shape)
        y[some] = X[some] @ w + rng.standard_normal(len(y[some]))
    return X, y, w


def wide(d, n=50):
    """The same with few rows: many w will do."""
    rng = np.random.default_rng(0)
    X, w = np.empty((n, d)), np.zeros(d)
    for row in X:
        for first in range(0, d, STRIP):
            some = row[first : first + STRIP]
            some[:] = rng.standard_normal(len(some))
    w[:5] = np.arange(1.0, 6.0)
    return X, X[:, :5] @ w[:5], w


def csr(n, index=np.int32, dtype=np.float64):
    """The same in CSR, n × n, a value of each row in each of ROW strata."""
    rng = np.random.default_rng(0)
    width = n // ROW
    data = np.empty((n, ROW), dtype=dtype)
    columns = np.empty((n, ROW), dtype=index)
    w, y = rng.standard_normal(n), np.empty(n)
    for first in range(0, n, STRIP // ROW):
        some = slice(first, first + STRIP // ROW)
        data[some] = rng.standard_normal(data[some].shape)
        columns[some] = rng.integers(0, width, columns[some].shape)
        columns[some] += width * np.arange(ROW, dtype=index)
        y[some] = (data[some] * w[columns[some]]).sum(axis=1)
    X = sparse.csr_array((n, n), dtype=dtype)
    X.data, X.indices = data.ravel(), columns.ravel()
    X.indptr = np.arange(0, ROW * n + 1, ROW, dtype=index)
    return X, y, w


def csr64(n):
    return csr(n, np.int64, np.float32)


def tall(n, d=100):
    """The same in float32, all 0 but the last rows.

    The system gives zeros that are only read one page of memory, again and again: no
    row is there twice, but 2.2e9 values fit into a small machine.
    """
    X, y, w = np.zeros((n, d), dtype=np.float32), np.zeros(n), np.arange(1.0, d + 1.0)
    _fill_last(X, y, w)
    return X, y, w


def tall_csr(n, d=3000, row=100):
    """The same in CSR with 64-bit indices, ``row`` values in a row: they take twice the
    memory of what they point to, so one part of them is mapped again and again."""
    w = np.zeros(d)
    w[:row] = np.arange(1.0, row + 1.0)
    data, y = np.zeros((n, row), dtype=np.float32), np.zeros(n)
    _fill_last(data, y, w[:row])
    X = sparse.csr_array((n, d), dtype=np.float32)
    X.data, X.indices = data.ravel(), repeated(np.arange(row), n)
    X.indptr = np.arange(0, row * n + 1, row)
    return X, y, w


def _fill_last(X, y, w):
    last = slice(-LAST, None)
    rng = np.random.default_rng(0)
    X[last] = rng.standard_normal(X[last].shape)
    y[last] = X[last] @ w


def repeated(values, times):
    """Return these int64, so many times, in little memory if they are very many."""
    block = np.tile(values, min(times, BLOCK))
    size = block.nbytes
    if times <= BLOCK or not hasattr(os, "memfd_create"):
        return np.tile(values, times)
    file = os.memfd_create("block")
    os.write(file, block[: len(block) // 2].tobytes())
    os.write(file, block[len(block) // 2 :].tobytes())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3]
    libc.mmap.argtypes += [ctypes.c_long]
    pieces = -(-times // BLOCK)
    anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = libc.mmap(None, pieces * size, mmap.PROT_READ, anonymous, -1, 0)
    fixed = mmap.MAP_SHARED | 0x10  # MAP_FIXED
    for piece in range(pieces):
        at = libc.mmap(start + piece * size, size, mmap.PROT_READ, fixed, file, 0)
        assert at == start + piece * size
    room = (ctypes.c_longlong * (len(values) * times)).from_address(start)
    return np.frombuffer(room, dtype=np.int64)


SHAPES = {
    "long": long,
    "wide": wide,
    "csr": csr,
    "csr64": csr64,
    "tall": tall,
    "tall_csr": tall_csr,
}


def nbytes(X):
    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def peak():
    """Return the largest memory of this process so far, in MB."""
    try:
        # Linux hands ru_maxrss on from the parent process.
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    except FileNotFoundError:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 2**20 if sys.platform == "darwin" else used / 2**10


def measure(shape, size, solver, parameters):
    """Return figures of one fit, a dict.

    ``targets`` among the parameters are as many targets, ``calls`` as many calls of
    partial_fit in the place of fit.
    """
    parameters = {"random_state": 0, **parameters}
    targets, calls = parameters.pop("targets", 1), parameters.pop("calls", 0)
    X, y, w = SHAPES[shape](size)
    if targets > 1:
        y = np.array([y] * targets).T
    warnings.simplefilter("ignore")
    warm = np.random.default_rng(0).standard_normal((1000, 5))
    warm = sparse.csr_array(warm) if sparse.issparse(X) else warm
    # What libraries allocate at first use.
    GDRegressor(solver, **parameters).fit(
        warm, np.resize(y[:1000], (1000, *y.shape[1:]))
    )
    model = GDRegressor(solver, **parameters)
    if sparse.issparse(X):
        X.indices.max()  # maps them
    before, begun = peak(), time.perf_counter()
    for _ in range(calls):
        model.partial_fit(X, y)
    if not calls:
        model.fit(X, y)
    seconds, grown = time.perf_counter() - begun, peak() - before
    few = slice(-100, None)
    predicted = model.predict(X)[few]
    again = model.predict(X[few])
    return {
        "seconds": seconds,
        "grown": grown,
        "size": nbytes(X) / 2**20,
        "vector": 8 * X.shape[1] / 2**20,
        "start": model.loss_curve_[0],
        "end": model.loss_,
        "n_iter": model.n_iter_,
        "apart": float(np.linalg.norm(model.coef_ - w) / np.linalg.norm(w)),
        "mispredicted": float(np.max(np.abs(predicted - again))),
        "reason": model.stop_reason_,
    }


def in_child(shape, size, solver, parameters):
    """Return ``measure`` of these arguments, from a process of its own."""
    arguments = [shape, str(size), solver, json.dumps(parameters)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    shape, size, solver, parameters = sys.argv[1:]
    print(json.dumps(measure(shape, int(size), solver, json.loads(parameters))))
