cdef class Loss:
    cdef double value(self, double y, double f) noexcept nogil
    cdef double derivative(self, double y, double f) noexcept nogil
