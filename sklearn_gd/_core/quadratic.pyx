# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""A quadratic F and its steps, without the rows: what the Gram matrix is for.

F is held relative to a base point, F(base + δ) = F₀ + g₀·δ + ½ δᵀHδ, with F₀ and g₀
from the rows. ½ wᵀHw − bᵀw + c would lose every digit of F for a y far from 0. H itself
is the means and the centred Gram matrix of the columns, for the same reason.
"""

from libc.math cimport fabs, isfinite

import numpy as np

from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rules cimport Rule

# What a sum over many rows loses, relative to F.
ROUNDING = 1e-12
cdef double ABOVE = 1.0 + ROUNDING


cdef class Watch:
    """What ends a run of steps, and the best iterate on the way.

    Parameters
    ----------
    mean, scale : ndarray of shape (d,)
        The gradient is small where |g_j − mean_j g_b| scale_j, and |g_b| of the
        intercept, are at most ``small``; the least subgradient where there are many.
    penalty : Penalty
    noise : float
        The rounding of F, as far as it is not relative.
    small : float
        Negative where a small gradient is no reason to stop.
    heeds_rise : bool
        Whether a rise of F ends the run.
    ceiling : float
        F above this ends it too.

    Attributes
    ----------
    floor : float
        So does F below this.
    F : float
        F before the next step.
    best, best_F
        Where F was lowest, and F there; of iterates equal up to rounding, the last.
    improved : bool
        Whether they have changed since ``begin``.
    """

    def __init__(
        self, mean, scale, Penalty penalty, noise, small, heeds_rise, ceiling
    ):
        self.mean = mean
        self.scale = scale
        self.penalty = penalty
        self.noise = noise
        self.small = small
        self.heeds_rise = heeds_rise
        self.ceiling = ceiling
        self.best = None

    def begin(self, best, double best_F, double F):
        """Prepare for a run that starts at F."""
        self.best = np.array(best)
        self.best_F = best_F
        self.improved = False
        self.F = F

    cdef bint is_above(self, double F, double other) noexcept nogil:
        """Whether F is above the other by more than its rounding, or not a number."""
        return not (F <= ABOVE * other + self.noise)

    cdef bint is_small(
        self, const double* w, const double* g, bint intercept
    ) noexcept nogil:
        cdef Py_ssize_t d = self.mean.shape[0]
        cdef double bias = g[d] if intercept else 0.0
        cdef double slope
        cdef Py_ssize_t j
        if not (fabs(bias) <= self.small):
            return False
        for j in range(d):
            slope = g[j] - self.mean[j] * bias
            if not self.penalty.is_smooth:
                slope = self.penalty.steepest(w[j], slope)
            if not (fabs(slope) * self.scale[j] <= self.small):
                return False
        return True

    cdef bint sees(self, const double* w, double F) noexcept nogil:
        """Take note of an iterate, and say whether its F ends the run."""
        cdef bint rose = self.is_above(F, self.F)
        cdef Py_ssize_t j
        self.F = F
        if not self.is_above(F, self.best_F):
            self.improved = True
            if F < self.best_F:
                self.best_F = F
            for j in range(self.best.shape[0]):
                self.best[j] = w[j]
        if rose and self.heeds_rise:
            return True
        return not isfinite(F) or F > self.ceiling or F < self.floor


cdef class Quadratic:
    """F near a base point, from the moments of the columns.

    Parameters
    ----------
    mean : ndarray of shape (d,)
        The means of the columns, 0 without an intercept.
    gram : ndarray of shape (d, d)
        The Gram matrix of the centred columns over n.
    penalty : Penalty
    intercept : bool
    """

    def __init__(self, mean, gram, Penalty penalty, bint intercept):
        self.mean = mean
        self.gram = gram
        self.penalty = penalty
        self.intercept = intercept
        self.size = len(mean) + intercept
        self.base = None
        self.apart = np.zeros(self.size)

    def rebase(self, w, double F, g):
        """Make w the base point, with F and its gradient there from the rows."""
        self.base = np.array(w)
        self.base_F = F
        self.base_g = np.array(g)
        self.base_size = self.kinked(&self.base[0])

    cdef double kinked(self, const double* w) noexcept nogil:
        """Return the part of F that has no gradient."""
        cdef double size = 0.0
        cdef Py_ssize_t j
        if self.penalty.l1 == 0.0:
            return 0.0
        for j in range(self.mean.shape[0]):
            size += fabs(w[j])
        return self.penalty.l1 * size

    cdef double at(self, const double* w, double* g) noexcept nogil:
        """Return F(w) and write ∇F(w) to g."""
        cdef Py_ssize_t d = self.mean.shape[0]
        cdef double* u = &self.apart[0]
        cdef double t = 0.0, total = 0.0, product
        cdef const double* row
        cdef Py_ssize_t i, j
        for j in range(self.size):
            u[j] = w[j] - self.base[j]
        # First the prediction at the means, where δ and its intercept may cancel.
        for j in range(d):
            t += self.mean[j] * u[j]
        if self.intercept:
            t += u[d]
            g[d] = self.base_g[d] + t
            total = (g[d] + self.base_g[d]) * u[d]
        for i in range(d):
            row = &self.gram[i, 0]
            product = 0.0
            for j in range(d):
                product += row[j] * u[j]
            g[i] = self.base_g[i] + product + self.mean[i] * t
            g[i] += self.penalty.l2 * u[i]
            total += (g[i] + self.base_g[i]) * u[i]
        return self.base_F + 0.5 * total + (self.kinked(w) - self.base_size)

    def value_and_gradient(self, const double[::1] w, double[::1] g):
        """Return F(w) and write ∇F(w) to g."""
        self.check(w, g)
        return self.at(&w[0], &g[0])

    def run(
        self,
        Rule rule,
        double[::1] w,
        double[::1] g,
        const double[::1] etas,
        Watch watch,
    ):
        """Make a step of each of these sizes, until the watch sees something.

        Parameters
        ----------
        rule : Rule
        w, g : ndarray of shape (size,)
            The iterate and the gradient there, which are overwritten.
        etas : ndarray
            The sizes.
        watch : Watch

        Returns
        -------
        curve : ndarray
            F after each step that was made.
        small : bool
            Whether the gradient is small at the end.
        """
        cdef double[::1] curve = np.empty(len(etas))
        cdef Py_ssize_t made = 0
        cdef bint small = False
        self.check(w, g)
        if rule.size != self.size or watch.best.shape[0] != self.size:
            raise ValueError("The rule was made for another number of coordinates.")
        with nogil:
            while made < etas.shape[0]:
                rule.step(&w[0], &g[0], etas[made])
                rule.follow(&w[0])
                curve[made] = self.at(&w[0], &g[0])
                made += 1
                small = watch.is_small(&w[0], &g[0], self.intercept)
                if watch.sees(&w[0], curve[made - 1]) or small:
                    break
        return np.asarray(curve)[:made], small

    cdef int check(self, const double[::1] w, const double[::1] g) except -1:
        if w.shape[0] != self.size or g.shape[0] != self.size:
            raise ValueError(f"Expected {self.size} coordinates.")
        if self.base is None:
            raise ValueError("A quadratic needs a base point: call rebase first.")
        return 0
