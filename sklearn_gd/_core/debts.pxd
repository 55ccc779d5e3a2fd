cimport cython

from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rows cimport Rows


cdef struct Sums:
    # Of the steps so far: the thresholds T, the scales a, and a T.
    double thresholds, scales, products


@cython.final
cdef class Debts:
    cdef Rows rows
    cdef double l1
    cdef bint positive
    cdef Py_ssize_t steps, limit
    cdef Sums now
    # Of each column when it last paid: T, and the steps made.
    cdef double[::1] paid
    cdef Py_ssize_t[::1] since
    cdef bint summing
    cdef double[:, ::1] past
    cdef long long[::1] columns

    cdef inline void grow(self, double eta, double a) noexcept nogil:
        """Let all columns owe one prox more."""
        self.steps += 1
        self.now.thresholds += eta * self.l1 / a
        if self.summing:
            self.now.scales += a
            self.now.products += a * self.now.thresholds
            (<Sums*>&self.past[self.steps, 0])[0] = self.now

    cdef inline double pay(
        self, Py_ssize_t j, double v, double* total
    ) noexcept nogil
    cdef int pay_by_rows(
        self, const Py_ssize_t* at, Py_ssize_t count, double* v, double* total
    ) except -1 nogil
    cdef void pay_all(self, double* v, double* total) noexcept nogil
