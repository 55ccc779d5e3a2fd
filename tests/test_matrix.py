"""Every solver × loss × penalty × sign × container × weights × intercept.

``combinations`` goes through every solver × loss × penalty × sign that is allowed, and
deals out the eight versions of the data so that each solver × loss meets all of them.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import tables
from convex import ALL, PIECEWISE_LINEAR, SMOOTH, Problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
NEWTON = [name for name, solver in SOLVERS.items() if solver.second_order]
FIRST_ORDER = [name for name in SOLVERS if name not in NEWTON]
FULL_BATCH = [name for name in FIRST_ORDER if SOLVERS[name].batch_size is None]
# A solver and its batch_size.
STOCHASTIC = [(name, 16 if name in FULL_BATCH else None) for name in FIRST_ORDER]
EVERY_STEP = STOCHASTIC + [(name, None) for name in FULL_BATCH + NEWTON]
CELLS = list(product([None, "l2", "l1", "elasticnet"], [False, True]))
VERSIONS = list(product([np.array, sparse.csr_array], [False, True], [False, True]))
COMMON = {"alpha": 0.1, "quantile": 0.3, "random_state": 0}
EPSILON = {"huber": 1.0, "epsilon_insensitive": 0.5, "squared_epsilon_insensitive": 0.5}


def takes(solver, loss, penalty, positive):
    """Whether the combination is allowed; its penalty counts for something."""
    smooth = loss in SMOOTH and penalty in (None, "l2") and not positive
    return smooth or solver not in NEWTON


def combinations(solvers, losses):
    """Return pytest's parameters ``parameters, container, weighted``."""
    found = []
    for (i, solver), (j, loss) in product(enumerate(solvers), enumerate(losses)):
        name, batch = solver if isinstance(solver, tuple) else (solver, None)
        for k, (penalty, positive) in enumerate(CELLS):
            if not takes(name, loss, penalty, positive):
                continue
            container, weighted, intercept = VERSIONS[(i + 3 * j + k) % len(VERSIONS)]
            words = [name, loss, penalty or "none"]
            words += ["positive"] * positive + [f"batch={batch}"] * (batch is not None)
            parameters = {
                "solver": name,
                "loss": loss,
                "penalty": penalty,
                "positive": positive,
                "fit_intercept": intercept,
                "batch_size": batch,
                **COMMON,
                "epsilon": EPSILON.get(loss, "auto"),
            }
            found.append(
                pytest.param(parameters, container, weighted, id="-".join(words))
            )
    return found


@cache
def problem(loss, penalty, positive, weighted, fit_intercept):
    """200 rows, a third of their entries 0, integer weights, noise with tails."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    X[:, 1] += 0.5 * X[:, 0]
    X[rng.random(X.shape) < 0.3] = 0.0
    y = X @ [2.0, -1.5, 1.0, 0.0, 0.02] + rng.standard_t(4, size=200)
    return Problem(
        X,
        y + 3.0 * fit_intercept,
        rng.integers(0, 4, size=200).astype(float) if weighted else None,
        loss,
        penalty,
        alpha=0.1,
        epsilon=EPSILON.get(loss, 0.0),
        quantile=0.3,
        positive=positive,
        fit_intercept=fit_intercept,
    )


def solved(parameters, container, weighted, **more):
    """Return the fitted model and its problem, after a look at what must hold."""
    model = GDRegressor(**{**parameters, **more})
    known = problem(
        model.loss, model.penalty, model.positive, weighted, model.fit_intercept
    )
    model.fit(container(known.X), known.y, known.s)
    F = known.objective(model.coef_, model.intercept_)
    assert_allclose(model.loss_, F, rtol=1e-9)
    assert F >= known.optimum[2] * (1.0 - 1e-8)
    assert not model.positive or (model.coef_ >= 0.0).all()
    assert model.fit_intercept or model.intercept_ == 0.0
    return model, known


def gap(*arguments, **more):
    model, known = solved(*arguments, **more)
    return known.gap(model.coef_, model.intercept_)


# --- the optimum ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "container", "weighted"), combinations(FULL_BATCH + NEWTON, SMOOTH)
)
def test_smooth_losses_converge(parameters, container, weighted):
    model, known = solved(parameters, container, weighted, tol=1e-9, max_iter=20_000)
    assert known.gap(model.coef_, model.intercept_) < 1e-6
    assert known.distance(model.coef_, model.intercept_) < 1e-8
    assert model.stop_reason_.startswith("converged")
    # Coefficients that are 0 at the optimum with room to spare are 0, not just small.
    w, b, _ = known.optimum
    idle = known.room(w, b) > 0.1
    assert_array_equal(model.coef_[idle], 0.0)


@pytest.mark.parametrize(
    ("parameters", "container", "weighted"), combinations(FULL_BATCH + NEWTON, SMOOTH)
)
def test_smooth_losses_with_defaults(parameters, container, weighted):
    assert gap(parameters, container, weighted) < 1e-4


@ignore_convergence
@pytest.mark.parametrize(
    ("parameters", "container", "weighted"), combinations(STOCHASTIC, SMOOTH)
)
def test_smooth_losses_by_batches(parameters, container, weighted):
    gaps = [
        gap(parameters, container, weighted, random_state=seed) for seed in range(5)
    ]
    assert np.mean(gaps) < 1e-3


@ignore_convergence
@pytest.mark.parametrize(
    ("parameters", "container", "weighted"), combinations(FULL_BATCH, PIECEWISE_LINEAR)
)
def test_piecewise_linear_losses(parameters, container, weighted):
    assert gap(parameters, container, weighted) < 1e-2


@ignore_convergence
@pytest.mark.parametrize(
    ("parameters", "container", "weighted"), combinations(STOCHASTIC, PIECEWISE_LINEAR)
)
def test_piecewise_linear_losses_by_batches(parameters, container, weighted):
    gaps = [
        gap(parameters, container, weighted, random_state=seed) for seed in range(3)
    ]
    assert np.mean(gaps) < 1e-2


@ignore_convergence
@pytest.mark.parametrize(
    ("parameters", "container", "weighted"),
    combinations(["momentum", "adagrad"], PIECEWISE_LINEAR),
)
def test_piecewise_linear_losses_with_patience(parameters, container, weighted):
    assert gap(parameters, container, weighted, tol=1e-9, max_iter=10_000) < 1e-4


@ignore_convergence
@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(("solver", "batch"), STOCHASTIC + [(s, None) for s in SOLVERS])
def test_a_penalty_that_costs_nothing_changes_nothing(solver, batch, loss):
    """Newton takes these as well: there is no kink in them."""
    if not takes(solver, loss, None, positive=False):
        return
    known = problem(loss, None, False, True, True)
    common = {"batch_size": batch, "loss": loss, "random_state": 0, "max_iter": 50}
    fits = [
        GDRegressor(solver, penalty=penalty, alpha=alpha, l1_ratio=ratio, **common)
        for penalty, alpha, ratio in [
            (None, 1.0, 0.5),
            ("l2", 0.0, 0.5),
            ("l1", 0.0, 0.5),
            ("elasticnet", 0.0, 0.5),
            ("l2", 0.1, 0.5),
            ("elasticnet", 0.1, 0.0),
        ]
    ]
    coefs = [model.fit(known.X, known.y, known.s).coef_ for model in fits]
    for coef in coefs[1:4]:
        assert_allclose(coef, coefs[0], rtol=1e-7, atol=1e-9)
    assert_allclose(coefs[5], coefs[4], rtol=1e-7, atol=1e-9)


# --- zeros ----------------------------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(
    ("solver", "batch"), STOCHASTIC + [(s, None) for s in FULL_BATCH]
)
def test_a_large_l1_penalty_leaves_the_best_constant(solver, batch, loss):
    known = problem(loss, None, False, True, True)
    largest = np.abs(known.smooth_gradient(np.zeros(5), known.constant[0])[0]).max()
    for penalty, share in [("l1", 0.5), ("elasticnet", 0.5)]:
        model = GDRegressor(
            solver,
            loss=loss,
            penalty=penalty,
            alpha=4.0 * largest + 1.0,
            l1_ratio=share,
            batch_size=batch,
            epsilon=EPSILON.get(loss, "auto"),
            quantile=0.3,
            random_state=0,
        ).fit(known.X, known.y, known.s)
        assert_array_equal(model.coef_, np.zeros(5))
        assert_allclose(model.loss_, known.constant[1], rtol=1e-9)


@ignore_convergence
@pytest.mark.parametrize("loss", SMOOTH)
@pytest.mark.parametrize(("solver", "batch"), STOCHASTIC)
def test_batches_too_leave_exact_zeros(solver, batch, loss):
    known = replace(problem(loss, "l1", False, False, True), alpha=0.3)
    w, b, _ = known.optimum
    idle = known.room(w, b) > 0.5
    assert 0 < idle.sum() < 5
    model = GDRegressor(
        solver,
        loss=loss,
        penalty="l1",
        alpha=0.3,
        epsilon=EPSILON.get(loss, "auto"),
        quantile=0.3,
        batch_size=batch,
        random_state=0,
    ).fit(known.X, known.y)
    assert_array_equal(model.coef_[idle], 0.0)


# --- no worse than a constant, in any unit --------------------------------------------


def rough():
    """Every combination with two of the raw tables."""
    names = [name for name in tables.NAMES if name not in ("randhie", "fair")]
    return [
        pytest.param(*known.values, names[(i + j) % len(names)], id=f"{known.id}-{j}")
        for i, known in enumerate(combinations([*SOLVERS, *STOCHASTIC], ALL))
        for j in (0, 6)
    ]


@cache
def constant(name, weighted, loss, fit_intercept, epsilon):
    X, y = tables.raw(name)
    s = np.arange(len(y)) % 3.0 if weighted else None
    kind = {"fit_intercept": fit_intercept, "epsilon": epsilon, "quantile": 0.3}
    return Problem(X, y, s, loss, **kind)


@ignore_convergence
@pytest.mark.parametrize(("parameters", "container", "weighted", "name"), rough())
def test_raw_tables_never_fare_worse_than_a_constant(
    parameters, container, weighted, name
):
    X, y = tables.raw(name)
    s = np.arange(len(y)) % 3.0 if weighted else None
    model = GDRegressor(**{**parameters, "epsilon": "auto", "max_iter": 100})
    model.fit(container(X), y, s)
    assert np.isfinite(model.coef_).all()
    kind = {key: parameters[key] for key in ("penalty", "alpha", "positive")}
    start = constant(
        name, weighted, model.loss, model.fit_intercept, getattr(model, "epsilon_", 0.0)
    )
    known = replace(start, **kind)
    assert model.loss_ <= start.constant[1] * (1.0 + 1e-9)
    F = known.objective(model.coef_, model.intercept_)
    assert_allclose(F, model.loss_, rtol=1e-7, atol=1e-9 * start.constant[1])
