# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Penalties: alpha · penalty(w), over the d coefficients, never the intercept.

All of them are one formula, l1 ‖w‖₁ + ½ l2 ‖w‖², w ≥ 0 if asked for. Its smooth part
belongs to the gradient. The rest acts after a step, as the step's ``prox``, which is
where exact zeros come from (Parikh and Boyd 2014, Proximal Algorithms, §4.2 and §6.5).
"""

cimport cython
from libc.float cimport DBL_MAX

import numpy as np


@cython.final
cdef class Penalty:
    """l1 ‖w‖₁ + ½ l2 ‖w‖², and w ≥ 0 if ``positive``.

    Attributes
    ----------
    is_smooth : bool
        Whether there is nothing for ``prox`` to do: the gradient is l2 w, so that a
        step on it multiplies w by 1 − η l2, which a loop over sparse rows need not do
        one by one.
    """

    def __init__(self, double l1=0.0, double l2=0.0, bint positive=False):
        self.l1 = l1
        self.l2 = l2
        self.positive = positive
        self.least = -DBL_MAX if positive else 0.0
        self.is_smooth = l1 == 0.0 and not positive

    cdef double value(self, const double* w, Py_ssize_t d) noexcept nogil:
        cdef double size = 0.0, square = 0.0
        cdef Py_ssize_t j
        for j in range(d):
            size += fabs(w[j])
            square += w[j] * w[j]
        # 0 · ∞ has no place here.
        size = self.l1 * size if self.l1 != 0.0 else 0.0
        return size + (0.5 * self.l2 * square if self.l2 != 0.0 else 0.0)

    cdef void add_gradient(
        self, const double* w, double* g, Py_ssize_t d
    ) noexcept nogil:
        """Add the gradient of the smooth part."""
        cdef Py_ssize_t j
        if self.l2 == 0.0:
            return
        for j in range(d):
            g[j] += self.l2 * w[j]

    def at(self, const double[::1] w, double[::1] gradient):
        """Return the value at w and add the smooth part's gradient to ``gradient``."""
        if w.shape[0] != gradient.shape[0]:
            raise ValueError("w and its gradient must have the same length.")
        if w.shape[0] == 0:
            return 0.0
        self.add_gradient(&w[0], &gradient[0], w.shape[0])
        return self.value(&w[0], w.shape[0])

    def proximal(self, const double[::1] w, const double[::1] eta):
        """Return the prox of w with a step η for each coordinate."""
        cdef double[::1] v = np.empty(len(w))
        cdef Py_ssize_t j
        if w.shape[0] != eta.shape[0]:
            raise ValueError("w and eta must have the same length.")
        for j in range(w.shape[0]):
            v[j] = self.prox(w[j], eta[j])
        return np.asarray(v)

    def subgradient(self, const double[::1] w, const double[::1] g):
        """Return the least subgradient of F, where the smooth part of F has g."""
        cdef double[::1] least = np.array(g)
        cdef Py_ssize_t j
        if g.shape[0] < w.shape[0]:
            raise ValueError("g must have a value for each coordinate of w.")
        if not self.is_smooth:
            for j in range(w.shape[0]):
                least[j] = self.steepest(w[j], g[j])
        return np.asarray(least)


# name → the shares of alpha that l1 and l2 get, given l1_ratio
PENALTIES = {
    None: lambda l1_ratio: (0.0, 0.0),
    "l2": lambda l1_ratio: (0.0, 1.0),
    "l1": lambda l1_ratio: (1.0, 0.0),
    "elasticnet": lambda l1_ratio: (l1_ratio, 1.0 - l1_ratio),
}


def penalty(name, alpha, l1_ratio=0.15, positive=False):
    """Return the Penalty of this name."""
    l1, l2 = PENALTIES[name](l1_ratio)
    return Penalty(alpha * l1, alpha * l2, positive)
