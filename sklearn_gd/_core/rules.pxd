cimport cython

from sklearn_gd._core.penalties cimport Penalty


cdef class Rule:
    cdef readonly Py_ssize_t size
    cdef Penalty penalty
    cdef Py_ssize_t penalised
    # The penalty's l1 and l2 on those coordinates.
    cdef double l1, l2
    cdef readonly bint lazy
    # Whether coordinates without a gradient move.
    cdef bint restless
    cdef bint can_skip(self, Penalty penalty)
    cdef void step(self, double* w, const double* g, double eta) noexcept nogil
    cdef void step_at(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        const double* g,
        double eta,
    ) noexcept nogil
    cdef void skip_at(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil
    cdef void follow(self, const double* w) noexcept nogil


@cython.final
cdef class Descent(Rule):
    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil
    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil
    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil


@cython.final
cdef class Momentum(Rule):
    cdef public double[::1] m
    cdef readonly double momentum
    cdef double[::1] powers
    # 1, 2, 4, 8 … steps without a gradient of the loss, and the η that they are of.
    cdef double[:, ::1] doublings
    cdef double doubled
    cdef void skip_freely(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil
    cdef void double_steps(self, double eta) noexcept nogil
    cdef void skip_with_penalty(
        self,
        const Py_ssize_t* at,
        const Py_ssize_t* missed,
        Py_ssize_t count,
        double* w,
        double eta,
        double* total,
    ) noexcept nogil
    cdef inline Py_ssize_t leap(
        self, double* w, double* m, Py_ssize_t left, double sign, double* total
    ) noexcept nogil
    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil
    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil
    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil


cdef class Adaptive(Rule):
    cdef public double[::1] G
    cdef public double[::1] reach
    cdef public const double[::1] start
    cdef public double[::1] eps
    cdef public double[::1] cap
    cdef readonly double given_eps


@cython.final
cdef class AdaGrad(Adaptive):
    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil
    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil
    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil
    cdef inline void rest(self, Py_ssize_t j, Py_ssize_t k) noexcept nogil


@cython.final
cdef class RMSprop(Adaptive):
    cdef readonly double rho
    cdef double[::1] powers
    cdef inline double change(
        self, Py_ssize_t j, double g, double least, double eta
    ) noexcept nogil
    cdef inline double stride(self, Py_ssize_t j, double eta) noexcept nogil
    cdef inline void correct(
        self, Py_ssize_t j, double moved, double eta
    ) noexcept nogil
    cdef inline void rest(self, Py_ssize_t j, Py_ssize_t k) noexcept nogil
