"""Every rule against its textbook loop, step by step."""

import pickle

import numpy as np
import pytest
import textbook
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import SGDRegressor
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

# rmsprop's is small enough not to reach in 50 steps the optimum, where g/√G is the sign
# of a rounding error and no two programs agree.
ETA = {"newton": 0.5, "adagrad": 0.3, "rmsprop": 0.005}
BATCHABLE = [name for name, solver in SOLVERS.items() if not solver.second_order]


def table(n=23, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 0.3
    y = X @ rng.normal(size=d) + rng.normal(size=n) + 1.5
    s = rng.uniform(0.2, 3.0, size=n)
    return X, y, s


def assert_textbook(model, X, y, s, **how):
    w, b = textbook.fit(model.solver, X, y, s=s, **how)
    assert_allclose(model.coef_, w, rtol=1e-10)
    assert_allclose(model.intercept_, b, rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_full_batch(solver, fit_intercept, weighted, alpha, steps):
    X, y, s = table()
    eta = ETA.get(solver, 0.1)
    model = GDRegressor(
        solver,
        learning_rate=eta,
        alpha=alpha,
        fit_intercept=fit_intercept,
        max_iter=steps,
        tol=None,
        batch_size=None if solver == "newton" else len(y),
    ).fit(X, y, s if weighted else None)
    assert_textbook(
        model,
        X,
        y,
        s if weighted else None,
        eta=eta,
        epochs=steps,
        alpha=alpha,
        fit_intercept=fit_intercept,
    )
    assert model.n_iter_ == model.t_ == steps


@pytest.mark.parametrize("solver", BATCHABLE)
@pytest.mark.parametrize("batch", [1, 7, 23])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_batches(solver, batch, fit_intercept, weighted, alpha, container):
    X, y, s = table()
    eta = {"adagrad": 0.3, "rmsprop": 1e-3, "momentum": 0.002}.get(solver, 0.02)
    for epochs in (1, 2, 50):
        model = GDRegressor(
            solver,
            learning_rate=eta,
            alpha=alpha,
            fit_intercept=fit_intercept,
            batch_size=batch,
            shuffle=False,
            max_iter=epochs,
            tol=None,
        ).fit(container(X), y, s if weighted else None)
        assert_textbook(
            model,
            X,
            y,
            s if weighted else None,
            eta=eta,
            epochs=epochs,
            batch=batch,
            alpha=alpha,
            fit_intercept=fit_intercept,
        )
        assert model.t_ == epochs * -(-len(y) // batch)


@pytest.mark.parametrize("solver", BATCHABLE)
@pytest.mark.parametrize("batch", [7, 23])
def test_parameters_and_schedule(solver, batch):
    X, y, _ = table()
    given = {"momentum": 0.5, "rho": 0.7, "eps": 1e-3}
    used = {k: v for k, v in given.items() if k in SOLVERS[solver].rule.parameters}
    model = GDRegressor(
        solver,
        learning_rate=0.05,
        schedule="invscaling",
        power_t=0.3,
        batch_size=batch,
        shuffle=False,
        max_iter=10,
        tol=None,
        **given,
    ).fit(X, y)
    assert_textbook(
        model, X, y, None, eta=0.05, epochs=10, batch=batch, power=0.3, **used
    )
    assert_allclose(model.learning_rate_, 0.05 / model.t_**0.3)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_sgd_is_sgdregressor(alpha, fit_intercept, container):
    if container is sparse.csr_array and fit_intercept:
        fit_intercept = False  # there SGDRegressor damps the intercept's step
    X, y, _ = table(n=200)
    ours = GDRegressor(
        "sgd",
        learning_rate=0.01,
        alpha=alpha,
        fit_intercept=fit_intercept,
        shuffle=False,
        max_iter=5,
        tol=None,
    ).fit(container(X), y)
    theirs = SGDRegressor(
        learning_rate="constant",
        eta0=0.01,
        penalty="l2" if alpha else None,
        alpha=alpha or 1e-4,
        fit_intercept=fit_intercept,
        shuffle=False,
        max_iter=5,
        tol=None,
    ).fit(container(X), y)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)
    assert_allclose(ours.intercept_, np.ravel(theirs.intercept_)[0], rtol=1e-10)
    assert ours.t_ == theirs.t_ - 1


# --- worked by hand -------------------------------------------------------------------

G1, G2 = np.array([3.0, -4.0]), np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        (Descent(2), [0.7, 1.4], [0.6, 1.2]),
        # m = (3, −4), then ½ (3, −4) + (1, 2) = (2.5, 0)
        (Momentum(2, momentum=0.5), [0.7, 1.4], [0.45, 1.4]),
        # √G = (3, 4), then √(10, 20)
        (AdaGrad(2), [0.9, 1.1], [0.9 - 0.1 / 10**0.5, 1.1 - 0.2 / 20**0.5]),
        # G = (4.5, 8), then (2.75, 6)
        (
            RMSprop(2, rho=0.5),
            [1 - 0.3 / 4.5**0.5, 1 + 0.4 / 8**0.5],
            [1 - 0.3 / 4.5**0.5 - 0.1 / 2.75**0.5, 1 + 0.4 / 8**0.5 - 0.2 / 6**0.5],
        ),
    ],
)
def test_first_steps(rule, first, second):
    w = np.ones(2)
    rule.apply(w, G1, 0.1)
    assert_allclose(w, first, rtol=1e-14)
    rule.apply(w, G2, 0.1)
    assert_allclose(w, second, rtol=1e-14)


@pytest.mark.parametrize("rule", [Descent(2), Momentum(2), AdaGrad(2), RMSprop(2)])
def test_state_is_all_that_a_rule_remembers(rule):
    w = np.ones(2)
    rule.apply(w, G1, 0.1)
    twin = type(rule)(2)
    twin.state = rule.state
    v = w.copy()
    rule.apply(w, G2, 0.1)
    twin.apply(v, G2, 0.1)
    assert_allclose(v, w, rtol=0)


@pytest.mark.parametrize("rule", [Descent(2), Momentum(2), AdaGrad(2), RMSprop(2)])
def test_wrong_sizes_are_refused(rule):
    with pytest.raises(ValueError, match="2 coordinates"):
        rule.apply(np.ones(3), np.ones(3), 0.1)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kinked", [False, True])
def test_a_rule_goes_on_where_it_is_sent_to(solver, kinked):
    """Its parameters, its state, the prox, and what automatic steps told it."""
    kind, rng = SOLVERS[solver].rule, np.random.default_rng(0)
    given = {"momentum": 0.7, "rho": 0.6, "eps": 1e-3}
    rule = kind(4, **{name: given[name] for name in kind.parameters})
    rule.end_with_prox(Penalty(0.2 if kinked else 0.0, 0.1), 3)
    for name in kind.guides:
        setattr(rule, name, rng.uniform(1.0, 2.0, size=4))
    w, g = rng.normal(size=(2, 4))
    rule.apply(w, g, 0.1)
    other, there = pickle.loads(pickle.dumps(rule)), w.copy()
    for _ in range(3):
        for one, at in ((rule, w), (other, there)):
            one.apply(at, g, 0.1)
            one.visit(at)
        assert_array_equal(there, w)
