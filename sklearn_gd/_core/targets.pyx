# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Several targets of the same rows: one pass over X for all of them.

Each target is a Problem of its own. Their weights lie side by side, in *lanes*, so that
a value of X that is in a register meets all of them (``lanes.h``).
"""

cimport cython
from cpython.ref cimport PyObject
from libc.math cimport fabs

import numpy as np

from sklearn_gd._core.epoch cimport LAZY, RUN, Flight, Mean, Problem, Steps
from sklearn_gd._core.order cimport Order
from sklearn_gd._core.rules cimport Descent

cdef extern from "lanes.h":
    enum:
        LANES

cdef enum:
    LINE = 64


@cython.final
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
    cdef double[:, ::1] G
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
        self.F, self.C = lanes(LAZY, self.K), lanes(LAZY, self.K)
        self.G = lanes(4, self.K)

    def values_and_gradients(self, points):
        """Return [(F(w), ∇F(w))] of each target at its point w, in one pass."""
        cdef double[:, ::1] W = self.side_by_side(points)
        cdef double[:, ::1] G = lanes(self.d + 1, self.K)
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
        cdef Py_ssize_t count, t
        cdef PyObject* p
        while first < self.first.n:
            count = self.first.pass_on(first, self.first.n)
            self.first.rows.dot_lanes(self.first.at, count, W, K, &self.F[0, 0])
            for t in range(self.k):
                p = <PyObject*>self.problems_at[t]
                (<Problem>p).aim(self.first.at, count)
                totals[t] += self.lose(t, 0, count, 1.0, W[self.d * K + t])
                G[self.d * K + t] += self.put(t, count, &(<Problem>p).c[0], 1.0)
            self.first.rows.add_lanes(self.first.at, count, &self.C[0, 0], K, G)
            first += count
        return 0

    cdef double lose(
        self, Py_ssize_t t, Py_ssize_t first, Py_ssize_t size, double a, double bias
    ) noexcept nogil:
        """Return the sum of the losses of target t on these of the rows in hand, whose
        predictions are a F + bias, and write their derivatives to its c."""
        cdef PyObject* p = <PyObject*>self.problems_at[t]
        cdef double* f = &(<Problem>p).f[first]
        cdef const double* lane = &self.F[0, t]
        cdef Py_ssize_t K = self.K
        cdef Py_ssize_t k
        for k in range(size):
            f[k] = a * lane[k * K] + bias
        return (<Problem>p).loss.rows(
            size,
            &(<Problem>p).t[first],
            f,
            &(<Problem>p).u[first] if self.first.weighted else NULL,
            &(<Problem>p).c[0],
        )

    cdef double put(
        self, Py_ssize_t t, Py_ssize_t size, const double* c, double scale
    ) noexcept nogil:
        """C ← scale c in lane t; return the sum of that."""
        cdef Py_ssize_t K = self.K
        cdef double* lane = &self.C[0, t]
        cdef double total = 0.0
        cdef Py_ssize_t k
        for k in range(size):
            lane[k * K] = scale * c[k]
            total += scale * c[k]
        return total

    cdef side_by_side(self, points):
        """Return W, the last row of which is the intercepts, or 0."""
        W = lanes(self.d + 1, self.K)
        for t, w in enumerate(points):
            (<Problem>self.problems[t]).check(w)
            W[: len(w), t] = w
        return W

    def share_epochs(self, rules, Py_ssize_t batch):
        """Return whether ``epoch`` can be one pass, and is faster so.

        That is plain descent.
        """
        plain = all(type(rule) is Descent for rule in rules)
        return plain and self.first.penalty.is_smooth and batch <= LAZY

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
        self.lag = lanes(self.d if self.wanted else 1, self.K)
        self.a, self.sum_a = np.ones(self.K), np.zeros(self.K)
        with nogil:
            if batch == 1 and not self.first.rows.sparse:
                self.visit_fours(order, &totals[0])
            else:
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
            self.aim(count)
            first = 0
            while first < count:
                size = min(batch, count - first)
                at = self.first.at + first
                self.first.rows.dot_lanes(at, size, &self.V[0, 0], K, &self.F[0, 0])
                for t in range(self.k):
                    totals[t] += self.descend(t, first, size)
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

    cdef int visit_fours(self, Order order, double* totals) except -1 nogil:
        """``visit`` with single dense rows, four in flight, as in ``Problem.fly``."""
        cdef Py_ssize_t K = self.K
        cdef double* V = &self.V[0, 0]
        cdef double* C = &self.C[0, 0]
        cdef double* F = &self.F[0, 0]
        cdef double* G = &self.G[0, 0]
        cdef double products[6]
        cdef double unused[4]
        cdef Py_ssize_t count, first, size, t
        cdef const Py_ssize_t* at
        while True:
            count = self.first.take(order, RUN)
            if count == 0:
                break
            self.aim(count)
            for first in range(0, count, 4):
                size = min(4, count - first)
                at = self.first.at + first
                self.first.rows.dot_lanes(at, size, V, K, F)
                self.first.rows.meet(at, size, V, unused, products)
                for t in range(self.k):
                    self.fly(t, first, size, products)
                if self.wanted:
                    self.add_scaled(&self.sum_a[0], V, &self.lag[0, 0])
                    self.first.rows.add_lanes(at, size, G, K, &self.lag[0, 0])
                if self.first.penalty.l2 != 0.0:
                    self.add_scaled(&self.a[0], V, V)
                self.first.rows.add_lanes(at, size, C, K, V)
            for t in range(self.k):
                totals[t] += (<Problem><PyObject*>self.problems_at[t]).lose(count)
        for t in range(self.k):
            self.a[t], self.sum_a[t] = 1.0, 0.0
        return 0

    cdef void fly(
        self,
        Py_ssize_t t,
        Py_ssize_t first,
        Py_ssize_t size,
        const double* products,
    ) noexcept nogil:
        """Make C the steps of lane t on these rows, G what the sum of the iterates gets
        of them, a and sum_a what is to be added of w itself; and move the intercept.
        """
        cdef PyObject* p = <PyObject*>self.problems_at[t]
        cdef PyObject* steps = <PyObject*>self.steps[t]
        cdef PyObject* mean = <PyObject*>self.means[t]
        cdef double* bias = &self.V[self.d, t]
        cdef Flight flight
        flight.size, flight.K = size, self.K
        flight.z, flight.products = &self.F[0, t], products
        flight.u, flight.sum_u = &self.C[0, t], &self.G[0, t]
        flight.bias = bias[0]
        (<Problem>p).fly(first, <Steps>steps, <Mean>mean, &flight)
        bias[0] = flight.bias
        self.a[t], self.sum_a[t] = flight.a - 1.0, flight.sum_a

    cdef void add_scaled(
        self, const double* a, const double* V, double* W
    ) noexcept nogil:
        """w_t ← w_t + a_t v_t in each lane."""
        cdef Py_ssize_t j, t
        for j in range(self.d):
            for t in range(self.k):
                W[j * self.K + t] += a[t] * V[j * self.K + t]

    cdef void aim(self, Py_ssize_t count) noexcept nogil:
        """Get the targets of the rows in hand, and ask for those of rows to come."""
        cdef PyObject* p
        cdef Py_ssize_t t
        for t in range(self.k):
            p = <PyObject*>self.problems_at[t]
            (<Problem>p).aim(self.first.at, count)
            (<Problem>p).ask_targets(
                self.first.ahead.far, self.first.ahead.far_count
            )

    cdef double descend(
        self, Py_ssize_t t, Py_ssize_t first, Py_ssize_t size
    ) noexcept nogil:
        """Make C the step of lane t on these rows, and move its intercept. Returns the
        sum of their losses.

        w = a v, as in ``Problem.sparse_descent``, where the identities stand.
        """
        cdef PyObject* p = <PyObject*>self.problems_at[t]
        cdef PyObject* steps = <PyObject*>self.steps[t]
        cdef double* bias = &self.V[self.d, t]
        cdef double total = self.lose(t, first, size, self.a[t], bias[0])
        cdef double eta = (<Steps>steps).next(size)
        cdef double moved
        if self.first.penalty.l2 != 0.0:
            self.a[t] *= 1.0 - eta * self.first.penalty.l2
            if fabs(self.a[t]) < 1e-3 or fabs(self.a[t]) > 1e3:
                self.unscale(t)
        moved = self.put(t, size, &(<Problem>p).c[0], -eta / (size * self.a[t]))
        if self.first.intercept:
            bias[0] += self.a[t] * moved
        return total

    cdef void book(self, Py_ssize_t t, Py_ssize_t size) noexcept nogil:
        """Make C what the sum of the iterates of lane t lacks by this step."""
        cdef PyObject* mean = <PyObject*>self.means[t]
        cdef Py_ssize_t k
        (<Mean>mean).count = (<Mean>mean).count + 1
        if self.first.intercept:
            (<Mean>mean).sum[self.d] = (<Mean>mean).sum[self.d] + self.V[self.d, t]
        for k in range(size):
            self.C[k, t] *= -self.sum_a[t]

    cdef void unscale(self, Py_ssize_t t) noexcept nogil:
        """Go back from v to w = a v in lane t, and book the sum of its iterates."""
        cdef PyObject* mean = <PyObject*>self.means[t]
        cdef Py_ssize_t j
        for j in range(self.d):
            if self.wanted:
                (<Mean>mean).sum[j] = (
                    (<Mean>mean).sum[j]
                    + self.sum_a[t] * self.V[j, t]
                    + self.lag[j, t]
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


def lanes(Py_ssize_t n, Py_ssize_t K):
    """Return zeros of shape (n, K) that begin a line of the cache: then 8 lanes are one
    line, not parts of two."""
    room = np.zeros(n * K + LINE // 8 - 1)
    skip = -room.ctypes.data % LINE // 8
    return room[skip : skip + n * K].reshape(n, K)
