"""The references of the other tests, against scikit-learn and by their own laws."""

from dataclasses import replace

import convex
import numpy as np
import pytest
from convex import Problem
from numpy.testing import assert_allclose
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    QuantileRegressor,
    Ridge,
    SGDRegressor,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4)) @ np.triu(np.ones((4, 4))) * [1.0, 10.0, 0.1, 1.0]
y = X @ [2.0, 0.2, -3.0, 1.0] + rng.standard_t(3, size=80) + 5.0
s = rng.uniform(0.0, 2.0, size=80)
CELLS = [
    (penalty, positive, fit_intercept)
    for penalty in (None, "l2", "l1", "elasticnet")
    for positive in (False, True)
    for fit_intercept in (False, True)
]


def agrees(problem, model):
    model.fit(problem.X, problem.y, problem.s)
    assert_allclose(problem.optimum[0], model.coef_, rtol=1e-5, atol=1e-7)
    F = problem.objective(model.coef_, model.intercept_)
    assert_allclose(problem.optimum[2], F, rtol=1e-9)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, s])
def test_squared_error(fit_intercept, positive, weights):
    common = {"fit_intercept": fit_intercept, "positive": positive}
    problem = Problem(X, y, weights, alpha=0.1, l1_ratio=0.6, **common)
    agrees(problem, LinearRegression(**common))
    ridge = Ridge(0.1 * problem.mass, solver="auto", tol=1e-12, **common)
    agrees(replace(problem, penalty="l2"), ridge)
    for penalty, l1_ratio in [("l1", 1.0), ("elasticnet", 0.6)]:
        net = ElasticNet(0.1, l1_ratio=l1_ratio, tol=1e-14, max_iter=100_000, **common)
        agrees(replace(problem, penalty=penalty), net)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weights", [None, s])
@pytest.mark.parametrize("penalty", [None, "l1"])
@pytest.mark.parametrize("quantile", [0.2, 0.5])
def test_quantile(fit_intercept, weights, penalty, quantile):
    problem = Problem(
        X, y, weights, "quantile", penalty, 0.1, quantile=quantile,
        fit_intercept=fit_intercept,
    )  # fmt: skip
    alpha = 0.0 if penalty is None else 0.1
    agrees(
        problem,
        QuantileRegressor(quantile=quantile, alpha=alpha, fit_intercept=fit_intercept),
    )


def test_the_median_has_half_the_absolute_error():
    median = Problem(X, y, s, "quantile", "elasticnet", 0.1, quantile=0.5)
    absolute = replace(median, loss="absolute_error", alpha=0.2)
    assert_allclose(absolute.optimum[2], 2 * median.optimum[2], rtol=1e-8)


@pytest.mark.parametrize("loss", convex.SMOOTH)
@pytest.mark.parametrize(("penalty", "positive", "fit_intercept"), CELLS)
def test_smooth_optima_have_a_subgradient_of_zero(
    loss, penalty, positive, fit_intercept
):
    problem = Problem(
        X, y, s, loss, penalty, 0.1, epsilon=0.7,
        positive=positive, fit_intercept=fit_intercept,
    )  # fmt: skip
    w, b, F = problem.optimum
    assert problem.distance(w, b) < 1e-7
    assert problem.distance(w * 1.001, b) > 1e-6
    assert F < problem.constant[1]
    assert not positive or (w >= 0).all()


@pytest.mark.parametrize("loss", convex.ALL)
@pytest.mark.parametrize(("penalty", "positive", "fit_intercept"), CELLS)
def test_no_neighbour_of_an_optimum_is_better(loss, penalty, positive, fit_intercept):
    problem = Problem(
        X, y, s, loss, penalty, 0.1, epsilon=0.7, quantile=0.3,
        positive=positive, fit_intercept=fit_intercept,
    )  # fmt: skip
    w, b, F = problem.optimum
    unit = np.append(1.0 / X.std(axis=0), float(fit_intercept))
    for size in np.logspace(-7, 0, 8):
        for step in np.random.default_rng(0).normal(size=(50, 5)) * size * unit:
            near = w + step[:-1]
            near = np.maximum(near, 0.0) if positive else near
            assert problem.objective(near, b + step[-1]) >= F * (1.0 - 5e-9)


@pytest.mark.parametrize("loss", convex.ALL)
def test_slopes_are_differences_of_values(loss):
    r, step = np.linspace(-3.0, 3.0, 50), 1e-6
    parts = loss, 0.7, 0.3
    difference = convex.value(r + step, *parts) - convex.value(r - step, *parts)
    assert_allclose(convex.slope(r, *parts), difference / (2 * step), atol=1e-6)


def test_losses_are_those_of_sgd_regressor():
    """One step of SGDRegressor from 0 moves the intercept by its slope."""
    for loss in set(convex.ALL) - {"absolute_error", "quantile"}:
        for target in (-2.0, -0.3, 0.3, 2.0):
            model = SGDRegressor(
                loss, penalty=None, epsilon=0.7, learning_rate="constant", eta0=1.0,
                max_iter=1, tol=None,
            ).fit([[0.0]], [target])  # fmt: skip
            assert_allclose(model.intercept_, convex.slope(target, loss, 0.7, 0.5))
