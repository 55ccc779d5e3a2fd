# Up to four rows, each a step of plain descent from w: see ``Loss.descend``.
cdef struct Flight:
    Py_ssize_t size
    # Targets, weights (NULL: all 1) and step sizes.
    const double* y
    const double* s
    double eta[4]
    double l2
    # Whether there is an intercept, 1 or 0, and where it is.
    double one, bias
    # Products of the rows with w, and with one another: 01, 02, 12, 03, 13, 23.
    const double* z
    const double* products
    # What comes out: the predictions, and what the steps make of w, a w + Σ_k u_k x_k,
    # and of the sum of their iterates, sum_a w + Σ_k sum_u_k x_k.
    double* f
    double* u
    double* sum_u
    double a, sum_a
    # Every K-th of z, u and sum_u counts.
    Py_ssize_t K


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
    cdef void descend(self, Flight* flight) noexcept nogil
