"""Least squares from a triangular factor: what is left of rows that may be gone.

For weighted rows z_i = (x_i, y_i) the factor keeps Σ s_i, the mean z̄ and the triangle R
with RᵀR = Σ s_i (z_i − z̄)(z_i − z̄)ᵀ. That is all that least squares needs, it merges
exactly, and it loses κ where a Gram matrix loses κ².
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Factor:
    """Sufficient statistics of least squares on k columns, the target the last one.

    Attributes
    ----------
    weight : float
        Σ s_i.
    mean : ndarray of shape (k,)
        z̄, or 0 where nothing is centred.
    R : ndarray of shape (at most k, k)
        The triangle.
    """

    weight: float
    mean: np.ndarray
    R: np.ndarray

    @classmethod
    def empty(cls, columns):
        return cls(0.0, np.zeros(columns), np.zeros((0, columns)))

    @classmethod
    def of(cls, Z, s, center):
        """Return the factor of the rows of Z with positive weights s."""
        weight = s.sum()
        mean = np.zeros(Z.shape[1])
        if center:
            mean = s @ Z / weight
            # Once more from the centred rows: a constant column leaves only rounding.
            mean += s @ (Z - mean) / weight
        R = _triangle(np.sqrt(s)[:, None] * (Z - mean))
        return cls(weight, mean, R)

    def merge(self, other):
        """Return the factor of the rows of both (Chan, Golub and LeVeque 1983)."""
        if self.weight == 0.0:
            return other
        weight = self.weight + other.weight
        share = other.weight / weight
        apart = other.mean - self.mean
        between = np.sqrt(self.weight * share) * apart
        R = _triangle(np.vstack([self.R, other.R, between]))
        return Factor(weight, self.mean + share * apart, R)

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
        d = len(self.mean) - 1
        finite(np.linalg.norm(self.R, axis=0))
        A, q = self.R[:, :d], self.R[:, d]
        # A column whose deviation is the rounding of its mean is constant.
        floor = 16 * EPS * np.sqrt(self.weight) * np.abs(self.mean[:d])
        A = np.where(np.linalg.norm(A, axis=0) > floor, A, 0.0)
        if alpha > 0.0:
            ridge = np.sqrt(alpha * self.weight)
            A = np.vstack([A, ridge * np.eye(d)])
            q = np.concatenate([q, np.full(d, ridge * toward)])
        w, condition = least_squares(A, q)
        return w, self.mean[d] - self.mean[:d] @ w, condition


def _triangle(rows):
    if len(rows) == 0:
        return rows
    return linalg.qr(rows, mode="r", check_finite=False)[0][: rows.shape[1]]


def least_squares(A, q):
    """Return the w of minimum norm among the minimisers of ‖Aw − q‖, and a condition.

    Rank is judged on columns of norm one, so that the unit of a column does not matter;
    the norm that is minimised is that of w itself.
    """
    norms = np.linalg.norm(A, axis=0)
    used = norms > 0.0
    w = np.zeros(A.shape[1])
    if not used.any():
        return w, 1.0
    scale = norms[used]
    U, sigma, Vt = linalg.svd(A[:, used] / scale, full_matrices=False)
    rank = np.count_nonzero(sigma > sigma[0] * max(A.shape) * EPS)
    V = Vt[:rank].T
    c = U[:, :rank].T @ q / sigma[:rank]
    v = V @ c
    if rank < len(scale):
        # v is the shortest in units of the columns' norms. Of all v with Vᵀv = c take
        # the one whose v/scale is shortest, and mend what rounding did to Vᵀv = c.
        # Where units are so far apart that little is left to mend, v stays.
        wide = V * scale[:, None]
        basis = linalg.qr(wide, mode="economic", check_finite=False)[0]
        other = scale * (basis @ (basis.T @ (v / scale)))
        other += V @ (c - V.T @ other)
        if np.linalg.norm(other) < 1e3 * np.linalg.norm(v):
            v = other
    w[used] = v / scale
    return w, sigma[0] / sigma[rank - 1]


def finite(values):
    if not np.isfinite(values).all():
        raise ValueError(
            "X or y has values so large that their squares overflow. Divide the "
            "columns, or y, by a constant."
        )
    return values
