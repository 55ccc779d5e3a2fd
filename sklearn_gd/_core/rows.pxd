cdef class Rows:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t d
    cdef readonly Py_ssize_t stored
    cdef readonly bint sparse
    cdef void dot(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* w, double* f
    ) noexcept nogil
    cdef void meet(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* w,
        double* f,
        double* products,
    ) noexcept nogil
    cdef void add(
        self, const Py_ssize_t* at, Py_ssize_t count, const double* c, double* g
    ) noexcept nogil
    cdef double norm(self, Py_ssize_t i, const double* scale) noexcept nogil
    cdef void add_squares(self, Py_ssize_t i, double c, double* g) noexcept nogil
    cdef Py_ssize_t columns(self, Py_ssize_t i, Py_ssize_t* at) noexcept nogil
    cdef void prefetch(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef void locate(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
