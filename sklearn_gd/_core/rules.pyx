# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""The update rules: what one step does to w, given the gradient g and the step η.

Both loops, over all rows at once and over batches of rows, call these and nothing else.
A rule is its formula, its parameters and its state. All operations are per coordinate;
w holds the d coefficients and, behind them, the intercept if there is one.

A new rule is a final subclass of ``Rule`` here whose ``change`` is the formula, its
name in ``AnyRule``, a line in ``SOLVERS`` (``_solver.py``) and a row in the tests'
table of textbook loops. Where the penalty has a kink or a bound, a step ends with its
prox, with the step that each coordinate really takes for a gradient of one: ``stride``.
There g is the gradient of the smooth part, which is not 0 at the optimum, and ``least``
the least subgradient of the whole, which is; everywhere else the two are equal.
"""

cimport cython
from libc.math cimport fabs, fmax, pow, sqrt

import numpy as np


cdef class Rule:
    """One step of a method on ``size`` coordinates."""

    # The arrays that a step changes: saved and restored between calls of partial_fit.
    state_names = ()

    def __init__(self, Py_ssize_t size):
        self.size = size

    def end_with_prox(self, Penalty penalty, Py_ssize_t penalised):
        """Let each step end with the prox of a penalty on the first coordinates."""
        if penalised > self.size:
            raise ValueError(f"The rule was made for {self.size} coordinates.")
        self.penalty = None if penalty.is_smooth else penalty
        self.penalised = penalised

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        """Make one step."""
        self.step_at(NULL, self.size, w, g, eta)

    # Sparse rows give most coordinates no gradient. Without a penalty, a ``lazy`` rule
    # steps on those that have one, and makes up for the others' steps when they next
    # have one.

    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil:
        """Make one step on the coordinates ``at``, or the first ``count`` if NULL.

        w_k and g_k are those of coordinate at_k.
        """

    cdef void skip_at(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
        """Make the steps that the coordinates ``at`` have missed, with g = 0, and add
        the sum of their iterates to ``total``, unless it is NULL.

        w_k is that of coordinate at_k; ``total`` has all coordinates.
        """

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


ctypedef fused AnyRule:
    Descent
    Momentum
    AdaGrad
    RMSprop


# One loop for all rules, in which the compiler sees the formula: the methods of a final
# class are not virtual.
cdef inline void move(
    AnyRule rule,
    const Py_ssize_t* at,
    Py_ssize_t count,
    double* w,
    const double* g,
    double eta,
) noexcept nogil:
    cdef Py_ssize_t k
    cdef double before, least, moved
    if at == NULL and rule.penalty is not None:
        for k in range(rule.penalised):
            before = w[k]
            least = rule.penalty.steepest(before, g[k])
            moved = rule.change(k, g[k], least, eta)
            w[k] = rule.penalty.prox(before - moved, rule.stride(k, eta))
            rule.correct(k, before - w[k], eta)
        for k in range(rule.penalised, count):
            w[k] -= rule.change(k, g[k], g[k], eta)
    elif at == NULL:
        for k in range(count):
            w[k] -= rule.change(k, g[k], g[k], eta)
    else:
        for k in range(count):
            w[k] -= rule.change(at[k], g[k], g[k], eta)


@cython.final
cdef class Descent(Rule):
    """w ← w − η g: gradient descent, and with few rows a step, SGD.

    Cauchy (1847); Robbins and Monro (1951) for random rows. Newton's method is the same
    rule with (∇²F)⁻¹ g in the place of g.
    """

    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil:
        return eta * g

    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil:
        return eta

    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil:
        pass

    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil:
        move(self, at, count, w, g, eta)


# Powers of a decay that are kept; a coordinate absent for longer takes the slow way.
cdef enum:
    POWERS = 1024


cdef inline double powered(
    const double[::1] powers, double decay, Py_ssize_t k
) noexcept nogil:
    return powers[k] if k < POWERS else pow(decay, <double>k)


cdef inline void add_still(
    const Py_ssize_t* at,
    const Py_ssize_t* missed,
    Py_ssize_t count,
    const double* w,
    double* total,
) noexcept nogil:
    """Add the iterates of coordinates that did not move."""
    cdef Py_ssize_t k
    if total != NULL:
        for k in range(count):
            total[at[k]] += missed[k] * w[k]


@cython.final
cdef class Momentum(Rule):
    """m ← λ m + g;  w ← w − η m;  m₀ = 0.

    Heavy ball, Polyak (1964), in the convention of Goh (2017) and PyTorch: the step η
    multiplies the whole of m.
    """

    state_names = ("m",)

    def __init__(self, Py_ssize_t size, *, double momentum=0.9):
        self.size = size
        self.lazy = True
        self.momentum = momentum
        self.m = np.zeros(size)
        self.powers = momentum ** np.arange(POWERS)

    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil:
        self.m[j] = self.momentum * self.m[j] + g
        return eta * self.m[j]

    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil:
        return eta

    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil:
        """Let m be what w has really moved by: w⁺ = prox(w + λ (w − w₋) − η g). With
        the m of before the prox, each step would begin anew."""
        self.m[j] = moved / eta

    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil:
        move(self, at, count, w, g, eta)

    cdef void skip_at(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
        """k steps without g: m λ^k, and w − η m (λ + … + λ^k), a geometric series whose
        partial sums are one too: the iterates add up to
        k w − η m λ/(1 − λ) (k − λ (1 − λ^k)/(1 − λ))."""
        cdef double series = self.momentum / (1.0 - self.momentum)
        cdef double decay, m
        cdef Py_ssize_t k, j
        for k in range(count):
            j = at[k]
            decay = powered(self.powers, self.momentum, missed[k])
            m = eta * self.m[j] * series
            if total != NULL:
                total[j] += missed[k] * (w[k] - m) + m * series * (1.0 - decay)
            w[k] -= m * (1.0 - decay)
            self.m[j] *= decay

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
        self.lazy = True
        self.G = np.zeros(size)
        self.reach = np.ones(size)
        self.start = None
        self.eps = np.full(size, eps)
        self.cap = np.full(size, np.inf)
        self.given_eps = eps

    cdef void follow(self, const double* w) noexcept nogil:
        cdef Py_ssize_t j
        if self.start is not None:
            for j in range(self.size):
                self.reach[j] = fmax(self.reach[j], fabs(w[j] - self.start[j]))

    def restart(self):
        # After an overflow G would hold its coordinate still for ever.
        G = np.asarray(self.G)
        self.G = np.where(np.isfinite(G), G, 0.0)


# Not a method, which would be virtual: ``Adaptive`` is not final.
cdef inline double effective(Adaptive rule, Py_ssize_t j, double eta) noexcept nogil:
    """η / √(G + ε) of coordinate j."""
    cdef double factor = rule.reach[j] / sqrt(rule.G[j] + rule.eps[j])
    # The smaller; fmin would be a call.
    return eta * (factor if factor < rule.cap[j] else rule.cap[j])


@cython.final
cdef class AdaGrad(Adaptive):
    """G ← G + g²;  w ← w − η g / √(G + ε).

    Duchi, Hazan and Singer (2011), diagonal version.
    """

    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil:
        self.G[j] += least * least
        return effective(self, j, eta) * g

    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil:
        return effective(self, j, eta)

    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil:
        pass

    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil:
        move(self, at, count, w, g, eta)

    cdef void skip_at(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
        """Without g nothing moves."""
        add_still(at, missed, count, w, total)


@cython.final
cdef class RMSprop(Adaptive):
    """G ← ρ G + (1 − ρ) g²;  w ← w − η g / √(G + ε).

    Tieleman and Hinton (2012), lecture 6.5.
    """

    def __init__(self, Py_ssize_t size, *, double rho=0.9, double eps=1e-16):
        super().__init__(size, eps=eps)
        self.rho = rho
        self.powers = rho ** np.arange(POWERS)

    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil:
        self.G[j] = self.rho * self.G[j] + (1.0 - self.rho) * least * least
        return effective(self, j, eta) * g

    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil:
        return effective(self, j, eta)

    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil:
        pass

    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil:
        move(self, at, count, w, g, eta)

    cdef void skip_at(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
        """Without g, G decays to ρ^k G and nothing moves."""
        cdef Py_ssize_t k
        for k in range(count):
            self.G[at[k]] *= powered(self.powers, self.rho, missed[k])
        add_still(at, missed, count, w, total)
