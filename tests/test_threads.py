"""Several threads at once: right results, and compiled loops that let others run."""

import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn_gd._core.epoch import Mean, Problem, Steps
from sklearn_gd._core.gram import Gram
from sklearn_gd._core.losses import SquaredError
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._core.quadratic import Quadratic, Watch
from sklearn_gd._core.rules import Descent
from sklearn_gd._core.targets import Targets
from test_matrix import ALL, EVERY_STEP, takes

from sklearn_gd import GDRegressor
from sklearn_gd._data import as_data


@pytest.fixture(autouse=True)
def ignore_convergence():
    """Once for all threads: catch_warnings of each would restore those of another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def table(n=300, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


def estimators():
    for loss in ALL:
        for solver, batch in EVERY_STEP:
            if takes(solver, loss, None, positive=False):
                for step in ("auto", 0.01):
                    yield GDRegressor(
                        solver,
                        loss=loss,
                        batch_size=batch,
                        learning_rate=step,
                        max_iter=30,
                        random_state=0,
                    )


def result(model):
    return np.append(model.coef_, model.intercept_), model.loss_, model.stop_reason_


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_different_estimators_in_threads(container):
    """On the same X, which nobody changes, and with partial_fit in between."""
    X, y = table()
    X = container(X)

    def fit(model):
        first = result(model.fit(X, y))
        return first, result(model.partial_fit(X[:100], y[:100]))

    alone = [fit(model) for model in estimators()]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, estimators()))
    for one, other in zip(alone, together, strict=True):
        for expected, found in zip(one, other, strict=True):
            assert_allclose(found[0], expected[0], rtol=1e-10)
            assert_allclose(found[1], expected[1], rtol=1e-10)
            assert found[2] == expected[2]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_jobs_of_a_search(backend):
    X, y = table()
    search = GridSearchCV(
        GDRegressor(random_state=0),
        {"solver": ["sgd", "momentum", "newton"], "alpha": [0.0, 0.1]},
    )
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_backend(backend, n_jobs=2):
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert_allclose(together, alone, rtol=1e-10)


# --- the compiled loops release the GIL -----------------------------------------------


def compiled_calls():
    """Yield (name, a call that takes tens of milliseconds, nearly all compiled)."""
    X, y = table(200_000, 20)
    Y = np.column_stack([y, -y])
    penalty, loss = Penalty(0.0, 0.1), SquaredError()
    for name, rows in [("dense", X), ("CSR", sparse.csr_array(X))]:
        data = as_data(rows, Y)
        problems = [Problem(data.rows, t, loss, penalty, True) for t in data.Y]
        problem, w = problems[0], np.zeros(21)

        def epoch(data=data, problem=problem, batch=1):
            order = data.order(True)
            order.begin(0, 0)
            rule, mean = Descent(21), Mean(21, False)
            while order.open(batch, whole=True):
                problem.epoch(
                    rule, np.zeros(21), order, batch, Steps(1e-3, 0.0, 0), mean
                )

        def gradients(problem=problem, w=w):
            g = np.empty(21)
            for _ in range(5):
                problem.value_and_gradient(w, g)

        def both(problems=problems, w=w):
            for _ in range(5):
                Targets(problems).values_and_gradients([w, w])

        yield f"epoch, {name}", epoch
        yield f"batches, {name}", lambda epoch=epoch: epoch(batch=16)
        yield f"gradient, {name}", gradients
        yield f"targets, {name}", both

    def gram():
        Gram(np.zeros(20)).add(X, y, np.ones(len(y)))

    def losses():
        for _ in range(50):
            loss.sums(y, y, np.ones(len(y)))

    def quadratic():
        d = 300
        F = Quadratic(np.zeros(d), np.eye(d), Penalty(), False)
        w, g = np.ones(d), np.ones(d)
        F.rebase(w, 1.0, g)
        scale = np.ones(d)
        watch = Watch(np.zeros(d), scale, Penalty(), 0.0, -1.0, False, np.inf)
        watch.begin(w, 1.0, 1.0)
        F.run(Descent(d), w, g, np.full(1000, 1e-9), watch)

    yield "gram", gram
    yield "losses", losses
    yield "quadratic", quadratic


def longest_silence(call):
    """Return for which share of a call in another thread this one could not run."""
    ticks, ends = [], []

    def run():
        ends.append(time.perf_counter())
        call()
        ends.append(time.perf_counter())

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
    begin, end = ends
    inside = [begin, *(tick for tick in ticks if begin < tick < end), end]
    return np.diff(inside).max() / (end - begin)


def test_others_run_meanwhile():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-3)
    try:
        for name, call in compiled_calls():
            # Another process may take the processor; a GIL that is kept is always seen.
            shares = (longest_silence(call) for _ in range(20))
            assert any(share < 0.5 for share in shares), name
    finally:
        sys.setswitchinterval(interval)


def test_that_clock_sees_a_gil_that_is_kept():
    values = np.random.default_rng(0).normal(size=300_000).tolist()
    assert min(longest_silence(lambda: sorted(values)) for _ in range(3)) > 0.5
