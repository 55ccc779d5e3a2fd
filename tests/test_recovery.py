"""What the losses and penalties are for: zeros, outliers, quantiles, any unit of y."""

from functools import cache

import numpy as np
import pytest
import tables
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from test_matrix import (
    ALL,
    EPSILON,
    FIRST_ORDER,
    FULL_BATCH,
    NEWTON,
    SMOOTH,
    STOCHASTIC,
    ignore_convergence,
    problem,
    takes,
)

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

ROBUST = ("huber", "absolute_error", "quantile")


# --- l1 finds the columns that matter -------------------------------------------------


@cache
def needles():
    """1000 columns of which 10 matter, and Lasso's coefficients."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1000))
    w = np.zeros(1000)
    w[rng.choice(1000, 10, replace=False)] = rng.choice([-1, 1], 10) * np.arange(1, 11)
    y = X @ w + rng.normal(size=400) + 3.0
    lasso = Lasso(0.3, tol=1e-12, max_iter=100_000).fit(X, y)
    # No coefficient is on the verge: neither close to 0 nor about to leave it.
    slopes = np.abs(X.T @ (y - lasso.predict(X))) / 400
    assert set(np.flatnonzero(lasso.coef_)) == set(np.flatnonzero(w))
    assert slopes[w == 0.0].max() < 0.27
    assert np.abs(lasso.coef_[w != 0.0]).min() > 0.5
    return X, y, lasso.coef_


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_the_support_is_that_of_lasso(solver, container):
    X, y, expected = needles()
    model = GDRegressor(solver, penalty="l1", alpha=0.3, max_iter=5000)
    model.fit(container(X), y)
    assert_array_equal(model.coef_ != 0.0, expected != 0.0)
    assert_allclose(model.coef_, expected, atol=0.01)


# --- robust losses --------------------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("name", ["diabetes", "engel", "stackloss", "statecrime"])
@pytest.mark.parametrize("solver", FIRST_ORDER + NEWTON)
@pytest.mark.parametrize("loss", ["squared_error", *ROBUST])
def test_slips_of_the_decimal_point(name, solver, loss):
    if not takes(solver, loss, None, positive=False):
        return
    X, y = tables.standardised(name)
    corrupted = y.copy()
    rows = np.random.default_rng(0).choice(len(y), max(1, len(y) // 10), replace=False)
    corrupted[rows] *= 10.0
    clean = LinearRegression().fit(X, y)
    model = GDRegressor(solver, loss=loss, random_state=0).fit(X, corrupted)
    # How far the coefficients moved, measured by what they predict.
    moved = (X @ (model.coef_ - clean.coef_)).std() / (X @ clean.coef_).std()
    assert moved < 0.25 if loss in ROBUST else moved > 0.7


# --- quantiles ------------------------------------------------------------------------


@cache
def spreading():
    """20,000 rows whose quantiles are linear in X, with a skew that grows with X."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(20_000, 4))
    noise = rng.gumbel(size=20_000) * (0.5 + 2.0 * X[:, 0] + X[:, 1])
    return X, X @ [1.0, -2.0, 3.0, 0.0] + noise + 10.0


@ignore_convergence
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("quantile", [0.1, 0.9])
@pytest.mark.parametrize("solver", FIRST_ORDER)
def test_quantiles_cover_rows_that_were_not_seen(solver, quantile, early_stopping):
    X, y = spreading()
    model = GDRegressor(
        solver,
        loss="quantile",
        quantile=quantile,
        early_stopping=early_stopping,
        random_state=0,
    )
    model.fit(X[::2], y[::2])
    below = y[1::2] < model.predict(X[1::2])
    assert abs(below.mean() - quantile) < 0.02
    # The band widens where y does: a constant shift of the median would not do.
    for half in (X[1::2, 0] < 0.5, X[1::2, 0] >= 0.5):
        assert abs(below[half].mean() - quantile) < 0.02


# --- units ----------------------------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("solver", "batch"), STOCHASTIC + [(s, None) for s in SOLVERS])
def test_a_power_of_two_in_y_is_one_in_the_coefficients(solver, batch, loss):
    """Not even a rounding differs, so that this holds for every loss and solver."""
    if not takes(solver, loss, None, positive=False):
        return
    known = problem(loss, None, False, True, True)
    model = GDRegressor(solver, loss=loss, batch_size=batch, random_state=0)
    one = model.fit(known.X, known.y, known.s)
    coef, intercept, n_iter = one.coef_, one.intercept_, one.n_iter_
    epsilon = getattr(one, "epsilon_", 0.0)
    other = model.fit(known.X, known.y * 1024.0, known.s)
    assert_allclose(other.coef_, coef * 1024.0, rtol=1e-9)
    assert_allclose(other.intercept_, intercept * 1024.0, rtol=1e-9)
    assert_allclose(getattr(other, "epsilon_", 0.0), epsilon * 1024.0, rtol=1e-9)
    assert other.n_iter_ == n_iter


@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize("solver", FULL_BATCH + NEWTON)
def test_thousand_times_y_is_thousand_times_the_coefficients(solver, loss):
    known = problem(loss, None, False, True, True)
    model = GDRegressor(solver, loss=loss, max_iter=10_000, tol=1e-9)
    coef = model.fit(known.X, known.y, known.s).coef_
    other = model.fit(known.X, known.y * 1000.0, known.s).coef_
    assert_allclose(other, coef * 1000.0, rtol=1e-6)


@ignore_convergence
@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_a_shift_of_y_is_one_of_the_intercept(solver, loss):
    known = problem(loss, None, False, True, True)
    model = GDRegressor(solver, loss=loss, max_iter=10_000, tol=1e-7)
    one = model.fit(known.X, known.y, known.s)
    F, intercept = one.loss_, one.intercept_
    other = model.fit(known.X, known.y + 1e4, known.s)
    assert_allclose(other.loss_, F, rtol=1e-3)
    assert_allclose(other.intercept_ - 1e4, intercept, atol=0.1)


@ignore_convergence
@pytest.mark.parametrize("loss", EPSILON)
def test_an_automatic_epsilon_is_a_share_of_the_residuals(loss):
    X, _ = spreading()
    noise = np.random.default_rng(1).normal(size=len(X))
    y = X @ [1.0, -2.0, 3.0, 0.0] + 7.0 * noise
    model = GDRegressor("momentum", loss=loss).fit(X, y)
    share = 1.35 if loss == "huber" else 0.1
    assert_allclose(model.epsilon_, 7.0 * share, rtol=0.03)
    assert GDRegressor(loss=loss, epsilon=0.3).fit(X[:99], y[:99]).epsilon_ == 0.3


@ignore_convergence
@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("target", ["constant", "mostly 0", "exact"])
def test_when_most_residuals_are_zero(solver, loss, target):
    """There the median absolute residual, of which epsilon is a share, is 0."""
    if not takes(solver, loss, None, positive=False):
        return
    X = problem("huber", None, False, False, True).X
    y = {
        "constant": np.full(200, 5.0),
        "mostly 0": np.where(np.arange(200) % 4, 0.0, X[:, 0]),
        "exact": X @ np.arange(5.0) + 1.0,
    }[target]
    model = GDRegressor(solver, loss=loss, random_state=0).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.loss_ <= model.loss_curve_[0] * (1.0 + 1e-12)
    if target == "constant":
        assert_allclose(model.predict(X), 5.0, rtol=1e-9)
    if target == "exact":
        assert model.score(X, y) > 0.999


# --- a search over everything ---------------------------------------------------------


@ignore_convergence
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_search_over_everything():
    X, y = tables.raw("diabetes")
    grid = {
        "gd__solver": list(SOLVERS),
        "gd__loss": list(ALL),
        "gd__penalty": [None, "l2", "l1", "elasticnet"],
        "gd__alpha": [0.0, 0.1],
    }
    steps = [("scale", StandardScaler()), ("gd", GDRegressor(max_iter=30))]
    search = GridSearchCV(Pipeline(steps).set_params(gd__random_state=0), grid, cv=2)
    with pytest.warns(FitFailedWarning, match="newton"):
        search.fit(X, y)
    for parameters, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        solver, loss = parameters["gd__solver"], parameters["gd__loss"]
        penalty = parameters["gd__penalty"] if parameters["gd__alpha"] > 0 else None
        assert np.isfinite(score) == takes(solver, loss, penalty, positive=False)
    assert search.best_score_ > 0.4
