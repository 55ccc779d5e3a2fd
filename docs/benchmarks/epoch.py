"""One stochastic epoch of sgd with a float step, against SGDRegressor's."""

import harness
import numpy as np
from sklearn.linear_model import SGDRegressor

from sklearn_gd import GDRegressor

DENSE = [  # rows, columns, bounds of float64 and float32
    (1_000_000, 10, "≥ 9", "≥ 9"),
    (1_000_000, 20, "≥ 7", "≥ 7"),
    (300_000, 50, "≥ 7", "≥ 7"),
    (100_000, 200, "≥ 3", "≥ 3"),
    (20_000, 1000, "≥ 2", "≥ 2"),
]
CSR = [  # rows, columns, values in a row, bound
    (500_000, 10_000, 20, "≥ 4.5"),
    (500_000, 1_000, 10, "≥ 3.5"),
    (200_000, 50_000, 100, "≥ 1.5"),
    (200_000, 2_000, 300, "≥ 1.6"),
]
VARIANTS = [("l2", "sgd", "≤ 1.15"), ("weights", "sgd", "≤ 1.15")]


def data(shape, dtype, quick):
    """Return X, y and a step that is surely stable."""
    n, d, *in_row = shape
    if in_row:
        return *harness.csr(harness.rows(n, quick), d, *in_row, dtype), 1e-3
    return *harness.dense(harness.rows(n, quick), d, dtype), 1e-3 / d


def contenders(shape, dtype, quick):
    X, y, step = data(shape, dtype, quick)
    ours = GDRegressor("sgd", learning_rate=step, tol=None, random_state=0)
    peer = SGDRegressor(
        learning_rate="constant", eta0=step, penalty=None, tol=None, random_state=0
    )
    return {"sgd": harness.Epoch(ours, X, y), "SGDRegressor": harness.Epoch(peer, X, y)}


def variants(shape, quick):
    X, y, step = data(shape, "float64", quick)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, size=len(y))

    def ours(alpha=0.0, **fit_options):
        model = GDRegressor(
            "sgd", alpha=alpha, learning_rate=step, tol=None, random_state=0
        )
        return harness.Epoch(model, X, y, **fit_options)

    return {
        "sgd": ours(),
        "l2": ours(alpha=1e-4),
        "weights": ours(sample_weight=weights),
    }


def case(name, build, targets, *shape_and_dtype):
    return harness.Case(
        name, lambda quick: build(*shape_and_dtype, quick), list(targets)
    )


def against_peer(name, shape, dtype, bound):
    return case(name, contenders, [("sgd", "SGDRegressor", bound)], shape, dtype)


CASES = [
    *(
        against_peer(f"{n:,} × {d} {dtype}", (n, d), dtype, bound)
        for n, d, *bounds in DENSE
        for dtype, bound in zip(("float64", "float32"), bounds, strict=True)
    ),
    *(
        against_peer(f"{n:,} × {d:,} CSR, {k} a row", (n, d, k), "float64", bound)
        for n, d, k, bound in CSR
    ),
    *(
        case(f"{name}, l2 and weights", variants, VARIANTS, shape)
        for name, shape in [
            ("1,000,000 × 20", (1_000_000, 20)),
            ("100,000 × 200", (100_000, 200)),
            ("500,000 × 10,000 CSR", (500_000, 10_000, 20)),
        ]
    ),
]

if __name__ == "__main__":
    harness.main(CASES)
