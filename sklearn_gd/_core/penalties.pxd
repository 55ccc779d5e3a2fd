from libc.math cimport fabs, fmax


cdef class Penalty:
    cdef readonly double l1
    cdef readonly double l2
    cdef readonly bint positive
    # −least is what w < 0 may move by to reach 0, where that is more than η l1.
    cdef readonly double least
    cdef readonly bint is_smooth
    cdef double value(self, const double* w, Py_ssize_t d) noexcept nogil
    cdef void add_gradient(
        self, const double* w, double* g, Py_ssize_t d
    ) noexcept nogil

    cdef inline double prox(self, double w, double eta) noexcept nogil:
        """Return argmin_v ½ (v − w)² + η (l1 |v|), v ≥ 0 if that is asked for: w moved
        towards 0 by η l1, and not past it."""
        if self.positive:
            return fmax(0.0, w - eta * self.l1) if w == w else w
        if fabs(w) <= eta * self.l1:
            return 0.0
        return w - eta * self.l1 if w > 0.0 else w + eta * self.l1

    cdef inline double steepest(self, double w, double g) noexcept nogil:
        """Return the subgradient of least size at w, where the smooth part has g."""
        if w > 0.0:
            return g + self.l1
        if w < 0.0:
            return g - self.l1
        if g < -self.l1:
            return g + self.l1
        if g > self.l1 and not self.positive:
            return g - self.l1
        return 0.0 if g == g else g
