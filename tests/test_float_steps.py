"""Float steps of every loss and penalty are those of a loop in plain NumPy."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from convex import ALL, PIECEWISE_LINEAR, Problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from test_matrix import (
    EPSILON,
    EVERY_STEP,
    FIRST_ORDER,
    FULL_BATCH,
    STOCHASTIC,
    ignore_convergence,
    problem,
    takes,
)

from sklearn_gd import GDRegressor

pytestmark = ignore_convergence
PENALTIES = [(None, False), (None, True), ("l1", False), ("l1", True)]
PENALTIES += [("elasticnet", False), ("elasticnet", True)]


def step(solver, w, g, kink, positive, state, eta):
    """One step of the table of rules, and its prox where there is a kink or a bound.

    g is the gradient without the kink, which adds ``kink`` · |w_j|.
    """
    # The subgradient of F of least size: what G measures, since it is 0 at the optimum.
    at_zero = np.sign(g) * np.maximum(np.abs(g) - kink, 0.0)
    if positive:
        held = np.arange(len(w)) < len(w) - 1  # all but the intercept
        at_zero = np.where(held, np.minimum(g + kink, 0.0), at_zero)
    least = np.where(w == 0.0, at_zero, g + kink * np.sign(w))
    if solver == "adagrad":
        state["G"] = state.get("G", 0.0) + least**2
        eta = eta / np.sqrt(state["G"] + 1e-16)
    if solver == "rmsprop":
        state["G"] = 0.9 * state.get("G", 0.0) + 0.1 * least**2
        eta = eta / np.sqrt(state["G"] + 1e-16)
    new = w - eta * g
    if solver == "momentum":
        new += 0.9 * (w - state.get("w_prev", w))
        state["w_prev"] = w
    new = np.sign(new) * np.maximum(np.abs(new) - eta * kink, 0.0)
    if positive:
        new[:-1] = np.maximum(new[:-1], 0.0)
    return new


def loop(known, solver, batch, eta, epochs):
    """Return w and b behind it, the rows visited in their order."""
    n, d = known.X.shape
    s = np.ones(n) if known.s is None else known.s
    kept = np.flatnonzero(s)
    scaled = s / s[kept].mean()
    kink = np.append(np.full(d, known.shares[0]), 0.0)
    w, state = np.zeros(d + 1), {}
    for _ in range(epochs):
        for first in range(0, len(kept), batch or n):
            rows = kept[first : first + (batch or n)]
            # The mean over the rows of the batch, of gradients that are weighted.
            part = replace(known, X=known.X[rows], y=known.y[rows], s=scaled[rows])
            bare = replace(part, penalty=None)
            share = scaled[rows].mean()
            g = share * np.append(*bare.smooth_gradient(w[:d], w[d]))
            g[:d] += known.shares[1] * w[:d]
            w = step(solver, w, g, kink, known.positive, state, eta)
    return w


def model_of(known, solver, batch=None, **parameters):
    return GDRegressor(
        solver,
        loss=known.loss,
        penalty=known.penalty,
        alpha=known.alpha,
        positive=known.positive,
        quantile=known.quantile,
        epsilon=EPSILON.get(known.loss, "auto"),
        batch_size=batch,
        tol=None,
        random_state=0,
        **parameters,
    )


def fitted(model):
    return np.append(model.coef_, model.intercept_)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("penalty", "positive"), PENALTIES)
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_steps_on_all_rows(solver, loss, penalty, positive):
    """With a kink of the loss, the textbook's subgradient steps.

    Not many of them: RMSprop's sign-like steps near the optimum multiply roundings.
    """
    known = problem(loss, penalty, positive, True, True)
    model = model_of(known, solver, learning_rate=0.05, max_iter=25)
    model.fit(known.X, known.y, known.s)
    expected = loop(known, solver, None, 0.05, 25)
    assert_allclose(fitted(model), expected, rtol=1e-10, atol=1e-12)
    assert_array_equal(model.coef_ == 0.0, expected[:-1] == 0.0)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("penalty", "positive"), PENALTIES)
@pytest.mark.parametrize(("solver", "batch"), STOCHASTIC)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_steps_on_batches(solver, batch, loss, penalty, positive, container):
    """On rows of CSR too, where the step must move absent coordinates all the same."""
    known = problem(loss, penalty, positive, True, True)
    model = model_of(
        known, solver, batch, learning_rate=0.01, shuffle=False, max_iter=2
    )
    model.fit(container(known.X), known.y, known.s)
    size = batch or {"sgd": 1, "minibatch": 32}[solver]
    expected = loop(known, solver, size, 0.01, 2)
    assert_allclose(fitted(model), expected, rtol=1e-10, atol=1e-12)
    assert_array_equal(model.coef_ == 0.0, expected[:-1] == 0.0)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize("free", [True, False])
def test_sparse_rows_make_the_same_steps(
    solver, batch, loss, penalty, learning_rate, free
):
    if not takes(solver, loss, penalty, positive=False):
        return
    known = problem(loss, penalty, False, False, free)
    model = model_of(known, solver, batch, learning_rate=learning_rate, max_iter=4)
    model.set_params(fit_intercept=free)
    dense = fitted(model.fit(known.X, known.y))
    wide = sparse.csr_array(known.X)
    wide.indices, wide.indptr = wide.indices.astype(int), wide.indptr.astype(int)
    for X in (sparse.csr_array(known.X), wide):
        assert_allclose(fitted(model.fit(X, known.y)), dense, rtol=1e-8, atol=1e-11)


def test_columns_that_most_rows_do_not_have():
    """300 columns, of which a row has three: what is absent shrinks every step."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((400, 300)) < 0.01, rng.normal(size=(400, 300)), 0.0)
    y = X[:, :20].sum(axis=1) + 0.1 * rng.normal(size=400)
    for solver, batch in STOCHASTIC:
        known = Problem(X, y, penalty="l1", alpha=1e-3, quantile=0.3)
        model = model_of(known, solver, batch, learning_rate=0.05, shuffle=False)
        model.set_params(max_iter=3).fit(sparse.csr_array(X), y)
        size = batch or {"sgd": 1, "minibatch": 32}[solver]
        expected = loop(known, solver, size, 0.05, 3)
        assert_allclose(fitted(model), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", PIECEWISE_LINEAR)
@pytest.mark.parametrize(("penalty", "positive"), [(None, False), ("l1", True)])
@pytest.mark.parametrize("solver", FIRST_ORDER)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_streams_of_kinked_losses(solver, loss, penalty, positive, copied):
    """A call is an epoch of fit, whether or not the model was stored in between."""
    known = problem(loss, penalty, positive, True, True)
    stream = model_of(known, solver, learning_rate=0.02)
    for _ in range(4):
        stream = copied(stream.partial_fit(known.X, known.y, known.s))
    once = model_of(known, solver, learning_rate=0.02, max_iter=4)
    once.fit(known.X, known.y, known.s)
    assert_allclose(fitted(stream), fitted(once), rtol=1e-12, atol=1e-15)
    assert stream.t_ == once.t_


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
def test_automatic_streams_learn(solver, batch, loss):
    """Chunk by chunk, they end far below the best constant."""
    if not takes(solver, loss, None, positive=False):
        return
    known = problem(loss, None, False, False, True)
    model = model_of(known, solver, batch)
    for _ in range(20):
        for rows in np.split(np.arange(200), 4):
            model.partial_fit(known.X[rows], known.y[rows])
    assert known.gap(model.coef_, model.intercept_) < 0.15
    again = pickle.loads(pickle.dumps(model))
    model.partial_fit(known.X, known.y)
    again.partial_fit(known.X, known.y)
    assert_array_equal(fitted(again), fitted(model))


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
def test_models_are_stored_without_compiled_objects(solver, batch, loss):
    if not takes(solver, loss, None, positive=False):
        return
    known = problem(loss, None, False, False, True)
    model = model_of(known, solver, batch, max_iter=3, store_path=True)
    model.fit(known.X, known.y)
    stored = pickle.dumps(model)
    assert b"sklearn_gd._core" not in stored
    assert_array_equal(pickle.loads(stored).predict(known.X), model.predict(known.X))
