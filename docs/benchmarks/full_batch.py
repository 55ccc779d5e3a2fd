"""Whole fits of the full-batch solvers with their defaults, against direct solvers."""

import harness
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_gd import GDRegressor

SHAPES = [(1_000_000, 20), (200_000, 100), (20_000, 1000)]
OURS = ("newton", "gd", "momentum")
FOR_INFORMATION = ("adagrad", "rmsprop")
CHOLESKY, LINEAR, SAG = "Ridge(cholesky)", "LinearRegression", "Ridge(sag)"
BOUNDS = {  # (solver, peer): one a shape
    ("newton", CHOLESKY): ("≥ 2", "≥ 1.7", "≥ 1.2"),
    ("gd", CHOLESKY): ("≥ 1", "≥ 1", None),
    ("momentum", CHOLESKY): ("≥ 1", "≥ 1", None),
    **{(solver, CHOLESKY): (None, None, None) for solver in FOR_INFORMATION},
    **{(solver, LINEAR): ("≥ 5", "≥ 5", None) for solver in OURS},
    **{(solver, SAG): ("≥ 50", "≥ 50", "≥ 50") for solver in OURS},
}


def contenders(n, d, quick):
    n = harness.rows(n, quick)
    if n < 2 * d:
        d //= harness.QUICK_SHRINKS
    X, y = harness.dense(n, d)
    ols = harness.ols_r2(X, y)

    def fit(model, **options):
        return harness.Fit(model, X, y, ols=ols, **options)

    found = {solver: fit(GDRegressor(solver)) for solver in OURS + FOR_INFORMATION}
    found[CHOLESKY] = fit(Ridge(alpha=1e-10, solver="cholesky"))
    found[LINEAR] = fit(LinearRegression())
    if not quick:  # half a minute a fit
        sag = Ridge(alpha=1e-10, solver="sag", random_state=0)
        found[SAG] = fit(sag, rounds=1)
    return found


CASES = [
    harness.Case(
        f"{n:,} × {d}",
        lambda quick, n=n, d=d: contenders(n, d, quick),
        [(*pair, bounds[i]) for pair, bounds in BOUNDS.items()],
    )
    for i, (n, d) in enumerate(SHAPES)
]

if __name__ == "__main__":
    harness.main(CASES)
