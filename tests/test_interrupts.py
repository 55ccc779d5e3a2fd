"""Ctrl-C, and calls that fail: the estimator stays what it was."""

import pickle
import signal
import time
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn_gd._core.order import Order
from test_matrix import EVERY_STEP, STOCHASTIC

from sklearn_gd import GDRegressor, _regressor
from sklearn_gd._walks import AllRows, Batches


def table(n=300, d=5, targets=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    Y = X @ rng.normal(size=(d, targets)) + rng.normal(size=(n, targets))
    return X, Y[:, 0] if targets == 1 else Y


def attributes(model):
    parameters = model.get_params()
    return pickle.dumps({k: v for k, v in vars(model).items() if k not in parameters})


# --- Ctrl-C ---------------------------------------------------------------------------


@contextmanager
def control_c(after):
    """Press Ctrl-C after so many seconds; it must be noticed within one more."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    begun = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
        assert time.monotonic() - begun < after + 1.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("solver", "batch"), [*STOCHASTIC, ("sgd", 50)])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("method", "targets"), [("fit", 1), ("partial_fit", 3)])
def test_control_c_in_an_epoch(solver, batch, container, method, targets, monkeypatch):
    n, d = 100, 2000
    X, y = table(n, d, targets)
    X = container(X)
    model = GDRegressor(solver, batch_size=batch, learning_rate=1e-5, random_state=0)
    model.partial_fit(X, y)
    before = attributes(model)
    expected = pickle.loads(pickle.dumps(model)).partial_fit(X, y).coef_
    rows = np.tile(np.arange(n), 40_000)  # an epoch of many seconds

    class Long(Batches):
        def __init__(self, batch, seed, order, *others):
            order = Order(len(rows), d, rows, shuffle=False)
            super().__init__(batch, seed, order, *others)

    with monkeypatch.context() as patch:
        patch.setattr(_regressor, "Batches", Long)
        with control_c(after=0.1):
            getattr(model, method)(X, y)
    assert attributes(model) == before
    assert_array_equal(model.partial_fit(X, y).coef_, expected)


@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize(
    ("learning_rate", "loss"), [("auto", "squared_error"), (1e-4, "huber")]
)
def test_control_c_in_a_long_fit(solver, batch, learning_rate, loss):
    X, y = table(20_000, 60)
    model = GDRegressor(
        solver,
        loss=loss,
        batch_size=batch,
        learning_rate=learning_rate,
        max_iter=10**7,
        tol=None,
    )
    with control_c(after=0.1):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "n_features_in_")


# --- calls that fail ------------------------------------------------------------------


@pytest.mark.parametrize(("solver", "batch"), EVERY_STEP)
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
@pytest.mark.parametrize("first", ["fit", "partial_fit"])
@pytest.mark.parametrize("second", ["fit", "partial_fit"])
def test_a_call_that_fails_changes_nothing(solver, batch, learning_rate, first, second):
    X, y = table()
    model = GDRegressor(
        solver, batch_size=batch, learning_rate=learning_rate, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        getattr(model, first)(X, y)
        expected = pickle.loads(pickle.dumps(model)).partial_fit(X, y).coef_
    before = attributes(model)
    bad = X.copy()
    bad[200, 3] = np.nan
    names = pd.DataFrame(bad, columns=list("abcde"))
    for data in (
        (bad, y),
        (names if second == "fit" else bad, y),
        (X, np.where(np.arange(300) == 7, np.inf, y)),
        (X, y[:-1]),
        (X, y, -np.ones(300)),
        (1e200 * X, y),
        (X[:, :4] if second == "partial_fit" else X[:, :0], y),
    ):
        with pytest.raises(ValueError):
            getattr(model, second)(*data)
        assert attributes(model) == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert_array_equal(model.partial_fit(X, y).coef_, expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_warning_that_is_an_error_changes_nothing(method):
    X, y = table()
    model = GDRegressor("sgd", learning_rate=1e-3, random_state=0).fit(X, y)
    before = attributes(model)
    model.set_params(learning_rate=1e6)
    with pytest.raises(ConvergenceWarning, match="diverged"):
        getattr(model, method)(X, y)  # warnings are errors here
    assert attributes(model) == before


@pytest.mark.parametrize("place", ["minimize", "as_data", "objectives", "_as_long"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fault_anywhere_leaves_no_half_written_attributes(place, method, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    X, y = table()
    model = GDRegressor("sgd", learning_rate=1e-3, random_state=0)
    with monkeypatch.context() as patch:
        patch.setattr(_regressor, place, fail)
        with pytest.raises(MemoryError):
            getattr(model, method)(X, y)
        assert attributes(model) == attributes(clone(model))
    before = attributes(model.fit(X, y))
    with monkeypatch.context() as patch:
        patch.setattr(_regressor, place, fail)
        with pytest.raises(MemoryError):
            getattr(model, method)(X, y)
    assert attributes(model) == before


@pytest.mark.parametrize(
    ("solver", "more"),
    [("momentum", {"schedule": "invscaling"}), ("adagrad", {"alpha": 0.1})],
)
def test_control_c_where_a_step_visits_all_columns(solver, more):
    n, d = 4000, 200_000
    X = sparse.csr_array((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, d))
    model = GDRegressor(solver, batch_size=1, learning_rate=1e-3, **more)
    with control_c(after=0.3):
        model.set_params(tol=None).fit(X, np.ones(n))
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("solver", "more"),
    [
        ("sgd", {}),
        ("sgd", {"learning_rate": 1e-3}),
        ("minibatch", {"learning_rate": 1e-3, "average": True}),
        ("momentum", {"loss": "huber", "epsilon": 1.0}),
        ("rmsprop", {"loss": "absolute_error", "batch_size": 4}),
        ("newton", {"loss": "huber", "epsilon": 1.0}),
        ("gd", {"learning_rate": 1e-2}),
    ],
)
@pytest.mark.parametrize("targets", [1, 3])
def test_an_interrupted_fit_goes_on_from_its_last_epoch(
    solver, more, targets, monkeypatch
):
    X, y = table(targets=targets)
    model = GDRegressor(solver, max_iter=3, tol=None, random_state=0, **more)
    three = clone(model).set_params(store_path=True).fit(X, y)
    left = 3

    def interrupted(iterate):
        def once_more(walk, states):
            nonlocal left
            iterate(walk, states)
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

        return once_more

    kept = clone(model).set_params(max_iter=9, warm_start=True, store_path=True)
    plain = clone(model).set_params(max_iter=9)
    with monkeypatch.context() as patch:
        for walk in (AllRows, Batches):
            patch.setattr(walk, "iterate", interrupted(walk.iterate))
        for estimator, enough in ((kept, 3), (plain, 0)):
            left = enough
            with pytest.raises(KeyboardInterrupt):
                estimator.fit(X, y)
    assert not hasattr(plain, "coef_")
    assert kept.stop_reason_ == "interrupted"
    assert kept.n_iter_ == 3
    assert_allclose(kept.coef_path_, three.coef_path_, rtol=1e-12)
    assert kept.loss_ <= kept.loss_curve_[0]
    assert kept.predict(X).shape == y.shape
    coef = kept.coef_
    kept.set_params(max_iter=1).fit(X, y)
    assert_array_equal(kept.coef_path_[0], coef)
