"""Residuals and gradients with twice the digits of float64.

Every sum and product is kept as a pair, the rounded value and its rounding error, which
is itself a float64 (Dekker 1971; Ogita, Rump and Oishi 2005, Accurate Sum and Dot
Product). NumPy does it, since the flags of the compiled loops let the compiler take an
error for 0.
"""

import numpy as np

# 2^27 + 1, which splits a float64 in two halves of 26 bits.
SPLITTER = 134217729.0


def two_sum(a, b):
    """Return a + b rounded, and what is left of it."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a, b):
    """Return a · b rounded, and what is left of it."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    left = a_high * b_high - product + a_high * b_low + a_low * b_high
    return product, left + a_low * b_low


def _split(a):
    scaled = SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def residuals(X, w, constants, y):
    """Return Xw + Σ constants − y as a pair of arrays."""
    product, left = two_product(X, w)
    total, error = -y, left.sum(axis=1)
    for term in (*product.T, *constants):
        total, more = two_sum(total, term)
        error += more
    return two_sum(total, error)


def transposed_product(X, r):
    """Return Xᵀr, rounded, for a pair r."""
    total, error = two_product(X, r[0][:, None])
    error = error.sum(axis=0) + r[1] @ X
    while len(total) > 1:
        half = len(total) // 2
        odd = total[2 * half :]
        total, more = two_sum(total[:half], total[half : 2 * half])
        error += more.sum(axis=0)
        total = np.concatenate([total, odd])
    return total[0] + error
