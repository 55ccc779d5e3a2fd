"""Float steps of any size: what is returned, and what the warning says."""

import re
import warnings
from functools import cache

import numpy as np
import pytest
import tables
from convex import ALL
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import GDRegressor, _geometry

TABLES = ["diabetes", "engel", "longley", "stackloss"]
FULL_BATCH = [("gd", None), ("momentum", 0.5), ("momentum", 0.9), ("newton", None)]
BATCHES = [("sgd", None, 0.0), ("minibatch", None, 0.0), ("gd", 8, 0.0)]
BATCHES += [("momentum", 1, 0.9), ("momentum", 8, 0.5)]


def fit(X, y, solver, **parameters):
    """Return the fitted model and the texts of its ConvergenceWarnings."""
    parameters.setdefault("random_state", 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GDRegressor(solver, **parameters).fit(X, y)
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.loss_)
    return model, [str(warning.message) for warning in caught]


def objective(X, y, model):
    return 0.5 * np.mean((y - model.predict(X)) ** 2)


@cache
def steepest(name):
    """The largest eigenvalue of the Hessian, and the largest squared row."""
    X, _ = tables.standardised(name)
    A = np.c_[X, np.ones(len(X))]
    return np.linalg.eigvalsh(A.T @ A / len(A))[-1], (A**2).sum(axis=1).max()


def largest_stable(name, solver, momentum):
    """2/L, 2 (1 + λ)/L, or 2 for newton."""
    if solver == "newton":
        return 2.0
    return 2.0 * (1.0 + (momentum or 0.0)) / steepest(name)[0]


def sufficient(name, solver, batch, momentum):
    """(1 − λ)/L_B, L_B the expected smoothness of B rows of n (Gower et al. 2019)."""
    n = len(tables.raw(name)[0])
    B = min(batch or {"sgd": 1, "minibatch": 32}[solver], n)
    L, row = steepest(name)
    L_B = ((n - B) * row + n * (B - 1) * L) / (B * (n - 1))
    return (1.0 - momentum) / L_B


def use_the_named_step(X, y, text, solver, **parameters):
    """The step that the warning names makes F fall."""
    named = re.search(r"use learning_rate=(\S+) or less", text).group(1)
    parameters["learning_rate"] = float(named)
    model, texts = fit(X, y, solver, **parameters)
    assert model.loss_ < model.loss_curve_[0]
    assert not any("diverged" in text or "ended" in text for text in texts)


# --- all rows -------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("solver", "momentum"), FULL_BATCH)
@pytest.mark.parametrize("factor", [0.01, 0.5, 0.99])
def test_stable_steps_end_below_the_start(name, solver, momentum, factor):
    X, y = tables.standardised(name)
    step = factor * largest_stable(name, solver, momentum)
    more = {} if momentum is None else {"momentum": momentum}
    model, texts = fit(X, y, solver, learning_rate=step, **more)
    assert objective(X, y, model) < 0.5 * np.mean(y**2)
    assert all(re.match("Not converged in max_iter=|The fit stopped", t) for t in texts)
    assert len(texts) <= 1
    best = GDRegressor("newton").fit(X, y).loss_
    assert texts or model.loss_ - best < 1e-3 * y.var() / 2


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("solver", "momentum"), FULL_BATCH)
@pytest.mark.parametrize(("factor", "max_iter"), [(1.01, 2000), (2, 1000), (1e4, 1000)])
@pytest.mark.parametrize("tol", [1e-4, None])
def test_longer_steps_end_at_their_best_iterate(
    name, solver, momentum, factor, max_iter, tol
):
    X, y = tables.standardised(name)
    y = y + y.std()  # else a table with y along the flattest direction ends at once
    parameters = {} if momentum is None else {"momentum": momentum}
    parameters |= {"max_iter": max_iter, "tol": tol}
    step = factor * largest_stable(name, solver, momentum)
    model, texts = fit(X, y, solver, learning_rate=step, **parameters)
    (text,) = texts
    assert model.stop_reason_ == "diverged"
    lowest = min(F for F in model.loss_curve_ if np.isfinite(F))
    assert model.loss_ <= lowest * (1 + 1e-9)
    assert abs(objective(X, y, model) - lowest) <= 1e-9 * lowest
    use_the_named_step(X, y, text, solver, **parameters)


@pytest.mark.parametrize("tol", [1e-4, None])
def test_few_steps_that_are_too_long(tol):
    """They are undone, unless just so many were asked for: then F may end higher."""
    X, y = tables.standardised("diabetes")
    step = 2 * largest_stable("diabetes", "gd", None)
    model, (text,) = fit(X, y, "gd", learning_rate=step, max_iter=3, tol=tol)
    assert (model.loss_ > model.loss_curve_[0]) == (tol is None)
    use_the_named_step(X, y, text, "gd", max_iter=3, tol=tol)


def test_ripples_are_not_divergence():
    """F rises to many times its start on the way, and comes back."""
    X, y = tables.standardised("longley")
    rng = np.random.default_rng(0)
    y = 1e-6 * rng.normal(size=len(y)) + X @ np.linalg.svd(X)[2][0]
    step = 0.9 * largest_stable("longley", "momentum", 0.999)
    model, texts = fit(
        X, y, "momentum", learning_rate=step, momentum=0.999, max_iter=20_000
    )
    curve = np.array(model.loss_curve_)
    assert (np.diff(curve) > 0).sum() > 100
    assert curve[:-1].max() > curve[0]
    assert model.loss_ < 1e-3 * curve[0]
    assert not any("diverged" in text for text in texts)


# --- batches --------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("solver", "batch", "momentum"), BATCHES)
@pytest.mark.parametrize("factor", [0.01, 0.5, 0.99])
def test_sufficient_steps_end_below_the_start(name, solver, batch, momentum, factor):
    X, y = tables.standardised(name)
    step = factor * sufficient(name, solver, batch, momentum)
    more = {"momentum": momentum} if momentum else {}
    model, texts = fit(
        X, y, solver, learning_rate=step, batch_size=batch, max_iter=50, **more
    )
    assert objective(X, y, model) < 0.5 * np.mean(y**2)
    assert len(texts) <= 1
    assert all(re.match("Not converged in max_iter=|The fit stopped", t) for t in texts)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(("solver", "batch", "momentum"), BATCHES)
def test_steps_far_beyond_the_sufficient_one(name, solver, batch, momentum):
    X, y = tables.standardised(name)
    bound = sufficient(name, solver, batch, momentum)
    parameters = {"momentum": momentum} if momentum else {}
    parameters["batch_size"] = batch
    parameters["max_iter"] = 50
    model, (text,) = fit(X, y, solver, learning_rate=1e4 * bound, **parameters)
    assert "diverged" in text
    assert model.loss_ <= model.loss_curve_[0]
    named = float(re.search(r"stable step is (\S+):", text).group(1))
    if solver == "minibatch" and len(X) <= 32:  # these are all rows
        bound = largest_stable(name, solver, momentum)
    else:
        assert "surely stable step" in text
    assert 0.98 * bound <= named <= bound
    use_the_named_step(X, y, text, solver, **parameters)


# --- adagrad and rmsprop: no bound ----------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("solver", ["adagrad", "rmsprop"])
@pytest.mark.parametrize("batch", [None, 8])
@pytest.mark.parametrize("power", range(-8, 9, 2))
def test_adaptive_rules_say_when_they_end_far_away(name, solver, batch, power):
    X, y = tables.standardised(name)
    model, texts = fit(
        X, y, solver, learning_rate=10.0**power, batch_size=batch, max_iter=100
    )
    assert objective(X, y, model) <= model.loss_curve_[0] * (1 + 1e-12)
    gap = model.loss_ - GDRegressor("newton").fit(X, y).loss_
    assert len(texts) == 1 if gap > 1.01e-2 * y.var() / 2 else len(texts) <= 1
    for text in texts:
        assert "learning_rate='auto'" in text or "condition number" in text
        assert "stable" not in text


# --- stops on a plateau ---------------------------------------------------------------

SLOW = [("adagrad", 1e-3, 16), ("adagrad", 1e-2, 64), ("gd", 1e-8, 16)]
SLOW += [("sgd", 1e-9, None), ("momentum", 1e-9, 16)]
NOISY = [("rmsprop", 30.0, 16), ("gd", 0.15, 8)]
PLATEAUS = [(*how, schedule) for how in SLOW for schedule in ("constant", "adaptive")]
PLATEAUS += [(*how, "constant") for how in NOISY]


@pytest.mark.parametrize(("solver", "step", "batch", "schedule"), PLATEAUS)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize("gram", [True, False])
def test_a_plateau_is_not_trusted(
    solver, step, batch, schedule, container, gram, monkeypatch
):
    X, y = tables.standardised("diabetes")
    if not gram:
        monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    model, (text,) = fit(
        container(X),
        y,
        solver,
        learning_rate=step,
        batch_size=batch,
        schedule=schedule,
    )
    assert model.stop_reason_.startswith("converged")
    said = float(re.search(r"optimum by (\S+) times", text).group(1))
    gap = (model.loss_ - GDRegressor("newton").fit(X, y).loss_) / (y.var() / 2)
    if gram:
        assert abs(said - gap) <= 0.06 * gap
    else:
        assert 0.01 < said <= 1.06 * gap


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("positive", [False, True])
def test_a_plateau_of_every_loss(loss, penalty, positive):
    """Far from the optimum it is told, and near it nothing is said."""
    if positive and penalty == "l2":
        penalty = None
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y = 5.0 + X @ [1.0, 2.0, 3.0, 0.0] + 0.5 * rng.normal(size=400)
    parameters = {
        "loss": loss,
        "penalty": penalty,
        "positive": positive,
        "alpha": 0.01,
        "batch_size": 16,
    }
    _, (text,) = fit(X, y, "gd", learning_rate=1e-8, **parameters)
    assert re.match("The fit stopped after 5 epochs with F still above", text)
    _, texts = fit(X, y, "gd", learning_rate=0.02, **parameters)
    assert not texts


def test_a_plateau_with_many_rows():
    """There a sample of the rows says how far the optimum is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5))
    y = X.sum(axis=1) + rng.normal(size=20_000)
    model, (text,) = fit(X, y, "minibatch", learning_rate=1e-9)
    said = float(re.search(r"optimum by (\S+) times", text).group(1))
    gap = (model.loss_ - GDRegressor("newton").fit(X, y).loss_) / (y.var() / 2)
    assert abs(said - gap) < 0.3 * gap
    assert not fit(X, y, "minibatch", learning_rate=1e-3)[1]


def test_a_small_gradient_is_not_trusted():
    """y lies in the flattest direction, where every gradient is small."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(100, 3)))[0]
    R = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    X = Q * [1.0, 1.0, 1e-3] @ R
    for solver, step in [("gd", 50.0), ("newton", 0.01)]:
        model, (text,) = fit(
            X, Q[:, 2], solver, learning_rate=step, fit_intercept=False, tol=0.01
        )
        assert model.stop_reason_ == "converged: the gradient is below tol"
        assert "above the optimum by" in text


# --- the texts ------------------------------------------------------------------------

NUMBER = r"\d[\d.e+-]*"
TEXTS = {
    "too long": (
        {"solver": "gd", "learning_rate": 10.0},
        "The fit diverged with learning_rate=10: F rose from # to # in # iterations. "
        "The best iterate before that is returned. The largest stable step is #: use "
        "learning_rate=# or less, or learning_rate='auto'.",
    ),
    "past any number": (
        {"solver": "sgd", "learning_rate": 1e300},
        "The fit diverged with learning_rate=1e+300: F rose from # past any number in "
        "1 epoch. The best iterate before that is returned. The surely stable step is "
        "#: use learning_rate=# or less, or learning_rate='auto'.",
    ),
    "no bound": (
        {"solver": "rmsprop", "learning_rate": 1e8},
        "The fit diverged with learning_rate=1e+08: F rose from # to # in # "
        "iterations. The best iterate before that is returned. Use a smaller "
        "learning_rate, or learning_rate='auto'.",
    ),
    "asked for": (
        {"solver": "gd", "learning_rate": 1.0, "max_iter": 3, "tol": None},
        "F ended at #, above the # it began with, after 3 iterations with "
        "learning_rate=1. The largest stable step is #: use learning_rate=# or less, "
        "or learning_rate='auto'.",
    ),
    "too short": (
        {"solver": "gd", "learning_rate": 1e-4},
        "Not converged in max_iter=1000 iterations: the largest scaled component of "
        "the gradient is #, and tol=0.0001. Increase learning_rate (up to # is stable) "
        "or max_iter, or use learning_rate='auto' or solver='newton'.",
    ),
    "too few": (
        {"solver": "momentum", "learning_rate": 0.1, "max_iter": 9},
        "Not converged in max_iter=9 iterations: the largest scaled component of the "
        "gradient is #, and tol=0.0001. Increase max_iter, or use learning_rate='auto' "
        "or solver='newton'.",
    ),
    "slow": (
        {"solver": "gd", "learning_rate": 1e-7, "batch_size": 16},
        "The fit stopped after 5 epochs with F still above the optimum by # times F of "
        "a constant model. F still falls, but slowly: increase learning_rate (up to # "
        "is stable), or decrease tol, or use learning_rate='auto' or solver='newton'.",
    ),
    "noise": (
        {"solver": "gd", "learning_rate": 0.15, "batch_size": 8},
        "The fit stopped after # epochs with F still above the optimum by # times F of "
        "a constant model. F no longer falls with this step: decrease learning_rate, "
        "or set schedule='adaptive', or use learning_rate='auto' or solver='newton'.",
    ),
    "shrunk": (
        {"solver": "adagrad", "learning_rate": 1e-3, "schedule": "adaptive"},
        "The fit stopped after # iterations with F still above the optimum by # times "
        "F of a constant model. Increase learning_rate or n_iter_no_change, or "
        "decrease tol, or use learning_rate='auto' or solver='newton'.",
    ),
    "kinks": (
        {
            "solver": "adagrad",
            "learning_rate": 1e-3,
            "batch_size": 8,
            "penalty": "l1",
            "alpha": 0.1,
        },
        "The fit stopped after # epochs with F still above the optimum by # times F of "
        "a constant model. F still falls, but slowly: increase learning_rate, or "
        "decrease tol, or use learning_rate='auto'.",
    ),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case):
    parameters, expected = TEXTS[case]
    X, y = tables.standardised("diabetes")
    _, (text,) = fit(X, y, **parameters)
    pattern = re.escape(expected).replace(r"\#", NUMBER)
    assert re.fullmatch(pattern, text), text
