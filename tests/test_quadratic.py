"""F without the rows: the same numbers and the same fit as from the rows."""

import warnings

import numpy as np
import pytest
import tables
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.penalties import penalty as make_penalty
from sklearn_gd._core.quadratic import Quadratic, Watch
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop

from sklearn_gd import GDRegressor, _data, _state
from sklearn_gd._data import as_data
from sklearn_gd._objective import Objective
from sklearn_gd._solver import SOLVERS
from sklearn_gd._walks import AllRows

STEPPING = [
    name
    for name, solver in SOLVERS.items()
    if solver.batch_size is None and not solver.second_order
]


def objective(X, y, s=None, alpha=0.1, fit_intercept=True):
    loss, penalty = LOSSES["squared_error"](), make_penalty("l2", alpha)
    return Objective(as_data(X, y, s), loss, penalty, fit_intercept)


def noisy(n=60, d=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) + 0.5
    return X, X @ rng.normal(size=d) + rng.normal(size=n), rng.uniform(0, 2, n)


def based(F, w):
    quadratic = F.quadratic
    quadratic.rebase(w, *F.value_and_gradient(w))
    return quadratic


def watch(d, small=-1.0, heeds_rise=False, ceiling=np.inf):
    seen = Watch(
        np.zeros(d),
        np.ones(d),
        make_penalty(None, 0.0),
        0.0,
        small,
        heeds_rise,
        ceiling,
    )
    seen.floor = -np.inf
    return seen


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize(("shift", "lift"), [(0.0, 0.0), (1e5, 0.0), (0.0, 1e9)])
def test_it_is_f(container, fit_intercept, alpha, shift, lift):
    X, y, s = noisy()
    F = objective(container(X + shift), y + lift, s, alpha, fit_intercept)
    rng = np.random.default_rng(1)
    w, v = 0.1 * rng.normal(size=(2, F.size))
    quadratic, g = based(F, w), np.empty(F.size)
    value, gradient = F.value_and_gradient(v)
    assert_allclose(quadratic.value_and_gradient(v, g), value, rtol=1e-10)
    assert_allclose(g, gradient, rtol=1e-9, atol=1e-10 * np.abs(gradient).max())


def both_ways(model, X, y, s, monkeypatch):
    """Fit on the quadratic and on the rows, with the messages of the warnings."""
    fits = []
    for without in (False, True):
        with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as w:
            warnings.simplefilter("always")
            if without:
                patch.setattr(Objective, "quadratic", None)
            fitted = vars(model.fit(X, y, s)).copy()
        fits.append((fitted, [str(warning.message) for warning in w]))
    return fits


def assert_same(fits, rtol=1e-9):
    (one, messages), (other, expected) = fits
    scale = np.abs(other["coef_"]).max()
    assert_allclose(one["coef_"], other["coef_"], rtol=rtol, atol=rtol * scale)
    assert_allclose(one["intercept_"], other["intercept_"], rtol=rtol, atol=rtol)
    assert_allclose(one["loss_curve_"], other["loss_curve_"], rtol=rtol)
    assert_allclose(one["loss_"], other["loss_"], rtol=rtol)
    assert_allclose(one["learning_rate_"], other["learning_rate_"], rtol=rtol)
    for name in ("n_iter_", "t_", "stop_reason_"):
        assert one[name] == other[name]
    assert len(messages) == len(expected)


@pytest.mark.parametrize("solver", STEPPING)
@pytest.mark.parametrize("name", tables.NAMES)
@pytest.mark.parametrize("version", [tables.raw, tables.standardised])
def test_automatic_fits_are_those_on_the_rows(solver, name, version, monkeypatch):
    X, y = version(name)
    assert_same(both_ways(GDRegressor(solver), X, y, None, monkeypatch))


FLOATS = {
    "constant": {},
    "to the end": {"tol": None, "max_iter": 150},
    "invscaling": {"schedule": "invscaling"},
    "adaptive": {"schedule": "adaptive"},
    "no intercept": {"fit_intercept": False},
    "ridge": {"alpha": 0.3},
    "diverging": {"learning_rate": 3.0},
}


@pytest.mark.parametrize("solver", STEPPING)
@pytest.mark.parametrize("how", FLOATS)
@pytest.mark.parametrize("weighted", [True, False])
def test_float_fits_are_those_on_the_rows(solver, how, weighted, monkeypatch):
    X, y, s = noisy()
    step = 0.001 if solver == "rmsprop" else 0.05
    model = GDRegressor(solver, **({"learning_rate": step} | FLOATS[how]))
    if solver == "rmsprop" or (how == "diverging" and solver == "adagrad"):
        model.set_params(max_iter=20)  # near the optimum g/√G is noise of size one
    fits = both_ways(model, X, y, s if weighted else None, monkeypatch)
    assert_same(fits, rtol=1e-7)


def test_rows_are_passed_but_a_few_times(monkeypatch):
    X, y, _ = noisy(n=400)
    passes = []
    original = _state.values_and_gradients

    def counting(objectives, points):
        passes.extend(w.any() for w in points)
        return original(objectives, points)

    monkeypatch.setattr(_state, "values_and_gradients", counting)
    for solver in STEPPING:
        passes.clear()
        assert GDRegressor(solver).fit(X, y).n_iter_ > 5
        assert sum(passes) <= 3
        passes.clear()
        GDRegressor(solver, learning_rate=1e-3, max_iter=500, tol=None).fit(X, y)
        assert sum(passes) <= 3


def test_other_losses_have_none():
    X, y, _ = noisy()
    F = objective(X, y)
    assert F.quadratic is not None
    other = objective(X, y)
    other.loss = LOSSES["huber"]()
    assert other.quadratic is None


@pytest.mark.parametrize("n", [60, 4])
def test_memory_decides(n, monkeypatch):
    X, y, _ = noisy(n, d=5)
    assert objective(X, y).has_gram
    monkeypatch.setattr("sklearn_gd._geometry.SPARE", 0)
    F = objective(X, y)
    assert not F.has_gram
    assert F.quadratic is None
    assert F.geometry.newton_has_gram == (n > 5)


@pytest.mark.parametrize("rule", [Descent, Momentum, AdaGrad, RMSprop])
def test_a_run_is_its_steps(rule):
    X, y, s = noisy()
    F = objective(X, y, s)
    w, v = np.zeros(6), np.zeros(6)
    quadratic = based(F, w)
    one, other = rule(6), rule(6)
    value, g = F.value_and_gradient(w)
    seen = watch(5)
    seen.begin(w, value, value)
    curve, small = quadratic.run(one, w, g, np.full(20, 0.01), seen)
    for F_after in curve:
        other.apply(v, F.value_and_gradient(v)[1], 0.01)
        assert_allclose(F_after, F.value(v), rtol=1e-12)
    assert_allclose(w, v, rtol=1e-11)
    assert not small
    assert_array_equal(seen.best, w)
    assert seen.best_F == curve[-1] == curve.min()


@pytest.mark.parametrize(
    ("eta", "limits", "made"),
    [
        (0.01, {}, 50),
        (10.0, {"heeds_rise": True}, 1),
        (10.0, {"ceiling": 1e6}, 3),
        (1e200, {}, 1),
        (0.01, {"small": np.inf}, 1),
    ],
)
def test_what_ends_a_run(eta, limits, made):
    X, y, s = noisy()
    F = objective(X, y, s)
    w = np.zeros(6)
    quadratic, (value, g) = based(F, w), F.value_and_gradient(w)
    seen = watch(5, **limits)
    seen.begin(w, value, value)
    curve, small = quadratic.run(Descent(6), w, g, np.full(50, eta), seen)
    assert len(curve) == made
    assert small == ("small" in limits)
    assert seen.improved == (eta == 0.01)


def test_misuse_is_refused():
    quadratic = Quadratic(np.zeros(2), np.eye(2), make_penalty(None, 0.0), False)
    w = np.zeros(2)
    with pytest.raises(ValueError, match="rebase"):
        quadratic.value_and_gradient(w, w)
    quadratic.rebase(w, 0.0, w)
    with pytest.raises(ValueError, match="2 coordinates"):
        quadratic.value_and_gradient(np.zeros(3), w)
    seen = watch(2)
    seen.begin(w, 0.0, 0.0)
    with pytest.raises(ValueError, match="rule"):
        quadratic.run(Descent(3), w, w, np.ones(1), seen)


@pytest.mark.parametrize("scale", [1.0, 1e-140, 1e140])
def test_moments_of_columns_that_change(scale, monkeypatch):
    # The first rows say nothing of the others: one more pass.
    monkeypatch.setattr(_data, "BLOCK_ROWS", 4)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    X[:4] = 0.0
    X[4:, 1] += 1e7
    X[:4, 1] = 1e7 + 1e9
    X *= scale
    mean, gram, *_ = as_data(X, np.zeros(200)).moments(center=True)
    exact = X.astype(np.longdouble)
    centred = exact - exact.mean(axis=0)
    assert_allclose(mean, exact.mean(axis=0).astype(float), rtol=1e-14, atol=0)
    expected = (centred.T @ centred / 200).astype(float)
    assert_allclose(np.diag(gram), np.diag(expected), rtol=1e-12)


def test_moments_keep_the_digits_of_far_columns():
    rng = np.random.default_rng(0)
    Z = np.round(rng.normal(size=(3000, 40)) * 2**20) / 2**20  # X + 2²⁰ is exact
    y = rng.normal(size=3000)
    near = as_data(Z, y).moments(center=True)
    far = as_data(Z + 2**20, y).moments(center=True)
    assert_allclose(far.gram, near.gram, rtol=1e-9, atol=1e-9)
    assert_allclose(far.product[0], near.product[0], atol=1e-9)


def test_many_columns_by_lanczos():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 300)) * np.linspace(0.5, 2.0, 300) + 1.0
    for alpha, fit_intercept in [(0.0, True), (0.2, True), (0.0, False)]:
        F = objective(X, X[:, 0], None, alpha, fit_intercept)
        values = np.linalg.eigvalsh(F.geometry._scaled(np.ones(F.size), F.ridge))
        mu, largest = F.curvature
        assert_allclose(mu, values[0], rtol=1e-3)
        assert values[-1] <= largest <= 1.02 * values[-1]
        root = 1.0 / np.sqrt(F.diagonal)
        top = np.linalg.eigvalsh(F.geometry._scaled(root, F.ridge))[-1]
        assert top <= F.scaled_curvature <= 1.02 * top


def test_newton_needs_one_pass_where_columns_are_well_conditioned(monkeypatch):
    X, y = tables.standardised("diabetes")
    evaluated = []
    newton = AllRows._newton

    def watched(state):
        evaluated.append(newton(state))
        return evaluated[-1]

    monkeypatch.setattr(AllRows, "_newton", staticmethod(watched))
    model = GDRegressor("newton").fit(X, y)
    assert evaluated == [True, False]
    assert model.loss_ == model.loss_curve_[1] == model.loss_curve_[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, y)
