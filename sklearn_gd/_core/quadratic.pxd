from sklearn_gd._core.penalties cimport Penalty


cdef class Watch:
    cdef readonly double F
    cdef readonly double best_F
    cdef readonly double[::1] best
    cdef readonly bint improved
    cdef public double floor
    cdef double ceiling
    cdef double noise
    cdef double small
    cdef const double[::1] mean
    cdef const double[::1] scale
    cdef Penalty penalty
    cdef bint heeds_rise
    cdef bint is_above(self, double F, double other) noexcept nogil
    cdef bint is_small(
        self, const double* w, const double* g, bint intercept
    ) noexcept nogil
    cdef bint sees(self, const double* w, double F) noexcept nogil


cdef class Quadratic:
    cdef readonly Py_ssize_t size
    cdef const double[::1] mean
    cdef const double[:, ::1] gram
    cdef Penalty penalty
    cdef double base_size
    cdef double kinked(self, const double* w) noexcept nogil
    cdef bint intercept
    cdef double[::1] base
    cdef double[::1] base_g
    cdef readonly double base_F
    cdef double[::1] apart
    cdef double at(self, const double* w, double* g) noexcept nogil
    cdef int check(self, const double[::1] w, const double[::1] g) except -1
