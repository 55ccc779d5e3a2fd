"""Store models of this version, for tests/test_pickles.py to load from now on.

Once a release: python tests/models/make.py
"""

import pickle
from importlib.metadata import version
from pathlib import Path

import numpy as np

from sklearn_gd import GDRegressor

HOW = {
    "gd": GDRegressor(),
    "sgd": GDRegressor("sgd", random_state=0),
    "sgd, float step": GDRegressor("sgd", learning_rate=0.01, random_state=0),
    "minibatch": GDRegressor("minibatch", random_state=0),
    "momentum": GDRegressor("momentum"),
    "momentum, batches": GDRegressor(
        "momentum", learning_rate=0.01, batch_size=8, random_state=0
    ),
    "newton": GDRegressor("newton"),
    "adagrad": GDRegressor("adagrad", loss="huber"),
    "rmsprop": GDRegressor("rmsprop", learning_rate=0.01, penalty="l1", alpha=0.01),
    "two targets": GDRegressor("sgd", loss="quantile", random_state=0),
}


def rows():
    """Return X, y and two targets."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X @ [1.0, -2.0, 0.0, 3.0] + 0.1 * rng.normal(size=60) + 5.0
    return X, y, np.column_stack([y, -2.0 * y])


def store():
    X, y, Y = rows()
    stored = {}
    for name, model in HOW.items():
        target = Y if name == "two targets" else y
        model.partial_fit(X, target).partial_fit(X, target)
        before = pickle.dumps(model)
        after = model.partial_fit(X, target).predict(X)
        model = pickle.loads(before)
        stored[name] = {"model": model, "now": model.predict(X), "next": after}
    path = Path(__file__).parent / f"{version('sklearn-gd')}.pkl"
    path.write_bytes(pickle.dumps(stored, protocol=5))


if __name__ == "__main__":
    store()
