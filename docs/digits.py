"""Correct digits of least squares on NIST's reference sets: the table of digits.rst.

python docs/digits.py
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor

from sklearn_gd import GDRegressor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import strd  # noqa: E402

MODELS = {
    "newton": GDRegressor("newton"),
    "lstsq": None,
    "LinearRegression": LinearRegression(),
    "Ridge": Ridge(alpha=0.0, solver="cholesky"),
    "SGDRegressor": SGDRegressor(random_state=0),
}


def coefficients(model, X, y, fit_intercept):
    if model is None:
        A = np.c_[X, np.ones(len(y))] if fit_intercept else X
        return np.linalg.lstsq(A, y, rcond=None)[0]
    model.set_params(fit_intercept=fit_intercept).fit(X, y)
    return np.append(model.coef_, model.intercept_ if fit_intercept else [])


def main():
    warnings.simplefilter("ignore")
    widths = [max(8, len(name)) for name in MODELS]
    rule = " ".join("=" * width for width in (9, *widths))
    print(rule)
    print("set      ", *(f"{n:>{w}}" for n, w in zip(MODELS, widths, strict=True)))
    print(rule)
    for name, known in strd.datasets().items():
        X, y = known.arrays()
        row = [f"{name:9}"]
        for model, width in zip(MODELS.values(), widths, strict=True):
            try:
                values = coefficients(model, X, y, known.fit_intercept)
            except ValueError:  # SGDRegressor, past any number
                values = np.zeros(len(known.certified))
            digits = strd.digits(values, known.certified)
            row.append(f"{digits:{width}.1f}")
        print(*row)
    print(rule)


if __name__ == "__main__":
    main()
