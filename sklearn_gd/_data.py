"""Data: the only file that knows what X is."""

import numpy as np
from scipy import sparse

from sklearn_gd._core.order import Order
from sklearn_gd._core.rows import CSRRows, DenseRows
from sklearn_gd._factor import Factor

# Values in a block of rows: 512 kB of float64, which stay in the second-level cache,
# but rows enough to keep BLAS busy.
BLOCK = 1 << 16
BLOCK_ROWS = 128


def as_data(X, y, sample_weight=None):
    """Return X, y and the weights as a Data, without copying X.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d), float64 or float32, C order
        A CSR matrix with repeated entries is copied to sum them.
    y : ndarray of shape (n,)
    sample_weight : ndarray of shape (n,), default=None
        Non-negative, not all zero.

    Raises
    ------
    ValueError
        If the indices of a CSR matrix point outside it.
    """
    if sparse.issparse(X):
        X = _checked_csr(X)
        return SparseData(X, CSRRows(X), y, sample_weight)
    return Data(X, DenseRows(X), y, sample_weight)


def _checked_csr(X):
    n, d = X.shape
    indptr, indices = X.indptr, X.indices
    inside = len(indptr) == n + 1 and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
    inside = inside and indptr[-1] <= min(len(indices), len(X.data))
    used = indices[: indptr[-1]] if inside else indices
    if not inside or (len(used) and not (0 <= used.min() and used.max() < d)):
        raise ValueError(
            "X is a malformed CSR matrix: its indices or indptr point outside its "
            f"shape {X.shape}. X.check_format() tells more."
        )
    if indptr.dtype != indices.dtype:
        X = X.copy()
        X.indices = X.indices.astype(np.int64)
        X.indptr = X.indptr.astype(np.int64)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


class Data:
    """Dense rows with targets and weights.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    rows : Rows
        The same rows for the compiled loop.
    y : ndarray of shape (n,)
        Targets.
    s : ndarray of shape (n,) or None
        Weights of any scale; None is 1.

    Attributes
    ----------
    n : int
        The number of rows with a positive weight: the others do not count.
    unit : float
        What the weights are divided by wherever they are used, which makes the mean of
        the n positive ones 1.
    kept : ndarray of int or None
        The rows with a positive weight, None for all.
    """

    # The Gram matrix of centred columns loses (mean/deviation) to this power.
    lost_to_means = 1

    def __init__(self, X, rows, y, s):
        self.X = X
        self.rows = rows
        self.y = y
        self.s = s
        self.n, self.unit, self.kept = len(y), 1.0, None
        if s is not None:
            positive = s > 0
            self.n = np.count_nonzero(positive)
            if self.n < len(y):
                self.kept = np.flatnonzero(positive)
            largest = s.max()  # of which fractions are summed, so as not to overflow
            self.unit = largest * (self._sum(lambda w: w / largest, s) / self.n)

    @property
    def d(self):
        return self.X.shape[1]

    def order(self, shuffle):
        """Return the orders, one an epoch, in which the rows that count are visited."""
        return Order(self.n, self.d, self.kept, shuffle, self.rows.stored)

    def weights(self, where):
        """Return the weights of these rows, the mean of all being 1."""
        if self.s is None:
            return np.ones(len(self.y[where]))
        return self.s[where] / self.unit

    def mean(self, function):
        """Return the weighted mean of a function of y."""
        return self._sum(function, self.y, self.weights) / self.n

    def _sum(self, function, values, weights=None):
        total = 0.0
        for where in self._selections(BLOCK):
            terms = function(values[where])
            total += terms.sum() if weights is None else weights(where) @ terms
        return total

    def _selections(self, rows_in_block):
        """Yield slices of the rows, or index arrays where some don't count."""
        for first in range(0, self.n, rows_in_block):
            if self.kept is None:
                yield slice(first, min(first + rows_in_block, self.n))
            else:
                yield self.kept[first : first + rows_in_block]

    def blocks(self, at_least=BLOCK_ROWS):
        """Yield (block of X in float64, where its rows are)."""
        for where in self._selections(max(at_least, BLOCK // self.d)):
            yield self._dense(where), where

    # Blocks that a product or a square may be taken of without filling in zeros.
    thin_blocks = blocks

    def _dense(self, where):
        return self.X[where].astype(np.float64, copy=False)

    @staticmethod
    def _squares(block):
        return block * block

    def column_moments(self):
        """Return the weighted mean and variance of each column, of shape (d,) each."""
        weight, mean, variance = 0.0, np.zeros(self.d), np.zeros(self.d)
        for block, where in self.thin_blocks():
            s = self.weights(where)
            added = s.sum()
            middle, spread = self._block_moments(block, s, added)
            share = added / (weight + added)
            apart = middle - mean
            variance += share * (spread - variance + (1.0 - share) * apart**2)
            mean += share * apart
            weight += added
        return mean, variance

    @staticmethod
    def _block_moments(block, s, weight):
        mean = s @ block / weight
        return mean, s @ (block - mean) ** 2 / weight

    def largest_norm(self, scale, extra):
        """Return max_i s_i (Σ_j scale_j x_ij² + extra)."""
        return max(
            np.max(self.weights(where) * (self._squares(block) @ scale + extra))
            for block, where in self.thin_blocks()
        )

    def moments(self, center):
        """Return the weighted mean of the columns and their Gram matrix over n.

        Parameters
        ----------
        center : bool
            Whether the Gram matrix is that of the centred columns; if not, the mean is
            returned as 0.
        """
        weight, mean = 0.0, np.zeros(self.d)
        gram = np.zeros((self.d, self.d))
        for block, where in self.blocks():
            s = self.weights(where)
            added = s.sum()
            apart = np.zeros(self.d)
            if center:
                apart = s @ block / added - mean
                block = block - (mean + apart)
            block = np.sqrt(s)[:, None] * block
            share = added / (weight + added)
            gram += block.T @ block + weight * share * np.outer(apart, apart)
            mean += share * apart
            weight += added
        return mean, gram / self.n

    def factor(self, target, center):
        """Return the triangular Factor of (X, t), t = target(block of X, where)."""
        total = Factor.empty(self.d + 1)
        # A tall block costs half as much a row as a square one.
        for block, where in self.blocks(at_least=4 * self.d):
            Z = np.column_stack([block, target(block, where)])
            total = total.merge(Factor.of(Z, self.weights(where), center))
        return total


class SparseData(Data):
    """CSR rows with targets and weights.

    They are centred after they were multiplied, which keeps the zeros, not the digits.
    """

    lost_to_means = 2

    def thin_blocks(self):
        """Yield (block of X as CSR in float64, where its rows are)."""
        values_in_row = max(1, self.X.nnz // len(self.y))
        for where in self._selections(max(1, 16 * BLOCK // values_in_row)):
            yield self.X[where].astype(np.float64, copy=False), where

    def _dense(self, where):
        return self.X[where].toarray().astype(np.float64, copy=False)

    @staticmethod
    def _squares(block):
        return block.multiply(block).tocsr()

    @classmethod
    def _block_moments(cls, block, s, weight):
        # Only the values that are there, and as many zeros as are not.
        mean = block.T @ s / weight
        apart = block.copy()
        apart.data = (block.data - mean[block.indices]) ** 2
        present = sparse.csr_array(
            (np.ones(block.nnz), block.indices, block.indptr), shape=block.shape
        )
        absent = weight - present.T @ s
        return mean, (apart.T @ s + np.maximum(absent, 0.0) * mean**2) / weight

    def moments(self, center):
        mean, gram = np.zeros(self.d), np.zeros((self.d, self.d))
        for block, where in self.thin_blocks():
            weighted = block.multiply(self.weights(where)[:, None]).tocsr()
            gram += (block.T @ weighted).toarray()
            mean += block.T @ self.weights(where)
        mean = mean / self.n if center else np.zeros(self.d)
        return mean, gram / self.n - np.outer(mean, mean)
