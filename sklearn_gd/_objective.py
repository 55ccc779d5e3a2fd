"""The objective: F = mean loss + penalty over a Data, as a function of (w, b).

Here, and everywhere below the estimator, w holds the d coefficients and, behind them,
the intercept if there is one: a_i = (x_i, 1) is a way of writing, never an array.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, cg, eigsh

from sklearn_gd._core.epoch import Problem
from sklearn_gd._core.losses import SquaredError
from sklearn_gd._core.quadratic import Quadratic
from sklearn_gd._factor import Factor

EPS = np.finfo(np.float64).eps
# More columns than this have no Gram matrix here: it would cost more than it saves.
GRAM_COLUMNS = 2000
# What the Gram matrix and one copy may take for a solver that can do without: 16 MB and
# a 40th of X.
SPARE, SHARE = 1 << 24, 1 / 40
# From this many columns on, Lanczos finds the extreme eigenvalues sooner than eigvalsh.
MANY_COLUMNS = 200
# How much larger than found L is taken to be then.
LANCZOS = 0.01
# With as many rows, a sample of them says how far F is from its minimum: this many for
# each column.
MANY_ROWS, SAMPLE = 10_000, 20
# Below this reciprocal condition number a Cholesky factor of the Gram matrix is left
# for a triangular factor of the rows, which loses half as many digits.
POOR = 1e-8
# The same for a factor that no refinement follows.
GOOD = 1e-3
# The same for steps that know the rows by their Gram matrix alone.
SMALL_LOSS = 1e-6


class Objective:
    """F(w) = (1/S) Σ_i s_i ℓ(y_i, x_i·w + b) + penalty(w).

    Parameters
    ----------
    data : Data
    loss : Loss
    penalty : Penalty
    fit_intercept : bool
    offset : float, default=None
        The intercept is held relative to this number, so that a y far from 0 keeps its
        digits. None is the best constant prediction (0 without an intercept).

    Attributes
    ----------
    size : int
        d + fit_intercept, the length of w and g.
    deviation : float
        √(2 F₀), F₀ the loss of the best constant: the unit in which F is judged. Never
        below the rounding of y, nor 0.
    noise : float
        The rounding of y.
    """

    def __init__(self, data, loss, penalty, fit_intercept, offset=None):
        self.data = data
        self.loss = loss
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.size = data.d + fit_intercept
        best_constant = data.mean(lambda y: y) if fit_intercept else 0.0
        self.offset = best_constant if offset is None else offset
        self.noise = 4 * EPS * np.sqrt(data.mean(np.square))
        deviation = np.sqrt(_finite(data.mean(lambda y: (y - best_constant) ** 2)))
        self.deviation = max(deviation, self.noise, np.finfo(np.float64).tiny)
        self.problem = self._problem(data.y)

    def value(self, w):
        """Return F(w)."""
        return self.problem.value(w)

    @property
    def constant_F(self):
        """F₀, F of the best constant."""
        return 0.5 * self.deviation**2

    def penalty_value(self, w):
        """Return the penalty's part of F(w)."""
        return self.penalty.at(w[: self.data.d], np.zeros(self.data.d))

    def value_and_gradient(self, w):
        """Return F(w) and ∇F(w), in one pass over X, or none at 0 with the moments."""
        if self.has_moments and not w.any():
            _, _, product, y_mean, y_square = self.moments
            slopes = -product - self.moments.mean * y_mean
            return 0.5 * float(y_square), self.joined(slopes, -y_mean)
        g = np.empty(self.size)
        return self.problem.value_and_gradient(w, g), g

    # --- curvature: H = AᵀSA/S + alpha I, the intercept without alpha ----------------

    def joined(self, coefficients, intercept):
        """Return (w, b) as one array, or w alone without an intercept."""
        if self.fit_intercept:
            return np.append(coefficients, intercept)
        return coefficients

    def internal(self, coefficients, intercept):
        """Return a user's (w, b), the intercept relative to the offset."""
        w = np.asarray(coefficients, dtype=np.float64)
        return self.joined(w, intercept - self.offset).copy()

    @property
    def few_columns(self):
        """Whether newton, to which no memory is denied, has a Gram matrix."""
        return self.data.d <= GRAM_COLUMNS

    @property
    def has_gram(self):
        """Whether the Gram matrix is worth its time and memory to any solver."""
        n, d = self.data.n, self.data.d
        worth = self.few_columns and (n > d or d < MANY_COLUMNS)
        return worth and self._has_room_for(2 * d * d)

    def _has_room_for(self, values):
        return 8 * values <= SPARE + SHARE * self.data.nbytes

    @cached_property
    def moments(self):
        """The Moments of X and y − offset, without alpha."""
        moments = self.data.moments(self.fit_intercept, self.offset)
        _finite(moments.gram)
        return moments

    @property
    def has_moments(self):
        """Whether the moments were computed."""
        return "moments" in vars(self)

    @cached_property
    def quadratic(self):
        """F without the rows, None where it has no such form or it isn't worth it."""
        if not isinstance(self.loss, SquaredError) or not self.has_gram:
            return None
        mean, gram = self.moments[:2]
        # The rows would keep more digits of such columns.
        lost = (mean**2 * _inverse(np.diag(gram))) ** (0.5 * self.data.lost_to_means)
        if (lost > 1.0 / SMALL_LOSS).any():
            return None
        return Quadratic(mean, gram, self.penalty.alpha, self.fit_intercept)

    @cached_property
    def _columns(self):
        # Subtracted from each other, squares say little of a deviation.
        if self.has_moments and self.data.lost_to_means == 1:
            return self.moments.mean, np.diag(self.moments.gram).copy()
        mean, variance = self.data.column_moments()
        return mean, _finite(variance)

    @cached_property
    def _norms(self):
        """The largest ‖a_i‖², weighted, and the mean squares of the columns."""
        largest, squares = self.problem.norms(np.ones(self.size))
        return _finite(largest), _finite(squares)

    @cached_property
    def diagonal(self):
        """h = diag(H)."""
        if self.has_moments or "_columns" in vars(self):
            mean, variance = self._columns
            squares = _finite(mean**2 + variance)
        else:
            squares = self._norms[1]
        return self.joined(squares + self.penalty.alpha, 1.0)

    def gradient_ratio(self, g):
        """Return how far w is from a stationary point, free of units and of origins.

        That is max_j |g_j| / √(2 F₀ h_j) as if the columns had mean 0, so that with
        y = Xw + b nearly met it is the cosine of the residual and a column. A column
        whose mean is large against its deviation would hide its gradient otherwise.
        """
        mean, scale = self.gradient_scale
        d = self.data.d
        bias = g[d] if self.fit_intercept else 0.0
        ratio = np.max(np.abs(g[:d] - mean * bias) * scale)
        return max(ratio, abs(bias)) / self.deviation

    @cached_property
    def gradient_scale(self):
        """The means of the columns, and what the rest of a gradient is multiplied by.

        Without an intercept the means are 0.
        """
        mean, variance = self._columns
        curvature = variance + self.penalty.alpha
        if not self.fit_intercept:
            return np.zeros_like(mean), np.sqrt(_inverse(curvature + mean**2))
        flat = variance <= (16 * EPS * mean) ** 2  # the rounding of a constant
        curvature = np.where(flat & (self.penalty.alpha == 0.0), 0.0, curvature)
        return mean, np.sqrt(_inverse(curvature))

    def hessian_product(self, v):
        """Return Hv, from the Gram matrix where there is one.

        Else, for a quadratic F, it is the gradient at v with y = 0.
        """
        if self.has_gram:
            d, mean, gram = self.data.d, self.moments.mean, self.moments.gram
            u = v[:d]
            t = mean @ u + (v[d] if self.fit_intercept else 0.0)
            return self.joined(gram @ u + mean * t + self.penalty.alpha * u, t)
        g = np.empty(self.size)
        self._homogeneous.value_and_gradient(v, g)
        return g

    @cached_property
    def _homogeneous(self):
        return self._problem(None)

    def _problem(self, y):
        data = self.data
        return Problem(
            data.rows,
            y,
            self.loss,
            self.penalty,
            self.fit_intercept,
            offset=self.offset,
            s=data.s,
            unit=data.unit,
            kept=data.kept,
        )

    @cached_property
    def curvature(self):
        """(μ, L), the extreme eigenvalues of H; μ is a lower bound if H is large."""
        return self._extremes(np.ones(self.size))

    @cached_property
    def scaled_curvature(self):
        """Λ, the largest eigenvalue of diag(h)^-½ H diag(h)^-½."""
        return self._extremes(_inverse(np.sqrt(self.diagonal)), False)[1]

    @property
    def known_curvature(self):
        """(μ, L) if it was computed, else None."""
        return vars(self).get("curvature")

    def _extremes(self, scale, lowest=True):
        """Return the extreme eigenvalues of H scaled, the first a bound if not asked.

        Lanczos needs the triangle for the lowest; without a good one eigvalsh is safer.
        """
        few = self.data.d < MANY_COLUMNS
        if self.has_gram and (few or (lowest and self._triangle is None)):
            values = linalg.eigvalsh(
                self._hessian(scale), overwrite_a=True, check_finite=False
            )
            return max(0.0, values[0]), _round_up(values[-1])
        largest = self._largest(lambda v: scale * self.hessian_product(scale * v))
        if largest is None:
            largest = np.sum(scale**2 * self.diagonal)  # the trace is never less
        mu = 0.0 if self.fit_intercept else self.penalty.alpha
        if lowest and self.has_gram:
            inverse = self._largest(
                lambda v: self._direction_by_cholesky(v / scale) / scale
            )
            mu = mu if inverse is None else 1.0 / inverse
        # Lanczos comes from below.
        return mu, _round_up((1.0 + LANCZOS) * largest)

    def _hessian(self, scale):
        """Return H with rows and columns multiplied by scale."""
        d = self.data.d
        H = np.zeros((self.size, self.size), order="F")
        H[:d, :d] = self.moments.gram
        middle = self.joined(self.moments.mean, 1.0)
        H = linalg.blas.dger(1.0, middle, middle, a=H, overwrite_a=1)
        H[range(d), range(d)] += self.penalty.alpha
        H *= scale
        H *= scale[:, None]
        return H

    def _largest(self, product):
        """Return the largest eigenvalue of an operator, None if Lanczos fails."""
        shape = (self.size, self.size)
        operator = LinearOperator(
            shape, matvec=lambda v: product(v.ravel()), dtype=np.float64
        )
        start = np.random.default_rng(0).standard_normal(self.size)
        if not product(start).any():
            return 0.0
        try:
            return eigsh(
                operator,
                k=1,
                which="LA",
                v0=start,
                tol=0.1 * LANCZOS,
                return_eigenvectors=False,
            )[0]
        except ArpackNoConvergence:
            return None

    def batch_curvature(self, batch, scale=None):
        """Return L_B, how steep F is as a random batch of rows sees it.

        Expected smoothness of sampling without replacement (Gower et al. 2019, §3.3):
        (n−B)/(B(n−1)) max_i s_i‖a_i‖² + n(B−1)/(B(n−1)) L.

        Parameters
        ----------
        batch : int
            B.
        scale : ndarray of shape (size,), default=None
            Coordinates are multiplied by √scale; None is 1, and 1/h gives Λ_B.
        """
        n = self.data.n
        if n == 1:
            batch = 1
        single = (n - batch) / (batch * max(1, n - 1))
        together = n * (batch - 1) / (batch * max(1, n - 1))
        if scale is None:
            steepest = 1.0
            rows = self._norms[0]
            whole = self.curvature[1] if batch > 1 else 0.0
        else:
            steepest = scale[: self.data.d].max()
            rows = _finite(self.problem.norms(scale)[0])
            whole = self.scaled_curvature if batch > 1 else 0.0
        # alpha is part of `whole` already.
        ridge = (1.0 - together) * self.penalty.alpha * steepest
        return _round_up(max(single, n == 1) * rows + together * whole + ridge)

    # --- second order -----------------------------------------------------------------

    def newton_direction(self, w, g):
        """Return H⁻¹g at w, of minimum norm where H is singular."""
        if self._triangle is not None:
            return self._direction_by_cholesky(g)
        if self.few_columns or (
            self.data.n <= GRAM_COLUMNS and self.penalty.alpha == 0
        ):
            return self._direction_from_rows(w)
        return self._direction_by_cg(g)

    @property
    def has_triangle(self):
        """Whether newton's directions come from a good triangle of the Gram matrix."""
        return self._triangle is not None

    @property
    def newton_has_gram(self):
        """Whether newton has a use for the Gram matrix."""
        return self.data.n > self.data.d and self.few_columns

    @cached_property
    def _triangle(self):
        """The Triangle of the penalised Gram matrix, None if there is no good one."""
        return self._equilibrated(self.penalty.alpha, POOR)

    def _equilibrated(self, alpha, poor):
        if not self.newton_has_gram:
            return None
        mean, gram = self.moments[:2]
        triangle = _equilibrated(gram, alpha, mean, self.data.lost_to_means)
        if triangle is None or triangle.quality < poor:
            return None
        return triangle

    def _direction_by_cholesky(self, g):
        d, mean = self.data.d, self.moments.mean
        scale, lower, _ = self._triangle
        intercept = g[d] if self.fit_intercept else 0.0
        rhs = scale * (g[:d] - mean * intercept)
        p = scale * linalg.cho_solve((lower, True), rhs, check_finite=False)
        return self.joined(p, intercept - mean @ p)

    def _direction_from_rows(self, w):
        """Solve min ‖r − A p‖, r the residuals, by a triangular factor of the rows."""
        d = self.data.d
        bias = w[d] if self.fit_intercept else 0.0

        def residual(block, where):
            return block @ w[:d] + bias - (self.data.y[where] - self.offset)

        factor = self.data.factor(residual, center=self.fit_intercept)
        p, intercept = factor.solve(self.penalty.alpha, toward=w[:d])
        return self.joined(p, intercept)

    def _direction_by_cg(self, g):
        """Solve by conjugate gradients, preconditioned by the diagonal of H."""
        shape = (self.size, self.size)
        h_inverse = _inverse(self.diagonal)
        p, _ = cg(
            LinearOperator(shape, matvec=self.hessian_product, dtype=np.float64),
            g,
            rtol=1e-10,
            maxiter=1000,
            M=LinearOperator(shape, matvec=lambda v: h_inverse * v, dtype=np.float64),
        )
        return p

    def factor(self):
        """Return the Factor of (X, y), its weight in the user's units.

        Where the Gram matrix is very well conditioned its Cholesky factor is the
        triangle: nothing refines it later.
        """
        data, d = self.data, self.data.d
        triangle = self._triangle
        if self.penalty.alpha > 0.0 or (triangle and triangle.quality < GOOD):
            triangle = self._equilibrated(0.0, GOOD)
        if triangle is None:
            factor = data.factor(self._targets, center=self.fit_intercept)
        else:
            scale, lower, _ = triangle
            mean, _, product, y_mean, _ = self.moments
            if not self.fit_intercept:
                y_mean = 0.0
            R = np.zeros((d + 1, d + 1))
            R[:d, :d] = lower.T / scale
            R[:d, d] = linalg.solve_triangular(lower, scale * product, lower=True)
            left = self.deviation**2 - R[:d, d] @ R[:d, d]
            R[d, d] = np.sqrt(max(0.0, left))
            factor = Factor(data.n, np.append(mean, y_mean), np.sqrt(data.n) * R)
        return Factor(
            factor.weight * data.unit, factor.mean, np.sqrt(data.unit) * factor.R
        )

    def _targets(self, block, where):
        return self.data.y[where] - self.offset

    @cached_property
    def _sample(self):
        """(scale, L) of H as a sample of many rows shows it, None if it does not.

        The eigenvalues of a sample of 20 d rows are those of H within a half. Where a
        column's mean square is not, the sample missed what matters.
        """
        n, d = self.data.n, self.data.d
        count = max(1000, SAMPLE * self.size)
        if (
            not isinstance(self.loss, SquaredError)
            or n < max(MANY_ROWS, 2 * d * d)
            or not self._has_room_for(3 * count * self.size)
        ):
            return None
        A, s = self.data.sample(count)
        if self.fit_intercept:
            A = np.column_stack([A, np.ones(len(A))])
        H = (A.T * s) @ A / s.sum()
        h = self.diagonal.copy()
        h[:d] -= self.penalty.alpha
        if (np.abs(np.diag(H) - h) > 0.5 * h).any():
            return None
        H[range(d), range(d)] += self.penalty.alpha
        scale = np.sqrt(_inverse(np.diag(H)))
        H *= scale * scale[:, None]
        np.fill_diagonal(H, 1.0)
        try:
            return scale, linalg.cholesky(H, lower=True, check_finite=False)
        except linalg.LinAlgError:
            return None

    @property
    def has_sample(self):
        """Whether F − F* can be told roughly, and at little cost."""
        return self._sample is not None

    def rough_gap(self, g):
        """Return about F(w) − F* from the gradient at w."""
        scale, lower = self._sample
        v = scale * g
        return 0.5 * float(v @ linalg.cho_solve((lower, True), v, check_finite=False))

    @property
    def knows_gap(self):
        """Whether F − F* is worth its time and memory to any solver."""
        rows = min(self.data.n, 4 * self.data.d)
        return self.has_gram and (
            self.has_triangle or self._has_room_for(6 * rows * self.data.d)
        )

    def gap(self, w, g):
        """Return F(w) − F*, which for a quadratic F is ½ gᵀH⁻¹g."""
        return max(0.0, 0.5 * g @ self.newton_direction(w, g))


class Triangle(NamedTuple):
    """A Cholesky factor of a matrix scaled to a diagonal of 1.

    Attributes
    ----------
    scale : ndarray of shape (d,)
    lower : ndarray of shape (d, d)
        L, LLᵀ the scaled matrix.
    quality : float
        Its reciprocal condition number, or the share of digits that the deviations have
        not lost to the means if that is smaller.
    """

    scale: np.ndarray
    lower: np.ndarray
    quality: float


def _equilibrated(gram, alpha, mean, lost_to_means):
    """Return the Triangle of gram + alpha I, None if it has none."""
    scaled = gram.copy(order="F")
    diagonal = np.diag(gram) + alpha
    np.fill_diagonal(scaled, diagonal)
    scale = np.sqrt(_inverse(diagonal))
    if not scale.all():
        return None
    scaled *= scale
    scaled *= scale[:, None]
    norm = linalg.lapack.dlange("1", scaled)
    try:
        lower = linalg.cholesky(
            scaled, lower=True, overwrite_a=True, check_finite=False
        )
    except linalg.LinAlgError:
        return None
    quality = linalg.lapack.dpocon(lower, norm, uplo="L")[0]
    kept = 1.0 / max(1.0, np.max(np.abs(mean) * scale) ** lost_to_means)
    return Triangle(scale, lower, min(quality, kept))


def _finite(values):
    if not np.isfinite(values).all():
        raise ValueError(
            "X or y has values so large that their squares overflow. Divide the "
            "columns, or y, by a constant."
        )
    return values


def _inverse(values):
    """Return 1/values, and 0 for 0: a column of zeros needs no step."""
    with np.errstate(divide="ignore"):
        return np.where(values > 0.0, 1.0 / values, 0.0)


def _round_up(value, bits=20):
    """Round up to 20 significant bits, so that the last bits of BLAS don't matter.

    A little is added first: the Λ of uncorrelated columns is 1 but for its last bits,
    and 1 itself would go either way.
    """
    mantissa, exponent = np.frexp(value * (1.0 + 2.0 ** -(bits + 2)))
    return float(np.ldexp(np.ceil(np.ldexp(mantissa, bits)), exponent - bits))
