# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Losses: ℓ(y, f) of one residual, y − f, and its derivatives with respect to f.

A new loss is a subclass of ``Loss`` here and a line in ``LOSSES``; the tests check each
loss of that table by finite differences, and that nothing but y − f matters. A final
class that is also named in ``AnyLoss`` is faster, since the loops over rows then see
its formula.

Three of the losses have a kink, where no step that is safe for descent is known. With
``width`` > 0 the derivative of such a loss is that of its Moreau envelope,
min_u ℓ(y, u) + (u − f)²/(2 width), which is a ramp across the kink in place of a jump;
``value`` always is the loss itself, at most width ℓ′²/2 above the envelope (Nesterov
2005, Smooth minimization of non-smooth functions; Beck and Teboulle 2012).
"""

cimport cython
from libc.math cimport INFINITY, fabs

import numpy as np


cdef class Loss:
    """What a step needs to know of a loss.

    Attributes
    ----------
    parameters : tuple of str
        The estimator's parameters that the loss takes.
    curvature : float
        The largest ℓ″; infinite where ℓ has a kink and ``width`` is 0.
    has_second : bool
        Whether ℓ has a second derivative, or one almost everywhere that serves, so that
        newton can take it.
    is_quadratic : bool
        Whether ℓ″ is constant.
    auto_epsilon : float
        ``epsilon="auto"`` is this many standard deviations of the residuals of a robust
        fit.
    width : float
        See above; 0 but for losses with a kink.
    """

    parameters = ()
    curvature = INFINITY
    has_second = True
    is_quadratic = False
    auto_epsilon = 0.0

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double derivative(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double second(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        """Return Σ_k s_k ℓ(y_k, f_k) and write s_k ∂ℓ/∂f to c; s may be NULL, all 1."""
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        """Make up to four steps of plain descent, one row each, but for w.

        After k of four steps w_k = a_k w + Σ_{i≤k} v_ik x_i, so the next prediction is
        x_k·w_{k−1} = a x_k·w + Σ_i v_i x_i·x_k. All products with w and of the rows
        with one another are there before the first step, and w is read and written
        once for four steps that would have waited for each other. Here u_k is the step
        −η_k s_k ℓ′ itself; ``Problem.fly`` makes a, u and their sums of that.
        """
        over_steps(self, flight)

    def at(self, double y, double f):
        """Return (ℓ, ∂ℓ/∂f) at one point, for tests and the curious."""
        return self.value(y, f), self.derivative(y, f)

    def seconds(self, const double[::1] y, const double[::1] f):
        """Return ∂²ℓ/∂f² at each of these points."""
        cdef double[::1] h = np.empty(len(y))
        cdef Py_ssize_t k
        if f.shape[0] != y.shape[0]:
            raise ValueError("y and f must have the same length.")
        with nogil:
            for k in range(y.shape[0]):
                h[k] = self.second(y[k], f[k])
        return np.asarray(h)

    def sums(self, const double[::1] y, const double[::1] f, const double[::1] s):
        """Return Σ s ℓ, Σ s ℓ′ and Σ s ℓ′² over these points."""
        cdef double value = 0.0, slope = 0.0, square = 0.0, c
        cdef Py_ssize_t k
        if not (f.shape[0] == y.shape[0] == s.shape[0]):
            raise ValueError("y, f and s must have the same length.")
        with nogil:
            for k in range(y.shape[0]):
                c = self.derivative(y[k], f[k])
                value += s[k] * self.value(y[k], f[k])
                slope += s[k] * c
                square += s[k] * c * c
        return value, slope, square


@cython.final
cdef class SquaredError(Loss):
    """ℓ = ½ (y − f)², whose ½ makes the gradient the plain residual."""

    curvature = 1.0
    is_quadratic = True

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.5 * (y - f) * (y - f)

    cdef double derivative(self, double y, double f) noexcept nogil:
        return f - y

    cdef double second(self, double y, double f) noexcept nogil:
        return 1.0

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


@cython.final
cdef class Huber(Loss):
    """ℓ = ½ r² where |r| ≤ ε, else ε |r| − ½ ε²; r = y − f (Huber 1964)."""

    parameters = ("epsilon",)
    curvature = 1.0
    auto_epsilon = 1.35
    cdef readonly double epsilon

    def __init__(self, double epsilon=1.35):
        self.epsilon = epsilon

    cdef double value(self, double y, double f) noexcept nogil:
        cdef double r = fabs(y - f)
        cdef double near = self.epsilon if r > self.epsilon else r
        return near * (r - 0.5 * near)

    cdef double derivative(self, double y, double f) noexcept nogil:
        cdef double r = f - y
        r = self.epsilon if r > self.epsilon else r
        return -self.epsilon if r < -self.epsilon else r

    cdef double second(self, double y, double f) noexcept nogil:
        return 1.0 if fabs(y - f) <= self.epsilon else 0.0

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


cdef inline double ramp(double r, double width) noexcept nogil:
    """Return the sign of r, or r/width where |r| < width."""
    if fabs(r) < width:
        return r / width
    return 1.0 if r > 0.0 else (-1.0 if r < 0.0 else r)


@cython.final
cdef class Quantile(Loss):
    """ℓ = q r where r ≥ 0, else (q − 1) r; r = y − f (Koenker and Bassett 1978).

    The optimal constant is the q-quantile of y. At the kink ℓ′ is 0.
    """

    parameters = ("quantile",)
    has_second = False
    cdef readonly double quantile

    def __init__(self, double quantile=0.5):
        self.quantile = quantile

    @property
    def curvature(self):
        return 1.0 / self.width if self.width > 0.0 else INFINITY

    cdef double value(self, double y, double f) noexcept nogil:
        cdef double r = y - f
        return (self.quantile if r >= 0.0 else self.quantile - 1.0) * r

    cdef double derivative(self, double y, double f) noexcept nogil:
        cdef double r = f - y
        if fabs(r) < self.width:  # the slope is −q … 1 − q, and 0 at r = 0
            r /= self.width
            r = 1.0 - self.quantile if r > 1.0 - self.quantile else r
            return -self.quantile if r < -self.quantile else r
        if r > 0.0:
            return 1.0 - self.quantile
        if r < 0.0:
            return -self.quantile
        return 0.0 if r == 0.0 else r

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


@cython.final
cdef class AbsoluteError(Loss):
    """ℓ = |y − f|; the optimal constant is the median of y. ℓ′ = 0 at the kink."""

    has_second = False

    @property
    def curvature(self):
        return 1.0 / self.width if self.width > 0.0 else INFINITY

    cdef double value(self, double y, double f) noexcept nogil:
        return fabs(y - f)

    cdef double derivative(self, double y, double f) noexcept nogil:
        return ramp(f - y, self.width)

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


cdef inline double outside(double r, double epsilon) noexcept nogil:
    """Return how far r is outside the tube |r| ≤ ε, with its sign."""
    if r > epsilon:
        return r - epsilon
    if r < -epsilon:
        return r + epsilon
    return 0.0 if r == r else r


@cython.final
cdef class EpsilonInsensitive(Loss):
    """ℓ = max(0, |y − f| − ε) (Vapnik 1995). ℓ′ = 0 at the kinks."""

    parameters = ("epsilon",)
    has_second = False
    auto_epsilon = 0.1
    cdef readonly double epsilon

    def __init__(self, double epsilon=0.1):
        self.epsilon = epsilon

    @property
    def curvature(self):
        return 1.0 / self.width if self.width > 0.0 else INFINITY

    cdef double value(self, double y, double f) noexcept nogil:
        return fabs(outside(f - y, self.epsilon))

    cdef double derivative(self, double y, double f) noexcept nogil:
        return ramp(outside(f - y, self.epsilon), self.width)

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


@cython.final
cdef class SquaredEpsilonInsensitive(Loss):
    """ℓ = max(0, |y − f| − ε)², without a ½, as SGDRegressor and LinearSVR have it."""

    parameters = ("epsilon",)
    curvature = 2.0
    auto_epsilon = 0.1
    cdef readonly double epsilon

    def __init__(self, double epsilon=0.1):
        self.epsilon = epsilon

    cdef double value(self, double y, double f) noexcept nogil:
        cdef double r = outside(f - y, self.epsilon)
        return r * r

    cdef double derivative(self, double y, double f) noexcept nogil:
        return 2.0 * outside(f - y, self.epsilon)

    cdef double second(self, double y, double f) noexcept nogil:
        return 2.0 if fabs(y - f) > self.epsilon else 0.0

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)

    cdef void descend(self, Flight* flight) noexcept nogil:
        over_steps(self, flight)


ctypedef fused AnyLoss:
    Loss
    SquaredError
    Huber
    Quantile
    AbsoluteError
    EpsilonInsensitive
    SquaredEpsilonInsensitive


# One loop for all losses, in which the compiler sees the formula: the methods of a
# final class are not virtual.
cdef inline double over_rows(
    AnyLoss loss,
    Py_ssize_t count,
    const double* y,
    const double* f,
    const double* s,
    double* c,
) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t k
    if s == NULL:
        for k in range(count):
            total += loss.value(y[k], f[k])
            c[k] = loss.derivative(y[k], f[k])
    else:
        for k in range(count):
            total += s[k] * loss.value(y[k], f[k])
            c[k] = s[k] * loss.derivative(y[k], f[k])
    return total


cdef inline void over_steps(AnyLoss loss, Flight* flight) noexcept nogil:
    # Copies: to the compiler, what is written may be what the pointer shows.
    cdef const double* y = flight.y
    cdef const double* s = flight.s
    cdef const double* z = flight.z
    cdef const double* products = flight.products
    cdef double* f = flight.f
    cdef double* u = flight.u
    cdef double l2 = flight.l2, one = flight.one
    cdef const double* eta = &flight.eta[0]
    cdef double v[4]
    cdef double bias = flight.bias, a = 1.0, newest = 0.0
    cdef double r, slope, shrinks
    cdef Py_ssize_t size = flight.size, K = flight.K, m = 0
    cdef Py_ssize_t k, i
    for k in range(4):  # which the compiler can write out
        if k == size:
            break
        # What waits for the step before comes last.
        r = a * z[k * K] + bias - y[k]
        for i in range(k - 1):
            r += v[i] * products[m]
            m += 1
        if k > 0:
            r += newest * (products[m] + one)
            bias += newest * one
            m += 1
        f[k] = r + y[k]
        slope = loss.derivative(0.0, r)
        if s != NULL:
            slope *= s[k]
        if l2 != 0.0:
            shrinks = 1.0 - eta[k] * l2
            a *= shrinks
            for i in range(k):
                v[i] *= shrinks
        newest = v[k] = u[k * K] = -eta[k] * slope
    flight.bias = bias + newest * one


LOSSES = {
    "squared_error": SquaredError,
    "huber": Huber,
    "absolute_error": AbsoluteError,
    "quantile": Quantile,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}
