"""What a fit keeps of its way: F, scores, steps and iterates, one an iteration."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import r2_score
from test_interrupts import table
from test_matrix import EVERY_STEP, ignore_convergence

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

pytestmark = ignore_convergence
every_step = pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
every_rate = pytest.mark.parametrize("rate", ["auto", 1e-3])


def made(solver, batch, **parameters):
    return GDRegressor(solver, batch_size=batch, random_state=0, **parameters)


def objective(X, y, coef, intercept):
    return 0.5 * np.mean((y - X @ coef - intercept) ** 2)


def reach_or_one(model):
    """Return what turns the last step of the curve into learning_rate_."""
    adapts = model.solver in ("adagrad", "rmsprop") and model.learning_rate == "auto"
    return model._stream["targets"][0]["size"]["reach"] if adapts else 1.0


@every_step
@every_rate
@pytest.mark.parametrize("stopping", [False, True])
def test_lengths_and_values(solver, batch, rate, stopping):
    X, y = table(60)
    model = made(solver, batch, learning_rate=rate, early_stopping=stopping)
    model.set_params(max_iter=30, store_path=True).fit(X, y)
    n = model.n_iter_
    assert len(model.loss_curve_) == n + 1
    assert model.coef_path_.shape == (n + 1, 5)
    assert model.intercept_path_.shape == (n + 1,)
    assert model.learning_rate_curve_.shape == (n,)
    assert (model.learning_rate_curve_ > 0.0).all()
    last = model.learning_rate_curve_[-1] * reach_or_one(model)
    assert_allclose(model.learning_rate_, last, rtol=1e-12)
    assert model.stop_reason_
    if stopping:
        assert len(model.validation_scores_) == n
    else:
        assert not hasattr(model, "validation_scores_")
        for F, coef, intercept in zip(
            model.loss_curve_, model.coef_path_, model.intercept_path_, strict=True
        ):
            assert_allclose(F, objective(X, y, coef, intercept), rtol=1e-9)


@pytest.mark.parametrize("solver", ["gd", "momentum", "adagrad", "rmsprop"])
@pytest.mark.parametrize("schedule", ["auto", "constant", "invscaling", "adaptive"])
def test_many_steps_at_once_are_told_one_by_one(solver, schedule):
    """Runs of steps on a quadratic, without a look at each, leave the same history."""
    X, y = table(300)
    X[:, 1] += 10.0 * X[:, 0]
    model = GDRegressor(solver, max_iter=700, tol=None)
    if schedule != "auto":
        model.set_params(learning_rate=1e-3, schedule=schedule, power_t=0.5, tol=1e-9)
    model.fit(X, y)
    one = clone(model).set_params(store_path=True).fit(X, y)
    assert model.n_iter_ == one.n_iter_ > 40
    assert_array_equal(model.learning_rate_curve_, one.learning_rate_curve_)
    assert_allclose(model.loss_curve_, one.loss_curve_, rtol=1e-9)


@every_step
def test_steps_of_a_schedule(solver, batch):
    X, y = table(60)
    model = made(solver, batch, learning_rate=0.01, max_iter=9, tol=None)
    assert_array_equal(model.fit(X, y).learning_rate_curve_, np.full(9, 0.01))
    model.set_params(schedule="invscaling", power_t=0.5).fit(X, y)
    made_then = model.t_ // 9 * np.arange(1, 10)
    assert_allclose(model.learning_rate_curve_, 0.01 / np.sqrt(made_then), rtol=1e-12)
    model.set_params(
        schedule="adaptive", tol=1e-2, max_iter=100, n_iter_no_change=2
    ).fit(X, y)
    divided = np.log(0.01 / model.learning_rate_curve_) / np.log(5.0)
    assert_allclose(divided, np.round(divided), atol=1e-9)
    assert (np.diff(divided) >= -1e-9).all()


@pytest.mark.parametrize(("solver", "batch"), [("sgd", None), ("momentum", 16)])
def test_automatic_steps_of_batches_are_halved(solver, batch):
    X, y = table(100)
    curve = made(solver, batch).fit(X, y).learning_rate_curve_
    ratios = curve[1:] / curve[:-1]
    assert set(ratios) == {0.5, 1.0}


def test_the_step_that_newton_found():
    """Pseudo-fits far from the optimum need shorter steps, which the curve shows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_t(1, size=200)
    model = GDRegressor("newton", loss="huber", epsilon=0.05, store_path=True)
    model.fit(X, y)
    shares = model.learning_rate_curve_
    assert set(shares) <= {0.0, *0.5 ** np.arange(7)}
    assert shares.min() < 1.0
    moved = np.any(np.diff(model.coef_path_, axis=0) != 0.0, axis=1)
    assert_array_equal(moved, shares > 0.0)


@every_step
@every_rate
def test_several_targets(solver, batch, rate):
    X, Y = table(60, targets=3)
    model = made(solver, batch, learning_rate=rate, max_iter=40, store_path=True)
    model.fit(X, Y)
    assert model.learning_rate_curve_.shape == (model.n_iter_, 3)
    assert model.coef_path_.shape == (model.n_iter_ + 1, 3, 5)
    assert model.intercept_path_.shape == (model.n_iter_ + 1, 3)
    if SOLVERS[solver].batch_size is None and batch is None:
        for t, y in enumerate(Y.T):
            alone = clone(model).fit(X, y)
            curve = model.learning_rate_curve_[:, t]
            n = alone.n_iter_
            assert_allclose(curve[:n], alone.learning_rate_curve_, rtol=1e-9)
            assert (curve[n:] == curve[n - 1]).all()
    single = clone(model).fit(X, Y[:, :1])
    assert single.learning_rate_curve_.shape == (single.n_iter_, 1)


@every_step
@every_rate
@pytest.mark.parametrize("targets", [1, 2])
def test_partial_fit(solver, batch, rate, targets, capsys):
    X, y = table(60, targets=targets)
    model = made(solver, batch, learning_rate=rate, store_path=True, verbose=1)
    ends = []
    for call in range(1, 4):
        model.partial_fit(X, y)
        assert model.n_iter_ == 1
        assert len(model.loss_curve_) == 2
        assert len(model.learning_rate_curve_) == 1
        assert len(model.coef_path_) == len(model.intercept_path_) == 2
        assert_array_equal(model.coef_path_[1], model.coef_)
        assert_array_equal(model.intercept_path_[1], model.intercept_)
        if ends:
            assert_array_equal(model.coef_path_[0], ends[-1])
        ends.append(model.coef_)
        (line,) = capsys.readouterr().out.splitlines()
        assert line.split()[:2] in (["Epoch", str(call)], ["Iteration", str(call)])
        assert f"F = {model.loss_curve_[1]:.6e}" in line
    model.set_params(store_path=False).partial_fit(X, y)
    assert not hasattr(model, "coef_path_")


@pytest.mark.parametrize(("solver", "batch"), [("sgd", None), ("momentum", 16)])
@every_rate
def test_partial_fit_returns_the_mean_that_its_loss_belongs_to(solver, batch, rate):
    X, y = table(60)
    model = made(solver, batch, learning_rate=rate, average=True, store_path=True)
    for _ in range(3):
        model.partial_fit(X, y)
        F = objective(X, y, model.coef_, model.intercept_)
        assert_allclose(model.loss_, F, rtol=1e-12)
        assert_array_equal(model.coef_path_[1], model.coef_)


@every_step
def test_scores_are_those_of_the_iterates(solver, batch):
    """Also where the policy goes back to another one, and whatever else is kept."""
    X, y = table(80)
    model = made(solver, batch, early_stopping=True, max_iter=60, tol=None).fit(X, y)
    kept = clone(model).set_params(store_path=True).fit(X, y)
    assert model.validation_scores_ == kept.validation_scores_
    held = model._held_out(_Rows(80), np.random.RandomState(0))
    for score, coef, intercept in zip(
        kept.validation_scores_,
        kept.coef_path_[1:],
        kept.intercept_path_[1:],
        strict=True,
    ):
        expected = r2_score(y[held], X[held] @ coef + intercept)
        assert_allclose(score, expected, rtol=1e-9, atol=1e-9)


class _Rows:
    """As much of a Data as a split asks for."""

    kept = None

    def __init__(self, n):
        self.Y = np.empty((1, n))


def test_a_diverged_iterate_scores_minus_infinity():
    X, y = table(60)
    model = GDRegressor(learning_rate=1e200, early_stopping=True).fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert len(model.validation_scores_) == model.n_iter_
    assert model.validation_scores_[-1] == -np.inf
