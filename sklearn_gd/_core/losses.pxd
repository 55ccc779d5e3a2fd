cdef class Loss:
    cdef public double width
    cdef double value(self, double y, double f) noexcept nogil
    cdef double derivative(self, double y, double f) noexcept nogil
    cdef double second(self, double y, double f) noexcept nogil
    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil
