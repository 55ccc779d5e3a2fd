cdef class Rows:
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t d
    cdef readonly Py_ssize_t stored
    cdef readonly bint sparse
    cdef readonly bint mapped
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
    cdef void move(
        self, const Py_ssize_t* at, Py_ssize_t count, double* u, double* w
    ) noexcept nogil
    cdef void add(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* c,
        double* g,
        bint onward,
    ) noexcept nogil
    cdef void shrink(
        self,
        Py_ssize_t i,
        double c,
        double* w,
        double a,
        double t,
        double least,
    ) noexcept nogil
    cdef void settle(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        double* w,
        double* paid,
        double total,
        double least,
        double* f,
    ) noexcept nogil
    cdef double norm(self, Py_ssize_t i, const double* scale) noexcept nogil
    cdef void add_squares(self, Py_ssize_t i, double c, double* g) noexcept nogil
    cdef Py_ssize_t held(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef void columns(
        self, const Py_ssize_t* at, Py_ssize_t count, long long* columns
    ) noexcept nogil
    cdef void dot_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* w,
        double* f,
    ) noexcept nogil
    cdef void add_by(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const long long* numbers,
        const double* c,
        double* g,
    ) noexcept nogil
    cdef void prefetch(
        self, const Py_ssize_t* at, Py_ssize_t count, bint soon
    ) noexcept nogil
    cdef void fetch(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil
    cdef void locate(self, const Py_ssize_t* at, Py_ssize_t count) noexcept nogil
    cdef void dot_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* W,
        Py_ssize_t K,
        double* F,
    ) noexcept nogil
    cdef void add_lanes(
        self,
        const Py_ssize_t* at,
        Py_ssize_t count,
        const double* C,
        Py_ssize_t K,
        double* W,
    ) noexcept nogil
