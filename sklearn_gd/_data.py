"""Data: the only file that knows what X is."""

import mmap
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dsyrk

from sklearn_gd._core.epoch import Mean, Problem, Steps
from sklearn_gd._core.gram import FEW_COLUMNS, Gram
from sklearn_gd._core.losses import Loss, SquaredError
from sklearn_gd._core.order import Order
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._core.rows import CSRRows, DenseRows
from sklearn_gd._core.rules import Rule
from sklearn_gd._core.targets import Targets
from sklearn_gd._factor import EPS, Factor

# Values in a block of rows: 512 kB of float64, which stay in the second-level cache,
# but rows enough to keep BLAS busy.
BLOCK = 1 << 16
BLOCK_ROWS = 128
# Columns in a block of which squares are taken, which may be a copy.
STRIP = BLOCK // BLOCK_ROWS
# A sum of squares about a point further than this from the mean, in deviations, would
# lose more than two digits.
FAR = 10.0
# Values of X, below which a computation elsewhere, or with twice the digits, is cheap.
FEW_VALUES = 1 << 17
# With a larger share of values that are not 0, sparse products are slower than dense.
FULL = 0.2


class Terms(NamedTuple):
    """What F is made of, but for the rows.

    Attributes
    ----------
    loss : Loss
    penalty : Penalty
    fit_intercept : bool
    target : int or None, default=None
        Which of the targets is y. None is 0, with which ∇F(v) = ∇²F v for the squared
        error.
    offset : float, default=0.0
        What y and the intercept are relative to.
    """

    loss: Loss
    penalty: Penalty
    fit_intercept: bool
    target: int | None = None
    offset: float = 0.0


@dataclass
class Traveller:
    """What goes from row to row in an epoch.

    Attributes
    ----------
    problem : Problem
    rule : Rule
    w : ndarray of shape (size,)
    steps : Steps
    mean : Mean
    """

    problem: Problem
    rule: Rule
    w: np.ndarray
    steps: Steps
    mean: Mean


class Moments(NamedTuple):
    """Weighted means and products of the columns of X and of y − offset.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        The means of the columns, or 0 where nothing is centred.
    gram : ndarray of shape (d, d)
        The Gram matrix of the centred columns, over n.
    product : ndarray of shape (k, d)
        Their products with each of k targets y − offset, over n.
    y_mean, y_square : ndarray of shape (k,)
        The means of y − offset and of its square.
    """

    mean: np.ndarray
    gram: np.ndarray
    product: np.ndarray
    y_mean: np.ndarray
    y_square: np.ndarray


def as_data(X, y, sample_weight=None):
    """Return X, y and the weights as a Data, without copying X.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d), float64 or float32, C order
        A CSR matrix with repeated entries is copied to sum them.
    y : ndarray of shape (n,) or (n, k)
        k targets are copied, unless they lie one behind the other.
    sample_weight : ndarray of shape (n,), default=None
        Non-negative, not all zero.

    Raises
    ------
    ValueError
        If the indices of a CSR matrix point outside it.
    """
    Y = np.ascontiguousarray(y[None] if y.ndim == 1 else y.T)
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(sample_weight)
    return _of(X, Y, sample_weight)


def _of(X, Y, s, unit=None):
    if sparse.issparse(X):
        X = _checked_csr(X)
        mapped = is_mapped(X.data) and is_mapped(X.indices)
        return SparseData(X, CSRRows(X, mapped), Y, s, unit=unit)
    return Data(X, DenseRows(X, is_mapped(X)), Y, s, unit=unit)


def with_rows(aside, X):
    """Return Data that have no X, with this X."""
    data = _of(X, aside.Y, aside.s, aside.unit)
    data.n, data.kept = aside.n, aside.kept
    return data


def is_mapped(array):
    """Return whether an array lies in a file that is mapped into memory."""
    while isinstance(array, np.ndarray | memoryview):
        array = array.obj if isinstance(array, memoryview) else array.base
    return isinstance(array, mmap.mmap)


def check_indices(X):
    """Raise ValueError if the indices of a sparse matrix point outside it.

    Neither our loops nor SciPy's conversions to CSR look at them.
    """
    if X.ndim != 2 or X.format not in {"csr", "csc", "bsr", "coo"}:
        return
    if X.format == "coo":
        inside = all(
            len(at) == len(X.data) and _are_below(size, at)
            for at, size in zip((X.row, X.col), X.shape, strict=True)
        )
    else:
        lines, size = X.shape[::-1] if X.format == "csc" else X.shape
        if X.format == "bsr":
            lines, size = lines // X.blocksize[0], size // X.blocksize[1]
        ends, at = X.indptr, X.indices
        inside = len(ends) == lines + 1 and ends[0] == 0
        inside = inside and (ends[1:] >= ends[:-1]).all()
        inside = inside and ends[-1] <= min(len(at), len(X.data))
        inside = inside and _are_below(size, at[: ends[-1]])
    if not inside:
        raise ValueError(
            f"X is a malformed {X.format.upper()} matrix: its indices or indptr point "
            f"outside its shape {X.shape}."
        )


def _are_below(size, indices):
    return len(indices) == 0 or (0 <= indices.min() and indices.max() < size)


def _checked_csr(X):
    check_indices(X)
    indptr, indices = X.indptr, X.indices
    if indptr.dtype != indices.dtype:
        X = X.copy()
        X.indices = X.indices.astype(np.int64)
        X.indptr = X.indptr.astype(np.int64)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def unit_of(largest, fractions, n):
    """Return what n weights are to be divided by, to make their mean 1.

    Parameters
    ----------
    largest : float
        The largest of them.
    fractions : float
        Their sum over the largest, which does not overflow.
    n : int
    """
    if largest < np.finfo(np.float64).tiny:
        raise ValueError(
            "Sample weights are so small that they have lost their digits. "
            "Multiply them by a constant."
        )
    return largest * (fractions / n)


def merged_moments(one, other):
    """Return the (weight, mean, variance) of columns of the rows of both."""
    weight, mean, variance = one
    added, middle, spread = other
    share = added / (weight + added)
    apart = middle - mean
    variance = variance + share * (spread - variance + (1.0 - share) * apart**2)
    return weight + added, mean + share * apart, variance


class Data:
    """Dense rows with targets and weights.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    rows : Rows
        The same rows for the compiled loop.
    Y : ndarray of shape (k, n)
        Targets, one a row.
    s : ndarray of shape (n,) or None
        Weights of any scale; None is 1.
    held : ndarray of int or bool, default=None
        Rows that do not count, whatever their weights: they are held out.
    unit : float, default=None
        None makes the mean of the positive weights 1.

    Attributes
    ----------
    n : int
        The number of rows that count: those of positive weight that aren't held out.
    unit : float
        What the weights are divided by wherever they are used, which makes the mean of
        the n positive ones 1.
    kept : ndarray of int or None
        The rows that count, None for all.
    """

    # The Gram matrix of centred columns loses (mean/deviation) to this power.
    lost_to_means = 1

    def __init__(self, X, rows, Y, s, held=None, unit=None):
        self.X = X
        self.rows = rows
        self.Y = Y
        self.s = s
        self.n, self.unit, self.kept = Y.shape[1], 1.0, None
        counts = None if s is None else s > 0
        if held is not None:
            counts = np.ones(self.n, dtype=bool) if counts is None else counts
            counts[held] = False
        if counts is not None:
            self.n = np.count_nonzero(counts)
            if self.n < len(counts):
                self.kept = np.flatnonzero(counts)
        if unit is not None:
            self.unit = unit
        elif s is not None:
            largest = s.max() if self.kept is None else s[self.kept].max()
            self.unit = unit_of(largest, self._sum(lambda w: w / largest, s), self.n)

    def without(self, held):
        """Return the same data with these rows held out."""
        return type(self)(self.X, self.rows, self.Y, self.s, held)

    def only(self, held):
        """Return the same data with all other rows held out."""
        others = np.ones(self.Y.shape[1], dtype=bool)
        others[held] = False
        return self.without(others)

    @property
    def d(self):
        return self.X.shape[1]

    def problem(self, terms, weights=None):
        """Return F over these rows, weighted differently if asked to."""
        return Problem(
            self.rows,
            None if terms.target is None else self.Y[terms.target],
            terms.loss,
            terms.penalty,
            terms.fit_intercept,
            offset=terms.offset,
            s=self.s if weights is None else weights,
            unit=self.unit if weights is None else 1.0,
            kept=self.kept,
        )

    def values_and_gradients(self, problems, points):
        """Return [(F, ∇F)] of several problems at these points, in one pass over X."""
        if len(problems) > 1:
            return Targets(problems).values_and_gradients(points)
        g = np.empty(len(points[0]))
        return [(problems[0].value_and_gradient(points[0], g), g)]

    def visit(self, travellers, order, batch):
        """Let each traveller visit the rows, in one pass over X if it can be.

        Returns
        -------
        losses : ndarray of shape (k,)
            The mean loss of the rows, each just before its step.
        """
        with self._in(order):
            return self._visit(travellers, order, batch)

    def _visit(self, travellers, order, batch):
        problems = [traveller.problem for traveller in travellers]
        rules = [traveller.rule for traveller in travellers]
        if len(travellers) > 1:
            together = Targets(problems)
            if together.share_epochs(rules, batch):
                return together.epoch(
                    [traveller.w for traveller in travellers],
                    order,
                    batch,
                    [traveller.steps for traveller in travellers],
                    [traveller.mean for traveller in travellers],
                )
        losses = np.zeros(len(travellers))
        # One target after the other sees rows that are still in the cache.
        while order.open(batch, whole=len(travellers) == 1):
            for t, (problem, rule, traveller) in enumerate(
                zip(problems, rules, travellers, strict=True)
            ):
                order.rewind()
                losses[t] += problem.epoch(
                    rule, traveller.w, order, batch, traveller.steps, traveller.mean
                )
        return losses

    def curvatures(self, terms, w):
        """Return s ∂²ℓ/∂f² of each row that counts, at w."""
        f = self.problem(terms).predict(w)
        kept = slice(None) if self.kept is None else self.kept
        y = np.ascontiguousarray(self.Y[terms.target, kept]) - terms.offset
        return self.weights(kept) * terms.loss.seconds(y, f)

    def curved(self, terms, curvatures):
        """Return the quadratic whose Hessian has these curvatures of the rows."""
        quadratic = Terms(
            SquaredError(), Penalty(0.0, terms.penalty.l2), terms.fit_intercept
        )
        return self.problem(quadratic, self.as_weights(curvatures))

    def as_weights(self, curvatures):
        """Return a weight for each row, 0 for those that do not count."""
        weights = np.zeros(self.Y.shape[1])
        weights[slice(None) if self.kept is None else self.kept] = curvatures
        return weights

    def order(self, shuffle):
        """Return the orders, one an epoch, in which the rows that count are visited."""
        return Order(self.n, self.d, self.kept, shuffle, self.rows.stored)

    @contextmanager
    def _in(self, order):
        """Let the rows be visited in this order.

        Of a file the system then reads no more than it is asked for, and gives up first
        what was asked for first. Else it would read on where a row is missing, and give
        up what it read ahead before what was used.
        """
        at_random = self.rows.mapped and order.in_blocks
        if at_random:
            self.rows.expect_order(True)
        try:
            yield
        finally:
            if at_random:
                self.rows.expect_order(False)

    def weights(self, where):
        """Return the weights of these rows, the mean of all being 1."""
        if self.s is None:
            return np.ones(len(self.Y[0, where]))
        return self.s[where] / self.unit

    def mean(self, y):
        """Return the weighted mean of y, a value a row."""
        return self._sum(np.positive, y, self.weights) / self.n

    def mean_square(self, y, about=0.0):
        """Return the weighted mean of (y − about)²."""
        return self._sum(lambda y: (y - about) ** 2, y, self.weights) / self.n

    def loss_means(self, loss, y, constant):
        """Return the means of ℓ, ℓ′ and ℓ′² at a constant prediction."""
        total = np.zeros(3)
        for where in self._selections(BLOCK):
            s, t = self.weights(where), np.ascontiguousarray(y[where])
            total += loss.sums(t, np.full(len(t), constant), s)
        return total / self.n

    def range(self, y):
        """Return the least and the largest y of the rows that count."""
        ends = [(y[where].min(), y[where].max()) for where in self._selections(BLOCK)]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def predict(self, coefficients, intercept, where):
        """Return X w + b of these rows, none of which is copied."""
        rows = Problem(self.rows, None, SquaredError(), Penalty(), False, kept=where)
        return rows.predict(coefficients) + intercept

    def columns(self, which):
        """Return some columns, of all rows, as float64 of shape (len(which), rows)."""
        return np.asarray(self.X[:, which], dtype=np.float64).T

    def _sum(self, function, values, weights=None):
        total = 0.0
        for where in self._selections(BLOCK):
            terms = function(values[where])
            if weights is not None and self.s is not None:
                terms = weights(where) * terms
            # Not a product of BLAS, whose last bits depend on its threads.
            total += terms.sum()
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

    def first_rows(self):
        """Return some rows that count, in float64."""
        return next(self.blocks())[0][:BLOCK_ROWS]

    def _dense(self, where):
        return self._rows(where).astype(np.float64, copy=False)

    def _rows(self, where):
        return self.X[where]

    def column_moments(self):
        """Return the weighted mean and variance of each column, of shape (d,) each."""
        means, variances = np.zeros(self.d), np.zeros(self.d)
        for columns in self._strips():
            known = 0.0, means[columns], variances[columns]
            for block, where in self._strip(columns):
                s = self.weights(where)
                added = s.sum()
                middle = s @ block / added
                spread = s @ (block - middle) ** 2 / added
                known = merged_moments(known, (added, middle, spread))
            _, means[columns], variances[columns] = known
        return means, variances

    def used_columns(self):
        """Return which columns have a value that is not 0."""
        used = np.zeros(self.d, dtype=bool)
        for columns in self._strips():
            for block, _ in self._strip(columns):
                used[columns] |= (block != 0.0).any(axis=0)
        return used

    def _strips(self):
        for first in range(0, self.d, STRIP):
            yield slice(first, first + STRIP)

    def _strip(self, columns):
        """Yield (block of these columns of X in float64, where its rows are)."""
        for where in self._selections(max(BLOCK_ROWS, BLOCK // self.d)):
            yield self.X[where, columns].astype(np.float64, copy=False), where

    def thinned(self, count):
        """Return about ``count`` of the rows, evenly spaced, as Data of their own."""
        step = max(1, self.n // count)
        if step == 1:
            return self
        kept = np.arange(0, self.n, step) if self.kept is None else self.kept[::step]
        s = None if self.s is None else self.s[kept]
        return as_data(self.X[kept], self.Y[:, kept].T, s)

    def sample(self, count):
        """Return about ``count`` rows in float64, evenly spaced, and their weights."""
        step = max(1, self.n // count)
        where = slice(0, None, step) if self.kept is None else self.kept[::step]
        return self._dense(where), self.weights(where)

    @property
    def nbytes(self):
        """The memory that X takes."""
        return self.X.nbytes

    @property
    def gram_passes(self):
        """How many passes over X, of a product and its transpose, moments cost."""
        return 1 + self.d // 50

    def _by_roots(self, s, block, weighted):
        """Return a block times the roots of its weights."""
        if weighted or self._is_weighted:
            return np.sqrt(s)[:, None] * block
        return block

    @cached_property
    def _is_weighted(self):
        if self.s is None:
            return False
        return np.ptp(self.s if self.kept is None else self.s[self.kept]) > 0.0

    def moments(self, center, offsets=None):
        """Return the Moments of X and the targets y − offset, in one pass.

        Squares are summed about 0, or about the means of a few rows where those are
        far from 0: only a column whose first rows say little of the others, as in
        sorted data with outliers, takes a second pass.

        Parameters
        ----------
        center : bool
            Whether the columns are to be centred.
        offsets : ndarray of shape (k,), default=None
            None is 0.
        """
        if offsets is None:
            offsets = np.zeros(len(self.Y))
        if not center:
            return self._moments_about(np.zeros(self.d), center, offsets)
        block = self.first_rows()
        mean = block.mean(axis=0)
        point = np.where(np.abs(mean) > FAR * block.std(axis=0), mean, 0.0)
        moments = self._moments_about(point, center, offsets)
        apart = np.abs(moments.mean - point)
        near = apart <= FAR * np.sqrt(np.diag(moments.gram))
        if not (near | (apart <= 16 * EPS * np.abs(moments.mean))).all():
            moments = self._moments_about(moments.mean, center, offsets)
        return moments

    def _moments_about(self, point, center, offsets):
        gram, sums, y_sums = self._products(point, offsets)
        gram /= self.n
        apart, product = sums[0] / self.n, sums[1:] / self.n
        y_mean, y_square = y_sums / self.n
        mean = np.zeros(self.d)
        if center:
            mean = point + apart
            product -= np.outer(y_mean, apart)
            gram = dsyrk(-1.0, apart[:, None], 1.0, gram, lower=1, overwrite_c=1)
            np.fill_diagonal(gram, np.maximum(np.diag(gram), 0.0))
        gram += np.tril(gram, -1).T
        return Moments(mean, gram.T, product, y_mean, y_square)

    def _products(self, point, offsets, weights=None):
        """Return the sums of z zᵀ, (z, y z …) and (y …, y² …), weighted.

        z is x − point, and y the targets relative to their offsets; of z zᵀ it is the
        lower triangle. ``weights`` are those of the rows that count, if others.
        """
        few = self.d <= FEW_COLUMNS
        total = Gram(point) if few else None
        gram = None if few else np.zeros((self.d, self.d), order="F")
        k = len(offsets)
        sums, y_sums = np.zeros((1 + k, self.d)), np.zeros((2, k))
        begun = 0
        for where in self._selections(max(BLOCK_ROWS, 4 * BLOCK // self.d)):
            Y = self.Y[:k, where] - offsets[:, None]
            if weights is None:
                s = self.weights(where)
            else:
                s = weights[begun : begun + Y.shape[1]]
            begun += Y.shape[1]
            y_sums += (Y @ s, Y**2 @ s)
            if few:
                total.add(self._rows(where), np.ascontiguousarray(Y[0]), s)
            if not few or k > 1:
                block = self._dense(where)
                if point.any():
                    block = block - point
                sums += np.vstack([s, s * Y]) @ block
            if not few:
                root_block = self._by_roots(s, block, weights is not None)
                gram = dsyrk(1.0, root_block.T, 1.0, gram, lower=1, overwrite_c=1)
        if few:
            lower, d = total.lower, self.d
            gram = np.asfortranarray(np.tril(lower[:d, :d]))
            sums[0], sums[1] = lower[d + 1, :d], lower[d, :d]
        return gram, sums, y_sums

    def gram(self, weights, point):
        """Return the means of v, v z and v z zᵀ, z = x − point, for weights v.

        Parameters
        ----------
        weights : ndarray of shape (n,)
            v, one for each row that counts.
        point : ndarray of shape (d,)
        """
        gram, sums, _ = self._products(point, np.zeros(1), weights)
        gram += np.tril(gram, -1).T
        return weights.mean(), sums[0] / self.n, gram / self.n

    def factor(self, target, center):
        """Return the triangular Factor of (X, t), t = target(self, block, where)."""
        total = Factor.empty(self.d + 1)
        # A tall block costs half as much a row as a square one.
        for block, where in self.blocks(at_least=4 * self.d):
            Z = np.column_stack([block, target(self, block, where)])
            total = total.merge(Factor.of(Z, self.weights(where), center))
        return total


class SparseData(Data):
    """CSR rows with targets and weights.

    They are centred after they were multiplied, which keeps the zeros, not the digits,
    unless the zeros are so few that it is faster to fill them in.
    """

    @cached_property
    def lost_to_means(self):
        return 1 if self._has_few_zeros else 2

    @property
    def _has_few_zeros(self):
        return self.X.nnz > FULL * self.X.shape[0] * self.d

    def thin_blocks(self):
        """Yield (copy of a block of X as CSR in float64, where its rows are)."""
        values_in_row = max(1, self.X.nnz // self.X.shape[0])
        for where in self._selections(max(1, 4 * BLOCK // values_in_row)):
            yield self.X[where].astype(np.float64, copy=False), where

    def _rows(self, where):
        return self.X[where].toarray()

    def columns(self, which):
        return self.X[:, which].toarray().astype(np.float64, copy=False).T

    def used_columns(self):
        used = np.zeros(self.d, dtype=bool)
        for block, _ in self.thin_blocks():
            used[block.indices[block.data != 0.0]] = True
        return used

    def column_moments(self):
        # Only the values that are there, and as many zeros as are not.
        mean, absent, variance = np.zeros(self.d), np.zeros(self.d), np.zeros(self.d)
        weight = 0.0
        for block, where in self.thin_blocks():
            s = self.weights(where)
            weight += s.sum()
            mean += block.T @ s
            block.data[:] = 1.0
            absent -= block.T @ s
        mean /= weight
        absent += weight
        for block, where in self.thin_blocks():
            block.data -= mean[block.indices]
            block.data *= block.data
            variance += block.T @ self.weights(where)
        absent[absent <= EPS * self.n * weight] = 0.0  # the rounding of a full column
        absent *= mean
        absent *= mean
        variance += absent
        variance /= weight
        return mean, variance

    @property
    def nbytes(self):
        X = self.X
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes

    @property
    def gram_passes(self):
        if self._has_few_zeros:
            return super().gram_passes
        return 1 + 5 * self.X.nnz // self.X.shape[0]

    def moments(self, center, offsets=None):
        """Return the Moments of X and y − offset, centred after the products."""
        if self._has_few_zeros:
            return super().moments(center, offsets)
        if offsets is None:
            offsets = np.zeros(len(self.Y))
        gram, sums, y_sums = self._products(np.zeros(self.d), offsets)
        y_mean, y_square = y_sums / self.n
        gram /= self.n
        mean = np.zeros(self.d)
        if center:
            mean = sums[0] / self.n
            gram -= np.outer(mean, mean)
        product = sums[1:] / self.n - np.outer(y_mean, mean)
        return Moments(mean, gram, product, y_mean, y_square)

    def _products(self, point, offsets, weights=None):
        if self._has_few_zeros:
            return super()._products(point, offsets, weights)
        d, k = self.d, len(offsets)
        sums, y_sums, gram = np.zeros((1 + k, d)), np.zeros((2, k)), np.zeros((d, d))
        band = max(1, BLOCK // d)
        begun = 0
        for block, where in self.thin_blocks():
            Y = self.Y[:k, where] - offsets[:, None]
            if weights is None:
                s = self.weights(where)
            else:
                s = weights[begun : begun + block.shape[0]]
            begun += block.shape[0]
            y_sums += (Y @ s, Y**2 @ s)
            sums += (block.T @ np.vstack([s, s * Y]).T).T
            columns = block.T.tocsr()
            columns.data *= s[columns.indices]
            # A few rows of the matrix at a time: as a sparse one it takes more memory.
            for first in range(0, d, band):
                some = slice(first, first + band)
                gram[some] += (columns[some] @ block).toarray()
        return gram, sums, y_sums

    def gram(self, weights, point):
        """Return the means of v, v z and v z zᵀ, centred after the products."""
        if self._has_few_zeros:
            return super().gram(weights, point)
        gram, sums, _ = self._products(np.zeros(self.d), np.zeros(1), weights)
        v, mean = weights.mean(), sums[0] / self.n
        gram = gram / self.n - np.outer(point, mean) - np.outer(mean, point)
        return v, mean - v * point, gram + v * np.outer(point, point)
