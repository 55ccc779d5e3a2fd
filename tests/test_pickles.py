"""A stored model goes on as if it had never been stored: elsewhere, and years later."""

import copy
import io
import pickle
import runpy
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MODELS = Path(__file__).parent / "models"
HOW = {
    f"{solver} {step} {batch}": {
        "solver": solver,
        "learning_rate": step,
        "batch_size": batch,
    }
    for solver in SOLVERS
    for step in ("auto", 0.01)
    for batch in (None, 8)
    if batch is None or not SOLVERS[solver].second_order
}
HOW["two targets"] = {"solver": "sgd"}
HOW["kink"] = {"solver": "adagrad", "loss": "quantile", "quantile": 0.3}
HOW["l1"] = {"solver": "rmsprop", "penalty": "l1", "alpha": 0.1, "positive": True}
HOW["huber"] = {"solver": "newton", "loss": "huber"}
HOW["generator"] = {"solver": "sgd", "random_state": np.random.RandomState(0)}
HOW["float32"] = {"solver": "minibatch"}
HOW["sparse"] = {"solver": "momentum", "batch_size": 4}
HOW["frame"] = {"solver": "newton"}


def rows(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=50) + 4.0
    if name == "two targets":
        y = np.column_stack([y, y**2])
    kinds = {
        "float32": lambda X: X.astype(np.float32),
        "sparse": sparse.csr_array,
        "frame": lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
    }
    return kinds.get(name, np.array)(X), y


def begun(name):
    parameters = {"random_state": 0} | HOW[name]
    model = GDRegressor(**copy.deepcopy(parameters))
    X, y = rows(name)
    return model.partial_fit(X, y).partial_fit(X, y)


def by_pickle(protocol):
    return lambda model: pickle.loads(pickle.dumps(model, protocol=protocol))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(file)


def by_skops(model):
    stored = skops.io.dumps(model)
    unknown = skops.io.get_untrusted_types(data=stored)
    # Arrays, numbers and strings need no trust; only the class itself is unknown.
    assert unknown == ["sklearn_gd._regressor.GDRegressor"]
    return skops.io.loads(stored, trusted=unknown)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": by_pickle(pickle.DEFAULT_PROTOCOL),
    "the oldest pickle": by_pickle(2),
    "joblib": by_joblib,
    "skops": by_skops,
}


def assert_same(one, other):
    """Compare every attribute, fitted or remembered."""
    assert one.keys() == other.keys()
    for name in one:
        if name != "random_state":
            np.testing.assert_equal(one[name], other[name])


@pytest.mark.parametrize("name", HOW)
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_goes_on_as_the_model_does(name, how):
    model = begun(name)
    if how == "skops" and name == "generator":
        model.set_params(random_state=0)  # the seed was drawn; it is not drawn again
    again = COPIES[how](model)
    X, y = rows(name)
    assert_array_equal(again.predict(X), model.predict(X))
    for _ in range(2):
        model.partial_fit(X, y)
        again.partial_fit(X, y)
    assert_same(vars(model), vars(again))


@pytest.mark.parametrize("how", COPIES)
def test_everything_that_fit_leaves_is_stored(how):
    X, y = rows("gd")
    model = GDRegressor("sgd", early_stopping=True, store_path=True, random_state=0)
    again = COPIES[how](model.fit(X, y))
    assert_same(vars(model), vars(again))
    assert again.coef_path_.shape == (again.n_iter_ + 1, 3)


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "joblib", "skops"])
def test_inside_a_pipeline(how):
    X, y = rows("gd")
    model = make_pipeline(StandardScaler(), GDRegressor("momentum")).fit(X, y)
    assert_array_equal(COPIES[how](model).predict(X), model.predict(X))


GO_ON = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as file:
    stored = pickle.load(file)
for name, (model, X, y) in stored.items():
    model.partial_fit(X, y).partial_fit(X, y)
with open(sys.argv[2], "wb") as file:
    pickle.dump({name: model for name, (model, X, y) in stored.items()}, file)
"""


def test_a_fresh_process_goes_on_as_this_one_does(tmp_path):
    models = {name: begun(name) for name in HOW}
    here, there = tmp_path / "here.pkl", tmp_path / "there.pkl"
    here.write_bytes(
        pickle.dumps({name: (models[name], *rows(name)) for name in models})
    )
    subprocess.run([sys.executable, "-c", GO_ON, here, there], check=True)
    found = pickle.loads(there.read_bytes())
    for name, model in models.items():
        X, y = rows(name)
        model.partial_fit(X, y).partial_fit(X, y)
        assert_same(vars(model), vars(found[name]))


# --- other versions -------------------------------------------------------------------


def test_this_version_is_stored():
    assert (MODELS / f"{version('sklearn-gd')}.pkl").exists(), "run models/make.py"


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.pkl")), ids=lambda p: p.stem)
def test_models_of_each_version_predict_and_go_on(path):
    with warnings.catch_warnings():
        # That of scikit-learn, whose version is in the pickle.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        stored = pickle.loads(path.read_bytes())
    X, y, Y = runpy.run_path(MODELS / "make.py")["rows"]()
    assert len(stored) == 10
    for name, known in stored.items():
        model = known["model"]
        assert_allclose(model.predict(X), known["now"], rtol=1e-12)
        model.partial_fit(X, Y if name == "two targets" else y)
        assert_allclose(model.predict(X), known["next"], rtol=1e-8)
