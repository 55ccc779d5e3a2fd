"""Other losses, penalties and several targets, against the plain case of our own."""

import harness
import numpy as np
import one_pass

from sklearn_gd import GDRegressor

SHAPES = [
    ("1,000,000 × 20", harness.dense, (1_000_000, 20), 1e-4),
    ("100,000 × 200", harness.dense, (100_000, 200), 1e-5),
    ("500,000 × 10,000 CSR, 20 a row", harness.csr, (500_000, 10_000, 20), 1e-3),
]
TARGETS = 5
STEP = 1e-3  # of all rows
PASSES = {  # iterations of gd that pass over the rows
    "huber": {"loss": "huber", "epsilon": 1.0},
    "huber l2": {"loss": "huber", "epsilon": 1.0, "alpha": 1e-3},
    "huber l1": {"loss": "huber", "epsilon": 1.0, "alpha": 1e-3, "penalty": "l1"},
}
EPOCHS = {
    "sgd": ("sgd", {}),
    "sgd huber": ("sgd", {"loss": "huber", "epsilon": 1.0}),
    "sgd l2": ("sgd", {"alpha": 1e-4}),
    "sgd l1": ("sgd", {"alpha": 1e-4, "penalty": "l1"}),
    "minibatch": ("minibatch", {}),
    "minibatch l2": ("minibatch", {"alpha": 1e-4}),
    "minibatch l1": ("minibatch", {"alpha": 1e-4, "penalty": "l1"}),
}
COMPARED = [
    ("sgd huber", "sgd", "≤ 1.15"),
    ("sgd l1", "sgd l2", "≤ 1.3"),
    ("sgd, 5 targets", "sgd", "≤ 2.5"),
    ("minibatch l1", "minibatch l2", "≤ 1.3"),
    ("minibatch, 5 targets", "minibatch", "≤ 2.5"),
    ("huber", "squared pass", "≤ 3"),
    ("huber l1", "huber l2", "≤ 1.3"),
    ("huber, 5 targets", "huber", "≤ 2.5"),
]


def contenders(make, shape, step, quick):
    n, *rest = shape
    X, y = make(harness.rows(n, quick), *rest)
    noise = np.random.default_rng(1).standard_normal((TARGETS, len(y)))
    Y = (y + np.std(y) * noise).T

    def epoch(solver, y, eta, **parameters):
        model = GDRegressor(
            solver, learning_rate=eta, tol=None, random_state=0, **parameters
        )
        return harness.Epoch(model, X, y)

    found = {name: epoch(solver, y, step, **p) for name, (solver, p) in EPOCHS.items()}
    found |= {name: epoch("gd", y, STEP, **p) for name, p in PASSES.items()}
    for solver in ("sgd", "minibatch"):
        found[f"{solver}, 5 targets"] = epoch(solver, Y, step)
    found["huber, 5 targets"] = epoch("gd", Y, STEP, **PASSES["huber"])
    F = one_pass.objective(X, y)
    w = np.ones(F.size)
    found["squared pass"] = harness.Contender(lambda: F.value_and_gradient(w))
    return found


CASES = [
    harness.Case(
        name,
        lambda quick, make=make, shape=shape, step=step: contenders(
            make, shape, step, quick
        ),
        COMPARED,
        quick_rounds=2,
    )
    for name, make, shape, step in SHAPES
]

if __name__ == "__main__":
    harness.main(CASES)
