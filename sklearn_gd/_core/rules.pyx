# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The update rules: what one step does to w, given the gradient g and the step η.

Both loops, over all rows at once and over batches of rows, call these and nothing else.
A rule is its formula, its parameters and its state. All operations are per coordinate;
w holds the d coefficients and, behind them, the intercept if there is one.

A new rule is a subclass of ``Rule`` here, a line in ``SOLVERS`` (``_solver.py``) and a
row in the tests' table of textbook loops.
"""

from libc.math cimport fabs, fmax, fmin, sqrt

import numpy as np


cdef class Rule:
    """One step of a method on ``size`` coordinates."""

    # The arrays that a step changes: saved and restored between calls of partial_fit.
    state_names = ()

    def __init__(self, Py_ssize_t size):
        self.size = size

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        pass

    cdef void follow(self, const double* w) noexcept nogil:
        """Take note of an iterate that a step over all rows led to."""

    def apply(self, double[::1] w, const double[::1] g, double eta):
        """Make one step in place."""
        if w.shape[0] != self.size or g.shape[0] != self.size:
            raise ValueError(
                f"The rule was made for {self.size} coordinates, got w of "
                f"{w.shape[0]} and g of {g.shape[0]}."
            )
        self.step(&w[0], &g[0], eta)

    def visit(self, const double[::1] w):
        """Take note of where a step over all rows, or an epoch, has led."""
        if w.shape[0] != self.size:
            raise ValueError(f"The rule was made for {self.size} coordinates.")
        self.follow(&w[0])

    @property
    def state(self):
        """The rule's memory, as a dict of arrays that are copies."""
        return {name: np.array(getattr(self, name)) for name in self.state_names}

    @state.setter
    def state(self, arrays):
        for name in self.state_names:
            setattr(self, name, np.array(arrays[name], dtype=np.float64))

    def restart(self):
        """Forget what would carry the next step past a change of step or place."""


cdef class Descent(Rule):
    """w ← w − η g: gradient descent, and with few rows a step, SGD.

    Cauchy (1847); Robbins and Monro (1951) for random rows. Newton's method is the same
    rule with (∇²F)⁻¹ g in the place of g.
    """

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        cdef Py_ssize_t j
        for j in range(self.size):
            w[j] -= eta * g[j]


cdef class Momentum(Rule):
    """m ← λ m + g;  w ← w − η m;  m₀ = 0.

    Heavy ball, Polyak (1964), in the convention of Goh (2017) and PyTorch: the step η
    multiplies the whole of m.
    """

    state_names = ("m",)

    def __init__(self, Py_ssize_t size, *, double momentum=0.9):
        self.size = size
        self.momentum = momentum
        self.m = np.zeros(size)

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        cdef double* m = &self.m[0]
        cdef Py_ssize_t j
        for j in range(self.size):
            m[j] = self.momentum * m[j] + g[j]
            w[j] -= eta * m[j]

    def restart(self):
        self.m[:] = 0.0


cdef class Adaptive(Rule):
    """What AdaGrad and RMSprop share: w ← w − η g / √(G + ε), by coordinate.

    G holds past squares of g. Four arrays make the textbook's rule automatic:
    ``reach`` multiplies 1/√(G + ε) (1 in the textbook), ``start`` is where the reach is
    measured from (None in the textbook), ``cap`` bounds their product (infinite in the
    textbook), and ``eps`` is ε, inside the root, which began as the number
    ``given_eps``.
    """

    state_names = ("G",)

    def __init__(self, Py_ssize_t size, *, double eps=1e-16):
        self.size = size
        self.G = np.zeros(size)
        self.reach = np.ones(size)
        self.start = None
        self.eps = np.full(size, eps)
        self.cap = np.full(size, np.inf)
        self.given_eps = eps

    cdef inline double effective(self, Py_ssize_t j, double eta) noexcept nogil:
        """η / √(G + ε) of coordinate j."""
        return eta * fmin(self.reach[j] / sqrt(self.G[j] + self.eps[j]), self.cap[j])

    cdef void follow(self, const double* w) noexcept nogil:
        cdef Py_ssize_t j
        if self.start is not None:
            for j in range(self.size):
                self.reach[j] = fmax(self.reach[j], fabs(w[j] - self.start[j]))

    def restart(self):
        # After an overflow G would hold its coordinate still for ever.
        G = np.asarray(self.G)
        self.G = np.where(np.isfinite(G), G, 0.0)


cdef class AdaGrad(Adaptive):
    """G ← G + g²;  w ← w − η g / √(G + ε).

    Duchi, Hazan and Singer (2011), diagonal version.
    """

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        cdef Py_ssize_t j
        for j in range(self.size):
            self.G[j] = self.G[j] + g[j] * g[j]
            w[j] -= self.effective(j, eta) * g[j]


cdef class RMSprop(Adaptive):
    """G ← ρ G + (1 − ρ) g²;  w ← w − η g / √(G + ε).

    Tieleman and Hinton (2012), lecture 6.5.
    """

    def __init__(self, Py_ssize_t size, *, double rho=0.9, double eps=1e-16):
        super().__init__(size, eps=eps)
        self.rho = rho

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        cdef double rho = self.rho
        cdef Py_ssize_t j
        for j in range(self.size):
            self.G[j] = rho * self.G[j] + (1.0 - rho) * g[j] * g[j]
            w[j] -= self.effective(j, eta) * g[j]
