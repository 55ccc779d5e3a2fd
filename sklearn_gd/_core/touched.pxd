cimport cython

from sklearn_gd._core.rows cimport Rows


cdef struct Column:
    # The steps that a column has made, its number in the last batch that had it, and
    # its w: together, in one line of the cache.
    long long done, number
    double w
    double unused


@cython.final
cdef class Touched:
    cdef Rows rows
    cdef Py_ssize_t columns, size
    cdef bint intercept
    cdef Py_ssize_t* at
    cdef Py_ssize_t* missed
    cdef double* w
    cdef double* g
    cdef Column* all
    cdef long long[::1] numbers
    cdef Py_ssize_t[:, ::1] at_room
    cdef double[:, ::1] room
    cdef double[::1] all_room
    cdef make_room(self, Py_ssize_t held)
    cdef int gather(
        self, const Py_ssize_t* rows, Py_ssize_t count, Py_ssize_t t
    ) except -1 nogil
    cdef Py_ssize_t gather_from(self, Py_ssize_t first, Py_ssize_t t) noexcept nogil
    cdef void scatter(self) noexcept nogil
