"""Several targets in one fit are what one fit a target gives."""

from itertools import product

import numpy as np
import pytest
from convex import ALL
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from test_matrix import (
    CELLS,
    EVERY_STEP,
    VERSIONS,
    ignore_convergence,
    takes,
)

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS


def several(k=3, n=120, d=4):
    """Targets of other scales and noise, so that each stops at its own time."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    X[rng.random(X.shape) < 0.3] = 0.0
    scales = 10.0 ** np.arange(k)
    noise = rng.standard_t(4, size=(n, k)) * np.arange(1, k + 1)
    return X, (X @ rng.normal(size=(d, k)) + noise + 3.0) * scales


def same_as_one_by_one(model, X, Y, s=None):
    """Check the fitted model against a clone for each column; return the clones."""
    ones = [clone(model).fit(X, y, s) for y in Y.T]
    model.fit(X, Y, s)
    k = len(ones)
    assert model.coef_.shape == (k, X.shape[1])
    assert model.intercept_.shape == (k,)
    for j, one in enumerate(ones):
        size = np.abs(one.coef_).max()
        assert_allclose(model.coef_[j], one.coef_, rtol=1e-8, atol=1e-8 * size)
        assert_allclose(model.intercept_[j], one.intercept_, rtol=1e-8, atol=1e-8)
    assert_allclose(model.loss_, sum(one.loss_ for one in ones), rtol=1e-8)
    starts = sum(one.loss_curve_[0] for one in ones)
    assert_allclose(model.loss_curve_[0], starts, rtol=1e-8)
    assert model.n_iter_ == max(one.n_iter_ for one in ones)
    assert len(model.loss_curve_) == model.n_iter_ + 1
    if hasattr(ones[0], "epsilon_"):
        assert_allclose(model.epsilon_, [one.epsilon_ for one in ones], rtol=1e-8)
    return ones


def combinations():
    """Each solver × loss with two of the penalties and signs, and of the versions."""
    found = []
    for (i, (solver, batch)), (j, loss) in product(
        enumerate(EVERY_STEP), enumerate(ALL)
    ):
        allowed = [cell for cell in CELLS if takes(solver, loss, *cell)]
        for step in range(min(2, len(allowed))):
            cell = allowed[(i + j + 3 * step) % len(allowed)]
            version = VERSIONS[(i + 3 * j + 5 * step) % len(VERSIONS)]
            found.append((solver, batch, loss, *cell, *version))
    return found


@ignore_convergence
@pytest.mark.parametrize(
    ("solver", "batch", "loss", "penalty", "positive", "container", "weighted", "free"),
    combinations(),
)
def test_targets_do_not_meet(
    solver, batch, loss, penalty, positive, container, weighted, free
):
    X, Y = several()
    s = np.arange(len(X)) % 4.0 if weighted else None
    model = GDRegressor(
        solver,
        loss=loss,
        penalty=penalty,
        alpha=0.05,
        positive=positive,
        fit_intercept=free,
        batch_size=batch,
        max_iter=60,
        random_state=0,
    )
    same_as_one_by_one(model, container(X), Y, s)


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_targets_do_not_meet_with_float_steps(solver, batch, schedule):
    X, Y = several()
    model = GDRegressor(
        solver,
        learning_rate=0.01,
        schedule=schedule,
        batch_size=batch,
        max_iter=20,
        tol=None,
        random_state=0,
    )
    same_as_one_by_one(model, X, Y)


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
def test_shapes(solver, batch):
    X, Y = several()
    model = GDRegressor(solver, batch_size=batch, random_state=0, max_iter=20)
    flat = clone(model).fit(X, Y[:, 0])
    assert flat.coef_.shape == (4,)
    assert isinstance(flat.intercept_, float)
    assert flat.predict(X).shape == (120,)
    column = clone(model).fit(X, Y[:, :1])
    assert column.coef_.shape == (1, 4)
    assert column.intercept_.shape == (1,)
    assert column.predict(X).shape == (120, 1)
    assert_allclose(column.coef_[0], flat.coef_, rtol=1e-8)
    three = clone(model).fit(X, Y)
    assert three.predict(X).shape == (120, 3)
    assert_allclose(three.predict(X), X @ three.coef_.T + three.intercept_)
    assert_allclose(three.predict(sparse.csr_array(X)), three.predict(X))
    single = clone(model).fit(X.astype(np.float32), Y)
    assert single.coef_.dtype == np.float32
    without = clone(model).set_params(fit_intercept=False).fit(X, Y)
    assert_allclose(without.predict(X), X @ without.coef_.T)


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
def test_streams(solver, batch, learning_rate, loss):
    if not takes(solver, loss, None, positive=False):
        return
    X, Y = several()
    model = GDRegressor(
        solver,
        loss=loss,
        learning_rate=learning_rate,
        batch_size=batch,
        random_state=0,
    )
    ones = [clone(model) for _ in Y.T]
    for rows in np.split(np.arange(120), 3):
        model.partial_fit(X[rows], Y[rows])
        for one, y in zip(ones, Y.T, strict=True):
            one.partial_fit(X[rows], y[rows])
    for j, one in enumerate(ones):
        size = np.abs(one.coef_).max()
        assert_allclose(model.coef_[j], one.coef_, rtol=1e-8, atol=1e-8 * size)
    with pytest.raises(ValueError, match="target"):
        model.partial_fit(X, Y[:, :2])


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
def test_early_stopping_and_paths(solver, batch):
    X, Y = several()
    model = GDRegressor(
        solver, batch_size=batch, random_state=0, store_path=True, max_iter=30
    )
    model.fit(X, Y)
    assert np.shape(model.coef_path_) == (model.n_iter_ + 1, 3, 4)
    assert np.shape(model.intercept_path_) == (model.n_iter_ + 1, 3)
    assert_array_equal(model.coef_path_[0], np.zeros((3, 4)))
    stopped = GDRegressor(
        solver, batch_size=batch, random_state=0, early_stopping=True, max_iter=30
    )
    stopped.fit(X, Y)
    assert len(stopped.validation_scores_) == stopped.n_iter_
    for j, y in enumerate(Y.T):
        one = clone(stopped).fit(X, y)
        size = np.abs(one.coef_).max()
        assert_allclose(stopped.coef_[j], one.coef_, rtol=1e-8, atol=1e-8 * size)


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start(solver):
    X, Y = several()
    model = GDRegressor(solver, warm_start=True, random_state=0, max_iter=3).fit(X, Y)
    loss = model.loss_
    model.fit(X, Y)
    assert_allclose(model.loss_curve_[0], loss, rtol=1e-9)
    assert model.loss_ <= loss * (1 + 1e-12)
    with pytest.raises(ValueError, match="target"):
        model.fit(X, Y[:, :2])


# --- rows that do not fit a cache -----------------------------------------------------


@pytest.fixture(scope="module")
def large():
    """So many rows that an epoch visits them group by group, all targets on each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9000, 40))
    X[rng.random(X.shape) < 0.5] = 0.0
    assert X.size > 2 * 2**17
    Y = X @ rng.normal(size=(40, 3)) + rng.standard_t(4, size=(9000, 3)) + 1.0
    return X, Y * [1.0, 10.0, 100.0]


@ignore_convergence
@pytest.mark.parametrize(
    ("solver", "batch"), [(s, b) for s, b in EVERY_STEP if s != "newton"]
)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize(
    ("loss", "penalty", "learning_rate"),
    [
        ("squared_error", "l2", "auto"),
        ("huber", "l1", 1e-3),
        ("quantile", None, "auto"),
    ],
)
def test_targets_do_not_meet_in_groups_of_rows(
    large, solver, batch, container, loss, penalty, learning_rate
):
    X, Y = large
    model = GDRegressor(
        solver,
        loss=loss,
        penalty=penalty,
        alpha=0.01,
        epsilon=10.0,  # to find each its own takes ten times as long as the fits
        learning_rate=learning_rate,
        batch_size=batch,
        max_iter=3,
        tol=None,
        random_state=0,
    )
    same_as_one_by_one(model, container(X), Y)


@ignore_convergence
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch", [1, 100])
def test_targets_do_not_meet_in_groups_of_weighted_rows(large, shuffle, batch):
    X, Y = large
    s = np.arange(len(X)) % 3.0
    model = GDRegressor(
        "sgd", batch_size=batch, shuffle=shuffle, max_iter=3, tol=None, random_state=0
    )
    same_as_one_by_one(model, X.astype(np.float32), Y, s)


# --- streams of newton, curves --------------------------------------------------------


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_newton_is_exact_over_a_stream(container):
    X, Y = several()
    s = np.arange(120) % 3.0
    stream = GDRegressor("newton", alpha=0.1)
    for rows in np.split(np.arange(120), [1, 7, 40]):
        # The first row has no weight: then there is nothing to learn.
        if s[rows].any():
            stream.partial_fit(container(X[rows]), Y[rows], s[rows])
    once = GDRegressor("newton", alpha=0.1).fit(container(X), Y, s)
    assert stream.coef_.shape == (3, 4)
    assert_allclose(stream.coef_, once.coef_, rtol=1e-9)
    assert_allclose(stream.intercept_, once.intercept_, rtol=1e-9)


@ignore_convergence
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
def test_the_curve_is_the_sum_of_the_curves(solver, batch):
    """A target that has stopped stays where it ended."""
    X, Y = several()
    model = GDRegressor(solver, batch_size=batch, random_state=0, max_iter=200)
    ones = same_as_one_by_one(model, X, Y)
    total = np.zeros(model.n_iter_ + 1)
    for one in ones:
        curve = np.asarray(one.loss_curve_)
        total += np.append(curve, np.full(len(total) - len(curve), curve[-1]))
    assert_allclose(model.loss_curve_, total, rtol=1e-8)


def test_scores_and_refusals():
    X, Y = several()
    model = GDRegressor("momentum").fit(X, Y)
    each = [GDRegressor("momentum").fit(X, y).score(X, y) for y in Y.T]
    assert_allclose(model.score(X, Y), np.mean(each), rtol=1e-6)
    with pytest.raises(ValueError, match=r"dim|2"):
        model.fit(X, Y[:, :, None])
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, Y[:-1])
