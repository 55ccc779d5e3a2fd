"""scikit-learn's callbacks (1.9 and newer): one task an iteration or epoch."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import callback
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_interrupts import attributes, table
from test_matrix import EVERY_STEP, ignore_convergence

from sklearn_gd import GDRegressor, TrajectoryDisplay
from sklearn_gd._solver import SOLVERS

pytestmark = ignore_convergence

STEPS = [(*step, rate) for step in EVERY_STEP for rate in ("auto", 1e-3)]
every_step = pytest.mark.parametrize(("solver", "batch", "rate"), STEPS)


class Recorder:
    """Notes every hook, and what the model was at each."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.hooks, self.models, self.data = [], [], []

    def setup(self, estimator, context):
        self.hooks.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.hooks.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.hooks.append(("begin", context.task_name))
        if context.parent is not None:
            self.begun = fitted_estimator

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator
    ):
        self.hooks.append(("end", context.task_name))
        self.data.append((X, y, metadata))
        if context.task_name == "fit":
            return False
        self.models.append(fitted_estimator)
        return len(self.models) == self.stop_after


def made(solver, batch, rate, **parameters):
    common = {"batch_size": batch, "learning_rate": rate, "random_state": 0}
    return GDRegressor(solver, **common | parameters)


# --- tasks ----------------------------------------------------------------------------


@every_step
def test_a_task_an_iteration_and_the_model_at_each(solver, batch, rate):
    X, y = table(60)
    model = made(solver, batch, rate, max_iter=6, store_path=True)
    alone = clone(model).set_params(store_path=False).fit(X, y)
    recorder = Recorder()
    model.set_callbacks(recorder).fit(X, y)
    assert_allclose(model.coef_, alone.coef_, rtol=1e-9)
    assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-9)
    full = batch is None and SOLVERS[solver].batch_size is None
    one = "iteration" if full else "epoch"
    iteration = [("begin", one), ("end", one)]
    assert recorder.hooks == [
        ("setup", "fit"),
        ("begin", "fit"),
        *iteration * model.n_iter_,
        ("end", "fit"),
        ("teardown", "fit"),
    ]
    for k, now in enumerate(recorder.models, start=1):
        assert now.n_iter_ == k
        assert_array_equal(now.coef_, model.coef_path_[k])
        assert now.intercept_ == model.intercept_path_[k]
        assert now.loss_ == model.loss_curve_[k]
        assert now.loss_curve_ == model.loss_curve_[: k + 1]
        assert_array_equal(now.learning_rate_curve_, model.learning_rate_curve_[:k])
    assert_array_equal(recorder.begun.coef_, model.coef_path_[-2])
    assert recorder.models[0].stop_reason_ == "not stopped yet"


@every_step
@pytest.mark.parametrize("targets", [1, 3])
def test_the_monitors_history_is_the_loss_curve(solver, batch, rate, targets):
    X, y = table(60, targets=targets)
    monitor = callback.ScoringMonitor(scoring="neg_mean_squared_error")
    model = made(solver, batch, rate, max_iter=20).set_callbacks(monitor)
    model.fit(X, y)
    seen = [
        -0.5 * targets * row["neg_mean_squared_error"]
        for row in monitor.get_logs().data
        if row["task_name"] != "fit"
    ]
    assert_allclose(seen, model.loss_curve_[1:], rtol=1e-9)


@pytest.mark.parametrize("container", [np.array, sparse.csr_array, pd.DataFrame])
def test_the_monitor_sees_the_rows_that_teach(container):
    """With early stopping not those held out; weighted by their weights."""
    X, y = table(60)
    s = np.arange(60) % 4.0
    monitor = callback.ScoringMonitor(scoring="neg_mean_squared_error")
    model = GDRegressor("sgd", max_iter=8, tol=None, random_state=0)
    X = container(X) if container is not pd.DataFrame else container(X).add_prefix("x")
    for stopping in (False, True):
        model.set_params(early_stopping=stopping)
        model.set_callbacks(monitor).fit(X, y, s)
        rows = monitor.get_logs().data
        seen = [
            -0.5 * r["neg_mean_squared_error"] for r in rows if r["task_id_path"][1:]
        ]
        assert_allclose(seen, model.loss_curve_[1:], rtol=1e-9)


def test_a_fit_without_weights_shows_none():
    X, y = table(30)
    recorder = Recorder()
    GDRegressor(max_iter=2).set_callbacks(recorder).fit(X, y)
    for seen in recorder.data:
        assert seen[0] is X
        assert seen[1] is y
        assert seen[2] is None


@every_step
def test_a_callback_stops_the_fit(solver, batch, rate):
    X, y = table(60, targets=2)
    for stopping in (False, True):
        model = made(
            solver, batch, rate, max_iter=40, tol=None, early_stopping=stopping
        )
        model.set_callbacks(Recorder(stop_after=3))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(X, y)
        assert model.n_iter_ == 3
        assert model.stop_reason_ == "stopped: a callback asked for it"
        shorter = clone(model).set_params(max_iter=3).set_callbacks().fit(X, y)
        assert_allclose(model.coef_, shorter.coef_, rtol=1e-9)
        if stopping:
            scores = shorter.validation_scores_
            assert_allclose(model.validation_scores_, scores, rtol=1e-9)


def test_a_diverged_iterate_is_no_model():
    X, y = table(60)
    recorder, monitor = Recorder(), callback.ScoringMonitor(scoring="r2")
    model = GDRegressor(learning_rate=1e200, tol=None)
    model.set_callbacks(recorder, monitor).fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert recorder.models[-1] is None
    assert np.isfinite(model.coef_).all()


def test_a_fit_forgets_what_an_earlier_one_had():
    X, y = table(60)
    model = GDRegressor("sgd", early_stopping=True, store_path=True, max_iter=3)
    model.fit(X, y)
    recorder = Recorder()
    model.set_params(early_stopping=False, store_path=False)
    model.set_callbacks(recorder).fit(X, y)
    for name in ("validation_scores_", "coef_path_", "intercept_path_"):
        assert not hasattr(recorder.models[0], name)
        assert not hasattr(model, name)


def test_partial_fit_calls_nobody():
    X, y = table(60)
    recorder = Recorder()
    GDRegressor("sgd").set_callbacks(recorder).partial_fit(X, y).partial_fit(X, y)
    assert recorder.hooks == []


@pytest.mark.parametrize("place", ["gd", "sgd"])
def test_callbacks_hear_of_their_own_overflows(place):
    class Careless(Recorder):
        def on_fit_task_end(self, estimator, context):
            np.float64(1e308) * 10.0

    X, y = table(30)
    with pytest.raises(RuntimeWarning, match="overflow"):
        GDRegressor(place, max_iter=2).set_callbacks(Careless()).fit(X, y)


def test_nothing_is_made_where_nobody_watches(monkeypatch):
    X, y = table(60)
    made = []
    monkeypatch.setattr(GDRegressor, "_on_the_way", lambda *_: made.append(1))
    monkeypatch.setattr(GDRegressor, "_init_callback_context", made.append)
    model = make_pipeline(StandardScaler(), GDRegressor(max_iter=5))
    model.fit(X, y)
    model[-1].set_callbacks(Recorder()).set_callbacks().fit(X, y)
    assert made == []


# --- inside of other estimators -------------------------------------------------------


def test_in_a_pipeline(capsys):
    X, y = table(60)
    monitor, recorder = callback.ScoringMonitor(scoring="r2"), Recorder()
    gd = GDRegressor("sgd", max_iter=5, tol=None).set_callbacks(monitor, recorder)
    model = make_pipeline(StandardScaler(), gd)
    model.set_callbacks(callback.ProgressBar()).fit(X, y)
    assert len(recorder.models) == 5
    log = monitor.get_logs()
    assert log.estimator_name == "Pipeline"
    assert_allclose(
        log.data[-1]["r2"], recorder.models[-1].score(*recorder.data[0][:2])
    )
    shown = capsys.readouterr().out
    assert "GDRegressor - fit" in shown
    assert "100%" in shown
    assert not hasattr(model[-1], "_parent_callback_ctx")
    assert model[-1].set_callbacks is not None


@pytest.mark.parametrize("jobs", [1, 2])
def test_in_a_search(jobs, capsys):
    X, y = table(200)
    monitor = callback.ScoringMonitor(scoring="neg_mean_squared_error")
    gd = GDRegressor("minibatch", max_iter=4, tol=None, random_state=0)
    gd.set_callbacks(monitor)
    search = GridSearchCV(gd, {"learning_rate": ["auto", 1e-3]}, cv=2, n_jobs=jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    log = monitor.get_logs()
    assert log.estimator_name == "GridSearchCV"
    epochs = [row for row in log.data if row["task_name"] == "epoch"]
    assert len(epochs) == (2 * 2 + 1) * 4
    refit = [row for row in epochs if row["parent_task_id_path"] == (0, 1)]
    seen = [-0.5 * row["neg_mean_squared_error"] for row in refit]
    curve = search.best_estimator_.loss_curve_[1:]
    if search.best_params_["learning_rate"] == "auto":
        assert_allclose(seen, curve, rtol=1e-9)
    assert "100%" in capsys.readouterr().out


# --- failures and copies --------------------------------------------------------------


class Breaking(Recorder):
    def __init__(self, hook, task):
        super().__init__()
        self.hook, self.task, self.calls = hook, task, 0

    def _break(self, hook, context):
        self.hooks.append((hook, context.task_name))
        if (hook, context.task_name) == (self.hook, self.task):
            self.calls += 1
            if self.calls == (1 if self.task == "fit" else 2):
                raise ZeroDivisionError

    def setup(self, estimator, context):
        self._break("setup", context)

    def on_fit_task_begin(self, estimator, context):
        self._break("begin", context)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self._break("end", context)


@pytest.mark.parametrize(("solver", "one"), [("gd", "iteration"), ("sgd", "epoch")])
@pytest.mark.parametrize("hook", ["setup", "begin", "end"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_callback_that_raises_changes_nothing(solver, one, hook, whole):
    if hook == "setup" and not whole:
        return
    X, y = table(60)
    model = GDRegressor(solver, max_iter=5, tol=None, random_state=0)

    def fails(model):
        breaking = Breaking(hook, "fit" if whole else one)
        with pytest.raises(ZeroDivisionError):
            model.set_callbacks(breaking).fit(X, y)
        model.set_callbacks()
        assert breaking.hooks[-1] == ("teardown", "fit")

    before = attributes(model)
    fails(model)
    assert attributes(model) == before
    fitted = attributes(model.fit(X, y))
    fails(model.set_params(learning_rate=1e-3, early_stopping=True))
    assert attributes(model) == fitted


def test_a_fit_that_fails_is_torn_down():
    X, y = table(60)
    recorder = Recorder()
    model = GDRegressor().set_callbacks(recorder)
    y[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, y)
    assert recorder.hooks[-1] == ("teardown", "fit")
    assert set(vars(model)) == {*model.get_params(), "_skl_callbacks"}


COPIES = {
    "clone": clone,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_have_the_callbacks(how):
    X, y = table(60)
    model = GDRegressor("sgd", max_iter=4, tol=None, random_state=0)
    model.set_callbacks(callback.ScoringMonitor(scoring="r2")).fit(X, y)
    again = COPIES[how](model).fit(X, y)
    assert_array_equal(again.coef_, model.coef_)
    (monitor,) = again._skl_callbacks
    assert len(monitor.get_logs().data) == 5
    assert "callback" not in repr(again)


def test_a_picture_calls_nobody():
    X, y = table(60, d=3)
    recorder = Recorder(stop_after=1)
    model = GDRegressor("momentum", store_path=True).set_callbacks(recorder).fit(X, y)
    seen = len(recorder.hooks)
    TrajectoryDisplay.from_estimator(model, X, y)
    assert len(recorder.hooks) == seen
