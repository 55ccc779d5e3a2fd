# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The loop over rows, once: dense and CSR, all rows a step or a few.

There are neither formulas nor options here: the loss, the penalty, the rule and the
rows are objects that the loop calls. w holds the d coefficients and, behind them, the
intercept if there is one.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY

import numpy as np

from sklearn_gd._core.debts cimport Debts
from sklearn_gd._core.losses cimport Flight, Loss
from sklearn_gd._core.order cimport Order
from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rows cimport Rows
from sklearn_gd._core.rules cimport Descent, Rule
from sklearn_gd._core.touched cimport Touched

cdef extern from "isa.h":
    void sgd_prefetch(const void* p) noexcept nogil

cdef enum:
    # Rows in hand at once, at most, and values of X: 4 kB, which are still in the
    # nearest cache when they are used again, and don't stop the stream from memory.
    ROWS = 256
    VALUES = 512
    # Values visited between two looks for Ctrl-C: about a millisecond.
    PATIENCE = 1 << 22


@cython.final
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
    batch : int
        Rows of a whole step: on fewer, at the end of an epoch, the step is shorter in
        proportion. An automatic step may be too long for few rows. 0 is the textbook's:
        all steps are whole.

    Attributes
    ----------
    last : float
        The size of the last step.
    """

    def __init__(
        self, double eta, double power=0.0, Py_ssize_t made=0, Py_ssize_t batch=0
    ):
        self.eta = eta
        self.power = power
        self.made = made
        self.last = eta
        self.batch = batch

    def advance(self):
        """Count one step on all rows and return its size."""
        return self.next(self.batch)


@cython.final
cdef class Mean:
    """The mean of the iterates of an epoch, or nothing if it was not asked for."""

    def __init__(
        self, Py_ssize_t size, bint wanted, sum=None, Py_ssize_t count=0
    ):
        self.sum = np.zeros(size) if sum is None else sum
        self.count = count
        self.wanted = wanted

    def __reduce__(self):
        return Mean, (len(self.sum), self.wanted, np.array(self.sum), self.count)

    @property
    def w(self):
        """The mean so far, 0 where there is none."""
        return np.asarray(self.sum) / max(1, self.count)

    cdef void add(self, const double* w) noexcept nogil:
        cdef Py_ssize_t j
        if self.wanted:
            self.count += 1
            for j in range(self.sum.shape[0]):
                self.sum[j] += w[j]


@cython.final
cdef class Problem:
    """F(w) = (1/n) Σ_i s_i ℓ(y_i − offset, a_i·w) + penalty(w), a_i = (x_i, 1) or x_i.

    Parameters
    ----------
    rows : Rows
    y : ndarray of shape (rows.n,) or None
        None is y = offset, with which ∇F(v) = ∇²F v for the squared error.
    loss : Loss
    penalty : Penalty
    intercept : bool
    offset : float, default=0.0
        What the intercept is relative to.
    s : ndarray of shape (rows.n,), default=None
        The weights; None is 1.
    unit : float, default=1.0
        What the weights are divided by, which makes their mean 1.
    kept : ndarray of int of shape (n,), default=None
        The rows that count, all others having weight 0; None is all. No other row is
        ever read.
    """

    def __init__(
        self,
        Rows rows,
        y,
        Loss loss,
        Penalty penalty,
        bint intercept,
        *,
        double offset=0.0,
        s=None,
        double unit=1.0,
        kept=None,
    ):
        for values in (y, s):
            if values is not None and len(values) != rows.n:
                raise ValueError("y and s must have one value a row.")
        if kept is not None and not (
            len(kept) and 0 <= np.min(kept) and np.max(kept) < rows.n
        ):
            raise ValueError("kept points outside the rows.")
        self.rows = rows
        self.y = y
        self.s = s
        self.targeted = y is not None
        self.weighted = s is not None
        self.kept = kept
        self.n = rows.n if kept is None else len(kept)
        self.loss = loss
        self.penalty = penalty
        self.intercept = intercept
        self.offset = offset
        self.unit = unit
        self.visited = 0
        self.room = np.empty(LAZY, dtype=np.intp)
        self.at = &self.room[0]
        self.f, self.t, self.u, self.c = np.empty((4, LAZY))
        self.g = np.empty(rows.d + intercept)

    cdef Py_ssize_t rows_at_once(self) noexcept nogil:
        return max(4, min(ROWS, VALUES // max(1, self.rows.stored))) // 4 * 4

    cdef double look(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double a
    ) noexcept nogil:
        """Return the sum of the losses of these rows at a·w (the intercept at w), and
        write their derivatives to c."""
        cdef double bias = w[self.rows.d] if self.intercept else 0.0
        cdef double* f = &self.f[0]
        cdef Py_ssize_t k
        if a != 0.0:
            self.rows.dot(at, count, w, f)
            for k in range(count):
                f[k] = a * f[k] + bias
        else:
            for k in range(count):
                f[k] = bias
        self.aim(at, count)
        return self.lose(count)

    cdef void aim(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        """Get the targets and weights of these rows."""
        cdef double* t = &self.t[0]
        cdef double* u = &self.u[0]
        cdef double offset = self.offset
        cdef const double* y
        cdef Py_ssize_t k
        if self.targeted:
            y = &self.y[0]
            for k in range(count):
                t[k] = y[at[k]] - offset
        else:
            for k in range(count):
                t[k] = 0.0
        if self.weighted:
            for k in range(count):
                u[k] = self.s[at[k]] / self.unit

    cdef double lose(self, Py_ssize_t count) noexcept nogil:
        """Return the sum of the losses of the rows in hand, and write their derivatives
        to c."""
        return self.loss.rows(
            count,
            &self.t[0],
            &self.f[0],
            &self.u[0] if self.weighted else NULL,
            &self.c[0],
        )

    cdef void add(
        self, const Py_ssize_t* at, Py_ssize_t count, double* g, bint onward
    ) noexcept nogil:
        """g ← g + Σ_k c_k a_i, i = at_k."""
        cdef double* c = &self.c[0]
        cdef double total = 0.0
        cdef Py_ssize_t k
        self.rows.add(at, count, c, g, onward)
        if self.intercept:
            for k in range(count):
                total += c[k]
            g[self.rows.d] += total

    cdef Py_ssize_t pass_on(
        self, Py_ssize_t first, Py_ssize_t last
    ) except -1 nogil:
        """Take the next rows of a pass, in the order in which they lie."""
        cdef Py_ssize_t count = min(self.rows_at_once(), last - first)
        cdef Py_ssize_t* room = &self.room[0]
        cdef Py_ssize_t k
        if self.kept is None:
            for k in range(count):
                room[k] = first + k
        else:
            for k in range(count):
                room[k] = self.kept[first + k]
        self.at = room
        self.heed_signals(count)
        return count

    cdef void ask_targets(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(count):
            sgd_prefetch(&self.y[at[k]])

    cdef void ask(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil:
        """Ask for what is known of these rows, except their values."""
        cdef Py_ssize_t k
        self.rows.locate(at, count)
        self.ask_targets(at, count)
        if self.weighted:
            for k in range(count):
                sgd_prefetch(&self.s[at[k]])

    cdef Py_ssize_t take(self, Order order, Py_ssize_t need) except -1 nogil:
        """Take the next rows of an epoch, and ask for those after them.

        Returns how many rows: fewer than ``need`` only at the end.
        """
        cdef Py_ssize_t count = self.take_some(order, need)
        cdef Py_ssize_t more, k
        self.at = self.ahead.at
        if 0 < count < need:
            # They go on in another group.
            for k in range(count):
                self.room[k] = self.at[k]
            self.at = &self.room[0]
            while count < need:
                more = self.take_some(order, need - count)
                if more == 0:
                    break
                for k in range(more):
                    self.room[count + k] = self.ahead.at[k]
                count += more
        self.heed_signals(count)
        return count

    cdef Py_ssize_t take_some(self, Order order, Py_ssize_t need) noexcept nogil:
        cdef Py_ssize_t count = order.take(need, &self.ahead)
        cdef Py_ssize_t first, last
        if self.rows.mapped:
            while order.ask(&first, &last):
                self.rows.fetch(first, last)
        self.ask(self.ahead.far, self.ahead.far_count)
        self.rows.prefetch(self.ahead.near, self.ahead.near_count, False)
        self.rows.prefetch(self.ahead.next, self.ahead.next_count, True)
        return count

    cdef int heed_signals(self, Py_ssize_t count) except -1 nogil:
        self.visited += count * (self.rows.stored + 1)
        if self.visited > PATIENCE:
            self.visited = 0
            with gil:
                PyErr_CheckSignals()
        return 0

    cdef void check(self, w) except *:
        if w.shape[0] != self.g.shape[0]:
            raise ValueError(f"Expected {self.g.shape[0]} coordinates.")

    def value_and_gradient(self, const double[::1] w, double[::1] g):
        """Return F(w) and write ∇F(w) to g, in one pass over the rows.

        Where the penalty has a kink, the gradient is that of the rest.
        """
        g[:] = 0.0
        return self.finish(self.add_rows(w, g, 0, self.n), w, g)

    def add_rows(
        self, const double[::1] w, double[::1] g, Py_ssize_t first, Py_ssize_t last
    ):
        """Return the sum of the losses of these rows, and add their gradients to g."""
        cdef double total = 0.0
        cdef Py_ssize_t count
        self.check(w)
        self.check(g)
        if not 0 <= first <= last <= self.n:
            raise ValueError(f"Expected rows between 0 and {self.n}.")
        with nogil:
            while first < last:
                count = self.pass_on(first, last)
                total += self.look(self.at, count, &w[0], 1.0)
                self.add(self.at, count, &g[0], True)
                first += count
        return total

    def finish(self, double total, const double[::1] w, double[::1] g):
        """Return F(w) and make g ∇F(w), from the sums over all rows."""
        cdef Py_ssize_t j
        self.check(w)
        self.check(g)
        for j in range(g.shape[0]):
            g[j] /= self.n
        self.penalty.add_gradient(&w[0], &g[0], self.rows.d)
        return total / self.n + self.penalty.value(&w[0], self.rows.d)

    def predict(self, const double[::1] w):
        """Return a_i·w of all rows that count."""
        cdef double[::1] f = np.empty(self.n)
        cdef Py_ssize_t first = 0
        cdef Py_ssize_t count, k
        self.check(w)
        with nogil:
            while first < self.n:
                count = self.pass_on(first, self.n)
                self.look(self.at, count, &w[0], 1.0)
                for k in range(count):
                    f[first + k] = self.f[k]
                first += count
        return np.asarray(f)

    def value(self, const double[::1] w):
        """Return F(w), at w = 0 without reading X."""
        cdef double total = 0.0
        cdef double a = 1.0 if np.any(w[: self.rows.d]) else 0.0
        cdef Py_ssize_t first = 0
        cdef Py_ssize_t count
        self.check(w)
        with nogil:
            while first < self.n:
                count = self.pass_on(first, self.n)
                total += self.look(self.at, count, &w[0], a)
                first += count
        return total / self.n + self.penalty.value(&w[0], self.rows.d)

    def norms(self, const double[::1] scale):
        """Return max_i s_i Σ_j scale_j a_ij², and the mean squares of the columns.

        Parameters
        ----------
        scale : ndarray of shape (d + intercept,)

        Returns
        -------
        largest : float
        squares : ndarray of shape (d,)
            (1/n) Σ_i s_i x_ij².
        """
        cdef double[::1] squares = np.zeros(self.rows.d)
        cdef double largest = 0.0
        cdef double norm, s
        cdef Py_ssize_t first = 0
        cdef Py_ssize_t count, k, i
        self.check(scale)
        with nogil:
            while first < self.n:
                count = self.pass_on(first, self.n)
                for k in range(count):
                    i = self.at[k]
                    s = self.s[i] / self.unit if self.weighted else 1.0
                    norm = self.rows.norm(i, &scale[0])
                    if self.intercept:
                        norm += scale[self.rows.d]
                    if s * norm > largest or norm != norm:
                        largest = s * norm if norm == norm else INFINITY
                    self.rows.add_squares(i, s, &squares[0])
                first += count
        return largest, np.asarray(squares) / self.n

    def epoch(
        self,
        Rule rule,
        double[::1] w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ):
        """Visit the rows in this order, ``batch`` rows a step, and move w.

        Returns the mean of the loss of each row just before its step.
        """
        cdef double total
        cdef bint smooth = self.penalty.is_smooth
        cdef bint descent = type(rule) is Descent
        cdef bint sparse = self.rows.sparse and batch <= LAZY
        cdef Touched part = None
        cdef Debts debts = None
        self.check(w)
        self.check(mean.sum)
        if rule.size != w.shape[0]:
            raise ValueError("The rule was made for another number of coordinates.")
        if order.limit > self.rows.n:
            raise ValueError("order points outside the rows.")
        if sparse and descent and not smooth:
            debts = Debts(self.rows, self.penalty, mean.wanted)
        elif sparse and rule.can_skip(self.penalty):
            part = Touched(self.rows, self.intercept, w)
        with nogil:
            if order.near and order.position == 0 and order.coming_size > 0:
                # Nothing has asked for the first group.
                self.ask(order.group, order.size)
                self.rows.prefetch(order.group, order.size, False)
            if part is not None:
                total = self.sparse_rule(rule, part, &w[0], order, batch, steps, mean)
            elif sparse and descent:
                total = self.sparse_descent(debts, &w[0], order, batch, steps, mean)
            elif descent and smooth and not self.rows.sparse and batch == 1:
                total = self.dense_descent(&w[0], order, steps, mean)
            elif descent and not self.rows.sparse and batch == 1:
                total = self.dense_prox(&w[0], order, steps, mean)
            else:
                total = self.any_rule(rule, &w[0], order, batch, steps, mean)
        return total / max(1, order.n)

    cdef double any_rule(
        self,
        Rule rule,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil:
        cdef double* g = &self.g[0]
        cdef double total = 0.0
        cdef Py_ssize_t count, seen, j
        while True:
            for j in range(rule.size):
                g[j] = 0.0
            seen = 0
            while seen < batch:
                count = self.take(order, min(self.rows_at_once(), batch - seen))
                if count == 0:
                    break
                total += self.look(self.at, count, w, 1.0)
                self.add(self.at, count, g, False)
                seen += count
            if seen == 0:
                return total
            self.visited += rule.size
            for j in range(rule.size):
                g[j] /= seen
            self.penalty.add_gradient(w, g, self.rows.d)
            rule.step(w, g, steps.next(seen))
            mean.add(w)

    cdef double dense_descent(
        self, double* w, Order order, Steps steps, Mean mean
    ) except? -1 nogil:
        """Plain descent, one dense row a step, four rows in flight."""
        cdef Py_ssize_t d = self.rows.d
        cdef double total = 0.0
        cdef double products[6]
        cdef double z[4]
        cdef double u[4]
        cdef double sum_u[4]
        cdef double* v
        cdef double[::1] room
        cdef Flight flight
        cdef Py_ssize_t count, first, size, j
        cdef const Py_ssize_t* at
        with gil:
            # Whole vectors of w, of which the last ends with zeros.
            room = np.zeros(d + 4)
        v = &room[0]
        for j in range(d):
            v[j] = w[j]
        flight.z, flight.products, flight.K = z, products, 1
        flight.u, flight.sum_u = u, sum_u
        flight.bias = w[d] if self.intercept else 0.0
        while True:
            count = self.take(order, RUN)
            if count == 0:
                break
            self.aim(self.at, count)
            for first in range(0, count, 4):
                size = flight.size = min(4, count - first)
                at = &self.at[first]
                self.rows.meet(at, size, v, z, products)
                self.fly(first, steps, mean, &flight)
                if mean.wanted:
                    for j in range(d):
                        mean.sum[j] += flight.sum_a * v[j]
                    self.rows.add(at, size, sum_u, &mean.sum[0], False)
                if flight.a != 1.0:
                    for j in range(d):
                        v[j] *= flight.a
                self.rows.move(at, size, u, v)
            total += self.lose(count)
        for j in range(d):
            w[j] = v[j]
        if self.intercept:
            w[d] = flight.bias
        return total

    cdef void fly(
        self, Py_ssize_t first, Steps steps, Mean mean, Flight* flight
    ) noexcept nogil:
        """Make the steps of up to four dense rows in hand, but for w."""
        cdef Py_ssize_t K = flight.K
        cdef double bias = flight.bias
        cdef double shrinks
        cdef Py_ssize_t k, i
        for k in range(flight.size):
            flight.eta[k] = steps.next(1)
        flight.y, flight.f = &self.t[first], &self.f[first]
        flight.s = &self.u[first] if self.weighted else NULL
        flight.l2 = self.penalty.l2
        flight.one = 1.0 if self.intercept else 0.0
        self.loss.descend(flight)
        flight.a, flight.sum_a = 1.0, 0.0
        if flight.l2 == 0.0 and not mean.wanted:
            return
        for k in range(flight.size):
            shrinks = 1.0 - flight.eta[k] * flight.l2
            flight.a *= shrinks
            flight.sum_a += flight.a
            for i in range(k):
                flight.u[i * K] *= shrinks
            flight.sum_u[k * K] = 0.0
            for i in range(k + 1):
                flight.sum_u[i * K] += flight.u[i * K]
            bias += flight.u[k * K] * flight.one
            if mean.wanted and self.intercept:
                mean.sum[self.rows.d] += bias
        if mean.wanted:
            mean.count += flight.size

    cdef double dense_prox(
        self, double* w, Order order, Steps steps, Mean mean
    ) except? -1 nogil:
        """Plain descent, one dense row a step, each ending with the penalty's prox,
        which the row's own pass over w makes: v = (1 − η l2) w − η ℓ′ x, w = prox(v).
        """
        cdef double bias = w[self.rows.d] if self.intercept else 0.0
        cdef double total = 0.0
        cdef double eta, slope
        cdef Py_ssize_t count, k
        while True:
            count = self.take(order, RUN)
            if count == 0:
                return total
            self.aim(self.at, count)
            for k in range(count):
                self.rows.dot(self.at + k, 1, w, &self.f[k])
                self.f[k] += bias
                slope = self.loss.derivative(self.t[k], self.f[k])
                if self.weighted:
                    slope *= self.u[k]
                eta = steps.next(1)
                self.rows.shrink(
                    self.at[k],
                    -eta * slope,
                    w,
                    1.0 - eta * self.penalty.l2,
                    eta * self.penalty.l1,
                    self.penalty.least,
                )
                if self.intercept:
                    bias -= eta * slope
                    w[self.rows.d] = bias
                mean.add(w)
            total += self.lose(count)

    cdef double sparse_descent(
        self,
        Debts debts,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil:
        """Plain descent on CSR rows, touching only the columns that a row has.

        With w = a v, the step w ← w − η (α w + Σ c_i x_i) is a ← (1 − η α) a,
        v ← v − (η/a) Σ c_i x_i. With A_t = a_1 + … + a_t, the sum of the iterates
        after T steps is A_T v_T − Σ_t A_{t−1} (v_t − v_{t−1}), and the second sum is
        kept in ``lag`` (Bottou 2012, section 5.1; Xu 2011). The intercept, the
        last coordinate, is never scaled, so for it a is 1.

        ``debts`` has the proxes of a penalty that is not smooth, and then the sum of
        the iterates.
        """
        cdef Py_ssize_t d = self.rows.d
        cdef double alpha = self.penalty.l2
        cdef double a = 1.0, sum_a = 0.0
        cdef double one = 1.0 if self.intercept else 0.0
        cdef double bias = w[d] if self.intercept else 0.0
        cdef double sum_bias = 0.0
        cdef double total = 0.0
        cdef double eta, scale
        cdef Py_ssize_t count, first, size, k
        cdef const Py_ssize_t* at
        cdef double* f
        cdef double* t
        cdef double* c
        cdef double* sums = &mean.sum[0] if mean.wanted else NULL
        cdef double* lag = NULL
        cdef double[::1] room
        if mean.wanted and debts is None:
            with gil:
                room = np.zeros(d)
            lag = &room[0]
        while True:
            count = self.take(order, max(1, RUN // batch) * batch)
            if count == 0:
                break
            self.aim(self.at, count)
            first = 0
            while first < count:
                size = min(batch, count - first)
                at = self.at + first
                c = &self.c[first]
                f = &self.f[first]
                t = &self.t[first]
                if debts is None or debts.steps == 0:
                    self.rows.dot(at, size, w, f)
                elif mean.wanted:
                    debts.pay_by_rows(at, size, w, sums)
                    self.rows.dot(at, size, w, f)
                else:
                    self.rows.settle(
                        at,
                        size,
                        w,
                        &debts.paid[0],
                        debts.now.thresholds,
                        self.penalty.least,
                        f,
                    )
                for k in range(size):
                    f[k] = a * f[k] + bias
                    c[k] = self.loss.derivative(t[k], f[k])
                    if self.weighted:
                        c[k] *= self.u[first + k]
                eta = steps.next(size)
                a *= 1.0 - eta * alpha
                # The mean is a difference that loses as many digits as a has lost.
                if not 1e-3 < a < 1e3 or (
                    debts is not None and debts.steps == debts.limit
                ):
                    self.unscale(debts, w, a, &sum_a, lag, sums)
                    a = 1.0
                scale = -eta / (size * a)
                for k in range(size):
                    c[k] *= scale
                    bias += one * a * c[k]
                self.rows.add(at, size, c, w, False)
                if debts is not None:
                    debts.grow(eta, a)
                elif mean.wanted:
                    for k in range(size):
                        c[k] *= sum_a
                    self.rows.add(at, size, c, lag, False)
                    sum_a += a
                if mean.wanted:
                    mean.count += 1
                    sum_bias += bias
                first += size
            total += self.lose(count)
        if self.intercept:
            w[d] = bias
            mean.sum[d] += sum_bias
        self.unscale(debts, w, a, &sum_a, lag, sums)
        return total

    cdef double sparse_rule(
        self,
        Rule rule,
        Touched part,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil:
        """Any lazy rule on CSR rows.

        A step touches only the columns that its rows have, and first makes the steps
        that those have missed.

        A column has missed the steps since ``done``. It has made them with the step η
        that they had: before η changes, all columns of a restless rule catch up.
        """
        cdef double total = 0.0
        cdef double eta = 0.0, before = 0.0
        cdef double* sums = &mean.sum[0] if mean.wanted else NULL
        cdef double l2 = self.penalty.l2
        cdef Py_ssize_t count, first, k
        cdef Py_ssize_t t = 0
        while True:
            count = self.take(order, batch)
            if count > 0:
                eta = steps.next(count)
            if count == 0 or (rule.restless and eta != before):
                first = 0
                self.visited += self.rows.d
                while first < self.rows.d:
                    first = part.gather_from(first, t)
                    rule.skip_at(part.at, part.missed, part.size, part.w, before, sums)
                    part.scatter()
                before = eta
            if count == 0:
                break
            part.gather(self.at, count, t)
            rule.skip_at(part.at, part.missed, part.columns, part.w, eta, sums)
            total += self.look_at_part(count, part)
            if l2 != 0.0:
                for k in range(part.columns):
                    part.g[k] += l2 * part.w[k]
            rule.step_at(part.at, part.size, part.w, part.g, eta)
            part.scatter()
            t += 1
            if mean.wanted:
                mean.count += 1
                for k in range(part.size):
                    sums[part.at[k]] += part.w[k]
        for k in range(rule.size):
            w[k] = part.all[k].w
        return total

    cdef double look_at_part(self, Py_ssize_t count, Touched part) noexcept nogil:
        """Return the sum of the losses of the rows in hand, and make part.g the
        gradient of their mean."""
        cdef const long long* numbers = &part.numbers[0]
        cdef double total
        cdef Py_ssize_t k
        self.rows.dot_by(self.at, count, numbers, part.w, &self.f[0])
        if self.intercept:
            for k in range(count):
                self.f[k] += part.w[part.columns]
        self.aim(self.at, count)
        total = self.lose(count)
        for k in range(count):
            self.c[k] /= count
        self.rows.add_by(self.at, count, numbers, &self.c[0], part.g)
        if self.intercept:
            for k in range(count):
                part.g[part.columns] += self.c[k]
        return total

    cdef void unscale(
        self,
        Debts debts,
        double* w,
        double a,
        double* sum_a,
        double* lag,
        double* sums,
    ) noexcept nogil:
        """Go back from v to w = a v, and book what the sum of iterates has so far."""
        cdef Py_ssize_t j
        if debts is not None:
            debts.pay_all(w, sums)
        for j in range(self.rows.d):
            if lag != NULL:
                sums[j] += sum_a[0] * w[j] - lag[j]
                lag[j] = 0.0
            w[j] *= a
        sum_a[0] = 0.0
