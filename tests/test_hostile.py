"""Whatever comes is fitted, fitted with a warning, or clearly refused.

``HOSTILE_CASES=5000 pytest tests/test_hostile.py`` tries as many cases.
"""

import os
from collections import Counter

import hostile
import numpy as np
import promises
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

CASES = int(os.environ.get("HOSTILE_CASES", 672))
GROUP = 48


@pytest.mark.parametrize("first", range(0, CASES, GROUP))
def test_hostile_inputs(first, tmp_path):
    endings = Counter()
    for number in range(first, min(first + GROUP, CASES)):
        one = hostile.case(number, tmp_path)
        try:
            endings.update(promises.live(one))
        except Exception as error:
            raise AssertionError(f"{error}\n{one.parameters}\n{one.notes}") from error
    # The cases are of all kinds.
    if endings.total() >= GROUP:
        assert min(endings[how] for how in ("fitted", "warned", "refused")) >= 5


# --- what the cases have found --------------------------------------------------------


def table(n=60, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ np.arange(1.0, d + 1) + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_columns_whose_squares_underflow_are_named(solver, container):
    X, y = table()
    X[:, 1] = 0.0  # a column of zeros is nothing to speak of
    model = GDRegressor(solver, random_state=0).fit(container(X), y)
    expected = model.coef_
    X[:, 1] = 1e-170 * np.arange(60)
    with pytest.warns(ConvergenceWarning, match="A column of X is so small"):
        model.fit(container(X), y)
    assert_allclose(model.coef_, expected, rtol=1e-9, atol=1e-100)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_a_target_whose_squares_underflow_is_named(solver, loss):
    X, y = table()
    epsilon = {"epsilon": 1e-170} if loss == "huber" else {}
    with pytest.warns(ConvergenceWarning, match="y is so small"):
        GDRegressor(solver, loss=loss, **epsilon).fit(X, 1e-170 * y)
    for constant in (0.0, 1e-170, 5.0):
        GDRegressor(solver, loss=loss, **epsilon).fit(X, np.full(60, constant))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_have_lost_their_digits_are_refused(solver, method):
    X, y = table()
    with pytest.raises(ValueError, match="lost their digits"):
        getattr(GDRegressor(solver), method)(X, y, np.full(60, 1e-320))


def test_weights_whose_sum_overflows():
    X, y = table()
    s = np.full(60, 1e308)
    model = GDRegressor("newton").fit(X, y, s)
    assert_allclose(model.coef_, GDRegressor("newton").fit(X, y).coef_, rtol=1e-12)
    with pytest.raises(ValueError, match="sum of all sample weights"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="sum of all sample weights"):
        GDRegressor("newton").partial_fit(X, y, s)


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "newton"])
@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "epsilon_insensitive"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_target_too_large_for_a_kinked_loss(solver, loss, method):
    X, y = table()
    y[0] = 1.7e308
    with pytest.raises(ValueError, match="X or y"):
        getattr(GDRegressor(solver, loss=loss), method)(X, -y)


@pytest.mark.parametrize("solver", ["gd", "momentum", "rmsprop"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_products_that_overflow_in_lanczos(solver, loss):
    X, y = table(40, 300)
    X[:, 0] *= 1e153
    with pytest.raises(ValueError, match="squares overflow"):
        GDRegressor(solver, loss=loss).fit(1e3 * X, y)


def test_a_stream_whose_squares_overflow_is_refused():
    model = GDRegressor("newton", fit_intercept=False)
    with pytest.raises(ValueError, match="squares overflow"):
        model.partial_fit([[1e160], [2e160]], [0.0, 0.0], [1e290, 1e290])
    assert not hasattr(model, "coef_")
    # Their products with the weights may.
    model.partial_fit([[1e30], [2e30]], [1e30, 2e30], [1e290, 1e290])
    assert_allclose(model.coef_, 1.0)


def test_integers_without_end():
    X, y = table()
    X = X.astype(object)
    X[3, 0] = 10**400
    with pytest.raises(ValueError, match="too large for float64"):
        GDRegressor().fit(X, y)


def test_too_few_rows_to_hold_out():
    X, y = table()
    s = np.zeros(60)
    s[7] = 1.0
    with pytest.raises(ValueError, match="hold out a part of 1 rows"):
        GDRegressor(early_stopping=True).fit(X, y, s)


def test_rows_held_out_that_weigh_next_to_nothing():
    X, y = table()
    s = np.full(60, 1e-300)
    s[0] = 1e300
    for seed in range(20):  # of which some hold out the heavy row
        model = GDRegressor("sgd", early_stopping=True, random_state=seed, max_iter=3)
        model.set_params(tol=None).fit(X, y, s)


def test_one_target_diverges_at_once_and_its_score_is_missing():
    X, y = table()
    Y = np.column_stack([y, 1e140 * y])
    model = GDRegressor(
        learning_rate=1e-300, alpha=1e290, early_stopping=True, max_iter=3
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr"])
def test_an_index_outside_is_refused_before_anything_is_converted(format):
    X = sparse.random(50, 20, density=0.3, format=format, random_state=0)
    y = np.ones(50)
    for wrong in (-1, 50, 10**8):
        bad = X.copy()
        indices = np.array(bad.col if format == "coo" else bad.indices)
        indices[-1] = wrong
        if format == "coo":
            bad.coords = bad.row, indices
        else:
            bad.indices = indices
        with pytest.raises(ValueError, match=f"malformed {format.upper()}"):
            GDRegressor("sgd").fit(bad, y)
