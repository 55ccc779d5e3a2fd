"""The options of a fit, for a loss of each kind, and what is refused."""

import copy
import re

import numpy as np
import pytest
from convex import ALL, SMOOTH
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import huber
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.model_selection import ShuffleSplit
from test_matrix import EPSILON, EVERY_STEP, STOCHASTIC, ignore_convergence, problem

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

LOSSES = ("squared_error", "huber", "quantile")
pytestmark = ignore_convergence


def several(model_of):
    """Parametrise with every solver and batch that takes each of LOSSES."""
    cases = [
        (solver, batch, loss)
        for solver, batch in model_of
        for loss in LOSSES
        if not SOLVERS[solver].second_order or loss in SMOOTH
    ]
    return pytest.mark.parametrize(("solver", "batch", "loss"), cases)


def made(solver, batch, loss, **parameters):
    common = {"loss": loss, "batch_size": batch, "random_state": 0}
    return GDRegressor(solver, **common, **parameters)


def data():
    known = problem("squared_error", None, False, False, True)
    return known.X, known.y


# --- early stopping -------------------------------------------------------------------


def d2_score(model, y, f):
    """1 − (mean ℓ of f) / (mean ℓ of the best constant)."""
    if model.loss == "squared_error":
        return r2_score(y, f)
    if model.loss == "quantile":
        return d2_pinball_score(y, f, alpha=0.5)

    def mean(f):
        return huber(model.epsilon_, y - f).mean()

    best = minimize_scalar(mean, bounds=(y.min(), y.max()), options={"xatol": 1e-9})
    return 1.0 - mean(f) / best.fun


@several(EVERY_STEP)
def test_early_stopping_keeps_the_best_model(solver, batch, loss):
    X, y = data()
    model = made(solver, batch, loss, early_stopping=True, validation_fraction=0.25)
    model.fit(X, y)
    scores = np.asarray(model.validation_scores_)
    assert scores.shape == (model.n_iter_,)
    assert len(model.loss_curve_) == model.n_iter_ + 1
    assert model.n_iter_ < 1000
    # Among the rows are those held out, but most are not.
    assert model.score(X, y) > 0.5
    again = clone(model).fit(X, y)
    assert_array_equal(again.coef_, model.coef_)
    # A fit that may go on no longer than its best iterate ends there.
    best = int(np.argmax(scores)) + 1
    shorter = clone(model).set_params(max_iter=best).fit(X, y)
    assert_allclose(shorter.validation_scores_, scores[:best], rtol=1e-9)
    assert_allclose(shorter.coef_, model.coef_, rtol=1e-9)


@several(EVERY_STEP)
def test_rows_held_out_choose_but_do_not_teach(solver, batch, loss):
    """Whatever their y, the iterates are the same."""
    X, y = data()
    model = made(
        solver, batch, loss, early_stopping=True, store_path=True, max_iter=6, tol=None
    ).fit(X, y)
    split = ShuffleSplit(1, test_size=0.1, random_state=0)
    taught, held = next(split.split(X))
    hostile = y.copy()
    hostile[held] = 1e6 * np.random.default_rng(0).normal(size=len(held))
    other = clone(model).fit(X, hostile)
    assert_array_equal(other.coef_path_, model.coef_path_)
    assert_array_equal(other.intercept_path_, model.intercept_path_)
    for scores, known in ((model, y), (other, hostile)):
        expected = [
            d2_score(scores, known[held], X[held] @ w + b)
            for w, b in zip(
                scores.coef_path_[1:], scores.intercept_path_[1:], strict=True
            )
        ]
        assert_allclose(scores.validation_scores_, expected, rtol=1e-7, atol=1e-7)
    # And they are what a fit without those rows has, which has no other seed to draw.
    if SOLVERS[solver].batch_size is None and batch is None:
        without = (
            clone(model).set_params(early_stopping=False).fit(X[taught], y[taught])
        )
        assert_allclose(without.coef_path_, model.coef_path_, rtol=1e-6, atol=1e-9)


@several(EVERY_STEP)
def test_rows_of_weight_zero_are_not_held_out(solver, batch, loss):
    X, y = data()
    s = np.arange(len(y)) % 2.0
    hostile = np.where(s > 0, y, 1e9)
    model = made(solver, batch, loss, early_stopping=True)
    weighted = clone(model).fit(X, hostile, s)
    kept = clone(model).fit(X[s > 0], y[s > 0])
    assert_allclose(weighted.coef_, kept.coef_, rtol=1e-8)
    assert_allclose(weighted.validation_scores_, kept.validation_scores_, rtol=1e-8)


def test_patience_and_share_of_early_stopping():
    X, y = data()
    model = GDRegressor("minibatch", random_state=0, early_stopping=True)
    patient = clone(model).set_params(n_iter_no_change=20).fit(X, y)
    assert (
        patient.n_iter_ > clone(model).set_params(n_iter_no_change=2).fit(X, y).n_iter_
    )
    other = clone(model).set_params(validation_fraction=0.5).fit(X, y)
    assert np.any(other.coef_ != model.fit(X, y).coef_)
    with pytest.raises(ValueError, match=r"validation|n_samples|train"):
        clone(model).set_params(validation_fraction=0.9).fit(X[:1], y[:1])


# --- averages, schedules, warm starts -------------------------------------------------


@several(STOCHASTIC)
def test_averages(solver, batch, loss):
    X, y = data()
    common = {"learning_rate": 0.01, "tol": None, "max_iter": 3}
    fits = [
        made(solver, batch, loss, average=average, **common).fit(X, y).coef_
        for average in ("auto", False, True)
    ]
    assert_array_equal(fits[0], fits[1])
    assert np.any(fits[1] != fits[2])


@several(EVERY_STEP)
def test_schedules(solver, batch, loss):
    X, y = data()
    common = {"learning_rate": 0.1, "tol": None, "max_iter": 5}
    model = made(solver, batch, loss, **common)
    constant = clone(model).fit(X, y)
    assert constant.learning_rate_ == 0.1
    fading = clone(model).set_params(schedule="invscaling", power_t=0.5).fit(X, y)
    assert_allclose(fading.learning_rate_, 0.1 / np.sqrt(fading.t_))
    same = clone(model).set_params(schedule="invscaling", power_t=0.0).fit(X, y)
    assert_allclose(same.coef_, constant.coef_, rtol=1e-12)


@several([(name, None) for name in ("gd", "sgd", "minibatch")])
def test_an_adaptive_step_is_divided_by_five(solver, batch, loss):
    X, y = data()
    model = made(
        solver, batch, loss, learning_rate=0.05, schedule="adaptive", max_iter=3000
    ).fit(X, y)
    divided = np.log(0.05 / model.learning_rate_) / np.log(5.0)
    assert_allclose(divided, round(divided), atol=1e-9)
    assert divided > 0.5


@several(EVERY_STEP)
def test_warm_starts_go_on(solver, batch, loss):
    X, y = data()
    model = made(solver, batch, loss, warm_start=True, max_iter=5).fit(X, y)
    before = model.loss_
    model.fit(X, y)
    assert model.loss_ <= before * (1 + 1e-9)
    if not hasattr(model, "epsilon_"):  # which a new fit looks for again
        assert_allclose(model.loss_curve_[0], before, rtol=1e-9)


@several(EVERY_STEP)
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_partial_fit_is_an_epoch_of_fit(solver, batch, loss, penalty):
    if SOLVERS[solver].second_order:
        return
    X, y = data()
    model = made(
        solver, batch, loss, penalty=penalty, alpha=0.05, epsilon=1.0,
        learning_rate=0.01, tol=None, positive=penalty == "l1",
    )  # fmt: skip
    stream = clone(model)
    for _ in range(4):
        stream = copy.deepcopy(stream.partial_fit(X, y))
    once = clone(model).set_params(max_iter=4).fit(X, y)
    assert_allclose(stream.coef_, once.coef_, rtol=1e-12, atol=1e-15)
    assert_allclose(stream.intercept_, once.intercept_, rtol=1e-12)
    assert stream.t_ == once.t_


@pytest.mark.parametrize("loss", EPSILON)
def test_epsilon_is_frozen_in_a_stream(loss):
    X, y = data()
    model = GDRegressor(loss=loss).partial_fit(X[:50], y[:50])
    epsilon = model.epsilon_
    model.partial_fit(X[50:], 10.0 * y[50:])
    assert model.epsilon_ == epsilon


# --- what is kept and printed ---------------------------------------------------------


@several(EVERY_STEP)
def test_paths(solver, batch, loss):
    X, y = data()
    model = made(solver, batch, loss, store_path=True, max_iter=7, tol=None).fit(X, y)
    assert np.shape(model.coef_path_) == (8, 5)
    assert np.shape(model.intercept_path_) == (8,)
    assert_array_equal(model.coef_path_[0], np.zeros(5))
    without = clone(model).set_params(store_path=False).fit(X, y)
    assert not hasattr(without, "coef_path_")
    assert_array_equal(without.coef_, model.coef_)
    steps = clone(model).set_params(learning_rate=1e-3).fit(X, y)
    assert_array_equal(steps.coef_path_[-1], steps.coef_)
    assert steps.intercept_path_[-1] == steps.intercept_


@several(EVERY_STEP)
def test_verbose_prints_a_line_an_epoch(solver, batch, loss, capsys):
    X, y = data()
    model = made(solver, batch, loss, max_iter=7, tol=None).fit(X, y)
    assert capsys.readouterr().out == ""
    model.set_params(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ == 7
    for number, line in enumerate(lines, start=1):
        assert len(line) <= 88
        assert re.match(rf"(Iteration|Epoch) +{number} ", line)
        (F,) = re.findall(r"F = (\S+)", line)
        assert_allclose(float(F), model.loss_curve_[number], rtol=1e-5)
    model.set_params(early_stopping=True).fit(X, y)
    last = capsys.readouterr().out.splitlines()[-1]
    shown = float(re.search(r"validation score = (\S+)", last).group(1))
    assert_allclose(shown, model.validation_scores_[-1], atol=1e-6)


# --- what is refused ------------------------------------------------------------------

INSTEAD = [({"loss": loss}, SMOOTH) for loss in ALL if loss not in SMOOTH]
INSTEAD += [
    ({"loss": loss, "alpha": 0.1, **more}, ["penalty='l2'", "positive=False"])
    for loss in SMOOTH
    for more in ({"penalty": "l1"}, {"penalty": "elasticnet"}, {"positive": True})
]


@pytest.mark.parametrize(("parameters", "ways_out"), INSTEAD)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_newton_says_what_works_instead(parameters, ways_out, container, method):
    X, y = data()
    with pytest.raises(ValueError, match="newton") as caught:
        getattr(GDRegressor("newton", **parameters), method)(container(X), y)
    name, value = list(parameters.items())[-1]
    assert f"{name}={value!r}" in str(caught.value)
    for word in [*ways_out, *(name for name in SOLVERS if name != "newton")]:
        assert word in str(caught.value)


@pytest.mark.parametrize("loss", ALL)
def test_combinations_that_make_no_sense(loss):
    X, y = data()
    with pytest.raises(ValueError, match="batch_size"):
        GDRegressor("momentum", loss=loss, average=True).fit(X, y)
    with pytest.raises(ValueError, match="early_stopping"):
        GDRegressor("sgd", loss=loss, early_stopping=True).partial_fit(X, y)
    with pytest.raises(ValueError, match="float learning_rate"):
        GDRegressor("sgd", loss=loss, schedule="adaptive").fit(X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "hinge"},
        {"penalty": "l0"},
        {"l1_ratio": -0.1},
        {"l1_ratio": 1.1},
        {"epsilon": -1.0},
        {"epsilon": "median"},
        {"loss": "huber", "epsilon": 0.0},
        {"quantile": 0.0},
        {"quantile": 1.0},
        {"positive": "yes"},
        {"early_stopping": "yes"},
        {"validation_fraction": 0.0},
        {"validation_fraction": 1.0},
        {"store_path": 2},
        {"verbose": -1},
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_parameters(parameters, method):
    X, y = data()
    with pytest.raises(ValueError, match=list(parameters)[-1]):
        getattr(GDRegressor(**parameters), method)(X, y)
