"""The objective: F = mean loss + penalty over a Data, as a function of (w, b).

Here, and everywhere below the estimator, w holds the d coefficients and, behind them,
the intercept if there is one: a_i = (x_i, 1) is a way of writing, never an array.
"""

from functools import cached_property

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, cg, eigsh

from sklearn_gd._core.epoch import Problem
from sklearn_gd._factor import Factor

EPS = np.finfo(np.float64).eps
# More columns than this have no Gram matrix here: it would cost more than it saves.
GRAM_COLUMNS = 2000
# Below this reciprocal condition number a Cholesky factor of the Gram matrix is left
# for a triangular factor of the rows, which loses half as many digits.
POOR = 1e-8
# The same for a factor that no refinement follows.
GOOD = 1e-3


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
        """Return F(w) and ∇F(w), in one pass over X."""
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
    def has_gram(self):
        """Whether the Gram matrix is worth computing."""
        return self.data.d <= GRAM_COLUMNS

    @cached_property
    def moments(self):
        """The means of the columns and their centred Gram matrix, without alpha.

        Without an intercept nothing is centred, and the means are returned as 0.
        """
        mean, gram = self.data.moments(center=self.fit_intercept)
        return mean, _finite(gram)

    def _penalised(self, gram):
        return gram + self.penalty.alpha * np.eye(len(gram))

    @cached_property
    def _columns(self):
        mean, variance = self.data.column_moments()
        return mean, _finite(variance)

    @cached_property
    def diagonal(self):
        """h = diag(H)."""
        mean, variance = self._columns
        return self.joined(_finite(mean**2 + variance) + self.penalty.alpha, 1.0)

    def gradient_ratio(self, g):
        """Return how far w is from a stationary point, free of units and of origins.

        That is max_j |g_j| / √(2 F₀ h_j) as if the columns had mean 0, so that with
        y = Xw + b nearly met it is the cosine of the residual and a column. A column
        whose mean is large against its deviation would hide its gradient otherwise.
        """
        d = self.data.d
        mean, variance = self._columns
        slopes, curvature = g[:d], variance + self.penalty.alpha
        if self.fit_intercept:
            slopes = slopes - mean * g[d]
            flat = variance <= (16 * EPS * mean) ** 2  # the rounding of a constant
            slopes = np.where(flat & (self.penalty.alpha == 0.0), 0.0, slopes)
        else:
            curvature = curvature + mean**2
        ratio = np.abs(slopes) * np.sqrt(_inverse(curvature))
        bias = abs(g[d]) if self.fit_intercept else 0.0
        return max(np.max(ratio), bias) / self.deviation

    def hessian_product(self, v):
        """Return Hv: for a quadratic F, the gradient at v with y = 0."""
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
        return self._extremes(_inverse(np.sqrt(self.diagonal)))[1]

    @property
    def known_curvature(self):
        """(μ, L) if it was computed, else None."""
        return vars(self).get("curvature")

    def _extremes(self, scale):
        if self.has_gram:
            mean, gram = self.moments
            d = self.data.d
            H = np.empty((self.size, self.size))
            H[:d, :d] = self._penalised(gram) + np.outer(mean, mean)
            if self.fit_intercept:
                H[d, :d] = H[:d, d] = mean
                H[d, d] = 1.0
            values = linalg.eigvalsh(scale[:, None] * H * scale, check_finite=False)
            return max(0.0, values[0]), _round_up(values[-1])
        operator = LinearOperator(
            (self.size, self.size),
            matvec=lambda v: scale * self.hessian_product(scale * v.ravel()),
            dtype=np.float64,
        )
        lowest = 0.0 if self.fit_intercept else self.penalty.alpha
        start = np.random.default_rng(0).standard_normal(self.size)
        if not operator.matvec(start).any():
            return lowest, 0.0
        try:
            largest = eigsh(
                operator, k=1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False
            )[0]
        except ArpackNoConvergence:
            largest = np.sum(scale**2 * self.diagonal)  # the trace is never less
        # Lanczos comes from below.
        return lowest, _round_up(1.01 * largest)

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
            scale = np.ones(self.size)
            whole = self.curvature[1] if batch > 1 else 0.0
        else:
            whole = self.scaled_curvature if batch > 1 else 0.0
        d = self.data.d
        extra = scale[d] if self.fit_intercept else 0.0
        rows = _finite(self.data.largest_norm(scale[:d], extra))
        # alpha is part of `whole` already.
        ridge = (1.0 - together) * self.penalty.alpha * scale[:d].max()
        return _round_up(max(single, n == 1) * rows + together * whole + ridge)

    # --- second order -----------------------------------------------------------------

    def newton_direction(self, w, g):
        """Return H⁻¹g at w, of minimum norm where H is singular."""
        if self._triangle is not None:
            return self._direction_by_cholesky(g)
        if self.has_gram or (self.data.n <= GRAM_COLUMNS and self.penalty.alpha == 0):
            return self._direction_from_rows(w)
        return self._direction_by_cg(g)

    @cached_property
    def _triangle(self):
        """(scale, L) of the penalised Gram matrix, None if there is no good one."""
        if self.data.n <= self.data.d or not self.has_gram:
            return None
        mean, gram = self.moments
        gram = self._penalised(gram)
        return _equilibrated(gram, mean, self.data.lost_to_means, POOR)

    def _direction_by_cholesky(self, g):
        d, mean = self.data.d, self.moments[0]
        scale, lower = self._triangle
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
        triangle, and Xᵀy comes from the gradient at 0: nothing refines it later.
        """
        data, d = self.data, self.data.d
        triangle = None
        if data.n > d and self.has_gram:
            mean, gram = self.moments
            triangle = _equilibrated(gram, mean, data.lost_to_means, GOOD)
        if triangle is None:
            factor = data.factor(self._targets, center=self.fit_intercept)
        else:
            scale, lower = triangle
            g = self.value_and_gradient(np.zeros(self.size))[1]
            mean_y = -g[d] if self.fit_intercept else 0.0
            R = np.zeros((d + 1, d + 1))
            R[:d, :d] = np.tril(lower).T / scale
            products = scale * (-g[:d] - mean * mean_y)
            R[:d, d] = linalg.solve_triangular(lower, products, lower=True)
            middle = self.offset + mean_y
            left = data.mean(lambda y: (y - middle) ** 2) - R[:d, d] @ R[:d, d]
            R[d, d] = np.sqrt(max(0.0, left))
            factor = Factor(data.n, np.append(mean, mean_y), np.sqrt(data.n) * R)
        return Factor(
            factor.weight * data.unit, factor.mean, np.sqrt(data.unit) * factor.R
        )

    def _targets(self, block, where):
        return self.data.y[where] - self.offset

    def gap(self, w, g):
        """Return F(w) − F*, which for a quadratic F is ½ gᵀH⁻¹g."""
        return max(0.0, 0.5 * g @ self.newton_direction(w, g))


def _equilibrated(gram, mean, lost_to_means, poor):
    """Return (scale, L) with LLᵀ = gram scaled to a diagonal of 1, or None if poor.

    Poor is a reciprocal condition number below ``poor``, or a deviation that has lost
    as many digits to its mean.
    """
    deviation = np.sqrt(np.diag(gram))
    scale = _inverse(deviation)
    lost = (np.abs(mean) * scale) ** lost_to_means
    if not scale.all() or (lost > 1.0 / poor).any():
        return None
    equilibrated = scale[:, None] * gram * scale
    try:
        lower = linalg.cholesky(equilibrated, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    norm = np.abs(equilibrated).sum(axis=0).max()
    if linalg.lapack.dpocon(lower, norm, uplo="L")[0] < poor:
        return None
    return scale, lower


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
