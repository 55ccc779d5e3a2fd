"""Real tables that come inside scikit-learn and statsmodels."""

from functools import cache

import numpy as np
import statsmodels.datasets
from sklearn.datasets import load_diabetes

NAMES = (
    "diabetes",
    "longley",
    "stackloss",
    "fair",
    "ccard",
    "copper",
    "engel",
    "statecrime",
    "randhie",
    "star98",
    "scotland",
    "cpunish",
    "anes96",
    "strikes",
    "spector",
)


@cache
def raw(name):
    """Return (X, y) as the table has them, read-only."""
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True, scaled=False)
    else:
        table = getattr(statsmodels.datasets, name).load()
        X = np.array(table.exog, dtype=float, order="C")
        y = np.array(table.endog, dtype=float)
        if y.ndim == 2:  # star98 counts passes and failures
            y = y[:, 0] / y.sum(axis=1)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@cache
def standardised(name):
    X, y = raw(name)
    deviation = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    Z.flags.writeable = False
    return Z, y


def condition(X):
    """The condition number of the Hessian of squared loss, intercept included."""
    A = np.c_[X, np.ones(len(X))]
    values = np.linalg.eigvalsh(A.T @ A / len(X))
    return values[-1] / max(values[0], 1e-300)


def noisy(n=200, d=5, seed=0):
    """Return X, y of a linear model with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + rng.normal(size=n) + 3.0
