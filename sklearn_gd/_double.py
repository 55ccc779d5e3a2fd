"""Residuals, gradients and Gram matrices with twice the digits of float64.

Every sum and product is kept as a pair, the rounded value and its rounding error, which
is itself a float64 (Dekker 1971; Ogita, Rump and Oishi 2005, Accurate Sum and Dot
Product). NumPy does it, since the flags of the compiled loops let the compiler take an
error for 0.
"""

import numpy as np

# 2^27 + 1, which splits a float64 in two halves of 26 bits.
SPLITTER = 134217729.0
# Parts in which a factor of a Gram matrix is cut, of 18 bits and more.
PARTS = 5


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


def pair_sum(a, b):
    """Return the sum of two pairs."""
    high, low = two_sum(a[0], b[0])
    return two_sum(high, low + (a[1] + b[1]))


def pair_product(a, b):
    """Return the product of two pairs."""
    high, low = two_product(a[0], b[0])
    return two_sum(high, low + (a[0] * b[1] + a[1] * b[0]))


def pair_ratio(a, b):
    """Return a over b, pairs both."""
    high = a[0] / b[0]
    left = pair_sum(a, pair_product((-high, np.zeros_like(high)), b))
    return two_sum(high, left[0] / b[0])


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


def gram(U, V):
    """Return UᵀV as a pair, of pairs of shape (n, k), to about 90 bits of the largest.

    Both are cut into parts of so few bits that BLAS sums their products without any
    rounding, in whatever order (Ozaki, Ogita, Oishi and Rump 2012).
    """
    n, k = U[0].shape
    bits = (53 - (PARTS * n).bit_length()) // 2
    same = U is V
    U = _parts(U, bits)
    V = U if same else _parts(V, bits)
    total = np.zeros((k, k)), np.zeros((k, k))
    for smallest in reversed(range(PARTS)):
        left = np.concatenate(U[: smallest + 1])
        right = np.concatenate(V[smallest::-1])
        total = pair_sum(total, (left.T @ right, 0.0))
    return total


def _parts(pair, bits):
    """Cut a pair into parts of so many bits below the largest of their column."""
    rest, low = pair
    top = np.frexp(np.abs(rest).max(axis=0))[1]
    parts = []
    for count in range(1, PARTS + 1):
        rounder = np.ldexp(1.5, top - count * bits + 52)
        parts.append((rest + rounder) - rounder)
        rest = rest - parts[-1]
        if count == 2:
            rest = rest + low
    return parts
