"""Fits that go on from where the last call ended: warm_start and partial_fit."""

import copy
import gc
import pickle
import tracemalloc

import numpy as np
import pytest
import tables
import textbook
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tables import noisy

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

STOCHASTIC = [name for name, solver in SOLVERS.items() if solver.batch_size]
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_goes_on_from_the_coefficients(solver):
    X, y = noisy()
    model = GDRegressor(solver, random_state=0, warm_start=True).fit(X, y)
    loss = model.loss_
    model.fit(X, y)
    assert_allclose(model.loss_curve_[0], loss, rtol=1e-9)
    assert model.loss_ <= loss * (1 + 1e-12)


def test_warm_start_with_float_steps():
    X, y = noisy()
    model = GDRegressor(learning_rate=0.1, max_iter=3, tol=None, warm_start=True)
    model.fit(X, y).fit(X, y)
    once = GDRegressor(learning_rate=0.1, max_iter=6, tol=None).fit(X, y)
    assert_allclose(model.coef_, once.coef_, rtol=1e-12)
    assert model.t_ == 3


def test_an_automatic_warm_start_is_never_worse_than_the_best_constant():
    X, y = noisy()
    for solver in SOLVERS:
        model = GDRegressor(solver, warm_start=True, max_iter=1, tol=None)
        model.fit(X, 1e6 * y).fit(1e-3 * X, y)
        assert model.score(1e-3 * X, y) > -1e-12


def test_warm_start_with_other_columns():
    X, y = noisy()
    model = GDRegressor(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="expecting 5 features"):
        model.fit(X[:, :4], y)
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("average", ["auto", True])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_partial_fit_is_an_epoch_of_fit(
    solver, batch_size, shuffle, schedule, average, container
):
    if solver == "newton":
        batch_size = None
    if batch_size is None and solver not in STOCHASTIC:
        average = "auto"
    X, y = noisy(60)
    model = GDRegressor(
        solver,
        learning_rate=0.01,
        schedule=schedule,
        batch_size=batch_size,
        shuffle=shuffle,
        average=average,
        random_state=3,
        tol=None,
        alpha=0.01,
    )
    stream = clone(model)
    for _ in range(4):
        stream.partial_fit(container(X), y)
        stream = pickle.loads(pickle.dumps(stream))
    once = clone(model).set_params(max_iter=4).fit(container(X), y)
    assert_allclose(stream.coef_, once.coef_, rtol=1e-12)
    assert_allclose(stream.intercept_, once.intercept_, rtol=1e-12)
    assert stream.t_ == once.t_
    assert stream.n_iter_ == 1


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_newton_streams_exactly(alpha, fit_intercept, container, weighted, chunk):
    X, y = tables.standardised("diabetes")
    X, y = X[:150], y[:150]
    s = np.random.default_rng(0).uniform(0, 5, size=150) if weighted else None
    model = GDRegressor("newton", alpha=alpha, fit_intercept=fit_intercept)
    whole = clone(model).fit(container(X), y, s)
    stream = clone(model)
    for first in range(0, 150, chunk):
        rows = slice(first, first + chunk)
        stream.partial_fit(container(X[rows]), y[rows], None if s is None else s[rows])
    assert_allclose(stream.coef_, whole.coef_, rtol=1e-10)
    assert_allclose(stream.intercept_, whole.intercept_, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("apart", [1.0, 1e-3])
def test_newton_streams_lose_no_digits(container, offset, apart):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(400, 4))
    Z[:, 3] = Z[:, 2] + apart * Z[:, 3]
    X = Z + offset
    y = (X - offset) @ [1.0, 2.0, 3.0, 4.0] + rng.normal(size=400)
    stream = GDRegressor("newton")
    for rows in np.split(np.arange(400), 8):
        stream.partial_fit(container(X[rows]), y[rows])
    whole = GDRegressor("newton").fit(container(X), y)
    exact = np.linalg.lstsq(np.c_[X - offset, np.ones(400)], y, rcond=None)[0][:4]
    digits = 1e-14 * max(offset, 1.0) / apart
    assert_allclose(stream.coef_, exact, rtol=10 * digits)
    assert_allclose(whole.coef_, exact, rtol=10 * digits)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_newton_streams_are_shortest_after_each_call(fit_intercept, container):
    """Before n ≥ d too, with columns that depend on others, and rows without weight."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(30, 8))
        X[:, 5] = X[:, 1]
        X[:, 6] = 3.7
        X[:, 7] = X[:, 0] - X[:, 2]
        y = rng.normal(size=30) + 5.0
        s = rng.integers(0, 3, size=30) + 0.0
        stream = GDRegressor("newton", fit_intercept=fit_intercept)
        first = 0
        while first < 30:
            last = min(30, first + rng.integers(1, 5))
            rows = slice(first, last)
            if s[rows].any():
                stream.partial_fit(container(X[rows]), y[rows], s[rows])
                root = np.sqrt(s[:last])
                A, t = X[:last], y[:last]
                if fit_intercept:
                    A = A - np.average(A, axis=0, weights=s[:last])
                    A[:, 6] = 0.0
                    t = t - np.average(t, weights=s[:last])
                shortest = np.linalg.pinv(root[:, None] * A, rcond=1e-12) @ (root * t)
                assert_allclose(stream.coef_, shortest, rtol=1e-9, atol=1e-11)
            else:
                s[rows] = 0.0
            first = last


@pytest.mark.parametrize("drift", [0.0, 1e3])
def test_newton_adds_single_rows_to_very_many(drift):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300_020, 3))
    X[300_000:] += drift
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=300_020)
    stream = GDRegressor("newton").partial_fit(X[:300_000], y[:300_000])
    for i in range(300_000, 300_020):
        stream.partial_fit(X[i : i + 1], y[i : i + 1])
    whole = GDRegressor("newton").fit(X, y)
    assert_allclose(stream.coef_, whole.coef_, rtol=1e-10)
    assert_allclose(stream.intercept_, whole.intercept_, rtol=1e-10, atol=1e-12)


def test_the_order_of_chunks_does_not_matter_to_newton():
    """Some chunks are well conditioned, others not, and so is what they add up to."""
    rng = np.random.default_rng(0)
    good = rng.normal(size=(60, 3))
    good[:, 0] += 5.0
    poor = 1e4 * rng.normal(size=(60, 1)) + rng.normal(size=(60, 3))
    X = np.vstack([good, poor, 1e4 * rng.normal(size=(60, 3)), good[:2]])
    y = X @ [1.0, 2.0, -1.0] + rng.normal(size=len(X))
    chunks = [slice(0, 60), slice(60, 120), slice(120, 180), slice(180, 182)]
    whole = GDRegressor("newton").fit(X, y)
    forms = set()
    for order in ([0, 1, 2, 3], [1, 3, 0, 2], [2, 1, 0, 3], [3, 2, 0, 1]):
        stream = GDRegressor("newton")
        for chunk in order:
            stream.partial_fit(X[chunks[chunk]], y[chunks[chunk]])
            forms.add(stream._stream["targets"][0]["factor"]["R"] is None)
        assert_allclose(stream.coef_, whole.coef_, rtol=1e-10)
    assert forms == {True, False}


def _values(kept):
    """Return how many numbers are kept in arrays, however they are nested."""
    if isinstance(kept, dict):
        return sum(map(_values, kept.values()))
    if isinstance(kept, list):
        return sum(map(_values, kept))
    return np.size(kept)


@pytest.mark.parametrize("collinear", [True, False])
@pytest.mark.parametrize("chunk", [1, 30, 2000])
def test_newton_streams_in_the_memory_of_a_few_gram_matrices(chunk, collinear):
    rng = np.random.default_rng(0)
    d = 20
    stream, most = GDRegressor("newton"), 4 * (d + 2) ** 2
    for _ in range(40):
        X = rng.normal(size=(chunk, d))
        if collinear:
            X[:, 0] = X[:, 1] + 1e-4 * X[:, 0]
        stream.partial_fit(X, rng.normal(size=chunk))
        assert _values(stream._stream) <= most
        assert len(pickle.dumps(stream)) <= 8 * most + 10_000


@pytest.mark.parametrize("chunk", [1, 100])
def test_the_peak_of_a_long_newton_stream_does_not_grow(chunk):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(chunk, 10)), rng.normal(size=chunk)
    X[:, 0] = X[:, 1] + 1e-4 * X[:, 0]
    stream = GDRegressor("newton")

    def peak(calls):
        tracemalloc.start()
        for _ in range(calls):
            stream.partial_fit(X, y)
            gc.collect()  # else the peak is a matter of when Python does it
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    gc.freeze()  # what is there already need not be looked through each time
    try:
        peak(200)  # beyond the first rows, of which more is kept
        assert peak(100) < 1.2 * peak(20) + 20_000
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_newton_tells_f_on_its_rows_before_and_after(noise, alpha, fit_intercept):
    X, y = noisy()
    y = X @ np.arange(5.0) + noise * y + 100.0
    model = GDRegressor("newton", alpha=alpha, fit_intercept=fit_intercept)
    model.partial_fit(X[:100], y[:100])

    def F(rows):
        squares = (y[rows] - X[rows] @ model.coef_ - model.intercept_) ** 2
        return 0.5 * squares.mean() + 0.5 * alpha * model.coef_ @ model.coef_

    rows = slice(100, 200)
    before = F(rows)
    model.partial_fit(X[rows], y[rows])
    assert_allclose(model.loss_curve_, [before, F(rows)], rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("n", [1, 3, 50])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_newton_refuses_what_is_no_number(bad, n, container):
    X, y = noisy(60)
    for begun in (False, True):
        model = GDRegressor("newton")
        if begun:
            model.partial_fit(X, y)
        before = pickle.dumps(model)
        worse = X[:n].copy()
        worse[n // 2, 1] = bad
        with pytest.raises(ValueError, match="Input X contains"):
            model.partial_fit(container(worse), y[:n])
        assert pickle.dumps(model) == before


def test_newton_streams_on_from_fit():
    X, y = noisy()
    s = np.random.default_rng(0).uniform(0.5, 5, size=200)
    stream = GDRegressor("newton").fit(X[:120], y[:120], s[:120])
    stream.partial_fit(X[120:], y[120:], s[120:])
    whole = GDRegressor("newton").fit(X, y, s)
    assert_allclose(stream.coef_, whole.coef_, rtol=1e-10)
    # A new alpha needs no new pass.
    stream.set_params(alpha=0.3).partial_fit(X[:1], y[:1], [1e-300])
    ridge = GDRegressor("newton", alpha=0.3).fit(X, y, s)
    assert_allclose(stream.coef_, ridge.coef_, rtol=1e-10)


def test_newton_can_not_make_up_rows_it_never_counted():
    X, y = noisy()
    stream = GDRegressor("gd").partial_fit(X, y).set_params(solver="newton")
    with pytest.raises(ValueError, match="on a new estimator"):
        stream.partial_fit(X, y)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_stream_that_grows_a_thousandfold(solver, fit_intercept):
    rng = np.random.default_rng(0)
    w = np.array([1.0, -2.0, 0.5])
    model = GDRegressor(solver, random_state=0, fit_intercept=fit_intercept)
    scores = []
    for k in range(200):
        scale = 1.0 if k < 5 else 1000.0
        X = scale * rng.normal(size=(50, 3))
        y = X @ w + 0.1 * scale * rng.normal(size=50)
        model.partial_fit(X, y)
        assert np.isfinite(model.coef_).all()
        if k >= 190:
            scores.append(model.score(X, y))
    assert np.mean(scores) > 0.9
    assert_allclose(model.coef_, w, atol=0.5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("chunk", [1, 2, 5, 50])
def test_a_stream_of_one_distribution_is_learned(solver, chunk):
    rng = np.random.default_rng(0)
    w = np.array([1.0, -2.0, 0.5])
    model = GDRegressor(solver, random_state=0)
    n = {1: 600, 2: 400, 5: 300, 50: 100}[chunk] * chunk
    X = rng.normal(size=(n, 3))
    y = X @ w + 0.1 * rng.normal(size=n) + 7.0
    for first in range(0, n, chunk):
        rows = slice(first, first + chunk)
        model.partial_fit(X[rows], y[rows])
    assert_allclose(model.coef_, w, atol=0.25)
    assert_allclose(model.intercept_, 7.0, atol=0.25)


def test_changes_between_calls_take_effect():
    X, y = noisy()
    start = GDRegressor("sgd", learning_rate=0.01, random_state=0).partial_fit(X, y)

    def go_on(**changed):
        return copy.deepcopy(start).set_params(**changed).partial_fit(X, y).coef_

    kept = go_on()
    for changed in (
        {"shuffle": False},
        {"learning_rate": 0.02},
        {"learning_rate": "auto"},
        {"batch_size": 3},
        {"alpha": 1.0},
        {"solver": "adagrad"},
        {"average": True},
    ):
        assert np.any(go_on(**changed) != kept), changed
    # Back to shuffling: the seed was kept.
    unshuffled = copy.deepcopy(start).set_params(shuffle=False).partial_fit(X, y)
    again = unshuffled.set_params(shuffle=True).partial_fit(X, y)
    assert again._stream["seed"] == start._stream["seed"]


@pytest.mark.parametrize("solver", ["adagrad", "rmsprop", "momentum"])
@ignore_convergence
def test_a_float_step_after_automatic_ones_is_the_textbooks(solver):
    X, y = noisy()
    model = GDRegressor(solver).fit(X, y)
    w = np.append(model.coef_, model.intercept_) + 0.0
    state = dict(model._stream["targets"][0]["rule"])
    model.set_params(learning_rate=0.05).partial_fit(X, y)
    A = np.c_[X, np.ones(200)]
    w = textbook.rule_step(solver, w, A.T @ (A @ w - y) / 200, state, 0.05)
    assert_allclose(np.append(model.coef_, model.intercept_), w, rtol=1e-9)


def test_eps_can_change_in_a_stream():
    X, y = noisy()
    start = GDRegressor("adagrad", learning_rate=0.1).partial_fit(X, y)
    kept = copy.deepcopy(start).partial_fit(X, y).coef_
    changed = copy.deepcopy(start).set_params(eps=10.0).partial_fit(X, y).coef_
    assert np.any(kept != changed)


def test_partial_fit_validates_again():
    X, y = noisy()
    model = GDRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(alpha=-1).partial_fit(X, y)
    with pytest.raises(ValueError, match="fit_intercept"):
        model.set_params(alpha=0, fit_intercept=False).partial_fit(X, y)


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_divergence_in_a_stream_keeps_the_last_finite_coefficients(solver):
    X, y = noisy()
    model = GDRegressor(solver, learning_rate=0.01, random_state=0).partial_fit(X, y)
    before = model.coef_.copy()
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.partial_fit(X * 1e6, y)
    assert_array_equal(model.coef_, before)
    model.partial_fit(X, y)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "newton"])
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@ignore_convergence
def test_positive_from_now_on(solver, learning_rate, container):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y, X = X @ [1.0, -2.0, 1.0], container(X)
    model = GDRegressor(solver, learning_rate=learning_rate, random_state=0)
    for _ in range(5):
        model.partial_fit(X, y)
    assert (model.coef_ < 0.0).any()
    model.set_params(positive=True).partial_fit(X, y)
    assert (model.coef_ >= 0.0).all()
