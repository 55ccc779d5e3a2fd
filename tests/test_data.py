"""Data: every container gives the same numbers, block by block."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn_gd._core.gram import Gram

from sklearn_gd import _data
from sklearn_gd._data import as_data

CONTAINERS = {
    "dense": np.asarray,
    "dense32": lambda X: X.astype(np.float32),
    "csr": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csr32": lambda X: sparse.csr_array(X.astype(np.float32)),
}


def table(weighted):
    rng = np.random.default_rng(0)
    X = np.round(4 * rng.normal(size=(50, 3))) / 4 + [0.0, 2.0, -1.0]
    s = rng.integers(0, 3, size=50) * 0.7 if weighted else None
    return X, rng.normal(size=50), s


@pytest.fixture(params=["one block", "many blocks"])
def blocks(request, monkeypatch):
    if request.param == "many blocks":
        monkeypatch.setattr(_data, "BLOCK", 6)
        monkeypatch.setattr(_data, "BLOCK_ROWS", 1)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("weighted", [True, False])
def test_sums_over_rows(container, weighted, blocks):
    X, y, s = table(weighted)
    data = as_data(CONTAINERS[container](X), y, s)
    s = np.ones(50) if s is None else s
    kept = np.flatnonzero(s)
    assert data.n == len(kept)
    assert_array_equal(data.order(shuffle=False).left(), kept)
    assert_allclose(data.unit * data.weights(slice(None)), s)
    assert_allclose(data.weights(kept).mean(), 1.0)
    weights = s / s.sum()
    assert_allclose(data.mean(y), weights @ y)
    assert_allclose(data.mean_square(y, 0.5), weights @ (y - 0.5) ** 2)
    mean, variance = data.column_moments()
    assert_allclose(mean, weights @ X, atol=1e-14)
    assert_allclose(variance, weights @ (X - weights @ X) ** 2)
    for center in (True, False):
        mean = weights @ X if center else np.zeros(3)
        got, gram, product, y_mean, y_square = data.moments(center, np.array([0.7]))
        assert_allclose(got, mean, atol=1e-14)
        expected = (X - mean).T @ (weights[:, None] * (X - mean))
        assert_allclose(gram, expected, atol=1e-13)
        assert_allclose(product[0], (weights * (y - 0.7)) @ (X - mean), atol=1e-13)
        assert_allclose(y_mean[0], weights @ (y - 0.7))
        assert_allclose(y_square[0], weights @ (y - 0.7) ** 2)
        R = data.factor(lambda _, block, where: y[where], center).R
        assert_allclose(R[:, :3].T @ R[:, :3], data.n * expected, atol=1e-11)


@pytest.mark.parametrize("d", [1, 2, 9, 10, 11, 12, 13, 22, 40])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 100])
def test_gram_of_any_shape(n, d):
    rng = np.random.default_rng(0)
    X, y, s = rng.normal(size=(n, d)), rng.normal(size=n), rng.uniform(size=n)
    point = rng.normal(size=d)
    for dtype in (np.float64, np.float32):
        rows = X.astype(dtype)
        total = Gram(point)
        for some in (slice(None, n // 3), slice(n // 3, None)):
            total.add(rows[some], y[some], s[some])
        Z = np.column_stack([rows - point, y, np.ones(n)])
        expected = np.tril(Z.T @ (s[:, None] * Z))
        assert_allclose(np.tril(total.lower), expected, rtol=1e-13, atol=1e-13)


def test_misuse_of_gram_is_refused():
    X, y = np.ones((3, 2)), np.ones(3)
    for wrong in [(X[:, :1].copy(), y, y), (X, y[:2], y), (X, y, y[:2])]:
        with pytest.raises(ValueError, match="rows of 2 values"):
            Gram(np.zeros(2)).add(*wrong)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("weighted", [True, False])
def test_many_columns_like_few(container, weighted, center, blocks, monkeypatch):
    X, y, s = table(weighted)
    X[:, 2] += 1e3
    few = as_data(CONTAINERS[container](X), y, s).moments(center, np.array([0.3]))
    monkeypatch.setattr(_data, "FEW_COLUMNS", 0)
    many = as_data(CONTAINERS[container](X), y, s).moments(center, np.array([0.3]))
    for one, other in zip(few, many, strict=True):
        assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("weighted", [True, False])
def test_blocks_cover_the_rows_once(weighted, blocks):
    X, y, s = table(weighted)
    data = as_data(X, y, s)
    seen = np.concatenate([np.arange(50)[where] for _, where in data.blocks()])
    assert_array_equal(seen, data.order(shuffle=False).left())
    for block, where in data.blocks():
        assert_array_equal(block, X[where])
        assert np.shares_memory(block, X) or weighted
