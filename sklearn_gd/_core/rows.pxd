cdef class Rows:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t d
    cdef readonly bint sparse
    cdef double dot(self, Py_ssize_t i, const double* w) noexcept nogil
    cdef void add(self, Py_ssize_t i, double c, double* g) noexcept nogil
    cdef void prefetch(self, Py_ssize_t i) noexcept nogil
