"""Dask collections: the same coefficients as in memory, wherever the chunks are."""

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
import tables
from dask.callbacks import Callback
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn_gd._core.losses import LOSSES

from sklearn_gd import GDRegressor
from sklearn_gd._chunks import ChunkOrder, Chunks, as_chunks
from sklearn_gd._data import FEW_VALUES
from sklearn_gd._solver import SOLVERS

N, D = 20_000, 8  # more than what is taken into memory
assert N * D > FEW_VALUES
FULL_BATCH = [name for name, solver in SOLVERS.items() if not solver.batch_size]
STOCHASTIC = [name for name, solver in SOLVERS.items() if solver.batch_size]
ignore_threads = pytest.mark.filterwarnings(
    "ignore:Running on a single-machine scheduler:UserWarning"
)
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture(scope="module", autouse=True)
def _threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


def table(k=None, seed=0):
    """Return X, y and weights, a third of which are 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, D))
    X[:, 3] += 5.0
    w = rng.normal(size=(D, k or 1))
    y = X @ w + 3.0 + rng.standard_t(5, size=(N, k or 1))
    return X, y if k else y[:, 0], rng.integers(0, 3, size=N).astype(np.float64)


def chunked(*arrays, chunk=3300):
    return [da.from_array(a, chunks=(chunk, *a.shape[1:])) for a in arrays]


def assert_same(model, local, distributed, rtol=1e-8):
    """Check that a fit of a collection has what that of the same rows in memory has."""
    one, other = clone(model).fit(*local), clone(model).fit(*distributed)
    assert isinstance(as_chunks(*distributed[:2]), Chunks)
    size = np.abs(one.coef_).max()
    assert_allclose(other.coef_, one.coef_, rtol=0, atol=rtol * size)
    assert_allclose(other.intercept_, one.intercept_, rtol=0, atol=10 * rtol * size)
    assert np.shape(other.intercept_) == np.shape(one.intercept_)
    assert other.coef_.dtype == one.coef_.dtype
    assert other.n_iter_ == one.n_iter_
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-8)
    for name in vars(one):
        assert name in vars(other)
    return one, other


# --- the same as in memory ------------------------------------------------------------


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
@ignore_convergence
def test_full_batch(solver, loss, weighted):
    if solver == "newton" and not LOSSES[loss].has_second:
        return
    X, y, s = table()
    s = [s] if weighted else []
    model = GDRegressor(solver, loss=loss, alpha=0.01, epsilon=0.8, max_iter=12)
    model.set_params(tol=1e-4 if solver == "newton" else None)
    assert_same(model, [X, y, *s], chunked(X, y, *s))


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("positive", [False, True])
@ignore_convergence
def test_proximal_steps(penalty, positive):
    X, y, _ = table()
    model = GDRegressor(
        "momentum", penalty=penalty, alpha=0.3, positive=positive, tol=1e-9
    )
    one, other = assert_same(model, [X, y], chunked(X, y))
    assert_array_equal(one.coef_ == 0.0, other.coef_ == 0.0)


@pytest.mark.parametrize("solver", [*STOCHASTIC, "momentum", "adagrad", "rmsprop"])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_reach_the_same_score(solver, weighted):
    X, y, s = table()
    s = [s] if weighted else []
    model = GDRegressor(solver, batch_size=SOLVERS[solver].batch_size or 16)
    model.set_params(random_state=0)
    one = clone(model).fit(X, y, *s)
    other = clone(model).fit(*chunked(X, y, *s))
    assert abs(one.score(X, y, *s) - other.score(X, y, *s)) < 1e-3
    again = clone(model).fit(*chunked(X, y, *s))
    assert_array_equal(other.coef_, again.coef_)


def test_batches_of_float_steps_are_the_textbooks_chunk_by_chunk():
    X, y, _ = table()
    model = GDRegressor("sgd", learning_rate=1e-3, shuffle=False, max_iter=2, tol=None)
    one, other = clone(model).fit(X, y), clone(model).fit(*chunked(X, y))
    assert_allclose(other.coef_, one.coef_, rtol=1e-12)
    assert other.t_ == one.t_
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("solver", ["sgd", "minibatch", "rmsprop"])
def test_rows_that_are_sorted_by_a_column(solver):
    X, y, _ = table()
    order = np.argsort(X[:, 0])
    X, y = np.ascontiguousarray(X[order]), y[order]
    model = GDRegressor(solver, batch_size=8, random_state=0).fit(*chunked(X, y))
    assert model.score(X, y) > GDRegressor("newton").fit(X, y).score(X, y) - 1e-3


def test_rows_that_are_sorted_by_the_target_are_warned_of():
    X, y, _ = table()
    order = np.argsort(y)
    X, y = np.ascontiguousarray(X[order]), y[order]
    model = GDRegressor("sgd", random_state=0, max_iter=30)
    with pytest.warns(ConvergenceWarning, match="Not converged"):
        model.fit(*chunked(X, y))
    assert model.score(X, y) > 0.0


@pytest.mark.parametrize("solver", ["newton", "gd", "momentum", "rmsprop"])
def test_early_stopping_holds_out_the_same_rows(solver):
    if solver == "newton":
        solver, loss = "newton", "huber"
    else:
        loss = "squared_error"
    X, y, s = table()
    model = GDRegressor(solver, loss=loss, epsilon=1.0, early_stopping=True)
    model.set_params(random_state=0)
    one, other = assert_same(model, [X, y, s], chunked(X, y, s))
    assert_allclose(other.validation_scores_, one.validation_scores_, rtol=1e-9)


@pytest.mark.parametrize("loss", ["huber", "epsilon_insensitive"])
def test_automatic_epsilon(loss):
    X, y, s = table()
    model = GDRegressor("momentum", loss=loss, max_iter=3, tol=None)
    one, other = assert_same(model, [X, y, s], chunked(X, y, s))
    assert_allclose(other.epsilon_, one.epsilon_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["newton", "gd", "rmsprop"])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@ignore_convergence
def test_several_targets(solver, loss):
    X, Y, s = table(k=3)
    model = GDRegressor(solver, loss=loss, epsilon=1.0, max_iter=10)
    one, other = assert_same(model, [X, Y, s], chunked(X, Y, s))
    assert other.coef_.shape == (3, D)
    dX, dY, ds = chunked(X, Y, s)
    assert_allclose(other.predict(dX).compute(), one.predict(X), rtol=1e-9, atol=1e-9)
    assert_allclose(other.score(dX, dY, ds), one.score(X, Y, s), rtol=1e-9)
    if solver == "newton":
        for given in (Y.tolist(), pd.DataFrame(Y), dd.from_pandas(pd.DataFrame(Y))):
            again = clone(model).fit(dX, given, s)
            assert_allclose(again.coef_, one.coef_, rtol=1e-8)


def test_several_targets_in_batches():
    X, Y, _ = table(k=3)
    for solver in ("sgd", "adagrad"):
        model = GDRegressor(solver, batch_size=4, random_state=0)
        one, other = clone(model).fit(X, Y), clone(model).fit(*chunked(X, Y))
        assert abs(one.score(X, Y) - other.score(X, Y)) < 1e-3


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_more_columns_than_a_gram_matrix_has(loss):
    rng = np.random.default_rng(0)
    X = sparse.random(3000, 2100, 0.01, format="csr", random_state=rng)
    y = X @ rng.normal(size=2100) + rng.normal(size=3000)
    dX = da.from_array(X.toarray(), chunks=(700, 2100)).map_blocks(sparse.csr_matrix)
    model = GDRegressor("newton", loss=loss, epsilon=1.0, alpha=0.1)
    assert_same(model, [X, y], [dX, da.from_array(y, chunks=700)], rtol=1e-6)
    model = GDRegressor("momentum", loss=loss, epsilon=1.0, max_iter=5, tol=None)
    assert_same(model, [X, y], [dX, da.from_array(y, chunks=700)])


# --- whatever the chunks are ----------------------------------------------------------


@pytest.mark.parametrize("solver", ["newton", "momentum"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_types_of_x(solver, dtype):
    X, y, _ = table()
    X = (10 * X).astype(dtype)
    model = GDRegressor(solver, fit_intercept=False)
    assert_same(model, [X, y], chunked(X, y), rtol=1e-6)


def uneven(X, y, s):
    return [
        da.from_array(X, chunks=((1, 9999, 10_000), (3, 5))),
        da.from_array(y, chunks=777),
        da.from_array(s, chunks=5000),
    ]


def with_arrays(X, y, s):
    return [da.from_array(X, chunks=(6000, D)), y, list(s)]


def with_series(X, y, s):
    return [da.from_array(X, chunks=(6000, D)), pd.Series(y), pd.Series(s)]


def frames(X, y, s):
    frame = pd.DataFrame(np.c_[X, y, s], columns=[*"abcdefgh", "y", "s"])
    frame = dd.from_pandas(frame, npartitions=4)
    return [frame[list("abcdefgh")], frame["y"], frame["s"]]


def frames_of_other_parts(X, y, s):
    X, y, s = frames(X, y, s)
    return [X, y.repartition(npartitions=2), da.from_array(s.compute(), chunks=1234)]


def filtered(X, y, s):
    dX, dy, ds = chunked(X, y, s)
    every = da.ones(N, chunks=3300) > 0
    return [dX[every], dy[every], ds[every]]


def filtered_otherwise(X, y, s):
    every = da.ones(N, chunks=3300) > 0
    dX = da.from_array(X, chunks=(3300, D))[every]
    dy = da.concatenate([da.from_array(y[:100]), da.from_array(y[100:])])
    return [dX, dy, da.from_array(s, chunks=N // 7)]


def with_empty_parts(X, y, s):
    nothing = [np.empty((0, *a.shape[1:])) for a in (X, y, s)]
    return [
        da.concatenate([da.from_array(a) for a in (n, v[:7000], n, v[7000:], n)])
        for n, v in zip(nothing, (X, y, s), strict=True)
    ]


def with_a_scalar_weight(X, y, s):
    return [da.from_array(X, chunks=(6000, D)), y, 2.5]


@pytest.mark.parametrize(
    "given",
    [
        uneven,
        with_arrays,
        with_series,
        frames,
        frames_of_other_parts,
        filtered,
        filtered_otherwise,
        with_empty_parts,
        with_a_scalar_weight,
    ],
)
@pytest.mark.parametrize("solver", ["newton", "sgd"])
def test_any_chunks(given, solver):
    X, y, s = table()
    if given is with_a_scalar_weight:
        s = None
    whole = GDRegressor("newton").fit(X, y, s)
    collections = given(X, y, np.zeros(N) if s is None else s)
    model = GDRegressor(solver, random_state=0).fit(*collections)
    assert isinstance(as_chunks(*collections), Chunks)
    if solver == "newton":
        assert_allclose(model.coef_, whole.coef_, rtol=1e-8)
    assert abs(model.score(*collections) - whole.score(X, y, s)) < 1e-3
    f = model.predict(collections[0]).compute()
    assert_allclose(f, X @ model.coef_ + model.intercept_, atol=1e-12)


def test_names_of_columns():
    X, y, s = frames(*table())
    model = GDRegressor("newton").fit(X, y, s)
    assert_array_equal(model.feature_names_in_, list("abcdefgh"))
    assert model.n_features_in_ == D
    assert_allclose(model.predict(X).compute(), model.predict(X.compute()))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={"a": "z"}))
    model = GDRegressor("newton").fit(*chunked(*table()))
    with pytest.raises(ValueError, match="expecting 8 features"):
        model.predict(da.ones((10, 3)))


@ignore_convergence
def test_few_rows_are_taken_into_memory():
    X, y = tables.raw("longley")
    dX, dy = da.from_array(X, chunks=(5, X.shape[1])), da.from_array(y, chunks=7)
    for solver in ("newton", "sgd"):
        model = GDRegressor(solver, random_state=0)
        one, other = clone(model).fit(X, y), clone(model).fit(dX, dy)
        assert_array_equal(one.coef_, other.coef_)
        assert one.score(X, y) == other.score(dX, dy)
        frame = dd.from_pandas(pd.DataFrame(X).add_prefix("x"), npartitions=3)
        assert_array_equal(clone(model).fit(frame, dy).coef_, one.coef_)


def test_nothing_is_modified():
    X, y, s = table()
    kept = [a.copy() for a in (X, y, s)]
    for a in (X, y, s):
        a.flags.writeable = False
    collections = chunked(X, y, s)
    names = [a.name for a in collections]
    for solver in SOLVERS:
        GDRegressor(solver, max_iter=2, tol=None).fit(*collections)
    assert [a.name for a in collections] == names
    for a, b in zip((X, y, s), kept, strict=True):
        assert_array_equal(a, b)


# --- streams --------------------------------------------------------------------------


def test_newton_streams_collections_exactly():
    X, y, s = table()
    stream = GDRegressor("newton")
    for part in (slice(0, 5), slice(5, 100), slice(100, N)):
        stream.partial_fit(*chunked(X[part], y[part], s[part] + 1.0))
    whole = GDRegressor("newton").fit(X, y, s + 1.0)
    assert_allclose(stream.coef_, whole.coef_, rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fit(solver):
    X, y, _ = table()
    stream = GDRegressor(solver, random_state=0)
    for _ in range(5):
        stream.partial_fit(*chunked(X, y))
    assert stream.score(X, y) > (0.3 if solver == "gd" else 0.5)
    steps = GDRegressor(solver, learning_rate=1e-4, random_state=0)
    for _ in range(3):
        steps.partial_fit(*chunked(X, y))
    steps = pickle.loads(pickle.dumps(steps)).partial_fit(*chunked(X, y))
    once = clone(steps).set_params(max_iter=4, tol=None).fit(*chunked(X, y))
    assert_allclose(steps.coef_, once.coef_, rtol=1e-12)
    assert steps.t_ == once.t_


def test_warm_start_goes_on():
    X, y, _ = table()
    model = GDRegressor("rmsprop", loss="huber", epsilon=1.0, warm_start=True)
    model.set_params(max_iter=5, tol=None, store_path=True).fit(*chunked(X, y))
    before = model.loss_
    assert model.coef_path_.shape == (6, D)
    model.fit(*chunked(X, y))
    assert_allclose(model.loss_curve_[0], before, rtol=1e-12)
    assert model.loss_ < before


@pytest.mark.parametrize("solver", ["sgd", "momentum"])
def test_a_line_an_epoch(solver, capsys):
    X, y, _ = table()
    model = GDRegressor(solver, loss="huber", epsilon=1.0, max_iter=4, tol=None)
    model.set_params(random_state=0, verbose=1).fit(*chunked(X, y))
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("early_stopping", [False, True])
def test_callbacks_see_each_epoch(early_stopping):
    if not hasattr(GDRegressor, "set_callbacks"):  # before scikit-learn 1.9
        return
    from sklearn.callback import ScoringMonitor

    X, y, s = table()
    monitor = ScoringMonitor(scoring="neg_mean_squared_error")
    model = GDRegressor("sgd", max_iter=3, tol=None, random_state=0)
    model.set_params(early_stopping=early_stopping).set_callbacks(monitor)
    model.fit(*chunked(X, y, s))
    rows = [row for row in monitor.get_logs().data if row["task_id_path"][1:]]
    seen = [-0.5 * row["neg_mean_squared_error"] for row in rows]
    assert_allclose(seen, model.loss_curve_[1:], rtol=1e-9)


def test_an_interrupted_fit_goes_on(monkeypatch):
    X, y, _ = table()
    epochs = []

    def begin(order, seed=0, epoch=0):
        epochs.append(epoch)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return whole(order, seed, epoch)

    whole = ChunkOrder.begin
    model = GDRegressor("sgd", learning_rate=1e-4, max_iter=9, tol=None)
    model.set_params(warm_start=True, random_state=0)
    with monkeypatch.context() as patch:
        patch.setattr(ChunkOrder, "begin", begin)
        with pytest.raises(KeyboardInterrupt):
            model.fit(*chunked(X, y))
    two = clone(model).set_params(max_iter=2).fit(*chunked(X, y))
    assert_array_equal(model.coef_, two.coef_)
    assert model.n_iter_ == 2
    assert model.fit(*chunked(X, y)).n_iter_ == 9


# --- predictions ----------------------------------------------------------------------


def test_predict_is_lazy():
    X, y, _ = table()
    model = GDRegressor("newton").fit(X, y)

    def no(block):
        raise AssertionError("it was computed")

    dX = da.from_array(X, chunks=(3300, D))
    f = model.predict(dX.map_blocks(no, meta=X[:0]))
    assert f.chunks == ((3300,) * 6 + (200,),)
    assert f.dtype == np.float64
    with pytest.raises(AssertionError, match="it was computed"):
        f.compute()
    assert_array_equal(model.predict(dX).compute(), model.predict(X))
    single = clone(model).fit(X.astype(np.float32), y)
    assert single.predict(dX.astype(np.float32)).dtype == np.float32


def test_score():
    X, y, s = table()
    model = GDRegressor("newton").fit(X, y)
    dX, dy, ds = chunked(X, y, s)
    assert_allclose(model.score(dX, dy), r2_score(y, model.predict(X)))
    expected = r2_score(y, model.predict(X), sample_weight=s)
    assert_allclose(model.score(dX, dy, ds), expected)
    constant = np.ones(N)
    assert model.score(dX, constant) == model.score(X, constant)


# --- what travels ---------------------------------------------------------------------


class Results(Callback):
    """Keeps the size of what each of our tasks returns."""

    def _start(self, graph):
        self.sizes = getattr(self, "sizes", [])

    def _posttask(self, key, result, graph, state, worker):
        name = key if isinstance(key, str) else key[0]
        if name.startswith(("_on_", "_merged")):
            self.sizes.append(len(pickle.dumps(result)))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@ignore_convergence
def test_only_numbers_of_the_gram_matrix_travel(solver, loss):
    X, y, _ = table()
    model = GDRegressor(solver, loss=loss, epsilon=1.0, max_iter=3)
    results = Results()
    with results:
        model.fit(*chunked(X, y))
    assert len(results.sizes) > 5
    sizes = np.sort(results.sizes)
    if solver == "newton" and loss == "huber":
        # One for each row, which stays where the row is: ℓ″.
        sizes = sizes[sizes < 8 * 3300]
    # At most a thousand rows, or 20 a column, are a sample of all: of each chunk 165.
    large = sizes > 8 * (2 * D * D + 10 * D) + 1000
    assert np.count_nonzero(large) <= 7
    assert sizes.max() < 8 * (D + 2) * 165 + 1500


def test_dask_is_not_imported_by_itself():
    code = (
        "import sys, numpy as np; from sklearn_gd import GDRegressor; "
        "GDRegressor().fit(np.eye(3), [1, 2, 3]).predict(np.eye(3)); "
        "assert 'dask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_dask(monkeypatch):
    X = da.ones((10, 2))
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-gd\[dask\]'"):
        GDRegressor().fit(X, np.ones(10))


# --- errors ---------------------------------------------------------------------------


def replaced(values, where, value):
    values = values.copy()
    values[where] = value
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, s: (replaced(X, (9000, 2), np.nan), y, s), "X contains NaN"),
        (lambda X, y, s: (X, replaced(y, 9000, np.inf), s), "y contains infinity"),
        (lambda X, y, s: (X, y, replaced(s, 9000, -1.0)), "Negative values"),
        (lambda X, y, s: (X, y, 0.0 * s), "at least one non-zero"),
        (lambda X, y, s: (X, y, np.c_[s, s]), "Sample weights must be 1D"),
        (lambda X, y, s: (X, y[1:], s), r"inconsistent numbers of .*20000, 19999"),
        (lambda X, y, s: (X, y, s[1:]), r"inconsistent numbers of .*20000, 19999"),
        (lambda X, y, s: (X[:, 0], y, s), "Expected 2D array, got 1D"),
        (lambda X, y, s: (X[:0], y[:0], s[:0]), r"0 sample\(s\)"),
        (lambda X, y, s: (X[:, :0], y, s), r"0 feature\(s\)"),
        (lambda X, y, s: (1e200 * X, y, s), "squares overflow"),
    ],
)
def test_clear_errors(change, message):
    X, y, s = change(*table())
    with pytest.raises(ValueError, match=message):
        GDRegressor("momentum").fit(*chunked(X, y, s))
    with pytest.raises(ValueError, match=message):
        GDRegressor("momentum").fit(*chunked(X), y, s)


def test_other_errors():
    X, y, _ = table()
    (dX,) = chunked(X)
    with pytest.raises(ValueError, match="requires y to be passed"):
        GDRegressor().fit(dX, None)
    with pytest.raises(ValueError, match="could not convert string"):
        GDRegressor().fit(da.from_array(np.array([["a"], ["b"]])), [1, 2])
    frame = dd.from_pandas(pd.DataFrame({"a": y}), npartitions=2)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        GDRegressor().fit(frame["a"], y)
    model = GDRegressor("newton").fit(dX, y)
    before = model.coef_
    with pytest.raises(ValueError, match="NaN"):
        model.fit(dX * np.nan, y)
    assert model.coef_ is before
    with pytest.raises(ValueError, match="y has 2 targets"):
        model.score(dX, np.c_[y, y])
    with pytest.warns(ConvergenceWarning, match="diverged"):
        GDRegressor("sgd", learning_rate=1e4).fit(dX, y)


# --- processes and clusters -----------------------------------------------------------


@ignore_convergence
def test_processes():
    X, y, s = table()
    with (
        ProcessPoolExecutor(2) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        for solver in ("newton", "rmsprop"):
            model = GDRegressor(solver, loss="huber", epsilon=1.0, max_iter=4)
            assert_same(model, [X, y, s], chunked(X, y, s))
        model = GDRegressor("sgd", random_state=0).fit(*chunked(X, y))
    assert_array_equal(
        model.coef_, GDRegressor("sgd", random_state=0).fit(*chunked(X, y)).coef_
    )


def made_cluster():
    # Or a worker may ask one that was killed for what it had, for half a minute.
    timeout = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", env=timeout
        ) as made,
        Client(made) as client,
        dask.config.set(scheduler="distributed"),
    ):
        yield client


cluster = pytest.fixture(made_cluster, scope="module", name="cluster")
fresh_cluster = pytest.fixture(made_cluster, name="fresh_cluster")


@pytest.mark.parametrize("solver", SOLVERS)
@ignore_threads
@ignore_convergence
def test_a_cluster(cluster, solver):
    X, y, s = table()
    model = GDRegressor(solver, max_iter=5, random_state=0)
    collections = dask.persist(*chunked(X, y, s))
    if solver in STOCHASTIC:
        other = clone(model).fit(*collections)
        assert abs(other.score(X, y, s) - model.fit(X, y, s).score(X, y, s)) < 1e-3
        with dask.config.set(scheduler="threads"):
            again = clone(model).fit(*chunked(X, y, s))
        assert_array_equal(other.coef_, again.coef_)
    else:
        assert_same(model, [X, y, s], collections)


@pytest.mark.parametrize("solver", ["newton", "sgd"])
@ignore_threads
def test_a_worker_that_is_killed(fresh_cluster, solver, tmp_path):
    X, y, _ = table()
    mark = str(tmp_path / "killed")
    me = os.getpid()

    def read(block, block_info=None):
        first = block_info[None]["array-location"][0][0]
        seen = f"{mark}{first}"
        if first == 6600 and os.path.exists(seen) and not os.path.exists(mark):
            open(mark, "w").close()
            if os.getpid() != me:
                os.kill(os.getpid(), signal.SIGKILL)
        open(seen, "w").close()
        return block

    dX, dy = chunked(X, y)
    dX = dX.map_blocks(read, dtype=X.dtype, meta=X[:0])
    model = GDRegressor(solver, random_state=0)
    fitted = clone(model).fit(dX, dy)
    assert os.path.exists(mark)
    if solver in STOCHASTIC:
        with dask.config.set(scheduler="threads"):
            assert_array_equal(fitted.coef_, model.fit(*chunked(X, y)).coef_)
    else:
        assert_allclose(fitted.coef_, model.fit(X, y).coef_, rtol=1e-8)


def test_a_grid_search_on_a_cluster(cluster):
    X, y, _ = table()
    X, y = X[:300], y[:300]
    search = GridSearchCV(
        GDRegressor("newton"), {"alpha": [0.0, 1.0, 10.0]}, cv=3, error_score="raise"
    )
    with joblib.parallel_backend("dask"):
        there = clone(search).fit(X, y)
    here = search.fit(X, y)
    assert there.best_params_ == here.best_params_
    assert_allclose(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )
