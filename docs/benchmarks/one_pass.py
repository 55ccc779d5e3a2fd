"""One gradient over all rows, a step where there is no Gram matrix, against X.sum()."""

import harness
import numpy as np
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.penalties import penalty

from sklearn_gd._data import as_data
from sklearn_gd._objective import Objective

SHAPES = [(1_000_000, 20), (200_000, 100)]


def objective(X, y):
    """Return F. This is the only place here that knows how it is made."""
    loss = LOSSES["squared_error"]()
    return Objective(as_data(X, y), loss, penalty("l2", 0.0), fit_intercept=True)


def contenders(n, d, dtype, quick):
    X, y = harness.dense(harness.rows(n, quick), d, dtype)
    F = objective(X, y)
    w = np.ones(F.size)
    return {
        "gradient": harness.Contender(lambda: F.value_and_gradient(w), ours=True),
        "X.sum()": harness.Contender(X.sum),
    }


CASES = [
    harness.Case(
        f"{n:,} × {d} {dtype}",
        lambda quick, shape=(n, d, dtype): contenders(*shape, quick),
        [("gradient", "X.sum()", "≤ 1.3")],
        rounds=30,
        quick_rounds=10,
    )
    for n, d in SHAPES
    for dtype in ("float64", "float32")
]

if __name__ == "__main__":
    harness.main(CASES)
