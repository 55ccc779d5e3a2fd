"""Extremes of size: few and many columns, and more values than 31 bits can number.

``EXTREMES=1 pytest tests/test_extremes.py`` takes the sizes for which this was made,
each in a process of its own; else the same is tried with small ones. The largest have
2.2e9 values, in 5 GB of memory.
"""

import os

import extremes
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn_gd._core.order import Order

from sklearn_gd import GDRegressor, _geometry
from sklearn_gd._data import as_data
from sklearn_gd._solver import SOLVERS

LARGE = os.environ.get("EXTREMES", "0") != "0"
FIRST_ORDER = [name for name in SOLVERS if name != "newton"]


def fitted(shape, small, large, solver, **parameters):
    if LARGE:
        found = extremes.in_child(shape, large, solver, parameters)
        print(shape, solver, parameters, found)
        return found
    return extremes.measure(shape, small, solver, parameters)


def allowed(found, vectors=0):
    """Return 5% of X and 20 MB, and so many vectors of coefficients."""
    return 0.05 * found["size"] + 20.0 + vectors * found["vector"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_many_rows(solver):
    found = fitted("long", 20_000, 10_000_000, solver, max_iter=20)
    assert found["apart"] < 0.01
    assert found["end"] < 0.1 * found["start"]
    if solver != "newton":
        assert found["grown"] <= allowed(found)


# What a fit keeps: w, g, where it began, was best and was before, the mean of an epoch;
# of columns, means and variances; of a rule, m, or G, reach, start, ε and cap; and what
# partial_fit goes on from. In the end they are in the estimator, too.
@pytest.mark.parametrize("solver", SOLVERS)
def test_many_columns(solver):
    # newton factors the rows, and for minutes where there are more columns.
    large = 100_000 if solver == "newton" else 1_000_000
    found = fitted("wide", 3000, large, solver, max_iter=3)
    assert found["end"] < found["start"]
    if solver != "newton":
        assert found["grown"] <= allowed(found, vectors=20)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", ["csr", "csr64"])
def test_many_sparse_rows_and_columns(shape, solver):
    # A step of newton is a hundred or so of conjugate gradients.
    steps = 1 if solver == "newton" else 3
    alpha = 1e-6 * LARGE
    found = fitted(shape, 2500, 1_000_000, solver, max_iter=steps, alpha=alpha)
    assert found["end"] < found["start"]
    if solver != "newton":
        assert found["grown"] <= allowed(found, vectors=20)


@pytest.mark.parametrize("solver", FIRST_ORDER)
@pytest.mark.parametrize(
    "more",
    [
        {"penalty": "l1", "alpha": 1e-6},
        {"positive": True},
        {"targets": 2},
        {"early_stopping": True},
    ],
    ids=str,
)
def test_options_on_many_sparse_columns(solver, more):
    batch = {} if solver in ("sgd", "minibatch") else {"batch_size": 32}
    # With a weak l1 the adaptive rules make each step that a column missed.
    every_step = solver in ("adagrad", "rmsprop") and more.get("penalty") == "l1"
    size = 200_000 if every_step else 1_000_000
    found = fitted("csr", 2000, size, solver, max_iter=1, **batch, **more)
    assert found["end"] < found["start"]
    assert found["seconds"] < 60.0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("calls", [0, 1])
def test_rows_beyond_31_bits(solver, calls):
    # An intercept would have all of the curvature, and the steps be short for the rest.
    more = {"max_iter": 3, "calls": calls, "tol": None, "fit_intercept": False}
    found = fitted("tall", 1000, 22_000_000, solver, **more)
    assert found["apart"] < 0.9  # all that is to be learned is in the last rows
    assert found["end"] < found["start"]
    assert found["mispredicted"] < 1e-3
    if solver != "newton":
        assert found["grown"] <= allowed(found)


@pytest.mark.parametrize("solver", ["gd", "sgd", "minibatch", "momentum"])
@pytest.mark.parametrize("calls", [0, 1])
def test_sparse_values_beyond_31_bits(solver, calls):
    n = 168 * extremes.BLOCK if LARGE else 1000
    # The last rows X have XᵀX of at most 1100 or so, and 100 or so each.
    step = {"sgd": 3e-3, "minibatch": 0.05}.get(solver, n / 2200)
    found = fitted(
        "tall_csr", n, n, solver, max_iter=1, calls=calls, learning_rate=step
    )
    assert found["apart"] < 0.9
    assert found["end"] < found["start"]
    assert found["mispredicted"] < 1e-3
    assert found["grown"] <= allowed(found)


# --- what these sizes have found ------------------------------------------------------


@pytest.mark.parametrize("solver", ["momentum", "adagrad", "rmsprop"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("alpha", [1e-3, 1.0])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_steps_that_sparse_columns_missed(solver, positive, penalty, alpha):
    X = sparse.csr_array(sparse.random(120, 150, 0.03, random_state=0))
    y = X @ np.random.default_rng(1).normal(size=150)
    for batch_size, average, schedule in [
        (1, True, "constant"),
        (7, False, "constant"),
        (7, True, "invscaling"),
    ]:
        model = GDRegressor(
            solver,
            penalty=penalty,
            alpha=alpha,
            positive=positive,
            batch_size=batch_size,
            average=average,
            learning_rate=0.05,
            schedule=schedule,
            max_iter=4,
            tol=None,
            random_state=0,
        )
        dense = model.fit(X.toarray(), y).coef_
        coef = model.fit(X, y).coef_
        assert_allclose(coef, dense, rtol=1e-10, atol=1e-10 * np.abs(dense).max())
        assert_array_equal(coef == 0.0, dense == 0.0)


def test_several_targets_do_not_visit_all_columns_every_few_rows():
    order = Order(100_000, 100_000, stored=10)
    sections = 0
    while order.open(32, whole=False):
        order.rewind()
        sections += 1
        order.left()
    assert sections <= 11


def test_sparse_rows_are_not_filled_in_where_they_are_long(monkeypatch):
    X, y, _ = extremes.csr(500)
    expected = GDRegressor("newton", alpha=1e-3).fit(X, y).coef_
    monkeypatch.setattr(_geometry, "FILLED", 0)
    monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 499)
    few = GDRegressor("newton", alpha=1e-3).fit(X[:499], y[:499])
    monkeypatch.setattr(sparse.csr_array, "toarray", None)
    coef = GDRegressor("newton", alpha=1e-3).fit(X, y).coef_
    assert_allclose(coef, expected, rtol=1e-6, atol=1e-8)
    assert few.loss_ < few.loss_curve_[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_moments_of_many_columns(dtype, container):
    rng = np.random.default_rng(0)
    X = (1.0 + rng.random((40, 1500))) * (rng.random((40, 1500)) < 0.1)
    X[:, 7] = 3.0
    X = container(X.astype(dtype))
    before, s = X.copy(), rng.random(40)
    mean, variance = as_data(X, np.ones(40), s).column_moments()
    dense = X.toarray() if sparse.issparse(X) else X
    expected = np.average(dense.astype(float), axis=0, weights=s)
    assert_allclose(mean, expected, rtol=1e-13)
    spread = np.average((dense - expected) ** 2, axis=0, weights=s)
    assert_allclose(variance, spread, rtol=1e-12, atol=1e-29)
    assert (X != before).sum() == 0
