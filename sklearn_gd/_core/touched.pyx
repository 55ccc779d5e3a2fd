# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The coordinates that a batch of sparse rows touches."""

cimport cython
from libc.string cimport memset

import numpy as np

from sklearn_gd._core.rows cimport Rows

cdef enum:
    LINE = 64


@cython.final
cdef class Touched:
    """The coordinates that a batch of sparse rows has, numbered as they are met.

    Their w and g lie side by side: the products of the batch stay in the nearest cache,
    however many columns there are. Between batches, w is here.
    """

    def __init__(self, Rows rows, bint intercept, const double[::1] w):
        cdef Py_ssize_t j
        self.rows = rows
        self.intercept = intercept
        self.numbers = np.empty(1, dtype=np.longlong)
        self.at_room = np.empty((2, rows.d + 1), dtype=np.intp)
        self.at, self.missed = &self.at_room[0, 0], &self.at_room[1, 0]
        self.room = np.empty((2, rows.d + 1))
        self.w, self.g = &self.room[0, 0], &self.room[1, 0]
        self.all_room = np.zeros(4 * (rows.d + 3))
        self.all = <Column*>((<size_t>&self.all_room[0] + LINE - 1) // LINE * LINE)
        for j in range(w.shape[0]):
            self.all[j].w = w[j]

    cdef int gather(
        self, const Py_ssize_t* rows, Py_ssize_t count, Py_ssize_t t
    ) except -1 nogil:
        """Number the coordinates of these rows, the intercept last, for step t."""
        cdef Py_ssize_t held = self.rows.held(rows, count)
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t* at = self.at
        cdef Py_ssize_t* missed = self.missed
        cdef double* w = self.w
        cdef Column* column
        cdef long long* numbers
        cdef Py_ssize_t k, j
        cdef bint new
        if held > self.numbers.shape[0]:
            with gil:
                self.numbers = np.empty(2 * held, dtype=np.longlong)
        numbers = &self.numbers[0]
        self.rows.columns(rows, count, numbers)
        for k in range(held):
            # Without a branch, which would be guessed wrong now and then, and wait.
            j = numbers[k]
            column = &self.all[j]
            new = column.done <= t
            at[size], missed[size], w[size] = j, t - column.done, column.w
            column.done = t + 1
            column.number += new * (size - column.number)
            numbers[k] = column.number
            size += new
        self.columns = size
        if self.intercept:
            at[size], w[size] = self.rows.d, self.all[self.rows.d].w
            size += 1
        memset(self.g, 0, size * sizeof(double))
        self.size = size
        return 0

    cdef void gather_all(self, Py_ssize_t t) noexcept nogil:
        """Number all columns as they lie, for what they have missed before step t."""
        cdef Py_ssize_t j
        for j in range(self.rows.d):
            self.at[j] = j
            self.missed[j] = t - self.all[j].done
            self.w[j] = self.all[j].w
            self.all[j].done = t
        self.columns = self.size = self.rows.d

    cdef void scatter(self) noexcept nogil:
        """Let what is gathered go back to its place."""
        cdef Py_ssize_t k
        for k in range(self.size):
            self.all[self.at[k]].w = self.w[k]
