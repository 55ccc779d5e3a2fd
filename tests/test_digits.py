"""How many digits of least squares newton gets right, on NIST's sets and others."""

import importlib.util
import re
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import strd
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_gd import GDRegressor, _objective
from sklearn_gd._double import residuals, transposed_product, two_product, two_sum

NAMES = list(strd.datasets())
PAGE = Path(__file__).parent.parent / "docs" / "digits.rst"


def fit(X, y, **parameters):
    """Return newton's fit and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = GDRegressor("newton", **parameters).fit(X, y)
    assert {warning.category for warning in caught} <= {ConvergenceWarning}
    return model, [str(warning.message) for warning in caught]


def coefficients(model):
    if model.fit_intercept:
        return np.append(model.coef_, model.intercept_)
    return model.coef_


def others(X, y, fit_intercept):
    A = np.c_[X, np.ones(len(y))] if fit_intercept else X
    yield np.linalg.lstsq(A, y, rcond=None)[0]
    for model in (LinearRegression(), Ridge(alpha=0.0, solver="cholesky")):
        model.set_params(fit_intercept=fit_intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ridge on Filip
            yield coefficients(model.fit(X, y))


# --- NIST's sets ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_data_are_those_that_were_certified(name):
    """Solved in rationals, they give all of NIST's 15 digits but the last."""
    known = strd.datasets()[name]
    assert strd.digits(known.exact(), known.certified) > 14


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_as_many_digits_as_the_best_of_the_others(name, container):
    known = strd.datasets()[name]
    X, y = known.arrays()
    model, texts = fit(container(X), y, fit_intercept=known.fit_intercept)
    ours = strd.digits(coefficients(model), known.certified)
    best = max(
        strd.digits(values, known.certified)
        for values in others(X, y, known.fit_intercept)
    )
    assert ours >= best - 0.5
    assert ours >= {"Filip": 6.5, "Norris": 12, "Pontius": 12}.get(name, 13)
    assert texts == []


def table(text):
    rows = re.findall(r"^(\w+\d?) +([\d.]+(?: +[\d.]+){4})$", text, re.MULTILINE)
    return {name: float(numbers.split()[0]) for name, numbers in rows}


def test_the_table_of_the_docs(capsys):
    path = PAGE.parent / "digits.py"
    spec = importlib.util.spec_from_file_location("digits", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main()
    found, shown = table(capsys.readouterr().out), table(PAGE.read_text())
    assert list(found) == list(shown) == NAMES
    assert all(found[name] >= shown[name] - 0.5 for name in NAMES)


def stream(chunks, X, y, s=None, **parameters):
    """Return newton's model after these chunks of rows."""
    model = GDRegressor("newton", **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # too few rows on the way
        for rows in chunks:
            model.partial_fit(X[rows], y[rows], None if s is None else s[rows])
    return model


def cuts(n, seed):
    """Return chunks of 1, 2, 3, 5, 7 and all rows, and two of rows in random order."""
    rng = np.random.default_rng(seed)
    rows = np.arange(n)
    for size in (1, 2, 3, 5, 7, n):
        yield [rows[first : first + size] for first in range(0, n, size)]
    for _ in range(2):
        yield np.split(rng.permutation(n), np.sort(rng.integers(0, n, size=n // 3)))


def nonempty(chunks):
    return [rows for rows in chunks if len(rows)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_streams_keep_the_digits_of_fit(name, container):
    known = strd.datasets()[name]
    X, y = known.arrays()
    X = container(X)
    whole, _ = fit(X, y, fit_intercept=known.fit_intercept)
    least = strd.digits(coefficients(whole), known.certified) - 0.5
    for chunks in map(nonempty, cuts(len(y), seed=0)):
        model = stream(chunks, X, y, fit_intercept=known.fit_intercept)
        assert strd.digits(coefficients(model), known.certified) >= least


@pytest.mark.parametrize("name", ["Longley", "Wampler1", "Wampler4", "Wampler5"])
def test_streams_of_weighted_targets_keep_them_too(name):
    """Integer weights are repeats; some rows have weight 0, most of one chunk."""
    known = strd.datasets()[name]
    X, y = known.arrays()
    n = len(y)
    s = np.random.default_rng(1).integers(0, 4, size=n)
    s[:4] = 0, 0, 0, 2
    Y = np.c_[y, X[:, 0] - 3.0 * y]
    repeated = np.repeat(np.arange(n), s)
    exact = [
        strd.normal_equations(X[repeated].T.tolist(), t[repeated].tolist(), True)
        for t in Y.T
    ]
    for chunks in map(nonempty, cuts(n, seed=2)):
        chunks = [rows for rows in chunks if s[rows].any()]
        model = stream(chunks, X, Y, 0.3 * s)
        for t in range(2):
            found = np.append(model.coef_[t], model.intercept_[t])
            assert strd.digits(found, exact[t]) > 12


def test_a_long_stream_keeps_what_a_triangle_knows(monkeypatch):
    """Where the sums of twice the digits end, half of what κ takes comes back."""
    monkeypatch.setattr(_objective, "FEW_VALUES", 60)
    known = strd.datasets()["Wampler5"]
    X, y = known.arrays()
    for chunks in map(nonempty, cuts(len(y), seed=0)):
        model = stream(chunks, X, y)
        assert model._stream["targets"][0]["factor"]["sums"] is None
        assert strd.digits(coefficients(model), known.certified) > 4.5


# --- digits that can be trusted -------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("power", range(0, 15, 2))
@pytest.mark.parametrize("seed", range(3))
def test_a_warning_where_fewer_than_six_digits_can_be_trusted(seed, power, noise):
    """Two columns are the same but for 10^-power."""
    rng = np.random.default_rng(seed)
    X = rng.normal(loc=[0.0, 1.0, 5.0, 0.0], size=(30, 4))
    X[:, 1] = X[:, 0] + 10.0**-power * X[:, 1]
    y = X @ [1.0, 2.0, -1.0, 3.0] + noise * rng.normal(size=30) + 2.0
    model, texts = fit(X, y)
    exact = strd.normal_equations(
        [tuple(map(Fraction, column)) for column in X.T.tolist()],
        tuple(map(Fraction, y.tolist())),
        True,
    )
    exact = np.array([float(v) for v in exact])
    unit = np.append(X.std(axis=0), 1.0)
    off = np.max(np.abs(coefficients(model) - exact)[:4] * unit[:4])
    off /= np.max(np.abs(exact)[:4] * unit[:4])
    # X and y themselves are rounded: 16 digits, less those of the condition number.
    if off > 1e-6 or power > 10:
        (text,) = texts
        digits = int(re.search(r"only about (\d+) digits can be trusted", text)[1])
        assert digits < 6
    if power <= 8:
        assert texts == []
        assert off < (1e-9 if power <= 6 else 1e-6)


def test_the_text_of_that_warning():
    x = np.linspace(0.0, 1.0, 30)
    X = np.c_[x, x + 1e-11 * np.sin(40.0 * x)]
    y = np.cos(x)
    expected = (
        r"Of the coefficients only about \d digits can be trusted: the columns are "
        r"nearly collinear, the condition number is \d\.\de\+1\d\. Drop some columns, "
        r"set alpha > 0, or center and scale columns before taking powers\."
    )
    (text,) = fit(X, y)[1]
    assert re.fullmatch(expected, text)
    with pytest.warns(ConvergenceWarning, match=expected):
        GDRegressor("newton").partial_fit(X, y)
    assert fit(X, y, alpha=1e-6)[1] == []
    # Exactly collinear columns are another thing: the shortest of all solutions.
    assert fit(np.c_[x, x], y)[1] == []
    assert fit(X, np.full(30, 0.1))[1] == []  # nothing was fitted


# --- columns that are linearly dependent ----------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(40, 8), (6, 8), (8, 8), (40, 1)])
@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_minimum_norm(shape, noise, fit_intercept, container):
    """Among all least-squares solutions, the shortest coefficients."""
    rng = np.random.default_rng(0)
    X = rng.integers(-5, 6, size=shape).astype(float)
    if shape[1] == 8:
        X[:, 5] = X[:, 1] + X[:, 2]
        X[:, 6] = 3.0
        X[:, 7] = 0.0
    y = X.sum(axis=1) + noise * rng.normal(size=shape[0]) + 1.0
    model, _ = fit(container(X), y, fit_intercept=fit_intercept)
    Z = X - X.mean(axis=0) if fit_intercept else X
    t = y - y.mean() if fit_intercept else y
    assert_allclose(model.coef_, np.linalg.pinv(Z) @ t, rtol=1e-10, atol=1e-12)
    if fit_intercept:
        intercept = y.mean() - X.mean(axis=0) @ model.coef_
        assert_allclose(model.intercept_, intercept, rtol=1e-10)


# --- twice the digits -----------------------------------------------------------------


def exactly(*arrays):
    return [[Fraction(v) for v in np.ravel(a).tolist()] for a in arrays]


def test_sums_and_products_lose_nothing():
    rng = np.random.default_rng(0)
    a = rng.normal(size=1000) * 10.0 ** rng.integers(-50, 50, size=1000)
    b = rng.normal(size=1000) * 10.0 ** rng.integers(-50, 50, size=1000)
    for pair, true in (
        (two_sum(a, b), map(Fraction.__add__, *exactly(a, b))),
        (two_product(a, b), map(Fraction.__mul__, *exactly(a, b))),
    ):
        assert list(map(Fraction.__add__, *exactly(*pair))) == list(true)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_residuals_and_gradients_are_right_to_the_last_digit(n):
    """Also where nearly all of them cancels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) + 1e3
    w = rng.normal(size=3)
    y = X @ w + 5.0
    high, low = residuals(X, w, (2.0, 3.0), y)
    rows = [exactly(row)[0] for row in X]
    W, Y = exactly(w, y)
    true = [
        sum(map(Fraction.__mul__, row, W)) + 5 - t
        for row, t in zip(rows, Y, strict=True)
    ]
    assert_allclose(high, [float(r) for r in true], rtol=1e-14)
    slopes = [sum(map(Fraction.__mul__, x, true)) for x in zip(*rows, strict=True)]
    found = transposed_product(X, (high, low))
    assert_allclose(found, [float(g) for g in slopes], rtol=1e-14)


def test_huge_and_tiny_units_do_no_harm():
    known = strd.datasets()["Longley"]
    X, y = known.arrays()
    plain = GDRegressor("newton").fit(X, y)
    for unit in (2.0**-400, 2.0**400):
        model = GDRegressor("newton").fit(X * unit, y)
        assert_allclose(model.coef_ * unit, plain.coef_, rtol=1e-8)
    weighted = GDRegressor("newton").fit(X, y, np.full(len(y), 0.3))
    assert_allclose(weighted.coef_, plain.coef_, rtol=1e-12)
    repeated = np.repeat(np.arange(len(y)), [1, 2] * 8)
    weights = np.array([1.0, 2.0] * 8)
    one = GDRegressor("newton").fit(X, y, weights)
    two = GDRegressor("newton").fit(X[repeated], y[repeated])
    assert_allclose(one.coef_, two.coef_, rtol=1e-11)
    assert_array_equal(np.isfinite(one.coef_), True)
