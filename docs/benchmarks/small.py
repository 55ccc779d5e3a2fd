"""Small fits, of which a grid search makes thousands, and the import."""

import subprocess
import sys

import harness
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge, SGDRegressor

from sklearn_gd import GDRegressor

FITS = [
    ("newton", "Ridge", "≤ 1.5"),
    ("gd", "Ridge", "≤ 2"),
    ("sgd", "SGDRegressor", "≤ 1.5"),
]
IMPORTS = [("sklearn_gd", "sklearn.linear_model", "≤ 1.1")]


def fits(quick):
    X, y = load_diabetes(return_X_y=True)
    models = {name: GDRegressor(name, random_state=0) for name, _, _ in FITS}
    models |= {"Ridge": Ridge(), "SGDRegressor": SGDRegressor(random_state=0)}
    return {name: harness.Fit(model, X, y) for name, model in models.items()}


def imports(quick):
    def contender(module):
        clock = f"t = clock(); import {module}; print(1e3 * (clock() - t))"
        code = f"from time import perf_counter as clock; {clock}"

        def once():
            done = subprocess.run(
                [sys.executable, "-c", code],
                env=harness.one_thread_environment(),
                stdout=subprocess.PIPE,
                check=True,
            )
            return float(done.stdout)

        return harness.Number(once, "ms", ours=module == "sklearn_gd")

    return {name: contender(name) for name in IMPORTS[0][:2]}


CASES = [
    harness.Case("442 × 10, diabetes", fits, FITS, rounds=100, quick_rounds=10),
    harness.Case("import", imports, IMPORTS, rounds=15),
]

if __name__ == "__main__":
    harness.main(CASES)
