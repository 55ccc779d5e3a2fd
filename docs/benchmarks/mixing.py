"""What two epochs of sgd learn from rows sorted by y, visited in several orders.

F above its minimum, over that after uniform permutations of all rows.
"""

from functools import partial

import harness
import numpy as np
from sklearn_gd._core.order import Order

from sklearn_gd import GDRegressor, _data

ROWS, COLUMNS, EPOCHS = 1_000_000, 20, 2
ORDERS = {
    "tiles from the whole": {"large": 1 << 40},
    "512 blocks of 320 rows mixed": {"large": 0, "block": 320 * COLUMNS, "mixed": 512},
    "blocks of 3200 rows": {"large": 0, "block": 3200 * COLUMNS, "mixed": 1},
}


def main():
    X, y = harness.dense(ROWS, COLUMNS)
    at = np.argsort(y)
    X, y = np.ascontiguousarray(X[at]), y[at]
    least = GDRegressor("newton").fit(X, y).loss_
    print(f"minimum {least:.3g}")

    def excess(orders, **parameters):
        model = GDRegressor("sgd", tol=None, random_state=0, **parameters)
        for rows in orders:
            model.partial_fit(X[rows], y[rows])
        return 0.5 * np.mean((y - model.predict(X)) ** 2) - least

    rng = np.random.default_rng(0)
    uniform = [rng.permutation(ROWS) for _ in range(EPOCHS)]
    for step in (1e-3, 1e-4):
        for average in (False, True):
            parameters = {"learning_rate": step, "average": average}
            unit = excess(uniform, shuffle=False, **parameters)
            print(
                f"step {step}, {'mean' if average else 'last'}: {unit:.1e} × 1", end=""
            )
            for name, options in ORDERS.items():
                _data.Order = partial(Order, **options)
                found = excess([slice(None)] * EPOCHS, **parameters)
                print(f", {found / unit:.3g} ({name})", end="", flush=True)
            _data.Order = Order
            print()


if __name__ == "__main__":
    main()
