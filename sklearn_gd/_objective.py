"""The objective: F = mean loss + penalty over a Data, as a function of (w, b).

Here, and everywhere below the estimator, w holds the d coefficients and, behind them,
the intercept if there is one: a_i = (x_i, 1) is a way of writing, never an array.
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from scipy import linalg
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator, cg

from sklearn_gd._core.quadratic import Quadratic
from sklearn_gd._data import FEW_VALUES, Terms, as_data
from sklearn_gd._double import residuals, transposed_product, two_sum
from sklearn_gd._factor import (
    EPS,
    GOOD,
    TINY,
    Factor,
    Sums,
    finite,
    inverse,
    triangle_of,
)
from sklearn_gd._geometry import Geometry

# The largest relative loss of digits to the columns' means with which steps may know
# the rows by their Gram matrix alone.
SMALL_LOSS = 1e-6
# A stream of so many rows, and so many a column, that is well conditioned so far is
# taken to stay so.
MANY, MANY_A_COLUMN = 100, 4
# An intercept that is less than this part of the offset has lost digits to it.
CANCELLED = 1 / 64
# An F that is a smaller part of the squares it is made of is summed over the rows.
CANCELLED_F = 1e-5
# A Newton direction that can't be used is damped by this much more, of the curvature.
DAMPING = 1e-8


class Objective:
    """F(w) = (1/S) Σ_i s_i ℓ(y_i, x_i·w + b) + penalty(w), for one target.

    Parameters
    ----------
    data : Data
    loss : Loss
    penalty : Penalty
    fit_intercept : bool
    offset : float, default=None
        The intercept is held relative to this number, so that a y far from 0 keeps its
        digits. None is the best constant prediction (0 without an intercept).
    target : int, default=0
        Which of the targets of the data is y.

    Attributes
    ----------
    size : int
        d + fit_intercept, the length of w and g.
    constant_F : float
        F₀, F of the best constant: the unit in which F is judged.
    slope : float
        The root mean square of ℓ′ there: the unit of gradients.
    deviation : float
        2 F₀/slope: the unit of predictions, for the squared error the deviation of y.
        Never below the rounding of y, nor 0.
    noise : float
        The rounding of y.
    condition : float
        The condition number of the columns, each in its own unit, where newton had to
        factor the rows.
    intercept_left : float or None
        What rounding left of the intercept relative to the offset, where it is known.
    """

    condition = 1.0
    intercept_left = None

    def __init__(
        self,
        data,
        loss,
        penalty,
        fit_intercept,
        offset=None,
        target=0,
    ):
        self.data = data
        self.loss = loss
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.target = target
        self.y = data.Y[target]
        self.size = data.d + fit_intercept
        constant = best_constant(data, loss, self.y) if fit_intercept else 0.0
        self.offset = constant if offset is None else offset
        if loss.is_quadratic:
            variance = finite(data.mean_square(self.y, constant))
            square = finite(variance + constant**2)
        else:
            square = finite(data.mean_square(self.y))
        size = np.sqrt(square) if square >= TINY else max(map(abs, data.range(self.y)))
        self.noise = 4 * EPS * size
        if loss.is_quadratic:
            self.deviation = max(np.sqrt(variance), self.noise, TINY)
            self.slope, self.constant_F = self.deviation, 0.5 * self.deviation**2
        else:
            F, _, square = finite(data.loss_means(loss, self.y, constant))
            tiny = max(self.noise, TINY)
            # Where no constant has a slope, there is nothing to fit.
            self.slope = np.sqrt(square) if square > 0.0 else 1.0
            self.deviation = finite(max(2.0 * F / self.slope, tiny))
            self.constant_F = max(F, 0.5 * tiny * self.slope)
        self.constant = constant
        self.geometry = Geometry(data, fit_intercept, np.array([self.offset]))
        self.terms = Terms(loss, penalty, fit_intercept, target, self.offset)
        self.problem = data.problem(self.terms)

    @property
    def vanishes(self):
        """Whether y is no constant, but the square of its deviation underflows."""
        if self.deviation > np.sqrt(TINY):
            return False
        low, high = self.data.range(self.y)
        square = self.data.mean_square(self.y, self.constant)
        return square < TINY and (high > low if self.fit_intercept else high or low)

    @property
    def takes_newton(self):
        """Whether F has the second derivative that newton needs."""
        return self.loss.has_second and self.penalty.is_smooth

    @property
    def F_noise(self):
        """The rounding of F, as far as it is not relative."""
        return self.noise**2 if self.loss.has_second else self.noise

    def value(self, w):
        """Return F(w)."""
        return self.problem.value(w)

    def value_from_moments(self, w):
        """Return F(w), without a pass over X where the moments keep its digits."""
        square = self._square_from_moments(w)
        if square is None:
            return self.value(w)
        return 0.5 * square + self.penalty_value(w)

    def _square_from_moments(self, w):
        """Return the mean square of the residuals, None if the moments don't tell."""
        if not (self.loss.is_quadratic and self.geometry.has_moments):
            return None
        t, d = self.target, self.data.d
        mean, gram, product, y_mean, y_square = self.geometry.moments
        u, b, middle, spread = w[:d], 0.0, 0.0, y_square[t]
        if self.fit_intercept:
            b, spread = w[d], self.deviation**2
            middle = y_mean[t] - mean @ u - b
        square = spread - 2.0 * (product[t] @ u) + u @ gram @ u + middle**2
        sizes = np.sqrt(np.diag(gram)) + np.abs(mean)
        size = np.abs(u) @ sizes + abs(b) + np.sqrt(y_square[t])
        return float(square) if square >= CANCELLED_F * size**2 else None

    def after_newton(self, w):
        """Return F and ∇F after Newton's step, None if a pass over X is worth its time.

        Of many rows that are very well conditioned the moments tell enough: the step's
        error is some thousand roundings.
        """
        few = self.data.n * self.data.d <= FEW_VALUES
        if few or self.geometry.triangle(self.ridge, GOOD) is None:
            return None
        square = self._square_from_moments(w)
        if square is None:
            return None
        return 0.5 * square + self.penalty_value(w), self._gradient_from_moments(w)

    def _gradient_from_moments(self, w):
        t, d = self.target, self.data.d
        mean, gram, product, y_mean, _ = self.geometry.moments
        slope = mean @ w[:d] - y_mean[t] + (w[d] if self.fit_intercept else 0.0)
        g = gram @ w[:d] - product[t] + mean * slope + self.penalty.l2 * w[:d]
        return self.joined(g, slope)

    def penalty_value(self, w):
        """Return the penalty's part of F(w)."""
        d = self.data.d
        return self.penalty.at(w[:d], np.zeros(d))

    def over_plane(self, coefficients, pair, first, second):
        """Return F over two coefficients, the intercept at its optimum at each point.

        Parameters
        ----------
        coefficients : ndarray of shape (d,)
            The others.
        pair : (int, int)
            Which two are varied.
        first, second : ndarray of shape (p,), (q,)
            Their values.

        Returns
        -------
        F : ndarray of shape (q, p)
        """
        w, pair = np.array(coefficients, dtype=np.float64), list(pair)
        w[pair] = 0.0
        rest = self.y - self.data.predict(w, 0.0, np.arange(len(self.y)))
        columns = self.data.columns(pair)
        of_two = self._loss_of_two(columns, rest)
        F = np.empty((len(second), len(first)))
        for i, j in np.ndindex(F.shape):
            w[pair] = first[j], second[i]
            F[i, j] = of_two(w[pair]) + self.penalty_value(w)
        return F

    def _loss_of_two(self, columns, y):
        """Return the mean loss as a function of the coefficients of these columns."""
        data, loss = self.data, self.loss

        def constant(y):
            return best_constant(data, loss, y) if self.fit_intercept else 0.0

        def mean_loss(u):
            r = y - u @ columns
            return data.loss_means(loss, r, constant(r))[0]

        if not loss.is_quadratic:
            return mean_loss
        alone = as_data(np.ascontiguousarray(columns.T), y, data.s)
        # Without the rows, which may be millions.
        moments = alone.moments(self.fit_intercept, np.array([constant(y)]))
        gram, product = moments.gram, moments.product[0]
        square = moments.y_square[0] - self.fit_intercept * moments.y_mean[0] ** 2
        return lambda u: 0.5 * max(0.0, square - 2.0 * product @ u + u @ gram @ u)

    def value_and_gradient(self, w):
        """Return F(w) and its gradient, that of the smooth part where F has a kink.

        That takes one pass over X, or none at 0 with the moments.
        """
        return values_and_gradients([self], [w])[0]

    def _known_gradient(self, w):
        """Return F(w) and ∇F(w) where that takes no pass over X, else None."""
        quadratic = self.loss.is_quadratic and self.geometry.has_moments
        if not quadratic or w.any():
            return None
        square = self.geometry.moments.y_square[self.target]
        return 0.5 * float(square), self._gradient_from_moments(w)

    def joined(self, coefficients, intercept):
        """Return (w, b) as one array, or w alone without an intercept."""
        return self.geometry.joined(coefficients, intercept)

    def internal(self, coefficients, intercept):
        """Return a user's (w, b), the intercept relative to the offset."""
        w = np.asarray(coefficients, dtype=np.float64)
        return self.joined(w, intercept - self.offset).copy()

    def intercept(self, w):
        """Return the intercept of (w, b) relative to 0, as a user wants it.

        Where b cancels the offset, b has the rounding of a large number. A Newton step
        at the optimum tells how much that is.
        """
        if self.intercept_left is not None:
            b, left = two_sum(self.offset, w[self.data.d])
            return float(b + (left + self.intercept_left))
        b = self.offset + w[self.data.d]
        # A triangle may take long and much memory: it is asked for last.
        delicate = self.loss.is_quadratic and self._cancels(w) and self.is_delicate(w)
        if delicate and self.has_triangle:
            rest = self.newton_direction(w, self.delicate_gradient(w))[self.data.d]
            if abs(rest) <= 4.0 * EPS * abs(self.offset):
                b -= rest
        return float(b)

    # --- curvature: ∇²F ≤ H = c AᵀSA/S + l2 I, c the largest ℓ″ -----------------------

    @property
    def curvature_bound(self):
        """c, the largest ℓ″."""
        return self.loss.curvature

    @property
    def ridge(self):
        """l2/c, with which H = cM, M the geometry's matrix."""
        return self.penalty.l2 / self.curvature_bound

    @property
    def has_gram(self):
        """Whether the Gram matrix is worth its time and memory to any solver."""
        return self.geometry.has_gram

    @property
    def has_moments(self):
        """Whether the Gram matrix is there."""
        return self.geometry.has_moments

    @property
    def diagonal(self):
        """h = diag(H)."""
        return self.curvature_bound * self.geometry.diagonal(self.ridge)

    @property
    def curvature(self):
        """(μ, L), the extreme eigenvalues of H.

        μ bounds none of ∇²F if F is no quadratic, and is 0 for a loss with a kink, most
        of whose rows have no ℓ″.
        """
        mu, largest = self.geometry.extremes(self.ridge)
        c = self.curvature_bound
        return c * mu if self.loss.has_second else 0.0, c * largest

    @property
    def scaled_curvature(self):
        """Λ, the largest eigenvalue of diag(h)^-½ H diag(h)^-½."""
        return self.geometry.scaled_largest(self.ridge)

    @property
    def known_curvature(self):
        """(μ, L) if it was computed, else None."""
        return self.curvature if self.geometry.knows_extremes(self.ridge) else None

    def batch_curvature(self, batch, scale=None):
        """Return L_B, how steep F is as a random batch of rows sees it.

        With ``scale`` = 1/h, Λ_B: coordinates are multiplied by √scale.
        """
        c = self.curvature_bound
        if scale is not None:
            scale = c * scale
            return self.geometry.batch_curvature(batch, self.ridge, scale)
        return c * self.geometry.batch_curvature(batch, self.ridge)

    def gradient_ratio(self, w, g):
        """Return how far w is from a stationary point, free of units and of origins.

        That is max_j |g_j| / (slope √M_jj) as if the columns had mean 0, so that with
        y = Xw + b nearly met it is the cosine of the residual and a column. A column
        whose mean is large against its deviation would hide its gradient otherwise.
        Where F has a kink, g is its least subgradient.
        """
        mean, scale = self.geometry.gradient_scale(self.ridge)
        d = self.data.d
        bias = g[d] if self.fit_intercept else 0.0
        least = self.penalty.subgradient(w[:d], g[:d] - mean * bias)
        ratio = np.max(np.abs(least) * scale)
        return max(ratio, abs(bias)) / self.slope

    @cached_property
    def quadratic(self):
        """F without the rows, None where it has no such form or it isn't worth it."""
        if not self.loss.is_quadratic or not self.has_gram:
            return None
        mean, gram = self.geometry.moments[:2]
        # The rows would keep more digits of such columns.
        lost = (mean**2 * inverse(np.diag(gram))) ** (0.5 * self.data.lost_to_means)
        if (lost > 1.0 / SMALL_LOSS).any():
            return None
        return Quadratic(mean, gram, self.penalty, self.fit_intercept)

    # --- second order -----------------------------------------------------------------

    def is_delicate(self, w):
        """Whether the digits of float64 are too few for newton's gradient at w."""
        if not self.geometry.newton_has_gram or self.data.n * self.data.d > FEW_VALUES:
            return False
        triangle = self.geometry.triangle(self.ridge)
        return triangle is None or triangle.quality < GOOD or self._cancels(w)

    def _cancels(self, w):
        """Whether the intercept and the offset cancel."""
        if not self.fit_intercept:
            return False
        return abs(self.offset + w[self.data.d]) < CANCELLED * abs(self.offset)

    def delicate_gradient(self, w):
        """Return the gradient of a quadratic F with twice the digits, then rounded."""
        d = self.data.d
        g, at_w = np.zeros(self.size), self._residuals(w)
        for block, where in self.data.blocks():
            high, low = at_w.pair(self.data, block, where)
            s = self.data.weights(where)
            pair = s * high, s * low
            g[:d] += transposed_product(block, pair)
            if self.fit_intercept:
                g[d] += transposed_product(np.ones((len(high), 1)), pair)[0]
        g /= self.data.n
        g[:d] += self.penalty.l2 * w[:d]
        return g

    def _residuals(self, w, doubled=False):
        d = self.data.d
        bias = w[d] if self.fit_intercept else 0.0
        return Residuals(self.target, self.offset, w[:d], bias, doubled)

    def newton_direction(self, w, g):
        """Return H⁻¹g for a quadratic F, of minimum norm where H is singular."""
        geometry = self.geometry
        if self.has_triangle:
            return geometry.solve(g, self.ridge)
        few_rows = geometry.few_rows and self.penalty.l2 == 0.0
        if geometry.few_columns or few_rows:
            return self._direction_from_rows(w)
        if self.data.n <= self.data.d and self.ridge == 0.0:
            return self._shortest_direction_by_cg(g)
        return self._direction_by_cg(lambda v: geometry.product(v, self.ridge), g)

    @property
    def has_triangle(self):
        """Whether a quadratic's directions come from a good triangle."""
        return self.geometry.triangle(self.ridge) is not None

    def damped_direction(self, w, g, damping):
        """Return (∇²F(w) + damping · diag(H))⁻¹ g."""
        data, geometry, c = self.data, self.geometry, self.curvature_bound
        v = data.curvatures(self.terms, w)
        if not geometry.few_columns:
            return self._damped_by_cg(v, g, damping)
        mean = geometry.columns[0] if self.fit_intercept else np.zeros(data.d)
        weight, middle, gram = data.gram(v, mean)
        if self.fit_intercept and weight > 0.0:
            gram -= np.outer(middle, middle) / weight
            mean = mean + middle / weight
        ridge = self.penalty.l2 + damping * c * geometry.diagonal(self.ridge)[: data.d]
        triangle = triangle_of(gram, ridge, mean, data.lost_to_means)
        if triangle is None:
            return None
        return triangle.solve(g, mean, weight + damping * c)

    def _damped_by_cg(self, v, g, damping):
        hessian = self.data.curved(self.terms, v)
        more = damping * self.diagonal

        def product(u):
            u = np.ascontiguousarray(u)
            ((_, Hu),) = self.data.values_and_gradients([hessian], [u])
            return Hu + more * u

        return self._direction_by_cg(product, g)

    def _direction_from_rows(self, w):
        """Solve min ‖r − A p‖, r the residuals, by a triangular factor of the rows."""
        d = self.data.d
        residuals_at_w = self._residuals(w, doubled=self.is_delicate(w))
        factor = self.data.factor(residuals_at_w, center=self.fit_intercept)
        p, intercept, self.condition = factor.solve(self.penalty.l2, toward=w[:d])
        return self.joined(p, intercept)

    def _direction_by_cg(self, product, g):
        """Solve by conjugate gradients, preconditioned by the diagonal of H."""
        shape = (self.size, self.size)
        h_inverse = inverse(self.diagonal)
        p, _ = cg(
            LinearOperator(shape, matvec=product, dtype=np.float64),
            g,
            rtol=1e-10,
            maxiter=1000,
            M=LinearOperator(shape, matvec=lambda v: h_inverse * v, dtype=np.float64),
        )
        return p

    def _shortest_direction_by_cg(self, g):
        """Solve with a singular H: conjugate gradients from 0 end at minimum norm.

        That is the norm of the coefficients if b is eliminated, in their own units if
        nothing preconditions.
        """
        d, geometry = self.data.d, self.geometry
        mean = geometry.columns[0] if self.fit_intercept else np.zeros(d)
        slope = g[d] if self.fit_intercept else 0.0

        def product(u):
            return geometry.product(self.joined(u, -(mean @ u)), 0.0)[:d]

        centred = LinearOperator((d, d), matvec=product, dtype=np.float64)
        p, _ = cg(centred, g[:d] - mean * slope, rtol=1e-10, maxiter=1000)
        return self.joined(p, slope - mean @ p)

    def factor(self, before=None, in_stream=True):
        """Return the Factor of (X, y) and of the rows before, in the user's weights.

        Where the Gram matrix of all is very well conditioned it is the factor: nothing
        refines it later.
        """
        data = self.data
        if before is None:
            before = Factor.empty(data.d + 1)
        total = None
        if self.geometry.few_columns and before.rank + data.n > data.d:
            total = before.plus(self._gram_factor())
            if not total.is_good:
                total = None
        sums = self._sums(before, total is not None, in_stream)
        if total is None:
            y = partial(_relative, self.target, self.offset)
            rows = data.factor(y, center=self.fit_intercept)
            finite(np.linalg.norm(rows.R, axis=0))
            unit = data.unit
            rows = Factor(rows.weight * unit, rows.mean, np.sqrt(unit) * rows.R)
            total = before.merge(rows)
        return total.with_sums(sums)

    def _gram_factor(self):
        data, d, t = self.data, self.data.d, self.target
        mean, gram, product, y_mean, _ = self.geometry.moments
        mean = np.append(mean, y_mean[t] if self.fit_intercept else 0.0)
        joined = np.empty((d + 1, d + 1))
        joined[:d, :d] = gram
        joined[d, :d] = joined[:d, d] = product[t]
        joined[d, d] = self.deviation**2
        weight, lost = data.n * data.unit, data.lost_to_means
        return Factor(weight, mean, gram=joined, lost_to_means=lost)

    def _sums(self, before, is_good, in_stream):
        """Return the Sums with these rows, None where nothing will be refined.

        After most fits there is no stream: of those only delicate ones of few rows have
        the time.
        """
        data, d = self.data, self.data.d
        begun = before.weight > 0.0
        if begun and before.sums is None:
            return None
        seen = before.sums.rows if begun else 0
        rows = seen + data.n
        many = max(MANY, MANY_A_COLUMN * d) if in_stream else 0
        most = FEW_VALUES if in_stream else FEW_VALUES / 16
        if (is_good and rows >= many) or d * max(d, rows) > most:
            return None
        sums = before.sums
        if not begun:
            block, where = next(data.blocks())
            size = np.append(np.abs(block).max(axis=0), np.abs(self.y[where]).max())
            point = np.zeros(d + 1)
            if self.fit_intercept:
                point = np.append(block.mean(axis=0), self.offset)
                size = np.maximum(np.abs(size - point), size / 2)
            sums = Sums.empty(size, point, data.unit, self.fit_intercept)
        for block, where in data.blocks():
            Z = np.column_stack([block, self.y[where]])
            s = np.ones(len(Z)) if data.s is None else data.s[where]
            sums = sums.add(Z, s)
        return sums if np.isfinite(sums.low).all() else None

    def prediction_size(self, F):
        """Return about how far predictions are from y where F is this large."""
        if self.loss.is_quadratic:
            return np.sqrt(2.0 * F)
        return 2.0 * F / self.slope

    # --- how far F is from its minimum ------------------------------------------------

    @property
    def has_sample(self):
        """Whether F − F* can be told roughly, and at little cost."""
        return self.geometry.sample(self.ridge) is not None

    @property
    def knows_gap(self):
        """Whether F − F* is worth its time and memory to any solver."""
        if not self.loss.is_quadratic or not self.penalty.is_smooth:
            return self.has_gram and self.has_triangle
        rows = min(self.data.n, 4 * self.data.d)
        room = self.geometry.has_room_for(6 * rows * self.data.d)
        return self.has_gram and (self.has_triangle or room)

    def rough_gap(self, w, g):
        """Return about F(w) − F* from the gradient at w."""
        scale, lower = self.geometry.sample(self.ridge)
        v = scale * self._least(w, g)
        solved = linalg.cho_solve((lower, True), v, check_finite=False)
        return 0.5 * float(v @ solved) / self.curvature_bound

    def gap(self, w, g):
        """Return F(w) − F*, which for a quadratic F is ½ gᵀH⁻¹g.

        For others it is what F would fall by if it were the quadratic that bounds it.
        """
        least = self._least(w, g)
        if self.loss.is_quadratic and self.penalty.is_smooth:
            return max(0.0, 0.5 * g @ self.newton_direction(w, g))
        p = self.geometry.solve(least, self.ridge)
        return max(0.0, 0.5 * float(least @ p) / self.curvature_bound)

    def descent(self, w, g, tries=6):
        """Return how far F falls on a few steps from w: F* is at least as far below.

        They go along M⁻¹g, or g over the diagonal of M, and the first would change the
        predictions by their deviation if ℓ′ were linear in X.
        """
        geometry, d = self.geometry, self.data.d
        least = self._least(w, g)
        if self.has_gram and self.has_triangle:
            p = geometry.solve(least, self.ridge)
        else:
            p = inverse(geometry.diagonal(self.ridge)) * least
        lowest = F = self.value(w)
        for trial in range(tries):
            moved = w - self.deviation / self.slope / 4.0**trial * p
            moved[:d] = self.penalty.proximal(moved[:d], np.zeros(d))
            lowest = min(lowest, self.value(moved))
        return F - lowest

    def _least(self, w, g):
        d = self.data.d
        return np.append(self.penalty.subgradient(w[:d], g[:d]), g[d:])


@dataclass(frozen=True)
class Residuals:
    """X w + b − y of a block of rows, y and b relative to an offset.

    Attributes
    ----------
    target : int
        Which of the targets is y.
    offset : float
    w : ndarray of shape (d,)
    bias : float
        b.
    doubled : bool
        Whether to compute them with twice the digits, then rounded.
    """

    target: int
    offset: float
    w: np.ndarray
    bias: float
    doubled: bool

    def __call__(self, data, block, where):
        if self.doubled:
            return self.pair(data, block, where)[0]
        return block @ self.w + self.bias - (data.Y[self.target, where] - self.offset)

    def pair(self, data, block, where):
        """Return them with twice the digits, as a sum of two."""
        y = data.Y[self.target, where]
        pair = residuals(block, self.w, (self.bias, self.offset), y)
        if np.isfinite(pair).all():
            return pair
        r = replace(self, doubled=False)(data, block, where)
        return r, np.zeros_like(r)


def _relative(target, offset, data, block, where):
    return data.Y[target, where] - offset


def objectives(data, losses, penalty, fit_intercept, offsets):
    """Return the Objective of each target, which share one Geometry."""
    found = [
        Objective(data, loss, penalty, fit_intercept, offset, t)
        for t, (loss, offset) in enumerate(zip(losses, offsets, strict=True))
    ]
    for objective in found:
        objective.geometry = found[0].geometry
    found[0].geometry.offsets = np.array([objective.offset for objective in found])
    return found


def values_and_gradients(objectives, points):
    """Return [(F, ∇F)] of several targets at these points, in one pass over X."""
    found = [F._known_gradient(w) for F, w in zip(objectives, points, strict=True)]
    left = [t for t, known in enumerate(found) if known is None]
    if not left:
        return found
    problems = [objectives[t].problem for t in left]
    pairs = objectives[0].data.values_and_gradients(problems, [points[t] for t in left])
    for t, pair in zip(left, pairs, strict=True):
        found[t] = pair
    return found


def best_constant(data, loss, y):
    """Return the constant prediction of least loss: the root of the mean of ℓ′."""
    if loss.is_quadratic:
        return data.mean(y)
    low, high = data.range(y)

    def slope(constant):
        _, mean, square = data.loss_means(loss, y, constant)
        # Rounding must not decide between the constants that are equally good.
        return mean if mean**2 > 1e-24 * square else 0.0

    # A loss with a tube has flat ends there.
    if not slope(low) < 0.0 < slope(high):
        return 0.5 * low + 0.5 * high
    return brentq(
        slope, low, high, xtol=max(1e-15 * (high - low), 1e-300), rtol=4 * EPS
    )
