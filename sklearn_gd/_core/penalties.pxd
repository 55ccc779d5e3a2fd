cdef class Penalty:
    cdef readonly double alpha
    cdef readonly bint is_scaling
    cdef double value(self, const double* w, Py_ssize_t d) noexcept nogil
    cdef void add_gradient(
        self, const double* w, double* g, Py_ssize_t d
    ) noexcept nogil
