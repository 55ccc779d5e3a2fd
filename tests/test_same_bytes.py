"""The same random_state gives the same numbers, wherever and how often it is fitted."""

import os
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from test_matrix import EVERY_STEP, STOCHASTIC, ignore_convergence

from sklearn_gd import GDRegressor

HERE = Path(__file__).parent
LARGE = 30_000, 8  # of which the rows are visited in tiles
ONE_BY_ONE = ("sgd", "minibatch")
WIDE = 3000, 130  # of which a Gram matrix takes two threads of BLAS


@cache
def table(n, d):
    """Half of it zeros, exact in float32."""
    rng = np.random.default_rng(0)
    X = np.round(64 * rng.normal(size=(n, d))) / 64
    X[rng.random(X.shape) < 0.5] = 0.0
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def bytes_of(model):
    return [
        np.asarray(getattr(model, name)).tobytes()
        for name in ("coef_", "intercept_", "loss_curve_", "t_")
    ]


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_fits_repeated(solver, batch, container, learning_rate):
    X, y = table(2000, 8)
    X, Y = container(X), np.column_stack([y, y**2])

    def model():
        return GDRegressor(
            solver,
            batch_size=batch,
            learning_rate=learning_rate,
            random_state=3,
            max_iter=20,
        )

    for target in (y, Y):
        first = bytes_of(model().fit(X, target))
        one, other = model(), model().fit(X, target)
        for _ in range(2):
            assert bytes_of(one.fit(X, target)) == first
        for some in (slice(0, 700), slice(700, None)):
            for each in (one, other):
                each.partial_fit(X[some], target[some])
            assert bytes_of(one) == bytes_of(other)


def fits():
    """Return the coefficients of every solver."""
    found = {}
    cells = [(cell, "squared_error") for cell in EVERY_STEP]
    cells += [(cell, "huber") for cell in STOCHASTIC]
    for shape, ((solver, batch), loss) in product((LARGE, WIDE), cells):
        model = GDRegressor(solver, loss=loss, batch_size=batch, max_iter=3)
        model.set_params(random_state=3, tol=None).fit(*table(*shape))
        key = f"{solver} {batch} {loss} {shape[1]}"
        found[key] = np.append(model.coef_, model.intercept_)
    return found


def in_a_child(threads, path):
    code = (
        f"import sys, warnings; sys.path.insert(0, {str(HERE)!r}); "
        "warnings.simplefilter('ignore'); import numpy, test_same_bytes; "
        f"numpy.savez({str(path)!r}, **test_same_bytes.fits())"
    )
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = dict(os.environ, **dict.fromkeys(names, str(threads)))
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return dict(np.load(path))


def test_child_processes_and_threads_of_blas(tmp_path):
    here = fits()
    for threads in (1, 2):
        there = in_a_child(threads, tmp_path / "there.npz")
        assert there.keys() == here.keys()
        for key, expected in here.items():
            full_batch = key.split()[1] == "None" and key.split()[0] not in ONE_BY_ONE
            rounding = 1e-8 * np.abs(expected).max() if full_batch else 0.0
            assert_allclose(there[key], expected, 0.0, rounding, err_msg=key)


@pytest.mark.parametrize(("solver", "batch"), STOCHASTIC)
@pytest.mark.parametrize("shape", [(500, 8), LARGE])
def test_dense_and_sparse_rows_come_in_the_same_order(solver, batch, shape):
    X, y = table(*shape)
    model = GDRegressor(
        solver,
        batch_size=batch,
        learning_rate=0.02,
        max_iter=2,
        tol=None,
        random_state=3,
    )
    expected = model.fit(X, y).coef_
    other = model.set_params(random_state=4).fit(X, y).coef_
    apart = np.abs(other - expected).max()
    model.set_params(random_state=3)
    for container in (sparse.csr_array, sparse.csc_array, np.asfortranarray):
        assert_allclose(model.fit(container(X), y).coef_, expected, rtol=1e-9)
    # float32 rounds the coefficients alone; another order is further away.
    coef = model.fit(X.astype(np.float32), y).coef_
    assert_allclose(coef, expected, rtol=1e-6, atol=1e-2 * apart)
    coef = model.fit(sparse.csr_array(X.astype(np.float32)), y).coef_
    assert_allclose(coef, expected, rtol=1e-6, atol=1e-2 * apart)
