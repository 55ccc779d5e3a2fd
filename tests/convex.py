"""Every objective in plain NumPy, and its minimum by solvers that are not ours.

The smooth losses go to scipy's L-BFGS-B, with w = u − v, u and v ≥ 0, where the penalty
has a kink. The piecewise linear ones are linear programs for HiGHS; a quadratic penalty
joins them by its tangents, each program a lower bound of F*, until it meets a value.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import linprog, minimize

SMOOTH = ("squared_error", "huber", "squared_epsilon_insensitive")
PIECEWISE_LINEAR = ("absolute_error", "quantile", "epsilon_insensitive")
ALL = SMOOTH + PIECEWISE_LINEAR
FEASIBILITY = ("primal_feasibility_tolerance", "dual_feasibility_tolerance")


def value(r, loss, epsilon, q):
    """Return ℓ of the residuals r = y − f."""
    size = np.abs(r)
    if loss == "squared_error":
        return 0.5 * r**2
    if loss == "huber":
        return np.where(size <= epsilon, 0.5 * r**2, epsilon * (size - 0.5 * epsilon))
    if loss == "absolute_error":
        return size
    if loss == "quantile":
        return np.where(r >= 0, q * r, (q - 1) * r)
    if loss == "epsilon_insensitive":
        return np.maximum(0.0, size - epsilon)
    if loss == "squared_epsilon_insensitive":
        return np.maximum(0.0, size - epsilon) ** 2
    raise KeyError(loss)


def slope(r, loss, epsilon, q):
    """Return dℓ/dr, at a kink that of the right side."""
    size = np.abs(r)
    if loss == "squared_error":
        return r
    if loss == "huber":
        return np.clip(r, -epsilon, epsilon)
    if loss == "absolute_error":
        return np.where(r >= 0, 1.0, -1.0)
    if loss == "quantile":
        return np.where(r >= 0, q, q - 1.0)
    if loss == "epsilon_insensitive":
        return np.where(r >= epsilon, 1.0, np.where(r < -epsilon, -1.0, 0.0))
    if loss == "squared_epsilon_insensitive":
        return 2.0 * np.sign(r) * np.maximum(0.0, size - epsilon)
    raise KeyError(loss)


@dataclass(frozen=True)
class Problem:
    """F over dense rows, the parameters those of GDRegressor."""

    X: np.ndarray
    y: np.ndarray
    s: np.ndarray | None = None
    loss: str = "squared_error"
    penalty: str | None = None
    alpha: float = 0.0
    l1_ratio: float = 0.15
    epsilon: float = 0.0
    quantile: float = 0.5
    positive: bool = False
    fit_intercept: bool = True

    @property
    def mass(self):
        """S, the sum of the weights."""
        return float(len(self.y)) if self.s is None else float(self.s.sum())

    @cached_property
    def weights(self):
        return (np.ones(len(self.y)) if self.s is None else self.s) / self.mass

    @cached_property
    def shares(self):
        """What ‖w‖₁ and ½‖w‖² are multiplied by."""
        l1 = {"l1": 1.0, "elasticnet": self.l1_ratio}.get(self.penalty, 0.0)
        l2 = {"l2": 1.0, "elasticnet": 1.0 - self.l1_ratio}.get(self.penalty, 0.0)
        return self.alpha * l1, self.alpha * l2

    @property
    def _loss(self):
        return self.loss, self.epsilon, self.quantile

    def objective(self, w, b=0.0):
        l1, l2 = self.shares
        fit = self.weights @ value(self.y - self.X @ w - b, *self._loss)
        return float(fit + l1 * np.abs(w).sum() + 0.5 * l2 * w @ w)

    def smooth_gradient(self, w, b=0.0):
        """Return the gradient of all but ‖w‖₁: (d,) and the intercept's."""
        c = -self.weights * slope(self.y - self.X @ w - b, *self._loss)
        return self.X.T @ c + self.shares[1] * w, c.sum()

    @cached_property
    def constant(self):
        """The constant model: the best b and F₀, F of it; b is 0 without intercept."""
        if not self.fit_intercept:
            return 0.0, self.objective(np.zeros(self.X.shape[1]))
        nothing = replace(self, X=np.zeros((len(self.y), 0)), penalty=None, alpha=0.0)
        _, b, F = nothing.optimum
        return b, F

    @cached_property
    def optimum(self):
        """One minimiser (w, b) and F* = F(w, b)."""
        solve = self._smooth if self.loss in SMOOTH else self._piecewise_linear
        w, b = solve()
        return w, b, self.objective(w, b)

    def gap(self, w, b):
        """Return (F − F*) / (F₀ − F*): 0 is the optimum, 1 the constant model."""
        best = self.optimum[2]
        return (self.objective(w, b) - best) / (self.constant[1] - best)

    @cached_property
    def units(self):
        """Centres and deviations of the columns and of y, for the solvers' sake."""
        w, moves = self.weights, float(self.fit_intercept)
        centre, middle = moves * (w @ self.X), moves * (w @ self.y)
        unit = np.sqrt(w @ (self.X - centre) ** 2)
        scale = np.sqrt(w @ (self.y - middle) ** 2)
        return centre, np.where(unit > 0, unit, 1.0), middle, scale if scale else 1.0

    def _in_users_units(self, v, b):
        centre, unit, middle, scale = self.units
        w = scale * v / unit
        return w, float(middle + scale * b - centre @ w) * self.fit_intercept

    def _smooth(self):
        d, l1 = self.X.shape[1], self.shares[0]
        centre, unit, _, scale = self.units

        def split(z):
            w, b = self._in_users_units(z[:d] - z[d : 2 * d], z[-1])
            g, g_b = self.smooth_gradient(w, b)
            g, kink = (g - centre * g_b) * scale / unit, l1 * scale / unit
            F = self.objective(w, b) - l1 * np.abs(w).sum()
            F += kink @ (z[:d] + z[d : 2 * d])
            slopes = np.r_[kink + g, kink - g, scale * g_b * self.fit_intercept]
            return F / scale**2, slopes / scale**2

        free = l1 == 0.0 and not self.positive
        u = (None if free else 0.0, None)
        v = (0.0, 0.0 if free or self.positive else None)
        z = np.zeros(2 * d + 1)
        for _ in range(5):  # each time with a new memory of the curvature
            z = minimize(
                split,
                z,
                jac=True,
                method="L-BFGS-B",
                bounds=[u] * d + [v] * d + [(None, None)],
                options={"ftol": 0.0, "gtol": 1e-13, "maxiter": 5000, "maxcor": 30},
            ).x
        return self._in_users_units(z[:d] - z[d : 2 * d], z[-1])

    def _piecewise_linear(self):
        """Minimise Σ up·p + down·m with y = X(u − v) + b + p − m + z, |z| ≤ ε."""
        (n, d), (l1, l2) = self.X.shape, self.shares
        centre, unit, middle, scale = self.units
        q = self.quantile
        up, down = (q, 1.0 - q) if self.loss == "quantile" else (1.0, 1.0)
        dead = self.epsilon / scale if self.loss == "epsilon_insensitive" else 0.0
        rows, one = sparse.csr_array((self.X - centre) / unit), sparse.eye_array(n)
        b = sparse.csr_array(np.full((n, 1), float(self.fit_intercept)))
        # The columns u, v, b, p, m, z and t, where t_j is above tangents of c_j ½ v_j².
        A = sparse.hstack([rows, -rows, b, one, -one, one, sparse.csr_array((n, d))])
        s, kink, c = self.weights, l1 / unit, l2 * scale / unit**2
        cost = np.r_[kink, kink, 0.0, up * s, down * s, 0 * s, np.ones(d)]
        bounds = [(0.0, None)] * d + [(0.0, 0.0 if self.positive else None)] * d
        bounds += [(None, None)] + [(0.0, None)] * 2 * n + [(-dead, dead)] * n
        bounds += [(0.0, None)] * d
        points, F, best = np.zeros((0, d)), np.inf, None
        for _ in range(200):
            none = sparse.csr_array((0, d))
            slopes = sparse.vstack([none, *map(sparse.diags_array, c * points)])
            t = sparse.vstack([none] + [sparse.eye_array(d)] * len(points))
            others = sparse.csr_array((t.shape[0], 1 + 3 * n))
            result = linprog(
                cost,
                sparse.hstack([slopes, -slopes, others, -t]),
                0.5 * (c * points**2).ravel(),
                A,
                (self.y - middle) / scale,
                bounds,
                options=dict.fromkeys(FEASIBILITY, 1e-10),
            )
            if result.status != 0:
                raise RuntimeError(result.message)
            v = result.x[:d] - result.x[d : 2 * d]
            w, b = self._in_users_units(v, result.x[2 * d])
            if self.objective(w, b) < F:
                F, best = self.objective(w, b), (w, b)
            if F - scale * result.fun <= 5e-9 * F + 1e-10 * scale:
                return best
            points = np.vstack([points, v])
        raise RuntimeError(f"F is between {scale * result.fun} and {F}")

    def distance(self, w, b):
        """Return how far 0 is from the subdifferential of F, for a smooth loss.

        Its largest component over √(h_j 2F₀), h_j a bound of ∂²F/∂w_j² (DESIGN.md §4).
        """
        (l1, l2), bound = (
            self.shares,
            1.0 + (self.loss == "squared_epsilon_insensitive"),
        )
        g, g_b = self.smooth_gradient(w, b)
        low, high = g - l1, g + l1
        low[w > 0], high[w < 0] = g[w > 0] + l1, g[w < 0] - l1
        if self.positive:  # a coefficient at 0 can't fall
            low[w == 0] = -np.inf
        g = np.maximum(0.0, np.maximum(low, -high))
        h = bound * (self.weights @ self.X**2) + l2
        size = np.append(g / np.sqrt(h), self.fit_intercept * abs(g_b) / np.sqrt(bound))
        return float(size.max() / np.sqrt(2.0 * self.constant[1]))

    def room(self, w, b):
        """Return how far each coefficient is from leaving 0, 1 is α: the kink's half.

        Negative for those that are not 0, and for all without a kink at 0.
        """
        g, _ = self.smooth_gradient(w, b)
        room = self.shares[0] + np.where(self.positive, g, -np.abs(g))
        return np.where(w == 0.0, room / (self.alpha or 1.0), -1.0)
