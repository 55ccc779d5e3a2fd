"""Least squares from a triangular factor."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_gd._factor import Factor, least_squares


def rows(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d + 1)) + 5.0, rng.uniform(0.5, 3.0, size=n)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 11], list(range(1, 30))])
def test_merging_is_exact(center, cuts):
    Z, s = rows(30, 4)
    whole = Factor.of(Z, s, center)
    merged = Factor.empty(5)
    for part, weights in zip(np.split(Z, cuts), np.split(s, cuts), strict=True):
        merged = merged.merge(Factor.of(part, weights, center))
    assert_allclose(merged.weight, s.sum())
    assert_allclose(merged.mean, whole.mean, rtol=1e-14)
    assert_allclose(merged.R.T @ merged.R, whole.R.T @ whole.R, rtol=1e-11)
    mean = np.average(Z, axis=0, weights=s) if center else np.zeros(5)
    gram = (Z - mean).T @ (s[:, None] * (Z - mean))
    assert_allclose(whole.R.T @ whole.R, gram, rtol=1e-11)


@pytest.mark.parametrize("alpha", [0.0, 0.2])
@pytest.mark.parametrize("toward", [0.0, np.array([1.0, -1.0, 2.0, 0.5])])
def test_solve_is_the_minimiser(alpha, toward):
    Z, s = rows(30, 4)
    w, b, _ = Factor.of(Z, s, center=True).solve(alpha, toward)
    residual = Z[:, 4] - Z[:, :4] @ w - b
    gradient = -Z[:, :4].T @ (s * residual) / s.sum() + alpha * (w - toward)
    assert_allclose(gradient, 0.0, atol=1e-13)
    assert_allclose(s @ residual, 0.0, atol=1e-11)


@pytest.mark.parametrize("shape", [(6, 10), (30, 10)])
@pytest.mark.parametrize("units", [1.0, np.logspace(-3, 3, 10)])
def test_minimum_norm(shape, units):
    rng = np.random.default_rng(0)
    A = rng.normal(size=shape)
    A[:, 7] = A[:, 2]
    A[:, 8] = 0.0
    A = A * units
    q = rng.normal(size=shape[0])
    w, _ = least_squares(A, q)
    assert_allclose((A / units).T @ (A @ w - q), 0.0, atol=1e-12)
    assert w[8] == 0.0
    # What adds to the norm without changing A w has been taken away.
    if np.ndim(units) == 0:
        assert_allclose(w, np.linalg.pinv(A) @ q, rtol=1e-9, atol=1e-12)
    else:
        twin = np.zeros(10)
        twin[[2, 7]] = 1 / units[2], -1 / units[7]
        assert abs(w @ twin) < 1e-9 * np.linalg.norm(w) * np.linalg.norm(twin)


@pytest.mark.parametrize("shape", [(6, 10), (30, 10)])
def test_rank_does_not_depend_on_units(shape):
    rng = np.random.default_rng(0)
    A = rng.normal(size=shape)
    A[:, 7] = A[:, 2]
    q = rng.normal(size=shape[0])
    units = np.logspace(-60, 60, 10)
    w, _ = least_squares(A * units, q)
    assert_allclose(A.T @ ((A * units) @ w - q), 0.0, atol=1e-12)


def test_a_constant_column_has_no_coefficient():
    Z, s = rows(50, 3)
    Z[:, 1] = 3.7
    w, _, _ = Factor.of(Z, s, center=True).solve()
    assert w[1] == 0.0
