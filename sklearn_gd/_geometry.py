"""The geometry of the rows: what steps need to know of X and the weights, but not of y.

It is the same for all targets, and computed once. M = AᵀSA/S + ridge I, the intercept
without ridge, is the Hessian of the squared error with an l2 penalty; of a loss whose
ℓ″ is at most c, cM with ridge = l2/c bounds the Hessian.
"""

from functools import cached_property

import numpy as np
from scipy import linalg

from sklearn_gd._core.losses import SquaredError
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._data import Terms
from sklearn_gd._factor import EPS, TINY, finite, inverse, triangle_of

# More columns than this have no Gram matrix here: it would cost more than it saves.
GRAM_COLUMNS = 2000
# What the Gram matrix and one copy may take for a solver that can do without: 16 MB and
# a 40th of X.
SPARE, SHARE = 1 << 24, 1 / 40
# What sparse rows may take with their zeros filled in.
FILLED = 1 << 29
# From this many columns on, Lanczos finds the extreme eigenvalues sooner than eigvalsh.
MANY_COLUMNS = 200
# How much larger than found L is taken to be then.
LANCZOS = 0.01
# Lanczos gives up after as many steps.
STEPS = 1000
# With as many rows, a sample of them says how far F is from its minimum: this many for
# each column.
MANY_ROWS, SAMPLE = 10_000, 20
# Below this reciprocal condition number a Cholesky factor of the Gram matrix is left
# for a triangular factor of the rows, which loses half as many digits.
POOR = 1e-8


class Geometry:
    """X and the weights of a Data, as steps see them.

    Parameters
    ----------
    data : Data
    fit_intercept : bool
    offsets : ndarray of shape (k,)
        What the targets are relative to.

    Attributes
    ----------
    size : int
        d + fit_intercept, the length of w and g.
    """

    def __init__(self, data, fit_intercept, offsets):
        self.data = data
        self.fit_intercept = fit_intercept
        self.offsets = offsets
        self.size = data.d + fit_intercept
        self._known = {}

    def _once(self, key, compute):
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def joined(self, coefficients, intercept):
        """Return (w, b) as one array, or w alone without an intercept."""
        if self.fit_intercept:
            return np.append(coefficients, intercept)
        return coefficients

    @property
    def few_columns(self):
        """Whether newton, to which no memory is denied, has a Gram matrix."""
        return self.data.d <= GRAM_COLUMNS

    @property
    def has_gram(self):
        """Whether the Gram matrix is worth its time and memory to any solver."""
        n, d = self.data.n, self.data.d
        worth = self.few_columns and (n > d or d < MANY_COLUMNS)
        return worth and self.has_room_for(2 * d * d)

    @property
    def few_rows(self):
        """Whether newton can factor the rows themselves, however many columns."""
        n, d = self.data.n, self.data.d
        # Sparse ones are filled in for it.
        return n <= GRAM_COLUMNS and 8 * n * d <= max(FILLED, 2 * self.data.nbytes)

    def has_room_for(self, values):
        return 8 * values <= SPARE + SHARE * self.data.nbytes

    @cached_property
    def moments(self):
        """The Moments of X and its targets."""
        moments = self.data.moments(self.fit_intercept, self.offsets)
        finite(moments.gram)
        return moments

    @property
    def has_moments(self):
        """Whether the moments were computed."""
        return "moments" in vars(self)

    @cached_property
    def columns(self):
        """The means and the variances of the columns."""
        # Subtracted from each other, squares say little of a deviation.
        if self.has_moments and self.data.lost_to_means == 1:
            return self.moments.mean, np.diag(self.moments.gram).copy()
        mean, variance = self.data.column_moments()
        return mean, finite(variance)

    @cached_property
    def _problem(self):
        """Half the mean square of a prediction, whose gradient at v is AᵀSAv/S."""
        return self.data.problem(Terms(SquaredError(), Penalty(), self.fit_intercept))

    @cached_property
    def _norms(self):
        """The largest ‖a_i‖², weighted, and the mean squares of the columns."""
        largest, squares = self._problem.norms(np.ones(self.size))
        return finite(largest), finite(squares)

    @cached_property
    def squares(self):
        """The mean squares of the columns of A."""
        if self.has_moments or "columns" in vars(self):
            mean, variance = self.columns
            squares = finite(mean**2 + variance)
        else:
            squares = self._norms[1]
        return self.joined(squares, 1.0)

    @property
    def vanishing(self):
        """How many columns have values, but none whose square is a number.

        Only what was computed anyway is looked at: where no square was, none counts.
        """
        if self.has_moments or "columns" in vars(self):
            squares = self.columns[0] ** 2 + self.columns[1]
        elif "_norms" in vars(self):
            squares = self._norms[1]
        else:
            return 0
        tiny = squares < TINY
        if not tiny.any():
            return 0
        return np.count_nonzero(tiny & self.data.used_columns())

    def diagonal(self, ridge):
        """Return the diagonal of M."""

        def compute():
            return self.squares + self.joined(np.full(self.data.d, ridge), 0.0)

        return self._once(("diagonal", ridge), compute)

    def gradient_scale(self, ridge):
        """Return the means of the columns, and 1/√ of the curvature in centred columns.

        A gradient less what the means account for is multiplied by that.
        Without an intercept the means are 0.
        """

        def compute():
            mean, variance = self.columns
            curvature = variance + ridge
            if not self.fit_intercept:
                return np.zeros_like(mean), np.sqrt(inverse(curvature + mean**2))
            flat = variance <= (16 * EPS * mean) ** 2  # the rounding of a constant
            curvature = np.where(flat & (ridge == 0.0), 0.0, curvature)
            return mean, np.sqrt(inverse(curvature))

        return self._once(("scale", ridge), compute)

    def product(self, v, ridge):
        """Return Mv, from the Gram matrix where there is one."""
        d = self.data.d
        if self.has_gram:
            mean, gram = self.moments.mean, self.moments.gram
            u = v[:d]
            t = mean @ u + (v[d] if self.fit_intercept else 0.0)
            return self.joined(gram @ u + mean * t + ridge * u, t)
        ((_, g),) = self.data.values_and_gradients([self._problem], [v])
        g[:d] += ridge * v[:d]
        return g

    def extremes(self, ridge):
        """Return (μ, L), the extreme eigenvalues of M; of a large M, μ is a bound."""
        return self._once(
            ("extremes", ridge), lambda: self._extremes(np.ones(self.size), ridge)
        )

    def scaled_largest(self, ridge):
        """Return Λ, the largest eigenvalue of diag(M)^-½ M diag(M)^-½."""

        def compute():
            scale = inverse(np.sqrt(self.diagonal(ridge)))
            return self._extremes(scale, ridge, lowest=False)[1]

        return self._once(("scaled", ridge), compute)

    def knows_extremes(self, ridge):
        """Whether (μ, L) were computed."""
        return ("extremes", ridge) in self._known

    def _extremes(self, scale, ridge, lowest=True):
        """Return the extreme eigenvalues of M scaled, the first a bound if not asked.

        Lanczos needs the triangle for the lowest; without a good one eigvalsh is safer.
        """
        few = self.data.d < MANY_COLUMNS
        if self.has_gram and (few or (lowest and self.triangle(ridge) is None)):
            values = linalg.eigvalsh(
                self._scaled(scale, ridge), overwrite_a=True, check_finite=False
            )
            return max(0.0, values[0]), round_up(values[-1])
        largest = self._largest(lambda v: scale * self.product(scale * v, ridge))
        if largest is None:
            largest = np.sum(scale**2 * self.diagonal(ridge))  # the trace is never less
        mu = 0.0 if self.fit_intercept else ridge
        if lowest and self.has_gram:
            inverse = self._largest(lambda v: self.solve(v / scale, ridge) / scale)
            mu = mu if inverse is None else 1.0 / inverse
        # Lanczos comes from below.
        return mu, round_up((1.0 + LANCZOS) * largest)

    def _scaled(self, scale, ridge):
        """Return M with rows and columns multiplied by scale."""
        d = self.data.d
        H = np.zeros((self.size, self.size), order="F")
        H[:d, :d] = self.moments.gram
        middle = self.joined(self.moments.mean, 1.0)
        H = linalg.blas.dger(1.0, middle, middle, a=H, overwrite_a=1)
        H[range(d), range(d)] += ridge
        H *= scale
        H *= scale[:, None]
        return finite(H)

    def _largest(self, product):
        """Return the largest eigenvalue of an operator, None if Lanczos fails.

        Three vectors are kept, however many steps: what rounding does to their being
        orthogonal only finds an eigenvalue twice (Paige 1980).
        """
        v = np.random.default_rng(0).standard_normal(self.size)
        v /= np.linalg.norm(v)
        u = finite(product(v))
        # Squares of what is in this unit do not overflow.
        unit = linalg.blas.dnrm2(u)
        if unit == 0.0:
            return None
        before, beta = np.zeros(self.size), 0.0
        diagonal, beside = [], []
        for _ in range(STEPS):
            u /= unit
            u -= beta * before
            alpha = v @ u
            u -= alpha * v
            diagonal.append(alpha)
            beta = np.linalg.norm(u)
            last = len(diagonal) - 1
            (value,), vectors = linalg.eigh_tridiagonal(
                diagonal, beside, select="i", select_range=(last, last)
            )
            if beta * abs(vectors[last, 0]) <= 0.1 * LANCZOS * value:
                return unit * value
            beside.append(beta)
            before, v = v, u
            v /= beta
            u = finite(product(v))
        return None

    def batch_curvature(self, batch, ridge, scale=None):
        """Return L_B, how steep M is as a random batch of rows sees it.

        Expected smoothness of sampling without replacement (Gower et al. 2019, §3.3):
        (n−B)/(B(n−1)) max_i s_i‖a_i‖² + n(B−1)/(B(n−1)) L.

        Parameters
        ----------
        batch : int
            B.
        ridge : float
        scale : ndarray of shape (size,), default=None
            Coordinates are multiplied by √scale; None is 1, and 1/diag(M) gives Λ_B.
        """
        n = self.data.n
        if n == 1:
            batch = 1
        single = (n - batch) / (batch * max(1, n - 1))
        together = n * (batch - 1) / (batch * max(1, n - 1))
        if scale is None:
            steepest = 1.0
            rows = self._norms[0]
            whole = self.extremes(ridge)[1] if batch > 1 else 0.0
        else:
            steepest = scale[: self.data.d].max()
            rows = finite(self._problem.norms(scale)[0])
            whole = self.scaled_largest(ridge) if batch > 1 else 0.0
        # The ridge is part of `whole` already.
        ridge = (1.0 - together) * ridge * steepest
        return round_up(max(single, n == 1) * rows + together * whole + ridge)

    # --- M⁻¹ --------------------------------------------------------------------------

    @property
    def newton_has_gram(self):
        """Whether newton has a use for the Gram matrix."""
        return self.data.n > self.data.d and self.few_columns

    def triangle(self, ridge, poor=POOR):
        """Return the Triangle of the Gram matrix + ridge I, None if it is poor."""
        if not self.newton_has_gram:
            return None

        def compute():
            mean, gram = self.moments[:2]
            return triangle_of(gram, ridge, mean, self.data.lost_to_means)

        triangle = self._once(("triangle", ridge), compute)
        if triangle is None or triangle.quality < poor:
            return None
        return triangle

    def solve(self, g, ridge):
        """Return M⁻¹g by the triangle."""
        return self.triangle(ridge).solve(g, self.moments.mean)

    def sample(self, ridge):
        """Return (scale, L) of M as a sample of many rows shows it, None if it doesn't.

        The eigenvalues of a sample of 20 d rows are those of M within a half. Where a
        column's mean square is not, the sample missed what matters.
        """
        return self._once(("sample", ridge), lambda: self._sample(ridge))

    def rough_lowest(self, ridge):
        """Return about μ, as the sample shows it."""
        scale, lower = self.sample(ridge)
        if not scale.all():
            return 0.0
        triangle = lower / scale[:, None]
        return round_up(linalg.svdvals(triangle, check_finite=False)[-1] ** 2)

    def _sample(self, ridge):
        n, d = self.data.n, self.data.d
        count = max(1000, SAMPLE * self.size)
        few = n < max(MANY_ROWS, 2 * d * d)
        if few or not self.has_room_for(3 * count * self.size):
            return None
        A, s = self.data.sample(count)
        if self.fit_intercept:
            A = np.column_stack([A, np.ones(len(A))])
        M = (A.T * s) @ A / s.sum()
        h = self.squares
        if (np.abs(np.diag(M) - h) > 0.5 * h).any():
            return None
        M[range(d), range(d)] += ridge
        scale = np.sqrt(inverse(np.diag(M)))
        M *= scale * scale[:, None]
        np.fill_diagonal(M, 1.0)
        try:
            return scale, linalg.cholesky(M, lower=True, check_finite=False)
        except linalg.LinAlgError:
            return None


def round_up(value, bits=20):
    """Round up to 20 significant bits, so that the last bits of BLAS don't matter.

    A little is added first: the Λ of uncorrelated columns is 1 but for its last bits,
    and 1 itself would go either way.
    """
    mantissa, exponent = np.frexp(value * (1.0 + 2.0 ** -(bits + 2)))
    return float(np.ldexp(np.ceil(np.ldexp(mantissa, bits)), exponent - bits))
