# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Penalties: alpha · penalty(w), over the d coefficients, never the intercept."""


cdef class Penalty:
    """No penalty at all; ``alpha`` is 0 whatever was asked for.

    ``is_scaling`` says that the gradient is alpha w, so that a step on it multiplies w
    by 1 − η alpha, which a loop over sparse rows need not do one by one.
    """

    def __init__(self, double alpha=0.0):
        self.alpha = 0.0
        self.is_scaling = True

    cdef double value(self, const double* w, Py_ssize_t d) noexcept nogil:
        return 0.0

    cdef void add_gradient(
        self, const double* w, double* g, Py_ssize_t d
    ) noexcept nogil:
        pass

    def at(self, const double[::1] w, double[::1] gradient):
        """Return the value at w and add the gradient to ``gradient``."""
        self.add_gradient(&w[0], &gradient[0], w.shape[0])
        return self.value(&w[0], w.shape[0])


cdef class L2(Penalty):
    """alpha/2 ‖w‖²."""

    def __init__(self, double alpha=0.0):
        self.alpha = alpha
        self.is_scaling = True

    cdef double value(self, const double* w, Py_ssize_t d) noexcept nogil:
        cdef double total = 0.0
        cdef Py_ssize_t j
        for j in range(d):
            total += w[j] * w[j]
        return 0.5 * self.alpha * total

    cdef void add_gradient(
        self, const double* w, double* g, Py_ssize_t d
    ) noexcept nogil:
        cdef Py_ssize_t j
        if self.alpha == 0.0:
            return
        for j in range(d):
            g[j] += self.alpha * w[j]


PENALTIES = {None: Penalty, "l2": L2}
