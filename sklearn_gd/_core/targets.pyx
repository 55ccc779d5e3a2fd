# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Several targets of the same rows: one pass over X for all of them.

Each target is a Problem of its own. Their weights lie side by side, in *lanes*, so that
a value of X that is in a register meets all of them (``lanes.h``).
"""

from cpython.ref cimport PyObject
from libc.math cimport fabs

import numpy as np

from sklearn_gd._core.epoch cimport LAZY, RUN, Mean, Problem, Steps
from sklearn_gd._core.order cimport Order
from sklearn_gd._core.rules cimport Descent

cdef extern from "lanes.h":
    enum:
        LANES


cdef class Targets:
    """Problems that differ in y and in the loss alone.

    Parameters
    ----------
    problems : list of Problem
    """

    cdef list problems
    cdef Problem first
    cdef Py_ssize_t k, K, d
    # The addresses of the problems, and predictions and derivatives of rows in hand.
    cdef Py_ssize_t[::1] problems_at
    cdef double[:, ::1] F
    cdef double[:, ::1] C
    # Of an epoch: its steps and means, w = a v side by side, and what sums of iterates
    # lack.
    cdef Py_ssize_t[::1] steps
    cdef Py_ssize_t[::1] means
    cdef double[:, ::1] V
    cdef double[:, ::1] lag
    cdef double[::1] a
    cdef double[::1] sum_a
    cdef bint wanted

    def __init__(self, list problems):
        self.problems = problems
        self.first = problems[0]
        self.k = len(problems)
        self.K = (len(problems) + LANES - 1) // LANES * LANES
        self.d = self.first.rows.d
        for problem in problems:
            if (<Problem?>problem).rows is not self.first.rows:
                raise ValueError("The problems must have the same rows.")
        self.problems_at = pointers_to(problems)
        self.F, self.C = np.zeros((2, LAZY, self.K))

    def values_and_gradients(self, points):
        """Return [(F(w), ∇F(w))] of each target at its point w, in one pass."""
        cdef double[:, ::1] W = self.side_by_side(points)
        cdef double[:, ::1] G = np.zeros((self.d + 1, self.K))
        cdef double[::1] totals = np.zeros(self.k)
        with nogil:
            self.sum_rows(&W[0, 0], &G[0, 0], &totals[0])
        found = []
        for t in range(self.k):
            w = points[t]
            g = np.array(np.asarray(G)[: len(w), t])
            found.append(((<Problem>self.problems[t]).finish(totals[t], w, g), g))
        return found

    cdef int sum_rows(
        self, const double* W, double* G, double* totals
    ) except -1 nogil:
        """Sum the losses, and their gradients to G, whose last row is the intercept's.
        """
        cdef Py_ssize_t K = self.K, first = 0
        cdef Py_ssize_t count, k, t
        cdef PyObject* p
        while first < self.first.n:
            count = self.first.pass_on(first, self.first.n)
            self.first.rows.dot_lanes(self.first.at, count, W, K, &self.F[0, 0])
            for t in range(self.k):
                p = <PyObject*>self.problems_at[t]
                for k in range(count):
                    (<Problem>p).f[k] = self.F[k, t] + W[self.d * K + t]
                (<Problem>p).aim(self.first.at, count)
                totals[t] += (<Problem>p).lose(count)
                for k in range(count):
                    self.C[k, t] = (<Problem>p).c[k]
                    G[self.d * K + t] += (<Problem>p).c[k]
            self.first.rows.add_lanes(self.first.at, count, &self.C[0, 0], K, G)
            first += count
        return 0

    cdef side_by_side(self, points):
        """Return W, the last row of which is the intercepts, or 0."""
        W = np.zeros((self.d + 1, self.K))
        for t, w in enumerate(points):
            (<Problem>self.problems[t]).check(w)
            W[: len(w), t] = w
        return W

    def share_epochs(self, rules, Py_ssize_t batch):
        """Return whether ``epoch`` can be one pass, and is faster so.

        That is plain descent, but not by single dense rows: one target alone has four
        of them in flight.
        """
        plain = all(type(rule) is Descent for rule in rules)
        fast = self.first.rows.sparse or batch > 1
        return plain and fast and self.first.penalty.is_smooth and batch <= LAZY

    def epoch(self, points, Order order, Py_ssize_t batch, list steps, list means):
        """Visit the rows in this order with plain descent, and move each w.

        Returns the mean of the loss of each row just before its step, for each target.
        """
        cdef double[::1] totals = np.zeros(self.k)
        cdef Py_ssize_t t
        if order.limit > self.first.rows.n:
            raise ValueError("order points outside the rows.")
        self.V = self.side_by_side(points)
        self.steps, self.means = pointers_to(steps), pointers_to(means)
        self.wanted = (<Mean>means[0]).wanted
        self.lag = np.zeros((self.d if self.wanted else 1, self.K))
        self.a, self.sum_a = np.ones(self.K), np.zeros(self.K)
        with nogil:
            self.visit(order, batch, &totals[0])
            for t in range(self.k):
                self.unscale(t)
        for t, w in enumerate(points):
            w[:] = np.asarray(self.V)[: len(w), t]
        return np.asarray(totals) / max(1, order.n)

    cdef int visit(
        self, Order order, Py_ssize_t batch, double* totals
    ) except -1 nogil:
        cdef Py_ssize_t K = self.K
        cdef Py_ssize_t count, first, size, t
        cdef const Py_ssize_t* at
        while True:
            count = self.first.take(order, max(1, RUN // batch) * batch)
            if count == 0:
                return 0
            for t in range(self.k):
                (<Problem><PyObject*>self.problems_at[t]).aim(self.first.at, count)
                (<Problem><PyObject*>self.problems_at[t]).ask_targets(
                    self.first.ahead.far, self.first.ahead.far_count
                )
            first = 0
            while first < count:
                size = min(batch, count - first)
                at = self.first.at + first
                self.first.rows.dot_lanes(at, size, &self.V[0, 0], K, &self.F[0, 0])
                for t in range(self.k):
                    self.descend(t, first, size)
                self.first.rows.add_lanes(at, size, &self.C[0, 0], K, &self.V[0, 0])
                if self.wanted:
                    for t in range(self.k):
                        self.book(t, size)
                    self.first.rows.add_lanes(
                        at, size, &self.C[0, 0], K, &self.lag[0, 0]
                    )
                for t in range(self.k):
                    self.sum_a[t] += self.a[t]
                first += size
            for t in range(self.k):
                totals[t] += (<Problem><PyObject*>self.problems_at[t]).lose(count)

    cdef void descend(
        self, Py_ssize_t t, Py_ssize_t first, Py_ssize_t size
    ) noexcept nogil:
        """Make C the step of lane t on these rows, and move its intercept.

        w = a v, as in ``Problem.sparse_descent``, where the identities stand.
        """
        cdef PyObject* p = <PyObject*>self.problems_at[t]
        cdef PyObject* steps = <PyObject*>self.steps[t]
        cdef double* f = &(<Problem>p).f[first]
        cdef const double* y = &(<Problem>p).t[first]
        cdef const double* u = &(<Problem>p).u[first]
        cdef double* bias = &self.V[self.d, t]
        cdef double a = self.a[t], b = bias[0]
        cdef double c, eta, scale
        cdef Py_ssize_t k
        for k in range(size):
            f[k] = a * self.F[k, t] + b
        eta = (<Steps>steps).next(size)
        if self.first.penalty.l2 != 0.0:
            self.a[t] *= 1.0 - eta * self.first.penalty.l2
            if fabs(self.a[t]) < 1e-3 or fabs(self.a[t]) > 1e3:
                self.unscale(t)
            a = self.a[t]
        scale = -eta / size
        for k in range(size):
            c = scale * (<Problem>p).loss.derivative(y[k], f[k])
            if self.first.weighted:
                c *= u[k]
            b += c
            self.C[k, t] = c if a == 1.0 else c / a
        if self.first.intercept:
            bias[0] = b

    cdef void book(self, Py_ssize_t t, Py_ssize_t size) noexcept nogil:
        """Make C what the sum of the iterates of lane t lacks by this step."""
        cdef PyObject* mean = <PyObject*>self.means[t]
        cdef Py_ssize_t k
        (<Mean>mean).count = (<Mean>mean).count + 1
        if self.first.intercept:
            (<Mean>mean).sum[self.d] = (<Mean>mean).sum[self.d] + self.V[self.d, t]
        for k in range(size):
            self.C[k, t] *= self.sum_a[t]

    cdef void unscale(self, Py_ssize_t t) noexcept nogil:
        """Go back from v to w = a v in lane t, and book the sum of its iterates."""
        cdef PyObject* mean = <PyObject*>self.means[t]
        cdef Py_ssize_t j
        for j in range(self.d):
            if self.wanted:
                (<Mean>mean).sum[j] = (
                    (<Mean>mean).sum[j]
                    + self.sum_a[t] * self.V[j, t]
                    - self.lag[j, t]
                )
                self.lag[j, t] = 0.0
            self.V[j, t] *= self.a[t]
        self.a[t], self.sum_a[t] = 1.0, 0.0


def pointers_to(objects):
    """Return the addresses of objects that someone else keeps alive."""
    cdef Py_ssize_t[::1] at = np.empty(len(objects), dtype=np.intp)
    cdef Py_ssize_t t
    for t in range(len(objects)):
        at[t] = <Py_ssize_t><PyObject*>objects[t]
    return at
