# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The coordinates that a batch of sparse rows touches."""

cimport cython
from libc.string cimport memset

import numpy as np

from sklearn_gd._core.rows cimport Rows

cdef enum:
    LINE = 64
    # Columns that are gathered as they lie, at once.
    SOME = 1024


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
        self.make_room(SOME)
        self.all_room = np.zeros(4 * (rows.d + 3))
        self.all = <Column*>((<size_t>&self.all_room[0] + LINE - 1) // LINE * LINE)
        for j in range(w.shape[0]):
            self.all[j].w = w[j]

    cdef make_room(self, Py_ssize_t held):
        """Make room for so many values, of as many columns."""
        self.numbers = np.empty(held, dtype=np.longlong)
        self.at_room = np.empty((2, held + 1), dtype=np.intp)
        self.at, self.missed = &self.at_room[0, 0], &self.at_room[1, 0]
        self.room = np.empty((2, held + 1))
        self.w, self.g = &self.room[0, 0], &self.room[1, 0]

    cdef int gather(
        self, const Py_ssize_t* rows, Py_ssize_t count, Py_ssize_t t
    ) except -1 nogil:
        """Number the coordinates of these rows, the intercept last, for step t."""
        cdef Py_ssize_t held = self.rows.held(rows, count)
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t* at
        cdef Py_ssize_t* missed
        cdef double* w
        cdef Column* column
        cdef long long* numbers
        cdef Py_ssize_t k, j
        cdef bint new
        if held > self.numbers.shape[0]:
            with gil:
                self.make_room(2 * held)
        at, missed, w = self.at, self.missed, self.w
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

    cdef Py_ssize_t gather_from(self, Py_ssize_t first, Py_ssize_t t) noexcept nogil:
        """Number some columns as they lie, for what they have missed before step t.

        Returns the first that is left.
        """
        cdef Py_ssize_t last = min(first + SOME, self.rows.d)
        cdef Py_ssize_t j, k
        for j in range(first, last):
            k = j - first
            self.at[k] = j
            self.missed[k] = t - self.all[j].done
            self.w[k] = self.all[j].w
            self.all[j].done = t
        self.columns = self.size = last - first
        return last

    cdef void scatter(self) noexcept nogil:
        """Let what is gathered go back to its place."""
        cdef Py_ssize_t k
        for k in range(self.size):
            self.all[self.at[k]].w = self.w[k]
