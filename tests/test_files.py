"""Rows in a file that is mapped into memory: the same fit, and next to no memory.

``EXTREMES=1 pytest tests/test_files.py`` takes a file of 8 GB, and 1 GB of memory.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn_gd._core.order import Order
from test_matrix import EVERY_STEP, ignore_convergence

from sklearn_gd import GDRegressor, _data
from sklearn_gd._data import as_data, is_mapped
from sklearn_gd._solver import SOLVERS

LARGE = os.environ.get("EXTREMES", "0") != "0"
TILE = 16
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# --- the order ------------------------------------------------------------------------

# Columns, tiles in a block, blocks that are mixed: two groups of 50 tiles.
D, BLOCK, MIXED = 100, 5, 20
in_blocks = partial(Order, large=0, block=BLOCK * TILE * D, mixed=MIXED)


def rows(order, seed=0, epoch=0):
    order.begin(seed, epoch)
    return order.left()


@pytest.mark.parametrize("n", [1, 79, 80, 81, 1600, 1601, 20_000, 20_011])
def test_blocks_hold_every_row_once(n):
    order = in_blocks(n, D)
    first = rows(order, 3, 0)
    assert_array_equal(np.sort(first), np.arange(n))
    if n > 100:
        assert np.mean(rows(order, 3, 1) == first) < 0.1
        assert np.mean(rows(order, 4, 0) == first) < 0.1
    assert_array_equal(rows(in_blocks(n, D, stored=3), 3, 0), first)
    kept = np.flatnonzero(np.arange(2 * n) % 2)
    assert_array_equal(rows(in_blocks(n, D, kept), 3, 0), kept[first])


def test_blocks_are_mixed_some_after_the_other():
    n = 16 * MIXED * BLOCK * TILE
    block = rows(in_blocks(n, D)) // (BLOCK * TILE)
    mixtures = block.reshape(16, -1)
    sets = [np.unique(mixture) for mixture in mixtures]
    assert_array_equal(np.sort(np.concatenate(sets)), np.arange(16 * MIXED))
    for mixture, blocks in zip(mixtures, sets, strict=True):
        assert len(blocks) == MIXED
        # They come from everywhere, and what is left of them are tiles.
        assert blocks.max() - blocks.min() > 8 * MIXED
        assert np.mean(np.diff(mixture) == 0) < 0.2


def test_only_a_large_x_has_blocks():
    n = (1 << 26) // D
    assert not Order(n, D).in_blocks
    assert not Order(n + 1, D, shuffle=False).in_blocks
    # Of sparse rows they would be too small.
    assert not Order(n + 1, D, stored=D // 10).in_blocks
    order = Order(n + 1, D)
    assert order.in_blocks
    assert_array_equal(np.sort(rows(order)), np.arange(n + 1))


@pytest.mark.parametrize("every", [1, 2, 100])
def test_blocks_are_asked_for_before_they_are_visited(every):
    n = 20_011
    kept = None if every == 1 else np.arange(0, n * every, every)
    order = in_blocks(n, D, kept)
    for epoch in range(2):
        order.begin(0, epoch)
        asked = np.zeros(n * every, dtype=bool)
        at_once = []
        while order.open(1, whole=False):
            order.rewind()
            for first, last in order.asks():
                assert not asked[first:last].any()
                asked[first:last] = True
            section = order.left()
            # Rows that lie far apart are not worth reading all that is between them.
            assert asked[section].all() or every == 100
            at_once.append(asked.sum())
        assert asked.all() or every > 1
        assert at_once[0] < 0.3 * asked.sum()


# --- fits -----------------------------------------------------------------------------


def table(n=3000, d=12):
    rng = np.random.default_rng(0)
    X = np.round(64 * rng.normal(size=(n, d))) / 64
    X[rng.random(X.shape) < 0.5] = 0.0
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def mapped(folder, name, array):
    array.tofile(folder / name)
    return np.memmap(folder / name, dtype=array.dtype, mode="r", shape=array.shape)


def mapped_csr(folder, X):
    X = sparse.csr_array(X)
    found = sparse.csr_array(X.shape, dtype=X.dtype)
    for name in ("data", "indices", "indptr"):
        setattr(found, name, mapped(folder, name, getattr(X, name)))
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    order = partial(Order, large=0, block=2 * TILE * 12, mixed=8)
    monkeypatch.setattr(_data, "Order", order)


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", ["dense", "csr"])
@pytest.mark.usefixtures("small_blocks")
def test_a_file_gives_the_bytes_that_memory_does(
    solver, batch, dtype, container, tmp_path
):
    X, y = table()
    X, s = X.astype(dtype), np.arange(len(y)) % 3.0
    if container == "dense":
        file = mapped(tmp_path, "X", X)
    else:
        X, file = sparse.csr_array(X), mapped_csr(tmp_path, X)
    targets, weights = mapped(tmp_path, "y", y), mapped(tmp_path, "s", s)
    model = GDRegressor(solver, batch_size=batch, max_iter=5, random_state=0)
    for more in ({}, {"learning_rate": 1e-3}, {"early_stopping": True}):
        if more and solver == "newton":
            continue
        model.set_params(**more)
        for in_memory, in_file in ((None, None), (s, weights)):
            expected = model.fit(X, y, in_memory).coef_
            assert_array_equal(model.fit(file, targets, in_file).coef_, expected)
    model.set_params(early_stopping=False, learning_rate="auto")
    expected = model.fit(X, y).partial_fit(X, y).coef_
    model.fit(X, y)
    assert_array_equal(model.partial_fit(file, targets).coef_, expected)
    assert_array_equal(model.predict(file), model.predict(X))


@on_linux
@pytest.mark.parametrize("container", ["dense", "csr"])
def test_what_the_system_is_told_ends_with_the_epoch(container, tmp_path):
    X, y = table()
    X = mapped(tmp_path, "X", X) if container == "dense" else mapped_csr(tmp_path, X)
    data = as_data(X, y)
    name = "X" if container == "dense" else "data"

    def at_random():
        parts = Path("/proc/self/smaps").read_text().split("VmFlags: ")
        after = [i + 1 for i, part in enumerate(parts) if str(tmp_path / name) in part]
        return [" rr" in parts[i].splitlines()[0] for i in after]

    def interrupted():
        with data._in(in_blocks(3000, D)):
            assert at_random() == [True]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert at_random() == [False]
    with data._in(Order(3000, 12)):
        assert at_random() == [False]


def test_what_is_mapped(tmp_path):
    X = mapped(tmp_path, "X", table()[0])
    for part in (X, X[5:], np.asarray(X), X.T, np.frombuffer(X.base, dtype=float)):
        assert is_mapped(part)
    assert not is_mapped(np.array(X))


# --- memory ---------------------------------------------------------------------------

CHILD = """
import resource, sys, warnings
from functools import partial
import numpy as np
from sklearn_gd import GDRegressor, _data
from sklearn_gd._core.order import Order
from sklearn_gd._solver import SOLVERS

folder, rows, limit, large = sys.argv[1], *map(int, sys.argv[2:])
_data.Order = partial(Order, large=large)
X = np.memmap(folder + "/X", dtype=float, mode="r", shape=(rows, 100))
y = np.memmap(folder + "/y", dtype=float, mode="r")
warnings.simplefilter("ignore")
few = slice(None, None, rows // 20_000)
sample, targets = np.array(X[few]), np.array(y[few])
models = {name: GDRegressor(name, max_iter=300, random_state=0) for name in SOLVERS}
in_memory = {
    name: model.fit(sample, targets).score(sample, targets)
    for name, model in models.items()
}
if limit == 0:
    # What libraries have by now, and a third of X.
    with open("/proc/self/status") as file:
        data = next(line for line in file if line.startswith("VmData"))
    limit = 1024 * int(data.split()[1]) + X.nbytes // 3
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    copy = X.copy()
except MemoryError:
    print("limited")
for name, model in models.items():
    print(name, in_memory[name], model.fit(X, y).score(sample, targets))
"""


def write(folder, n):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(100)
    with open(folder / "X", "wb") as file, open(folder / "y", "wb") as targets:
        for first in range(0, n, 10_000):
            X = rng.standard_normal((min(10_000, n - first), 100))
            X.tofile(file)
            (X @ w + 3.0 * rng.standard_normal(len(X))).tofile(targets)


@on_linux
def test_a_file_is_larger_than_the_memory_of_its_fit(tmp_path):
    n, limit, large = (10_000_000, 1 << 30, 1 << 26) if LARGE else (250_000, 0, 0)
    write(tmp_path, n)
    arguments = [str(tmp_path), *map(str, (n, limit, large))]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    limited, *lines = done.stdout.splitlines()
    assert limited == "limited"
    r2 = {name: tuple(map(float, rest)) for name, *rest in map(str.split, lines)}
    assert set(r2) == set(SOLVERS)
    for name, (in_memory, from_file) in r2.items():
        assert from_file >= in_memory - 0.002, (name, r2)
    (tmp_path / "X").unlink()
