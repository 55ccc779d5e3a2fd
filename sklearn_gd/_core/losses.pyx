# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Losses: ℓ(y, f) of one residual and its derivative with respect to f.

A new loss is a subclass of ``Loss``, a line in ``LOSSES``, and a row in the tests'
table, which checks it by finite differences.
"""


cdef class Loss:
    """What a step needs to know of a loss, one residual at a time."""

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.0

    cdef double derivative(self, double y, double f) noexcept nogil:
        return 0.0

    def at(self, double y, double f):
        """Return (ℓ, ∂ℓ/∂f) at one point, for tests and the curious."""
        return self.value(y, f), self.derivative(y, f)


cdef class SquaredError(Loss):
    """ℓ = ½ (y − f)², whose ½ makes the gradient the plain residual."""

    cdef double value(self, double y, double f) noexcept nogil:
        return 0.5 * (y - f) * (y - f)

    cdef double derivative(self, double y, double f) noexcept nogil:
        return f - y


LOSSES = {"squared_error": SquaredError}
