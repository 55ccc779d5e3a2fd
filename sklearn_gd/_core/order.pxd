from libc.stdint cimport uint64_t


cdef class Order:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t limit
    cdef const Py_ssize_t[::1] kept
    cdef bint shuffle
    cdef bint near
    cdef Py_ssize_t[::1] tiles
    cdef Py_ssize_t[:, ::1] room
    cdef Py_ssize_t* group
    cdef Py_ssize_t* coming
    cdef Py_ssize_t group_tiles
    cdef Py_ssize_t next_tile
    cdef Py_ssize_t size, position, coming_size
    cdef uint64_t state
    cdef Py_ssize_t take(
        self,
        Py_ssize_t need,
        Py_ssize_t* at,
        Py_ssize_t* ahead,
        Py_ssize_t* count_ahead,
    ) noexcept nogil
    cdef void load(self) noexcept nogil
    cdef void shift(self) noexcept nogil
