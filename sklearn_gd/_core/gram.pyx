# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The Gram matrix of few columns, which BLAS is slow to compute."""

from cython cimport floating

import numpy as np

ctypedef void (*gram_t)(
    const void*,
    Py_ssize_t,
    Py_ssize_t,
    const double*,
    const double*,
    const double*,
    double*,
    double*,
    Py_ssize_t,
) noexcept nogil

cdef extern from "gram.h":
    enum:
        ROWS
        TALL
        WIDE
    gram_t gram_64 "PICK(gram_64)"
    gram_t gram_32 "PICK(gram_32)"
    bint have_avx2()

# Columns up to which BLAS takes longer: 1.5 times at 20 and at 100 where there is AVX2;
# elsewhere its own kernels are better.
FEW_COLUMNS = 500 if have_avx2() else 32


cdef class Gram:
    """The Gram matrix of rows √s (x − point, y, 1), several rows at a time.

    Parameters
    ----------
    point : ndarray of shape (d,)
    """

    cdef const double[::1] point
    cdef double[::1] panels
    cdef double[:, ::1] sums

    def __init__(self, point):
        size = len(point) + 2
        tall, wide = -(-size // TALL) * TALL, -(-size // WIDE) * WIDE
        self.point = point
        self.panels = np.zeros(ROWS * wide)
        self.sums = np.zeros((tall, wide))

    def add(self, const floating[:, ::1] X, const double[::1] y, const double[::1] s):
        """Add rows of X, y and s."""
        cdef Py_ssize_t n = X.shape[0]
        cdef Py_ssize_t d = self.point.shape[0]
        cdef gram_t gram = gram_64 if floating is double else gram_32
        if X.shape[1] != d or y.shape[0] != n or s.shape[0] != n:
            raise ValueError(f"Expected rows of {d} values, each with a y and an s.")
        with nogil:
            gram(
                &X[0, 0],
                n,
                d,
                &self.point[0],
                &y[0],
                &s[0],
                &self.panels[0],
                &self.sums[0, 0],
                self.sums.shape[1],
            )

    @property
    def lower(self):
        """The matrix so far, of shape (d + 2, d + 2), its upper triangle undefined."""
        size = self.point.shape[0] + 2
        return np.asarray(self.sums)[:size, :size]
