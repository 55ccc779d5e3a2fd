# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The proxes of plain descent that are due on columns which sparse rows don't have."""

cimport cython
from libc.math cimport fabs

import numpy as np

from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rows cimport Rows

cdef enum:
    # Steps after which all columns pay, at least: so seldom that it costs nothing, and
    # so often that the sums are not large against w and take no more room.
    LIMIT = 1024


@cython.final
cdef class Debts:
    """What each column owes, where v of w = a v is kept, a > 0.

    Without a gradient, the proxes of the steps s + 1 … t are one: |v| becomes
    max(0, |v| + T_s − T_t), where T sums the thresholds η l1/a. Up to step r, the last
    that leaves something, the iterates add up to Σ a_i (|v| + T_s − T_i), which the
    sums of a_i and of a_i T_i give.

    Parameters
    ----------
    rows : Rows
    penalty : Penalty
    summing : bool
        Whether the sum of the iterates is asked for.
    """

    def __init__(self, Rows rows, Penalty penalty, bint summing):
        self.rows = rows
        self.l1 = penalty.l1
        self.positive = penalty.positive
        self.limit = max(rows.d, LIMIT)
        self.paid = np.zeros(rows.d)
        self.summing = summing
        if summing:
            self.since = np.zeros(rows.d, dtype=np.intp)
            self.past = np.zeros((self.limit + 1, 3))
            self.columns = np.empty(1, dtype=np.longlong)

    cdef inline double pay(
        self, Py_ssize_t j, double v, double* total
    ) noexcept nogil:
        """Return v of column j after what it owes, and add its iterates to total."""
        cdef double sign = 1.0 if v > 0.0 else -1.0
        cdef double size = 0.0 if self.positive and v < 0.0 else fabs(v)
        cdef double reach = size + self.paid[j]
        cdef double left = reach - self.now.thresholds
        cdef Sums* past
        cdef Py_ssize_t first, last, end, middle
        if total != NULL:
            past = <Sums*>&self.past[0, 0]
            first = self.since[j]
            last = end = self.steps
            if left <= 0.0:
                # r lies in first … last, and is found in halves.
                last = first
                while last + 1 < end:
                    middle = (last + end) // 2
                    if past[middle].thresholds < reach:
                        last = middle
                    else:
                        end = middle
            total[j] += sign * (
                reach * (past[last].scales - past[first].scales)
                - (past[last].products - past[first].products)
            )
            self.since[j] = self.steps
        self.paid[j] = self.now.thresholds
        return 0.0 if left <= 0.0 else sign * left

    cdef int pay_by_rows(
        self, const Py_ssize_t* at, Py_ssize_t count, double* v, double* total
    ) except -1 nogil:
        """Let the columns of these rows pay."""
        cdef Py_ssize_t held = self.rows.held(at, count)
        cdef Py_ssize_t k
        if held > self.columns.shape[0]:
            with gil:
                self.columns = np.empty(2 * held, dtype=np.longlong)
        self.rows.columns(at, count, &self.columns[0])
        for k in range(held):
            v[self.columns[k]] = self.pay(self.columns[k], v[self.columns[k]], total)
        return 0

    cdef void pay_all(self, double* v, double* total) noexcept nogil:
        """Let all columns pay, and begin anew."""
        cdef Py_ssize_t j
        if self.steps == 0:
            return
        for j in range(self.rows.d):
            v[j] = self.pay(j, v[j], total)
            self.paid[j] = 0.0
            if self.summing:
                self.since[j] = 0
        self.now.thresholds = self.now.scales = self.now.products = 0.0
        self.steps = 0
