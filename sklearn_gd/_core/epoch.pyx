# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The loop over rows, once: dense and CSR, all rows a step or a few.

There are neither formulas nor options here: the loss, the penalty, the rule and the
rows are objects that the loop calls. w holds the d coefficients and, behind them, the
intercept if there is one.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport fabs, pow

import numpy as np

from sklearn_gd._core.losses cimport Loss
from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rows cimport Rows
from sklearn_gd._core.rules cimport Descent, Rule

cdef enum:
    # Rows asked for ahead of their use: enough to hide the way from main memory.
    AHEAD = 12
    # Values visited between two looks for Ctrl-C: about a millisecond.
    PATIENCE = 1 << 22


cdef class Steps:
    """The step sizes of one epoch: step t has η / t^power, t counted from 1.

    Parameters
    ----------
    eta : float
        η.
    power : float
        The exponent; 0 is a constant step.
    made : int
        Steps made before this epoch.

    Attributes
    ----------
    last : float
        The size of the last step.
    """

    cdef readonly double eta
    cdef readonly double power
    cdef readonly Py_ssize_t made
    cdef readonly double last

    def __init__(self, double eta, double power=0.0, Py_ssize_t made=0):
        self.eta = eta
        self.power = power
        self.made = made
        self.last = eta

    cdef inline double next(self) noexcept nogil:
        self.made += 1
        if self.power != 0.0:
            self.last = self.eta / pow(<double>self.made, self.power)
        return self.last

    def advance(self):
        """Count one step and return its size."""
        return self.next()


cdef class Mean:
    """The mean of the iterates of an epoch, or nothing if it was not asked for."""

    cdef readonly double[::1] w
    cdef bint wanted
    cdef Py_ssize_t count

    def __init__(self, Py_ssize_t size, bint wanted):
        self.w = np.zeros(size)
        self.wanted = wanted
        self.count = 0

    cdef inline void add(self, const double* w) noexcept nogil:
        cdef Py_ssize_t j
        cdef double share
        if not self.wanted:
            return
        self.count += 1
        share = 1.0 / self.count
        for j in range(self.w.shape[0]):
            self.w[j] += share * (w[j] - self.w[j])


cdef class Problem:
    """F(w) = (1/n) Σ_i s_i ℓ(y_i, a_i·w) + penalty(w), a_i = (x_i, 1) or x_i.

    Parameters
    ----------
    rows : Rows
    y, s : ndarray of shape (n,)
        Targets and weights, the positive weights of mean 1.
    n : int
        How many weights are positive; rows of weight 0 are never read.
    loss : Loss
    penalty : Penalty
    intercept : bool
    """

    cdef Rows rows
    cdef const double[::1] y
    cdef const double[::1] s
    cdef Loss loss
    cdef Penalty penalty
    cdef double[::1] g
    cdef Py_ssize_t n
    cdef bint intercept
    cdef Py_ssize_t visited

    def __init__(self, Rows rows, y, s, n, Loss loss, Penalty penalty, intercept):
        if len(y) != rows.n or len(s) != rows.n:
            raise ValueError("y and s must have one value a row.")
        self.rows = rows
        self.y = y
        self.s = s
        self.n = n
        self.loss = loss
        self.penalty = penalty
        self.intercept = intercept
        self.g = np.empty(rows.d + intercept)
        self.visited = 0

    cdef inline double predict(self, Py_ssize_t i, const double* w) noexcept nogil:
        cdef double f = self.rows.dot(i, w)
        if self.intercept:
            f += w[self.rows.d]
        return f

    cdef inline void add_row(self, Py_ssize_t i, double c, double* g) noexcept nogil:
        self.rows.add(i, c, g)
        if self.intercept:
            g[self.rows.d] += c

    cdef inline int heed_signals(self) except -1 nogil:
        self.visited += self.rows.d
        if self.visited > PATIENCE:
            self.visited = 0
            with gil:
                PyErr_CheckSignals()
        return 0

    cdef void check(self, w) except *:
        if w.shape[0] != self.g.shape[0]:
            raise ValueError(f"Expected {self.g.shape[0]} coordinates.")

    def value_and_gradient(self, const double[::1] w, double[::1] g):
        """Return F(w) and write ∇F(w) to g, in one pass over the rows."""
        cdef double total = 0.0
        cdef double f
        cdef Py_ssize_t i
        cdef Py_ssize_t j
        self.check(w)
        self.check(g)
        g[:] = 0.0
        with nogil:
            for i in range(self.rows.n):
                if self.s[i] == 0.0:
                    continue
                f = self.predict(i, &w[0])
                total += self.s[i] * self.loss.value(self.y[i], f)
                self.add_row(
                    i, self.s[i] * self.loss.derivative(self.y[i], f), &g[0]
                )
                self.heed_signals()
            for j in range(g.shape[0]):
                g[j] /= self.n
            self.penalty.add_gradient(&w[0], &g[0], self.rows.d)
        return total / self.n + self.penalty.value(&w[0], self.rows.d)

    def value(self, const double[::1] w):
        """Return F(w)."""
        cdef double total = 0.0
        cdef Py_ssize_t i
        self.check(w)
        with nogil:
            for i in range(self.rows.n):
                if self.s[i] != 0.0:
                    total += self.s[i] * self.loss.value(
                        self.y[i], self.predict(i, &w[0])
                    )
                    self.heed_signals()
        return total / self.n + self.penalty.value(&w[0], self.rows.d)

    def predict_rows(self, const double[::1] w, double[::1] f):
        """Write the predictions to f, leaving it as it is for rows of weight 0."""
        cdef Py_ssize_t i
        self.check(w)
        if f.shape[0] != self.rows.n:
            raise ValueError("f must have one value a row.")
        with nogil:
            for i in range(self.rows.n):
                if self.s[i] != 0.0:
                    f[i] = self.predict(i, &w[0])
                    self.heed_signals()

    def epoch(
        self,
        Rule rule,
        double[::1] w,
        const Py_ssize_t[::1] order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ):
        """Visit the rows in ``order``, ``batch`` rows a step, and move w.

        Returns the mean of the loss of each row just before its step.
        """
        cdef double total
        cdef bint lazily = (
            self.rows.sparse and type(rule) is Descent and self.penalty.is_scaling
        )
        self.check(w)
        if rule.size != w.shape[0]:
            raise ValueError("The rule was made for another number of coordinates.")
        if len(order) and not (
            0 <= np.min(order) and np.max(order) < self.rows.n
        ):
            raise ValueError("order points outside the rows.")
        with nogil:
            if lazily:
                total = self.sparse_descent(&w[0], order, batch, steps, mean)
            else:
                total = self.any_rule(rule, &w[0], order, batch, steps, mean)
        return total / max(1, order.shape[0])

    cdef double any_rule(
        self,
        Rule rule,
        double* w,
        const Py_ssize_t[::1] order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil:
        cdef double* g = &self.g[0]
        cdef double total = 0.0
        cdef double f
        cdef Py_ssize_t first, k, i, j
        cdef Py_ssize_t last = 0
        while last < order.shape[0]:
            first = last
            last = min(first + batch, order.shape[0])
            for j in range(rule.size):
                g[j] = 0.0
            for k in range(first, last):
                i = order[k]
                if k + AHEAD < order.shape[0]:
                    self.rows.prefetch(order[k + AHEAD])
                f = self.predict(i, w)
                total += self.s[i] * self.loss.value(self.y[i], f)
                self.add_row(
                    i,
                    self.s[i] * self.loss.derivative(self.y[i], f) / (last - first),
                    g,
                )
                self.heed_signals()
            self.penalty.add_gradient(w, g, self.rows.d)
            rule.step(w, g, steps.next())
            mean.add(w)
        return total

    cdef double sparse_descent(
        self,
        double* w,
        const Py_ssize_t[::1] order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil:
        """Plain descent on CSR rows, touching only the columns that a row has.

        With w = a v, the step w ← w − η (α w + Σ c_i x_i) is a ← (1 − η α) a,
        v ← v − (η/a) Σ c_i x_i. With A_t = a_1 + … + a_t, the mean of the iterates
        after T steps is (A_T v_T − Σ_t A_{t−1} (v_t − v_{t−1})) / T, and the sum is
        kept in ``lag`` (Bottou 2012, section 5.1; Xu 2011). The intercept, the
        last coordinate, is never scaled, so for it a is 1.
        """
        cdef Py_ssize_t d = self.rows.d
        cdef double alpha = self.penalty.alpha
        cdef double a = 1.0, sum_a = 0.0
        cdef double total = 0.0, bias = 0.0
        cdef double f, eta, c
        cdef Py_ssize_t first, k, i, j
        cdef Py_ssize_t last = 0
        cdef double[::1] derivatives
        cdef double[::1] lag
        with gil:
            derivatives = np.empty(min(batch, max(1, order.shape[0])))
            lag = np.zeros(d)
        while last < order.shape[0]:
            first = last
            last = min(first + batch, order.shape[0])
            bias = w[d] if self.intercept else 0.0
            for k in range(first, last):
                i = order[k]
                if k + AHEAD < order.shape[0]:
                    self.rows.prefetch(order[k + AHEAD])
                f = a * self.rows.dot(i, w) + bias
                total += self.s[i] * self.loss.value(self.y[i], f)
                derivatives[k - first] = (
                    self.s[i] * self.loss.derivative(self.y[i], f) / (last - first)
                )
            eta = steps.next()
            a *= 1.0 - eta * alpha
            # The mean is a difference that loses as many digits as a has lost.
            if fabs(a) < 1e-3 or fabs(a) > 1e3:
                self.unscale(w, a, &sum_a, &lag[0], mean)
                a = 1.0
            for k in range(first, last):
                i = order[k]
                c = eta * derivatives[k - first]
                self.rows.add(i, -c / a, w)
                if mean.wanted:
                    self.rows.add(i, -c / a * sum_a, &lag[0])
                if self.intercept:
                    w[d] -= c
                self.heed_signals()
            sum_a += a
            if mean.wanted:
                mean.count += 1
                if self.intercept:
                    mean.w[d] += w[d]
        self.unscale(w, a, &sum_a, &lag[0], mean)
        if mean.wanted and mean.count:
            for j in range(mean.w.shape[0]):
                mean.w[j] /= mean.count
        return total

    cdef void unscale(
        self, double* w, double a, double* sum_a, double* lag, Mean mean
    ) noexcept nogil:
        """Go back from v to w = a v, and book what the sum of iterates has so far."""
        cdef Py_ssize_t j
        for j in range(self.rows.d):
            if mean.wanted:
                mean.w[j] += sum_a[0] * w[j] - lag[j]
                lag[j] = 0.0
            w[j] *= a
        sum_a[0] = 0.0
