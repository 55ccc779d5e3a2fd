"""Least squares from a triangular factor: what is left of rows that may be gone.

For weighted rows z_i = (x_i, y_i) the factor keeps Σ s_i, the mean z̄ and the triangle R
with RᵀR = Σ s_i (z_i − z̄)(z_i − z̄)ᵀ. That is all that least squares needs, it merges
exactly, and it loses κ where a Gram matrix loses κ². Where κ is small the Gram matrix
RᵀR/Σ s_i is kept in its place, which merges by a sum. Of few rows there is Σ s_i z_i
z_iᵀ with twice the digits too, by which the solution is refined.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import linalg

from sklearn_gd._double import (
    gram,
    pair_product,
    pair_ratio,
    pair_sum,
    residuals,
    two_product,
    two_sum,
)

EPS = np.finfo(np.float64).eps
# Squares below this have lost digits, or all of them.
TINY = np.finfo(np.float64).tiny
# Below this reciprocal condition number of a Gram matrix its Cholesky factor is too
# poor where no refinement follows.
GOOD = 1e-3
# Refining from sums of twice the digits: it ends sooner where nothing is left to do.
REFINEMENTS = 5


@dataclass(frozen=True)
class Factor:
    """Sufficient statistics of least squares on k columns, the target the last one.

    Attributes
    ----------
    weight : float
        Σ s_i.
    mean : ndarray of shape (k,)
        z̄, or 0 where nothing is centred.
    R : ndarray of shape (at most k, k) or None
        The triangle.
    gram : ndarray of shape (k, k) or None
        RᵀR/Σ s_i, in place of R.
    lost_to_means : int
        To what power gram lost digits to the means.
    sums : Sums or None
    """

    weight: float
    mean: np.ndarray
    R: np.ndarray | None = None
    gram: np.ndarray | None = None
    lost_to_means: int = 1
    sums: "Sums | None" = None

    @classmethod
    def empty(cls, columns):
        return cls(0.0, np.zeros(columns), np.zeros((0, columns)))

    @classmethod
    def of(cls, Z, s, center):
        """Return the factor of the rows of Z with positive weights s."""
        weight = s.sum()
        roots = np.sqrt(s)[:, None]
        mean = np.zeros(Z.shape[1])
        if not center:
            return cls(weight, mean, _triangle(roots * Z))
        if len(Z) == 1:
            return cls(weight, Z[0].copy(), Z[:0])
        mean = s @ Z / weight
        # Once more from the centred rows: a constant column leaves only rounding.
        mean += s @ (Z - mean) / weight
        rows = roots * (Z - mean)
        if len(Z) > Z.shape[1] + 1:
            return cls(weight, mean, _triangle(rows))
        # A first column for what is left of the mean, so that there are no more rows
        # than the rank.
        R = _triangle(np.hstack([roots, rows]))
        return cls(weight, mean + R[0, 1:] / R[0, 0], R[1:, 1:])

    @classmethod
    def known(cls, state):
        """Return the factor that was kept as ``state``."""
        sums = state.get("sums")
        return cls(**{**state, "sums": None if sums is None else Sums(**sums)})

    @property
    def state(self):
        """What to keep: arrays and numbers."""
        return {
            "weight": self.weight,
            "mean": self.mean,
            "R": self.R,
            "gram": self.gram,
            "lost_to_means": self.lost_to_means,
            "sums": None if self.sums is None else self.sums._asdict(),
        }

    @property
    def rank(self):
        """The largest rank that the columns can have."""
        return len(self.mean) if self.R is None else len(self.R)

    @cached_property
    def triangle(self):
        """The triangle R."""
        if self.R is not None:
            return self.R
        d = len(self.mean) - 1
        scale, lower, _ = self._triangle_of_columns()
        R = np.zeros_like(self.gram)
        R[:d, :d] = lower.T / scale
        product = scale * self.gram[:d, d]
        R[:d, d] = linalg.solve_triangular(lower, product, lower=True)
        R[d, d] = np.sqrt(max(0.0, self.gram[d, d] - R[:d, d] @ R[:d, d]))
        return np.sqrt(self.weight) * R

    def _triangle_of_columns(self, alpha=0.0):
        """Return the Triangle of the columns' Gram matrix, None if it has none."""
        if alpha not in self._triangles:
            d = len(self.mean) - 1
            gram, mean = self.gram[:d, :d], self.mean[:d]
            triangle = triangle_of(gram, alpha, mean, self.lost_to_means)
            self._triangles[alpha] = triangle
        return self._triangles[alpha]

    @cached_property
    def _triangles(self):
        return {}

    @property
    def is_good(self):
        """Whether the Gram matrix is all that is needed."""
        triangle = self._triangle_of_columns()
        return triangle is not None and triangle.quality >= GOOD

    def merge(self, other):
        """Return the factor of the rows of both (Chan, Golub and LeVeque 1983)."""
        if self.weight == 0.0:
            return other
        weight, share, apart = self._beside(other)
        between = np.sqrt(self.weight * share) * apart
        R = _triangle(np.vstack([self.triangle, other.triangle, between]))
        return Factor(weight, self.mean + share * apart, R)

    def plus(self, other):
        """Return the factor of the rows of both, of which other has a Gram matrix."""
        if self.weight == 0.0:
            return other
        weight, share, apart = self._beside(other)
        gram = self.gram
        if gram is None:
            gram = self.R.T @ self.R / self.weight
        total = other.gram - gram
        total += np.outer((1.0 - share) * apart, apart)
        total *= share
        total += gram
        lost_to_means = max(self.lost_to_means, other.lost_to_means)
        mean = self.mean + share * apart
        return Factor(weight, mean, gram=total, lost_to_means=lost_to_means)

    def _beside(self, other):
        """Return the weight of both, the share of the other, and how far it is off."""
        weight = self.weight + other.weight
        return weight, other.weight / weight, other.mean - self.mean

    def with_sums(self, sums):
        """Return the same factor with these Sums of its rows."""
        return self if sums is self.sums else replace(self, sums=sums)

    def solve(self, alpha=0.0, toward=0.0):
        """Minimise ‖y − Xw‖²/(2 Σ s) + alpha/2 ‖w − toward‖², all centred, over w.

        Parameters
        ----------
        alpha : float
        toward : ndarray of shape (k − 1,) or float

        Returns
        -------
        w : ndarray of shape (k − 1,)
            The minimiser, of minimum norm where there are many.
        b : float
            The intercept that goes with it (0 where nothing was centred).
        condition : float
            How much a rounding of X may grow in w: the condition number of the columns
            divided by their norms, as far as they are not linearly dependent.

        Raises
        ------
        ValueError
            If the squares of what the factor knows overflow.
        """
        w, (b, _), condition = self.solve_in_pairs(alpha, toward)
        return w, b, condition

    def solve_in_pairs(self, alpha=0.0, toward=0.0):
        """Return the same, b with what its rounding left."""
        d = len(self.mean) - 1
        if self.gram is not None:
            triangle, mean = self._triangle_of_columns(alpha), self.mean[:d]
            w, condition = triangle.solve(self.gram[:d, d] + alpha * toward, mean), 1.0

            def solved(g):
                return triangle.solve(g / self.weight, mean)
        else:
            inverse = self._inverse(alpha)
            q = self.R[:, d]
            if alpha > 0.0:
                ridge = np.sqrt(alpha * self.weight)
                q = np.concatenate([q, np.full(d, ridge * toward)])
            w, condition, solved = inverse.of(q), inverse.condition, inverse.of_gradient
        if self.sums is not None:
            refined = self.sums.refine(w, solved, alpha)
            if refined is not None:
                return *refined, condition
        return w, (self.mean[d] - self.mean[:d] @ w, 0.0), condition

    def _inverse(self, alpha):
        d = len(self.mean) - 1
        finite(np.linalg.norm(self.R, axis=0))
        A = self.R[:, :d]
        # A column whose deviation is the rounding of its mean is constant.
        floor = 16 * EPS * np.sqrt(self.weight) * np.abs(self.mean[:d])
        A = np.where(np.linalg.norm(A, axis=0) > floor, A, 0.0)
        if alpha > 0.0:
            A = np.vstack([A, np.sqrt(alpha * self.weight) * np.eye(d)])
        return Inverse(A)


class Sums(NamedTuple):
    """Σ s z zᵀ of rows z = (unit (x − point, y − offset), 1), with twice the digits.

    Attributes
    ----------
    point : ndarray of shape (k,)
        About the means of the first columns, and the offset; 0 if nothing is centred.
    unit : ndarray of shape (k,)
        Powers of two with which the first rows were of size 1.
    weight_unit : float
        The same for the weights.
    rows : int
    high, low : ndarray of shape (k + 1, k + 1)
    center : bool
    """

    point: np.ndarray
    unit: np.ndarray
    weight_unit: float
    rows: int
    high: np.ndarray
    low: np.ndarray
    center: bool

    @classmethod
    def empty(cls, size, point, weight, center):
        """Begin with rows whose columns are of this size and have this weight."""
        k = len(size)
        zeros = np.zeros((k + 1, k + 1))
        unit = _power_of_two(size)
        return cls(point, unit, float(_power_of_two(weight)), 0, zeros, zeros, center)

    def add(self, Z, s):
        """Return the sums with the rows of Z and weights s."""
        z = two_sum(Z, -self.point)
        ones = np.ones((len(Z), 1))
        z = np.hstack([z[0] * self.unit, ones]), np.hstack([z[1] * self.unit, 0 * ones])
        s = (s * self.weight_unit)[:, None]
        high, low = self.high, self.low
        if (s == s[0]).all():
            more = pair_product(gram(z, z), (s[0], 0.0))
        else:
            more = gram(pair_product(z, (s, np.zeros_like(s))), z)
        high, low = pair_sum((high, low), more)
        return self._replace(rows=self.rows + len(Z), high=high, low=low)

    def refine(self, w, inverse, alpha):
        """Refine a minimiser w, with the inverse of the Hessian times Σ s.

        Returns
        -------
        w : ndarray of shape (k − 1,)
        b : (float, float)
            The intercept relative to the offset, and what its rounding left.
        """
        high, low = self.high, self.low
        d = len(w)
        G, mean = (high[:-1, :-1], low[:-1, :-1]), (np.zeros(d + 1), np.zeros(d + 1))
        weight = high[-1, -1], low[-1, -1]
        if self.center:
            total = high[-1, :-1], low[-1, :-1]
            mean = pair_ratio(total, weight)
            between = pair_product([t[:, None] for t in total], mean)
            G = pair_sum(G, [-t for t in between])
        g, G = [t[:d, d] for t in G], [t[:d, :d] for t in G]
        unit, unit_y = self.unit[:d], self.unit[d]
        # In units of the user, but for the weights: a power of two is all there is.
        back = unit * self.weight_unit
        scale = unit / unit_y
        w = w / scale, np.zeros(d)
        ridge = two_product(alpha * unit**2, weight[0])
        size = np.sqrt(np.diag(G[0]))
        before = 1e-2 * np.max(size * np.abs(w[0]), initial=0.0)
        for _ in range(REFINEMENTS):
            slope = residuals(G[0], w[0], (), g[0])
            slope = pair_sum(slope, (G[1] @ w[0] + G[0] @ w[1] - g[1], 0.0))
            if alpha > 0.0:
                slope = pair_sum(slope, pair_product(ridge, w))
            # The gradient in x is unit_y/unit times that in z, over Σ s.
            p = -inverse(slope[0] / (back * unit_y)) / scale
            step = np.max(size * np.abs(p), initial=0.0)
            if not step <= before:
                break
            w = pair_sum(w, (p, 0.0))
            before = 0.5 * step
        if not np.isfinite(w).all():
            return None
        return scale * w[0], self._intercept(w, mean)

    def _intercept(self, w, mean):
        d = len(w[0])
        b = mean[0][d], mean[1][d]
        point = pair_sum(mean, (self.point * self.unit, np.zeros(d + 1)))
        terms = pair_product([t[:d] for t in point], w)
        for high, low in zip(*terms, strict=True):
            b = pair_sum(b, (-high, -low))
        return float(b[0] / self.unit[d]), float(b[1] / self.unit[d])


def _power_of_two(size):
    """Return the power of two that makes a size about 1."""
    return np.ldexp(1.0, -np.frexp(size)[1])


class Inverse:
    """The pseudoinverse of a matrix A, by its singular values.

    Rank is judged on columns of norm one, so that the unit of a column does not matter;
    the norm that is minimised is that of w itself.
    """

    def __init__(self, A):
        norms = np.linalg.norm(A, axis=0)
        self.used = norms > 0.0
        self.condition = 1.0
        if not self.used.any():
            return
        self.scale = scale = norms[self.used]
        U, sigma, Vt = linalg.svd(A[:, self.used] / scale, full_matrices=False)
        rank = np.count_nonzero(sigma > sigma[0] * max(A.shape) * EPS)
        self.U, self.sigma, self.V = U[:, :rank], sigma[:rank], Vt[:rank].T
        self.condition = sigma[0] / sigma[rank - 1]

    def of(self, q):
        """Return the w of minimum norm among the minimisers of ‖Aw − q‖."""
        if not self.used.any():
            return np.zeros(len(self.used))
        return self._shortest(self.U.T @ q / self.sigma)

    def of_gradient(self, g):
        """Return (AᵀA)⁻¹g, of minimum norm."""
        if not self.used.any():
            return np.zeros(len(self.used))
        return self._shortest(self.V.T @ (g[self.used] / self.scale) / self.sigma**2)

    def _shortest(self, c):
        V, scale = self.V, self.scale
        v = V @ c
        if len(c) < len(scale):
            # v is the shortest in units of the columns' norms. Of all v with Vᵀv = c
            # take the one whose v/scale is shortest, and mend what rounding did to
            # Vᵀv = c. Where units are so far apart that little is left to mend, v
            # stays.
            wide = V * scale[:, None]
            basis = linalg.qr(wide, mode="economic", check_finite=False)[0]
            other = scale * (basis @ (basis.T @ (v / scale)))
            other += V @ (c - V.T @ other)
            if np.linalg.norm(other) < 1e3 * np.linalg.norm(v):
                v = other
        w = np.zeros(len(self.used))
        w[self.used] = v / scale
        return w


def least_squares(A, q):
    """Return the shortest of the w that minimise ‖Aw − q‖, and a condition."""
    inverse = Inverse(A)
    return inverse.of(q), inverse.condition


def _triangle(rows):
    if len(rows) == 0:
        return rows
    return linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]


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

    def solve(self, g, mean, weight=1.0):
        """Return M⁻¹g, M having this triangle in columns centred at their means.

        ``weight`` is the intercept's own element of M, if g has one more coordinate.
        """
        d = len(mean)
        intercept = g[d] if len(g) > d else 0.0
        rhs = self.scale * (g[:d] - mean * intercept)
        p = self.scale * linalg.cho_solve((self.lower, True), rhs, check_finite=False)
        if len(g) == d:
            return p
        return np.append(p, intercept / weight - mean @ p)


def triangle_of(gram, ridge, mean, lost_to_means):
    """Return the Triangle of gram + ridge I, None if it has none."""
    scaled = gram.copy(order="F")
    diagonal = np.diag(gram) + ridge
    np.fill_diagonal(scaled, diagonal)
    scale = np.sqrt(inverse(diagonal))
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


def inverse(values):
    """Return 1/values, and 0 for 0: a column of zeros needs no step."""
    with np.errstate(divide="ignore"):
        return np.where(values >= TINY, 1.0 / values, 0.0)


def finite(values):
    if not np.isfinite(values).all():
        raise ValueError(
            "X or y has values so large that their squares overflow. Divide the "
            "columns, or y, by a constant."
        )
    return values
