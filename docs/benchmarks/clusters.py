"""Fits on two Dask workers, against dask-ml's LinearRegression on the same collections.

Both end with F above its minimum by at most 1e-4 F₀, which is checked afterwards. Ours
have their defaults, dask-ml's the fewest iterations with which it gets there, which are
looked for before anything is timed. Files are read again in each pass.

This needs: pip install "dask[array,dataframe,distributed]" dask-ml
"""

import atexit
import tempfile
from functools import lru_cache

import harness
import numpy as np

from sklearn_gd import GDRegressor

SHAPES = [(5_000_000, 20), (500_000, 200)]
PLACES = ("memory", "files")
CHUNKS = 16
NEAR = 1e-4
OURS = ("newton", "gd", "momentum", "sgd")
# Iterations to try. A newton of dask-ml makes one more than it is told to.
THEIRS = {
    "newton": (0, 1, 2),
    "admm": (1, 2, 3, 5, 10),
    "lbfgs": (1, 2, 3, 4, 5, 10, 100),
    "gradient_descent": (1, 2, 3, 4, 5, 10, 100),
}


@lru_cache
def cluster():
    from dask.distributed import Client, LocalCluster

    found = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
    )
    client = Client(found)
    atexit.register(found.close)
    atexit.register(client.close)
    return client


@lru_cache(maxsize=1)
def made(n, d):
    """Return X and y, made by the workers and kept by them."""
    import dask
    import dask.array as da
    from dask.distributed import wait

    cluster()
    rng = da.random.default_rng(0)
    w = np.random.default_rng(0).standard_normal(d)
    X = rng.standard_normal((n, d), chunks=(n // CHUNKS, d))
    noise = rng.standard_normal(n, chunks=n // CHUNKS)
    X, y = dask.persist(X, X @ w + 1.0 + np.sqrt(d / 9) * noise)
    wait([X, y])
    return X, y


def collections(n, d, place):
    """Return X and y, and what must be kept for as long as they are used."""
    import dask.array as da

    X, y = made(n, d)
    if place == "memory":
        return X, y, None
    folder = tempfile.TemporaryDirectory()
    names = [f"{folder.name}/{name}" for name in "Xy"]
    for name, values in zip(names, (X, y), strict=True):
        da.to_npy_stack(name, values)
    return *(da.from_npy_stack(name, mmap_mode=None) for name in names), folder


class ClusterFit(harness.Fit):
    """A fit whose note is (F − F*)/F₀."""

    def __init__(self, model, X, y, least, folder):
        super().__init__(model, X, y)
        self.least, self.folder = least, folder

    def gap(self):
        left = self.y - self.X @ self.model.coef_ - self.model.intercept_
        return (float((left**2).mean().compute()) - self.least[0]) / self.least[1]

    def note(self):
        return f"{self.gap():.0e}"


def contenders(n, d, place, quick):
    from dask_ml.linear_model import LinearRegression

    n = harness.rows(n, quick)
    X, y, folder = collections(n, d, place)

    def fit(model, least=(0.0, 1.0)):
        return ClusterFit(model, X, y, least, folder)

    exact = fit(GDRegressor("newton"))
    exact.fit()
    least = exact.gap(), float(y.var().compute())
    found = {name: fit(GDRegressor(name, random_state=0), least) for name in OURS}
    for solver, counts in THEIRS.items():
        for count in counts:
            model = LinearRegression(solver=solver, C=1e5, max_iter=count)
            one = fit(model, least)
            one.fit()
            if one.gap() <= NEAR:
                found[f"{solver}, {count}"] = one
                break
        else:
            print(f"never: {solver}, {one.gap():.0e} after {count}")
    return found


def targets():
    """Return each of ours against each of theirs, however many iterations."""
    return [
        (ours, f"{solver}, {count}", "≥ 3" if ours == "newton" else None)
        for ours in OURS
        for solver, counts in THEIRS.items()
        for count in counts
    ]


CASES = [
    harness.Case(
        f"{n:,} × {d}, {place}",
        lambda quick, n=n, d=d, place=place: contenders(n, d, place, quick),
        targets(),
        rounds=3,
        quick_rounds=2,
    )
    for n, d in SHAPES
    for place in PLACES
]

if __name__ == "__main__":
    harness.main(CASES)
