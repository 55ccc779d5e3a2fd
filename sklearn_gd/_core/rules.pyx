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
from libc.math cimport NAN, fabs, fmax, pow, sqrt

import numpy as np


cdef class Rule:
    """One step of a method on ``size`` coordinates."""

    # The arrays that a step changes: saved and restored between calls of partial_fit.
    state_names = ()
    # Those that it only reads, which it takes along to another process too.
    guides = ()
    # The estimator's parameters that __init__ takes, and the attributes that hold them.
    parameters = {}

    @property
    def longest(self):
        """The largest stable step over all rows of a quadratic F, times L.

        None if there is no such thing.
        """
        return 2.0

    def __init__(self, Py_ssize_t size):
        self.size = size

    def end_with_prox(self, Penalty penalty, Py_ssize_t penalised):
        """Let each step end with the prox of a penalty on the first coordinates."""
        if penalised > self.size:
            raise ValueError(f"The rule was made for {self.size} coordinates.")
        self.penalty = None if penalty.is_smooth else penalty
        self.penalised = penalised
        self.l1, self.l2 = penalty.l1, penalty.l2

    cdef void step(self, double* w, const double* g, double eta) noexcept nogil:
        """Make one step."""
        self.step_at(NULL, self.size, w, g, eta)

    # Sparse rows give most coordinates no gradient of the loss. A ``lazy`` rule steps
    # on those that have one, and makes up for the others' steps when they next do.

    cdef bint can_skip(self, Penalty penalty):
        """Whether ``skip_at`` can make steps with this penalty on all but the intercept
        in less time than one after the other."""
        known = penalty.is_smooth or self.penalty is not None
        return self.lazy and known and self.l1 == penalty.l1 and self.l2 == penalty.l2

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
        """Make the steps that the coordinates ``at`` have missed, with no gradient but
        that of the penalty, and add the sum of their iterates to ``total``, unless it
        is NULL.

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

    def __reduce__(self):
        parameters = {k: getattr(self, at) for k, at in self.parameters.items()}
        penalty = Penalty(self.l1, self.l2) if self.penalty is None else self.penalty
        arrays = {}
        for name in (*self.state_names, *self.guides):
            values = getattr(self, name)
            arrays[name] = None if values is None else np.array(values)
        return remade, (
            type(self), self.size, parameters, penalty, self.penalised, arrays
        )


def remade(kind, size, parameters, penalty, penalised, arrays):
    """Return the Rule that was pickled."""
    rule = kind(size, **parameters)
    rule.end_with_prox(penalty, penalised)
    for name, values in arrays.items():
        setattr(rule, name, values)
    return rule


ctypedef fused AnyRule:
    Descent
    Momentum
    AdaGrad
    RMSprop


cdef inline double moved_to(
    AnyRule rule, Py_ssize_t j, double w, double g, double eta
) noexcept nogil:
    """Return w_j after a step that ends with the prox."""
    cdef double moved = rule.change(j, g, rule.penalty.steepest(w, g), eta)
    cdef double now = rule.penalty.prox(w - moved, rule.stride(j, eta))
    rule.correct(j, w - now, eta)
    return now


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
    if at == NULL and rule.penalty is not None:
        for k in range(rule.penalised):
            w[k] = moved_to(rule, k, w[k], g[k], eta)
        for k in range(rule.penalised, count):
            w[k] -= rule.change(k, g[k], g[k], eta)
    elif at == NULL:
        for k in range(count):
            w[k] -= rule.change(k, g[k], g[k], eta)
    elif rule.penalty is not None:
        for k in range(count):
            if at[k] < rule.penalised:
                w[k] = moved_to(rule, at[k], w[k], g[k], eta)
            else:
                w[k] -= rule.change(at[k], g[k], g[k], eta)
    else:
        for k in range(count):
            w[k] -= rule.change(at[k], g[k], g[k], eta)


ctypedef fused AdaptiveRule:
    AdaGrad
    RMSprop


cdef inline void skip_one_by_one(
    AdaptiveRule rule,
    const Py_ssize_t* at,
    const Py_ssize_t* missed,
    Py_ssize_t count,
    double* w,
    double eta,
    double* total,
) noexcept nogil:
    """``skip_at`` with an l1 part, which brings most coordinates to rest after a few
    steps: from then on only ``rest`` changes."""
    cdef double now
    cdef Py_ssize_t k, j, left
    for k in range(count):
        j, now, left = at[k], w[k], missed[k]
        while left > 0 and now != 0.0:
            now = moved_to(rule, j, now, 0.0, eta)
            left -= 1
            if total != NULL:
                total[j] += now
        rule.rest(j, left)
        w[k] = now


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
    # Of steps that were missed, as many as an epoch can have.
    DOUBLINGS = 63


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
    parameters = {"momentum": "momentum"}

    def __init__(self, Py_ssize_t size, *, double momentum=0.9):
        self.size = size
        self.lazy = self.restless = True
        self.momentum = momentum
        self.m = np.zeros(size)
        self.powers = momentum ** np.arange(POWERS)
        self.doublings = np.empty((DOUBLINGS, 9))
        self.doubled = NAN  # of no step yet

    @property
    def longest(self):
        return 2.0 * (1.0 + self.momentum)

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
        if self.penalty is not None or self.l2 != 0.0:
            self.skip_with_penalty(at, missed, count, w, eta, total)
        else:
            self.skip_freely(at, missed, count, w, eta, total)

    cdef void skip_freely(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
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

    cdef void double_steps(self, double eta) noexcept nogil:
        """Find the powers of a step that knows the penalty alone, as long as w keeps
        its sign: m⁺ = λ m + l2 w ± l1, w⁺ = w − η m⁺.

        That is x⁺ = x + E x ± c for x = (w, m), which keeps the digits of a small
        penalty; twice it has 2E + E² and 2c + E c. The next w of one such step,
        p·x ± q, becomes the sum of two: 2p + p E and 2q + p·c.
        """
        cdef double* now = &self.doublings[0, 0]
        cdef double* next
        cdef double E0, E1, E2, E3
        cdef Py_ssize_t b
        now[0], now[1] = -eta * self.l2, -eta * self.momentum
        now[2], now[3] = self.l2, self.momentum - 1.0
        now[4], now[5] = -eta * self.l1, self.l1
        now[6], now[7], now[8] = 1.0 + now[0], now[1], now[4]
        for b in range(1, DOUBLINGS):
            next = &self.doublings[b, 0]
            E0, E1, E2, E3 = now[0], now[1], now[2], now[3]
            next[0] = 2.0 * E0 + (E0 * E0 + E1 * E2)
            next[1] = 2.0 * E1 + (E0 * E1 + E1 * E3)
            next[2] = 2.0 * E2 + (E2 * E0 + E3 * E2)
            next[3] = 2.0 * E3 + (E2 * E1 + E3 * E3)
            next[4] = 2.0 * now[4] + (E0 * now[4] + E1 * now[5])
            next[5] = 2.0 * now[5] + (E2 * now[4] + E3 * now[5])
            next[6] = 2.0 * now[6] + (now[6] * E0 + now[7] * E2)
            next[7] = 2.0 * now[7] + (now[6] * E1 + now[7] * E3)
            next[8] = 2.0 * now[8] + (now[6] * now[4] + now[7] * now[5])
            now = next
        self.doubled = eta

    cdef void skip_with_penalty(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil:
        """``skip_at`` by powers of a step, the largest first.

        With a prox they lead to the last step before w leaves its side of 0. That is
        found in halves, since w comes back only if l2 is so large that it swings.
        """
        cdef bint kinked = self.penalty is not None
        cdef bint positive = kinked and self.penalty.positive
        cdef bint swings = kinked and eta * self.l2 >= (1.0 - sqrt(self.momentum)) ** 2
        cdef double v, m, sign
        cdef double* sums
        cdef Py_ssize_t k, j, left
        if eta != self.doubled:
            self.double_steps(eta)
        for k in range(count):
            j, v, left = at[k], w[k], missed[k]
            while left > 0:
                m = self.m[j]
                if not kinked or (
                    not swings and (v > 0.0 or (v < 0.0 and not positive))
                ):
                    sign = 1.0 if v > 0.0 else -1.0
                    sums = NULL if total == NULL else total + j
                    left = self.leap(&v, &m, left, sign, sums)
                    self.m[j] = m
                    if left == 0:
                        break
                elif v == 0.0 and m == 0.0:
                    break
                # To 0, past it, or away from it.
                v = moved_to(self, j, v, self.l2 * v, eta)
                left -= 1
                if total != NULL:
                    total[j] += v
            w[k] = v

    cdef inline Py_ssize_t leap(
        self, double* w, double* m, Py_ssize_t left, double sign, double* total
    ) noexcept nogil:
        """Make steps before w leaves its side of 0, and return how many are left."""
        cdef bint kinked = self.penalty is not None
        cdef double v = w[0]
        cdef double u = m[0]
        cdef double side = sign if kinked else 0.0
        cdef double moved
        cdef const double* E
        cdef Py_ssize_t b = 0
        while (left >> b) > 1:
            b += 1
        while b >= 0 and left > 0:
            E = &self.doublings[b, 0]
            moved = v + (E[0] * v + E[1] * u + E[4] * side)
            if (left >> b) > 0 and (not kinked or moved * sign > 0.0):
                if total != NULL:
                    total[0] += E[6] * v + E[7] * u + E[8] * side
                u += E[2] * v + E[3] * u + E[5] * side
                v = moved
                left -= <Py_ssize_t>1 << b
            b -= 1
        w[0], m[0] = v, u
        return left

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
    guides = ("reach", "start", "eps", "cap")
    parameters = {"eps": "given_eps"}

    def __init__(self, Py_ssize_t size, *, double eps=1e-16):
        self.size = size
        self.lazy = True
        self.G = np.zeros(size)
        self.reach = np.ones(size)
        self.start = None
        self.eps = np.full(size, eps)
        self.cap = np.full(size, np.inf)
        self.given_eps = eps

    @property
    def longest(self):
        return None

    def end_with_prox(self, Penalty penalty, Py_ssize_t penalised):
        """Let each step end with the prox of a penalty on the first coordinates."""
        super().end_with_prox(penalty, penalised)
        # With an l2 part each step changes G and w by each other.
        self.lazy = penalty.l2 == 0.0
        self.restless = penalty.l1 != 0.0

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
        """Without g nothing moves, but for the prox."""
        if self.l1 != 0.0:
            skip_one_by_one(self, at, missed, count, w, eta, total)
        else:
            add_still(at, missed, count, w, total)

    cdef inline void rest(self, Py_ssize_t j, Py_ssize_t k) noexcept nogil:
        pass


@cython.final
cdef class RMSprop(Adaptive):
    """G ← ρ G + (1 − ρ) g²;  w ← w − η g / √(G + ε).

    Tieleman and Hinton (2012), lecture 6.5.
    """

    parameters = {"rho": "rho", "eps": "given_eps"}

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
        """Without g, G decays to ρ^k G and nothing moves, but for the prox."""
        cdef Py_ssize_t k
        if self.l1 != 0.0:
            skip_one_by_one(self, at, missed, count, w, eta, total)
            return
        for k in range(count):
            self.rest(at[k], missed[k])
        add_still(at, missed, count, w, total)

    cdef inline void rest(self, Py_ssize_t j, Py_ssize_t k) noexcept nogil:
        self.G[j] *= powered(self.powers, self.rho, k)
