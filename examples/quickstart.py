"""All seven solvers on a real table, as it comes and standardised.

LinearRegression, which solves for the minimum directly, and SGDRegressor stand beside
them. Every model has its defaults; a seed makes the random ones repeatable.
"""

import warnings
from time import perf_counter

from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDRegressor

SOLVERS = ["gd", "sgd", "minibatch", "momentum", "newton", "adagrad", "rmsprop"]

LEGEND = """\
R²       on the training rows: 1 is perfect, 0 is the best constant prediction, and
         far below 0 the fit has diverged.
iter.    iterations, or epochs of the stochastic models (sgd, minibatch, SGDRegressor).
ms       one fit, on this machine.
warning  whether the fit raised a ConvergenceWarning. GDRegressor's says how far from
         the optimum it stopped, and what to do about it.
"""


def main():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    models = {"LinearRegression()": LinearRegression()}
    models["SGDRegressor()"] = SGDRegressor(random_state=0)
    for solver in SOLVERS:
        models[f'GDRegressor("{solver}")'] = GDRegressor(solver, random_state=0)

    LinearRegression().fit(X, y)  # the first fit of a session also loads libraries
    print_table("The diabetes table as it comes", models, X, y)
    Z = StandardScaler().fit_transform(X)
    print_table("The diabetes table after StandardScaler", models, Z, y)
    print(LEGEND, end="")


def print_table(title, models, X, y):
    rows, columns = X.shape
    print(f"{title}: {rows} rows, {columns} columns\n")
    print(f"{'model':26}{'R²':>8}{'iter.':>9}{'ms':>8}   warning")
    for name, model in models.items():
        seconds, warned = fit(model, X, y)
        n_iter = getattr(model, "n_iter_", "-")
        print(
            f"{name:26}{readable(model.score(X, y)):>8}{n_iter:>9}"
            f"{1000 * seconds:>8.1f}   {'yes' if warned else '-'}"
        )
    print()


def fit(model, X, y):
    """Return the seconds that a fit takes, and whether it warns of convergence."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        start = perf_counter()
        model.fit(X, y)
        seconds = perf_counter() - start
    return seconds, any(w.category is ConvergenceWarning for w in caught)


def readable(r2):
    """Return R² with four decimals, or its order of magnitude if it is absurd."""
    return f"{r2:.4f}" if r2 > -100 else f"{r2:.0e}".replace("e+", "e")


if __name__ == "__main__":
    main()
