"""F, its curvature and Newton's direction, against dense algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.penalties import penalty as make_penalty

from sklearn_gd import _geometry
from sklearn_gd._data import as_data
from sklearn_gd._objective import Objective


def table(n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1.0
    s = rng.integers(0, 3, size=n).astype(float)
    return X, X @ rng.normal(size=d) + rng.normal(size=n), s


def objective(X, y, s, alpha=0.1, fit_intercept=True):
    loss, penalty = LOSSES["squared_error"](), make_penalty("l2", alpha)
    return Objective(as_data(X, y, s), loss, penalty, fit_intercept)


def hessian(X, s, alpha, fit_intercept):
    A = np.c_[X, np.ones(len(X))] if fit_intercept else X
    ridge = np.full(A.shape[1], alpha)
    ridge[X.shape[1] :] = 0.0
    return A.T @ (s[:, None] * A) / s.sum() + np.diag(ridge)


@pytest.fixture(params=["Gram matrix", "no Gram matrix"])
def gram(request, monkeypatch):
    if request.param == "no Gram matrix":
        monkeypatch.setattr(_geometry, "GRAM_COLUMNS", 1)
    return request.param


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_second_order(gram, container, dtype, fit_intercept, alpha):
    X, y, s = table()
    X = X.astype(dtype).astype(float)
    F = objective(container(X.astype(dtype)), y, s, alpha, fit_intercept)
    H = hessian(X, s, alpha, fit_intercept)
    assert_allclose(F.diagonal, np.diag(H), rtol=1e-12)
    v = np.random.default_rng(1).normal(size=len(H))
    assert_allclose(F.geometry.product(v, F.ridge), H @ v, rtol=1e-10)
    values = np.linalg.eigvalsh(H)
    if gram == "Gram matrix":
        assert_allclose(F.curvature, values[[0, -1]], rtol=1e-5)
    else:
        assert F.curvature[0] <= values[0]
        assert values[-1] <= F.curvature[1] <= 1.02 * values[-1]
    root = np.sqrt(np.diag(H))
    largest = np.linalg.eigvalsh(H / np.outer(root, root))[-1]
    assert largest * (1 - 1e-9) <= F.scaled_curvature <= 1.02 * largest
    w = np.random.default_rng(2).normal(size=len(H))
    value, g = F.value_and_gradient(w)
    p = np.linalg.solve(H, g)
    assert_allclose(F.newton_direction(w, g), p, rtol=1e-7)
    assert_allclose(F.gap(w, g), value - F.value(w - p), rtol=1e-7)
    assert_allclose(F.factor().solve(alpha)[0], (w - p)[:5], rtol=1e-7)


@pytest.mark.parametrize("batch", [1, 4, 30])
@pytest.mark.parametrize("scaled", [True, False])
def test_batch_curvature(batch, scaled):
    X, y, s = table()
    F = objective(X, y, s)
    A = np.c_[X, np.ones(60)][s > 0]
    s = s[s > 0] * np.count_nonzero(s) / s.sum()
    n = len(s)
    scale = 1.0 / F.diagonal if scaled else np.ones(6)
    A = A * np.sqrt(scale)
    ridge = 0.1 * scale[:5].max()
    H = A.T @ (s[:, None] * A) / n + 0.1 * np.diag(np.append(scale[:5], 0.0))
    L = np.linalg.eigvalsh(H)[-1]
    rows = np.max(s * np.sum(A**2, axis=1))
    together = n * (batch - 1) / (batch * (n - 1))
    expected = (n - batch) / (batch * (n - 1)) * rows
    expected += together * L + (1 - together) * ridge
    got = F.batch_curvature(batch, scale if scaled else None)
    assert_allclose(got, expected, rtol=1e-5)
    assert got >= expected * (1 - 1e-12)


def test_digits_survive_a_large_mean_of_y_and_columns():
    X, y, _ = table()
    s = np.ones(60)
    near = objective(X, y, s, alpha=0.0)
    far = objective(X + 1e6, y + 1e9, s, alpha=0.0)
    p = near.newton_direction(np.zeros(6), near.value_and_gradient(np.zeros(6))[1])
    q = far.newton_direction(np.zeros(6), far.value_and_gradient(np.zeros(6))[1])
    assert_allclose(q[:5], p[:5], rtol=1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_singular_hessians_have_the_step_of_minimum_norm(container):
    X, y, s = table(n=4, d=9)
    s[:] = 1.0
    F = objective(container(X), y, s, alpha=0.0)
    w = np.zeros(10)
    w -= F.newton_direction(w, F.value_and_gradient(w)[1])
    reference = np.linalg.pinv(X - X.mean(axis=0)) @ (y - y.mean())
    assert_allclose(w[:9], reference, rtol=1e-9)
    assert F.value(w) < 1e-20


def test_rounding_up_is_to_twenty_bits():
    for value in (1.0, 1.0 + 1e-9, 3.3e-300, 7e300, 0.7):
        up = _geometry.round_up(value)
        assert value < up <= value * (1 + 2.0**-18)
        assert np.ldexp(np.frexp(up)[0], 20) % 1 == 0
        for near in (1 - 1e-14, 1 + 1e-14):
            assert _geometry.round_up(value * near) == up


def many_rows(n=20_000, d=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1.0
    X[:, 1] = X[:, 0] + 1e-3 * rng.normal(size=n)  # nearly collinear
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_sample_of_many_rows_tells_the_gap(container, alpha, weighted):
    X, y = many_rows()
    s = np.arange(len(y)) % 4 + 0.0 if weighted else None
    F = objective(container(X), y, s, alpha)
    assert F.has_sample
    for seed in range(5):
        w = np.random.default_rng(seed).normal(size=9)
        g = F.value_and_gradient(w)[1]
        assert 0.6 < F.rough_gap(w, g) / F.gap(w, g) < 1.6


def test_a_sample_that_misses_what_matters_is_not_trusted():
    X, y = many_rows()
    assert not objective(X[:9000], y[:9000], None).has_sample
    X[13, 3] = 1e4  # one row is most of this column
    assert not objective(X, y, None).has_sample
    X, y = many_rows()
    X[:, 3] = 0.0
    assert objective(X, y, None).has_sample
    X[:, 3] = 1e9 + X[:, 2]
    assert not objective(X, y, None).has_sample
