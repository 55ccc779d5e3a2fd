# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Losses: ℓ(y, f) of one residual and its derivatives with respect to f.

A new loss is a subclass of ``Loss``, a line in ``LOSSES``, and a row in the tests'
table, which checks it by finite differences.
"""


cdef class Loss:
    """What a step needs to know of a loss, one residual at a time."""

    # max ℓ″ over all residuals: what turns AᵀSA/S into a bound on the Hessian.
    curvature = None

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double derivative(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double second_derivative(self, double y, double f) noexcept nogil:
        return 0.0

    def at(self, double y, double f):
        """Return (ℓ, ∂ℓ/∂f, ∂²ℓ/∂f²) at one point, for tests and the curious."""
        return self.value(y, f), self.derivative(y, f), self.second_derivative(y, f)


cdef class SquaredError(Loss):
    """ℓ = ½ (y − f)², whose ½ makes the gradient the plain residual."""

    curvature = 1.0

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.5 * (y - f) * (y - f)

    cdef double derivative(self, double y, double f) noexcept nogil:
        return f - y

    cdef double second_derivative(self, double y, double f) noexcept nogil:
        return 1.0


LOSSES = {"squared_error": SquaredError}
