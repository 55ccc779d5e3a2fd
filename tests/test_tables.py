"""Real tables, raw, standardised and rescaled, with every default."""

import warnings
from functools import cache

import numpy as np
import pytest
import tables
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

STOCHASTIC = [name for name, solver in SOLVERS.items() if solver.batch_size]


def fit(solver, X, y, seed=0, **parameters):
    """Return the fitted model and the messages of its ConvergenceWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GDRegressor(solver, random_state=seed, **parameters).fit(X, y)
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_)
    return model, [str(warning.message) for warning in caught]


def best_score(X, y):
    return LinearRegression().fit(X, y).score(X, y)


def gaps(solver, X, y, seeds, best):
    """R² of LinearRegression less ours, by seed, and whether every fit warned."""
    fits = [fit(solver, X, y, seed) for seed in seeds]
    scores = np.array([model.score(X, y) for model, _ in fits])
    assert scores.min() > -1e-9
    return best - scores, [bool(messages) for _, messages in fits]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", tables.NAMES)
def test_standardised(solver, name):
    X, y = tables.standardised(name)
    seeds = range(5) if solver in STOCHASTIC else [0]
    gap, warned = gaps(solver, X, y, seeds, best_score(X, y))
    if tables.condition(X) < 1e4:
        assert gap.mean() < 1e-3
    else:
        assert all((gap < 1e-3) | warned)


CHANGES = {
    "raw": lambda X, y: (X, y),
    "X * 1e-6": lambda X, y: (X * 1e-6, y),
    "X * 1e6": lambda X, y: (X * 1e6, y),
    "y * 1e-6": lambda X, y: (X, y * 1e-6),
    "y * 1e6": lambda X, y: (X, y * 1e6),
    "both * 1e-6": lambda X, y: (X * 1e-6, y * 1e-6),
    "both * 1e6": lambda X, y: (X * 1e6, y * 1e6),
    "y + 1e9": lambda X, y: (X, y + 1e9),
}


@cache
def changed(name, change):
    """Return a changed table, and the R² of LinearRegression on it."""
    X, y = CHANGES[change](*tables.raw(name))
    return X, y, best_score(X, y)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", tables.NAMES)
@pytest.mark.parametrize("change", CHANGES)
def test_raw(solver, name, change):
    X, y, best = changed(name, change)
    gap, warned = gaps(solver, X, y, [0], best)
    assert all((gap < 1e-3) | warned)


@pytest.mark.parametrize("name", tables.NAMES)
def test_newton_has_the_coefficients_of_least_squares(name):
    X, y = tables.standardised(name)
    model, messages = fit("newton", X, y)
    ols = LinearRegression().fit(X, y)
    assert_allclose(
        model.coef_, ols.coef_, rtol=1e-10, atol=1e-10 * abs(ols.coef_).max()
    )
    assert_allclose(model.intercept_, ols.intercept_, rtol=1e-10)
    assert not messages


@pytest.mark.parametrize("name", tables.NAMES)
@pytest.mark.parametrize("change", CHANGES)
def test_newton_on_raw_columns(name, change):
    # The reference has columns of deviation one, which LinearRegression does not.
    Z, _ = tables.standardised(name)
    X, y = CHANGES[change](*tables.raw(name))
    reference = LinearRegression().fit(Z, y).coef_
    model, _ = fit("newton", X, y)
    scaled = model.coef_ * X.std(axis=0)
    tol = 1e-10 if change != "y + 1e9" else 1e-9  # y itself has lost digits
    assert_allclose(scaled, reference, rtol=tol, atol=tol * abs(reference).max())


@pytest.mark.parametrize("solver", ["adagrad", "rmsprop", "newton"])
@pytest.mark.parametrize("name", ["diabetes", "fair", "ccard"])
def test_units_of_columns_do_not_matter(solver, name):
    X, y = tables.raw(name)
    units = np.logspace(-4, 4, X.shape[1])
    one, _ = fit(solver, X, y, max_iter=50, tol=None)
    other, _ = fit(solver, X * units, y, max_iter=50, tol=None)
    assert_allclose(other.coef_ * units, one.coef_, rtol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_units_of_y_do_not_matter(solver):
    X, y = tables.standardised("ccard")
    one, _ = fit(solver, X, y)
    # A power of two, so that not even a rounding differs.
    other, _ = fit(solver, X, y * 2.0**40)
    assert_allclose(other.coef_, one.coef_ * 2.0**40, rtol=1e-10)
    assert other.n_iter_ == one.n_iter_


def test_the_warning_names_what_helps():
    X, y = tables.raw("diabetes")
    _, (message,) = fit("gd", X, y)
    assert "max_iter=1000 iterations" in message
    assert "tol=0.0001" in message
    assert "condition number" in message
    assert "StandardScaler" in message
    assert "solver='newton'" in message
