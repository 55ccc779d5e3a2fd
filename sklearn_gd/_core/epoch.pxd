cimport cython
from libc.math cimport pow

from sklearn_gd._core.debts cimport Debts
from sklearn_gd._core.losses cimport Flight, Loss
from sklearn_gd._core.order cimport Ahead, Order
from sklearn_gd._core.penalties cimport Penalty
from sklearn_gd._core.rows cimport Rows
from sklearn_gd._core.rules cimport Rule
from sklearn_gd._core.touched cimport Touched

cdef enum:
    # Rows taken from the order at once, where each is a step.
    RUN = 8
    # The largest batch of sparse rows that is worth touching only its own columns.
    LAZY = 1024


@cython.final
cdef class Steps:
    cdef readonly double eta
    cdef readonly double power
    cdef readonly Py_ssize_t made
    cdef readonly double last
    cdef Py_ssize_t batch
    cdef inline double next(self, Py_ssize_t rows) noexcept nogil:
        self.made += 1
        if self.power != 0.0:
            self.last = self.eta / pow(<double>self.made, self.power)
        if rows < self.batch:
            return self.last * rows / self.batch
        return self.last


@cython.final
cdef class Mean:
    cdef readonly double[::1] sum
    cdef readonly Py_ssize_t count
    cdef bint wanted

    cdef void add(self, const double* w) noexcept nogil


@cython.final
cdef class Problem:
    cdef Rows rows
    cdef const double[::1] y
    cdef const double[::1] s
    cdef const Py_ssize_t[::1] kept
    cdef Loss loss
    cdef Penalty penalty
    cdef Py_ssize_t n
    cdef bint intercept
    cdef bint targeted
    cdef bint weighted
    cdef double offset
    cdef double unit
    cdef Py_ssize_t visited
    # The rows in hand: their numbers, predictions, targets, weights, derivatives; those
    # to be asked for meanwhile; and the gradient of a batch.
    cdef Py_ssize_t[::1] room
    cdef const Py_ssize_t* at
    cdef Ahead ahead
    cdef double[::1] f
    cdef double[::1] t
    cdef double[::1] u
    cdef double[::1] c
    cdef double[::1] g
    cdef Py_ssize_t rows_at_once(self) noexcept nogil
    cdef double look(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double a
    ) noexcept nogil
    cdef void aim(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef double lose(self, Py_ssize_t count) noexcept nogil
    cdef void add(
        self, const Py_ssize_t* at, Py_ssize_t count, double* g, bint onward
    ) noexcept nogil
    cdef Py_ssize_t pass_on(
        self, Py_ssize_t first, Py_ssize_t last
    ) except -1 nogil
    cdef void ask_targets(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef void ask(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef Py_ssize_t take(self, Order order, Py_ssize_t need) except -1 nogil
    cdef Py_ssize_t take_some(self, Order order, Py_ssize_t need) noexcept nogil
    cdef int heed_signals(self, Py_ssize_t count) except -1 nogil
    cdef void check(self, w) except *
    cdef double any_rule(
        self,
        Rule rule,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil
    cdef double dense_descent(
        self, double* w, Order order, Steps steps, Mean mean
    ) except? -1 nogil
    cdef void fly(
        self, Py_ssize_t first, Steps steps, Mean mean, Flight* flight
    ) noexcept nogil
    cdef double dense_prox(
        self, double* w, Order order, Steps steps, Mean mean
    ) except? -1 nogil
    cdef double sparse_descent(
        self,
        Debts debts,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil
    cdef double sparse_rule(
        self,
        Rule rule,
        Touched part,
        double* w,
        Order order,
        Py_ssize_t batch,
        Steps steps,
        Mean mean,
    ) except? -1 nogil
    cdef double look_at_part(self, Py_ssize_t count, Touched part) noexcept nogil
    cdef void unscale(
        self,
        Debts debts,
        double* w,
        double a,
        double* sum_a,
        double* lag,
        double* sums,
    ) noexcept nogil
