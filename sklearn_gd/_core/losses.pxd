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
    cdef double descend(
        self,
        Py_ssize_t count,
        const double* y,
        const double* s,
        const double* eta,
        double alpha,
        double one,
        const double* z,
        Py_ssize_t K,
        const double* products,
        double bias,
        double* f,
        double* u,
    ) noexcept nogil
