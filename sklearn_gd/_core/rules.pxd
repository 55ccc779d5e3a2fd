cdef class Rule:
    cdef readonly Py_ssize_t size
    cdef void step(self, double* w, const double* g, double eta) noexcept nogil
    cdef void follow(self, const double* w) noexcept nogil


cdef class Descent(Rule):
    pass


cdef class Momentum(Rule):
    cdef public double[::1] m
    cdef readonly double momentum


cdef class Adaptive(Rule):
    cdef public double[::1] G
    cdef public double[::1] reach
    cdef public const double[::1] start
    cdef public double[::1] eps
    cdef public double[::1] cap
    cdef readonly double given_eps
    cdef inline double effective(self, Py_ssize_t j, double eta) noexcept nogil


cdef class AdaGrad(Adaptive):
    pass


cdef class RMSprop(Adaptive):
    cdef readonly double rho
