"""One epoch in batches of 32 rows, against our own epoch of one row a step."""

import harness

from sklearn_gd import GDRegressor

DENSE = {"minibatch": 1.15, "momentum": 1.5, "adagrad": 1.5, "rmsprop": 1.5}
CSR = dict.fromkeys(DENSE, 2)
SHAPES = [
    ("1,000,000 × 20", harness.dense, (1_000_000, 20), DENSE),
    ("100,000 × 200", harness.dense, (100_000, 200), DENSE),
    ("500,000 × 10,000 CSR, 20 a row", harness.csr, (500_000, 10_000, 20), CSR),
]


def contenders(make, n, *shape, quick):
    X, y = make(harness.rows(n, quick), *shape)

    def epoch(solver, batch_size):
        model = GDRegressor(
            solver,
            batch_size=batch_size,
            learning_rate=1e-4,
            tol=None,
            random_state=0,
        )
        return harness.Epoch(model, X, y)

    return {"sgd": epoch("sgd", 1), **{solver: epoch(solver, 32) for solver in DENSE}}


CASES = [
    harness.Case(
        name,
        lambda quick, make=make, shape=shape: contenders(make, *shape, quick=quick),
        [(solver, "sgd", f"≤ {bound}") for solver, bound in bounds.items()],
    )
    for name, make, shape, bounds in SHAPES
]

if __name__ == "__main__":
    harness.main(CASES)
