"""Automatic steps, schedules and policies."""

import warnings

import numpy as np
import pytest
import tables
import textbook
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import GDRegressor, _geometry, _steps
from sklearn_gd._data import Data
from sklearn_gd._geometry import Geometry
from sklearn_gd._solver import SOLVERS

ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def curved(values, n=400, seed=0):
    """Return X whose H has these eigenvalues, and y, without an intercept."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(n, len(values))))[0] * np.sqrt(n)
    R = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    X = Q * np.sqrt(values) @ R
    return X, X @ R.T @ np.ones(len(values)) + 0.1 * rng.normal(size=n)


def test_largest_stable_steps_are_those_of_the_theory():
    X, y = curved([0.5, 1.0, 4.0])
    for solver, momentum, bound in [
        ("gd", {}, 2 / 4),
        ("momentum", {"momentum": 0.5}, 2 * 1.5 / 4),
        ("newton", {}, 2.0),
    ]:
        for factor, stable in [(0.99, True), (1.01, False)]:
            model = GDRegressor(
                solver,
                learning_rate=factor * bound,
                fit_intercept=False,
                max_iter=3000,
                tol=None,
                **momentum,
            )
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.fit(X, y)
            assert bool(caught) != stable, (solver, factor)
            assert model.loss_ <= model.loss_curve_[0]
            for warning in caught:
                named = str(warning.message).split("largest stable step is ")[1]
                assert 0.99 * bound <= float(named.split(":")[0]) <= bound


def test_the_named_step_is_rounded_down():
    from sklearn_gd._messages import _floor

    for bound in (0.1239, 2.0, 1.999e-300, 9.999e200):
        assert 0.99 * bound <= float(_floor(bound)) <= bound * (1 + 1e-15)


def test_momentum_of_the_curvature():
    assert_allclose(_steps.heavy_ball_momentum((0.25, 1.0)), 0.25)
    assert_allclose(_steps.heavy_ball_momentum((0.0, 1.0)), (1 - 0.008) ** 2)
    assert _steps.heavy_ball_momentum((1.0, 1.0)) == 0.0
    assert 0.0 <= _steps.heavy_ball_momentum((0.0, 0.0)) < 1.0
    X, y = curved([0.04, 1.0])
    model = GDRegressor("momentum", fit_intercept=False).fit(X, y)
    assert_allclose(model.momentum_, 0.64, rtol=1e-4)
    assert_allclose(model.learning_rate_, 1.0, rtol=1e-5)
    assert GDRegressor("momentum", learning_rate=0.1).fit(X, y).momentum_ == 0.9
    assert GDRegressor("momentum", batch_size=8).fit(X, y).momentum_ == 0.9
    assert GDRegressor("momentum", momentum=0.3).fit(X, y).momentum_ == 0.3


def test_gd_takes_the_long_step():
    X, y = curved([0.5, 1.0])
    model = GDRegressor(fit_intercept=False).fit(X, y)
    assert_allclose(model.learning_rate_, 2 / 1.5, rtol=1e-5)
    X, y = curved([0.01, 1.0])
    model = GDRegressor(fit_intercept=False).fit(X, y)
    assert_allclose(model.learning_rate_, 1.8, rtol=1e-5)


@ignore_convergence
@pytest.mark.parametrize("name", tables.NAMES)
@pytest.mark.parametrize("version", [tables.raw, tables.standardised])
def test_gd_never_rises(name, version):
    model = GDRegressor().fit(*version(name))
    curve = np.array(model.loss_curve_)
    assert (np.diff(curve) <= 1e-12 * curve[0]).all()


@ignore_convergence
@pytest.mark.parametrize("solver", [s for s in SOLVERS if s not in ("newton",)])
@pytest.mark.parametrize("wrong", [0.1, 0.01])
def test_a_wrong_curvature_is_survived(solver, wrong, monkeypatch):
    X, y = tables.standardised("diabetes")
    extremes = Geometry._extremes
    monkeypatch.setattr(
        Geometry,
        "_extremes",
        lambda *a, **k: tuple(wrong * v for v in extremes(*a, **k)),
    )
    monkeypatch.setattr(Geometry, "batch_curvature", lambda *a: wrong)
    model = GDRegressor(solver, random_state=0).fit(X, y)
    assert model.loss_ <= model.loss_curve_[0]
    assert model.score(X, y) > 0.35


def test_schedule_adaptive_divides_by_five():
    X, y = curved([1.0, 1.0])
    model = GDRegressor(
        "sgd", learning_rate=0.1, schedule="adaptive", random_state=0
    ).fit(X, y)
    assert model.stop_reason_.startswith("converged")
    power = np.log(0.1 / model.learning_rate_) / np.log(5)
    assert power > 1
    assert_allclose(power, round(power), atol=1e-9)
    constant = GDRegressor("sgd", learning_rate=0.1, random_state=0).fit(X, y)
    assert model.loss_ < constant.loss_


def test_average_is_the_mean_of_the_last_epoch():
    X, y = curved([1.0, 2.0], n=20)
    model = GDRegressor(
        "sgd",
        learning_rate=0.05,
        shuffle=False,
        average=True,
        max_iter=3,
        tol=None,
        fit_intercept=False,
    ).fit(X, y)
    w, iterates = np.zeros(2), []
    for _ in range(3):
        iterates = []
        for x_i, y_i in zip(X, y, strict=True):
            w = w - 0.05 * (x_i @ w - y_i) * x_i
            iterates.append(w)
    assert_allclose(model.coef_, np.mean(iterates, axis=0), rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
@ignore_convergence
def test_automatic_steps_never_end_above_the_best_constant(solver):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n, d = rng.integers(1, 40, size=2)
        X = rng.standard_t(1.1, size=(n, d)) * 10.0 ** rng.uniform(-6, 6, size=d)
        y = rng.standard_t(1.1, size=n) * 10.0 ** rng.uniform(-6, 6)
        s = rng.integers(0, 3, size=n) + (np.arange(n) == 0)
        model = GDRegressor(solver, random_state=0, max_iter=100).fit(X, y, s)
        mean = np.average(y, weights=s)
        constant = textbook.objective(X, y, np.zeros(d), mean, s)
        assert model.loss_ <= constant * (1 + 1e-12) + 1e-30 * mean**2
        assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("solver", ["gd", "sgd", "minibatch", "adagrad", "rmsprop"])
def test_a_stop_far_from_the_optimum_warns(solver):
    # y lies in the flattest direction, where every gradient is small.
    X, _ = curved([1e-7, 1.0, 1.0, 1.0])
    y = 1e4 * X @ np.linalg.svd(X, full_matrices=False)[2][-1]
    with pytest.warns(ConvergenceWarning, match=r"condition number.*newton"):
        GDRegressor(solver, fit_intercept=False, random_state=0).fit(X, y)


def test_without_a_gram_matrix_the_steps_are_as_good(monkeypatch):
    X, y = tables.standardised("diabetes")
    best = GDRegressor("newton").fit(X, y).loss_
    monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    for solver in SOLVERS:
        model = GDRegressor(solver, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        assert model.loss_ - best < 1e-3 * y.var() / 2, solver


@pytest.mark.parametrize("gram", [True, False])
@pytest.mark.parametrize("solver", [s for s in SOLVERS if s != "newton"])
def test_columns_far_from_zero_do_not_pass_for_converged(gram, solver, monkeypatch):
    X, y = curved([1.0, 2.0, 3.0])
    if not gram:
        monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    model = GDRegressor(solver, random_state=0)
    with pytest.warns(ConvergenceWarning, match="onverged in|above the opt"):
        model.fit(X + 1e5, y)
    assert "max_iter" in model.stop_reason_ or solver in ("sgd", "minibatch")


def test_a_matrix_of_zeros_without_a_gram_matrix(monkeypatch):
    monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    y = np.arange(5.0)
    for solver in SOLVERS:
        for fit_intercept in (True, False):
            model = GDRegressor(solver, fit_intercept=fit_intercept)
            assert not model.fit(np.zeros((5, 3)), y).coef_.any()


def test_the_advice_fits_the_reason():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 5)) * [1, 1, 1, 0.05, 0.02]
    y = X @ [1, 1, 1, 20, 50] + rng.normal(size=100)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter, or use solver"):
        GDRegressor(max_iter=5).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="use learning_rate='auto' or"):
        GDRegressor(max_iter=5, learning_rate=0.1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GDRegressor("momentum", tol=0.05).fit(X, y)


def test_results_do_not_depend_on_the_threads_of_blas():
    from threadpoolctl import threadpool_limits

    X, y = tables.standardised("randhie")
    for solver in ("sgd", "minibatch"):
        fits = []
        for threads in (1, 2):
            with threadpool_limits(threads):
                fits.append(GDRegressor(solver, random_state=0).fit(X, y).coef_)
        assert (fits[0] == fits[1]).all()


def noisy(n, d, r2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    f = X @ rng.normal(size=d)
    return X, f + f.std() * np.sqrt(1.0 / r2 - 1.0) * rng.normal(size=n)


def above_least(X, y, model):
    return model.loss_ - GDRegressor("newton").fit(X, y).loss_


@pytest.mark.parametrize(("x", "batch_size"), [(0.2, 1), (1.0, 1), (1.0, 4)])
@ignore_convergence
def test_noise_of_an_epoch_is_that_of_the_theory(x, batch_size):
    n, d = 20_000, 20
    left = []
    for seed in range(4):
        X, y = noisy(n, d, 0.5, seed)
        model = GDRegressor(
            "sgd",
            batch_size=batch_size,
            learning_rate=batch_size * x / ((X**2).mean(axis=0).sum() + 1.0),
            average=True,
            max_iter=1,
            random_state=0,
        ).fit(X, y)
        left.append(above_least(X, y, model) / model.loss_)
    theory = (d + 1) / n * x / (2.0 - x)
    assert 0.5 * theory < np.mean(left) < 2.0 * theory


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}, {"solver": "momentum"}])
def test_noise_takes_no_second_epoch_of_many_rows(options):
    options = {"solver": "sgd", "batch_size": 1} | options
    for seed in range(3):
        X, y = noisy(20_000, 10, 0.05, seed)
        model = GDRegressor(**options, random_state=0).fit(X, y)
        assert model.n_iter_ == 1
        # The sample tells the distance within a half.
        assert above_least(X, y, model) < 2e-4 * model.loss_curve_[0]


@pytest.mark.parametrize("flat", [False, True])
@ignore_convergence
def test_noise_shortens_no_first_step_that_has_far_to_go(flat):
    X, y = noisy(20_000, 10, 0.5)
    if flat:
        X[:, 0] /= 30.0
    longest = 1.5 / ((X**2).sum(axis=1).max() + 1.0)
    first = GDRegressor("sgd", random_state=0, max_iter=1).fit(X, y).learning_rate_
    if flat:
        assert_allclose(first, longest, rtol=1e-5)
    else:
        assert first < 0.5 * longest
    model = GDRegressor("sgd", random_state=0).fit(X, y)
    assert above_least(X, y, model) < 2e-4 * model.loss_curve_[0]


def test_sgd_on_many_rows_makes_no_gram_matrix(monkeypatch):
    def moments(self, *args):
        raise AssertionError("The Gram matrix costs as much as an epoch.")

    monkeypatch.setattr(Data, "moments", moments)
    X, y = noisy(20_000, 10, 0.5)
    GDRegressor("sgd", random_state=0).fit(X, y + 5.0)


@pytest.mark.parametrize("solver", ["sgd", "minibatch"])
@ignore_convergence
def test_many_rows_whose_best_constant_is_the_optimum(solver):
    """There is nothing above the optimum to tell noise from, not even 0/0."""
    X, y = noisy(10_000, 3, 0.9)
    for penalty in ("l1", "elasticnet"):
        model = GDRegressor(solver, penalty=penalty, alpha=100.0, random_state=0)
        assert not model.fit(X, y).coef_.any()
    model = GDRegressor(solver, positive=True, random_state=0)
    assert not model.fit(np.abs(X), -np.abs(X).sum(axis=1)).coef_.any()
    assert not GDRegressor(solver).fit(np.zeros((10_000, 1)), y).coef_.any()
    model = GDRegressor("newton", warm_start=True).fit(X, y)
    again = model.set_params(solver=solver, random_state=0)
    assert again.loss_ == again.fit(X, y).loss_


@pytest.mark.parametrize("unit", [1e-85, 1e-78, 1e78, 1e100])
@pytest.mark.parametrize("solver", ["gd", "momentum", "minibatch"])
@ignore_convergence
def test_units_of_many_columns_do_not_overflow(solver, unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 250))
    y = X[:, 0] + rng.normal(size=300)
    common = {"max_iter": 20, "random_state": 0}
    expected = GDRegressor(solver, **common).fit(X, y)
    # A power of two: nothing is rounded.
    unit = 2.0 ** round(np.log2(unit))
    model = GDRegressor(solver, fit_intercept=False, **common)
    plain = model.fit(X, y).coef_
    assert_allclose(unit * model.fit(unit * X, y).coef_, plain, rtol=1e-9, atol=1e-12)
    X[:, 7] *= unit
    model = GDRegressor(solver, **common).fit(X, y)
    assert model.loss_ <= model.loss_curve_[0]
    assert expected.loss_ <= expected.loss_curve_[0]
