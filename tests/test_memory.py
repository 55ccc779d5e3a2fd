"""X is never copied: peak memory of a child process."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from sklearn_gd import GDRegressor, _objective
from sklearn_gd._data import Data, SparseData
from sklearn_gd._objective import Objective
from sklearn_gd._solver import SOLVERS

CHILD = """
import warnings
import numpy as np
from extremes import peak
from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

rng = np.random.default_rng(0)
X = np.empty(({n}, 50), dtype="{dtype}")
for rows in np.array_split(X, 100):
    rows[:] = rng.standard_normal(rows.shape)
y = X[:, 0] + rng.standard_normal({n})
warnings.simplefilter("ignore")
models = [
    GDRegressor(solver, max_iter=2, learning_rate={step}, random_state=0)
    for solver in SOLVERS
]
for model in models:
    model.fit(X[:500], y[:500])  # what libraries allocate at first use
before = peak()
print(X.nbytes / 2**20)
for model in models:
    model.fit(X, y)
    print(model.solver, peak() - before)
"""


def printed_by(code):
    """Return the lines that a process of its own prints, in the folder of the tests."""
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return out.stdout.splitlines()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("step", ["'auto'", "1e-3"])
def test_no_copy_of_x(dtype, step):
    n = 200_000 if dtype == "float64" else 400_000
    code = CHILD.format(dtype=dtype, step=step, n=n)
    size, *lines = printed_by(code)
    grown = {solver: float(peak) for solver, peak in map(str.split, lines)}
    assert set(grown) == set(SOLVERS)
    assert 70 < float(size) < 80
    # y, the weights and the order are each 1 in 50 columns of X, 1 in 25 of float32's.
    assert max(grown.values()) < 0.5 * float(size), grown


WIDE = """
import warnings
import numpy as np
from extremes import peak
from sklearn_gd import GDRegressor

n, d = {shape}
rng = np.random.default_rng(0)
X = np.empty((n, d), dtype="{dtype}")
for rows in np.array_split(X, 100):
    rows[:] = rng.standard_normal(rows.shape)
y = X[:, 0] + rng.standard_normal(n)
warnings.simplefilter("ignore")
models = [
    GDRegressor(solver, max_iter=max_iter, learning_rate=step, tol=tol)
    for solver in ("gd", "momentum", "adagrad", "rmsprop")
    for step, tol, max_iter in (("auto", 1e-4, 20), (1e-3, None, 3))
]
for model in models:
    model.fit(np.ascontiguousarray(X[:2000, :30]), y[:2000])
before = peak()
print(X.nbytes / 2**20)
for model in models:
    model.fit(X, y)
    print(model.solver, peak() - before)
"""


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((20_000, 1000), "float64"),  # a Gram matrix and a copy have room
        ((20_000, 1000), "float32"),
        ((2100, 2000), "float64"),  # and here they have not
        ((200_000, 100), "float64"),
    ],
)
def test_the_gram_matrix_has_room(shape, dtype):
    code = WIDE.format(shape=shape, dtype=dtype)
    size, *lines = printed_by(code)
    grown = max(float(line.split()[1]) for line in lines)
    assert grown <= 0.05 * float(size) + 20.0, lines


@pytest.mark.parametrize("solver", ["gd", "sgd", "minibatch", "momentum"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_no_gram_matrix_that_nothing_needs(solver, container, monkeypatch):
    def moments(*_):
        raise AssertionError("d² values, and n d² products")

    monkeypatch.setattr(Data, "moments", moments)
    monkeypatch.setattr(SparseData, "moments", moments)
    X = np.random.default_rng(0).normal(size=(600, 300))
    GDRegressor(solver, learning_rate=1e-4, max_iter=2, tol=None).fit(
        container(X), X[:, 0]
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_leaves_nothing_for_the_garbage_collector(solver, monkeypatch):
    # A cycle would keep y, the weights and the Gram matrix until the next collection.
    made = []

    class Seen(Objective):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(_objective, "Objective", Seen)
    X = np.random.default_rng(0).normal(size=(50, 3))
    gc.disable()
    try:
        GDRegressor(solver).fit(X, X[:, 0]).partial_fit(X, X[:, 0])
        assert [ref() for ref in made] == [None, None]
    finally:
        gc.enable()
