"""A solver's name is a preset of a rule and a number of rows a step."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_gd import GDRegressor, _geometry
from sklearn_gd._solver import SOLVERS

ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def noisy(n=100, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def coefficients(solver, **parameters):
    X, y = noisy()
    return GDRegressor(solver, random_state=0, **parameters).fit(X, y).coef_


@ignore_convergence
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
def test_presets(learning_rate):
    same = {"learning_rate": learning_rate}
    sgd = coefficients("sgd", **same)
    assert_array_equal(sgd, coefficients("gd", batch_size=1, **same))
    minibatch = coefficients("minibatch", **same)
    assert_array_equal(minibatch, coefficients("sgd", batch_size=32, **same))
    gd = coefficients("gd", **same)
    assert_array_equal(gd, coefficients("sgd", batch_size=100, **same))
    assert_array_equal(gd, coefficients("minibatch", batch_size=1000, **same))
    plain = coefficients("momentum", batch_size=8, momentum=0.0, **same)
    assert_array_equal(plain, coefficients("gd", batch_size=8, **same))


@ignore_convergence
@pytest.mark.parametrize("solver", [s for s in SOLVERS if not SOLVERS[s].second_order])
@pytest.mark.parametrize("batch_size", [1, 8, 99])
def test_batches_of_every_rule_learn(solver, batch_size):
    X, y = noisy()
    best = GDRegressor("newton").fit(X, y).loss_
    model = GDRegressor(solver, batch_size=batch_size, random_state=0).fit(X, y)
    assert model.loss_ - best < 1e-3 * y.var() / 2


def test_the_epochs_of_a_seed_are_independent_of_max_iter():
    X, y = noisy()
    short = GDRegressor("sgd", learning_rate=0.01, tol=None, random_state=0)
    long = GDRegressor("sgd", learning_rate=0.01, tol=None, random_state=0)
    short.set_params(max_iter=3).fit(X, y)
    long.set_params(max_iter=5).fit(X, y)
    assert_array_equal(long.loss_curve_[:4], short.loss_curve_)


def test_with_many_rows_few_epochs_do():
    X = np.random.default_rng(0).normal(size=(20_000, 7)) + 1.0
    for noise in (0.1, 1.0, 3.0):
        y = X.sum(axis=1) + noise * np.random.default_rng(1).normal(size=20_000)
        best = GDRegressor("newton").fit(X, y)
        model = GDRegressor("sgd", random_state=0).fit(X, y)
        assert model.n_iter_ <= 8
        assert best.score(X, y) - model.score(X, y) < 1e-3


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize(
    "loss", ["squared_error", "huber", "squared_epsilon_insensitive"]
)
def test_newton_with_too_many_columns_for_a_hessian(container, loss, monkeypatch):
    X, y = noisy()
    model = GDRegressor("newton", loss=loss, alpha=0.01, epsilon=0.5)
    by_hessian = model.fit(container(X), y).coef_
    monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    assert_allclose(model.fit(container(X), y).coef_, by_hessian, rtol=1e-7)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_minimum_norm_by_conjugate_gradients(monkeypatch, fit_intercept):
    monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 20)
    rng = np.random.default_rng(0)
    X = sparse.random(50, 200, 0.1, format="csr", random_state=0)
    X = X @ sparse.diags(10.0 ** rng.uniform(-1, 1, size=200))
    y = rng.normal(size=50)
    model = GDRegressor("newton", fit_intercept=fit_intercept).fit(X.tocsr(), y)
    A, b = X.toarray(), y
    if fit_intercept:
        A, b = A - A.mean(axis=0), b - b.mean()
    assert_allclose(model.coef_, np.linalg.pinv(A) @ b, rtol=1e-6, atol=1e-9)
