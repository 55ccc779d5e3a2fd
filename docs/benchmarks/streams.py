"""A row of newton's partial_fit against a row of the Gram matrix alone.

The Gram matrix is ours, of the columns and of y, with their means (Data.moments), and
that of BLAS, ``X.T @ X``, which knows neither means nor y.
"""

import harness

from sklearn_gd import GDRegressor
from sklearn_gd._data import as_data

CHUNKS = [1_000, 10_000, 100_000]
COLUMNS = [10, 20, 100, 200, 500]
LARGEST = 20_000_000  # values


def contenders(n, d, quick):
    X, y = harness.dense(harness.rows(n, quick), d)
    data = as_data(X, y)
    model = GDRegressor("newton").partial_fit(X, y)
    return {
        "a chunk": harness.Contender(lambda: model.partial_fit(X, y), ours=True),
        "Gram": harness.Contender(lambda: data.moments(center=True)),
        "X.T @ X": harness.Contender(lambda: X.T @ X),
    }


CASES = [
    harness.Case(
        f"chunks of {n:,} × {d}",
        lambda quick, shape=(n, d): contenders(*shape, quick),
        [("a chunk", "Gram", "≤ 1.5"), ("a chunk", "X.T @ X", "≤ 1.5")],
        rounds=max(7, 10_000_000 // (n * d)),
        quick_rounds=5,
    )
    for n in CHUNKS
    for d in COLUMNS
    if n * d <= LARGEST
]

if __name__ == "__main__":
    harness.main(CASES)
