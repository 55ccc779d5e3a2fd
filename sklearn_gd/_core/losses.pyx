# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Losses: ℓ(y, f) of one residual and its derivative with respect to f.

A new loss is a final subclass of ``Loss``, its name in ``AnyLoss``, a line in
``LOSSES``, and a row in the tests' table, which checks it by finite differences.
"""

cimport cython


cdef class Loss:
    """What a step needs to know of a loss."""

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double derivative(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        """Return Σ_k s_k ℓ(y_k, f_k) and write s_k ∂ℓ/∂f to c; s may be NULL, all 1."""
        return 0.0

    def at(self, double y, double f):
        """Return (ℓ, ∂ℓ/∂f) at one point, for tests and the curious."""
        return self.value(y, f), self.derivative(y, f)


@cython.final
cdef class SquaredError(Loss):
    """ℓ = ½ (y − f)², whose ½ makes the gradient the plain residual."""

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.5 * (y - f) * (y - f)

    cdef double derivative(self, double y, double f) noexcept nogil:
        return f - y

    cdef double rows(
        self,
        Py_ssize_t count,
        const double* y,
        const double* f,
        const double* s,
        double* c,
    ) noexcept nogil:
        return over_rows(self, count, y, f, s, c)


ctypedef fused AnyLoss:
    SquaredError


# One loop for all losses, in which the compiler sees the formula: the methods of a
# final class are not virtual.
cdef inline double over_rows(
    AnyLoss loss,
    Py_ssize_t count,
    const double* y,
    const double* f,
    const double* s,
    double* c,
) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t k
    if s == NULL:
        for k in range(count):
            total += loss.value(y[k], f[k])
            c[k] = loss.derivative(y[k], f[k])
    else:
        for k in range(count):
            total += s[k] * loss.value(y[k], f[k])
            c[k] = s[k] * loss.derivative(y[k], f[k])
    return total


LOSSES = {"squared_error": SquaredError}
